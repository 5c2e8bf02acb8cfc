"""Checkpoints that a kill at any instant, or a damaged file, cannot turn into a lost run.

A checkpoint is a folder in `checkpoints/` that holds what `tf.train.Saver` writes. Its name gives the step.
It is written under another name and renamed when it is complete, and loses its .index file first when it is deleted,
so a folder with a checkpoint's name and an .index file is a complete one. Damage is found by TensorFlow's own
checksums; then the checkpoint before it serves.
"""

import os
import re
import sys
from typing import NamedTuple

import tensorflow.compat.v1 as tf

from common import files
from common.errors import UserError, one_line

_PREFIX = 'model.ckpt'  # of the names of its files
_NAME = re.compile(r'epoch_(\d{4,})(?:-step_(\d+))?$')


class Checkpoint(NamedTuple):
    """A checkpoint on disk: its folder, the completed epochs, and the steps into the next one."""

    path: str
    epoch: int
    step_in_epoch: int

    @property
    def name(self):
        """'epoch_0025', or 'epoch_0025-step_000300' within an epoch."""
        return os.path.basename(self.path)


def list_checkpoints(directory):
    """All complete checkpoints in `directory`, oldest first; [] where there are none."""
    found = []
    for name in os.listdir(directory) if os.path.isdir(directory) else []:
        match = _NAME.match(name)
        if match and os.path.exists(os.path.join(directory, name, _PREFIX + '.index')):
            found.append(Checkpoint(os.path.join(directory, name), int(match[1]), int(match[2] or 0)))
    return sorted(found, key=lambda checkpoint: checkpoint[1:])


def load(saver, sess, variables, directory, epoch=None):
    """Load the checkpoint of the end of `epoch`, or else the newest that is not damaged, and return it.

    variables: those of `saver`. A damaged checkpoint is reported on stderr. Raises UserError where there is none that
    can be used, or it is of other networks.
    """
    tried = None
    while (found := list_checkpoints(directory)) != tried:
        for checkpoint in reversed(found):
            if epoch is not None and checkpoint[1:] != (epoch, 0):
                continue
            try:
                _check_shapes(checkpoint, variables)
                saver.restore(sess, os.path.join(checkpoint.path, _PREFIX))
                return checkpoint
            except (tf.errors.OpError, ValueError, RuntimeError) as error:  # the last two are load_checkpoint's
                if checkpoint not in list_checkpoints(directory):  # a training that goes on has deleted it meanwhile
                    continue
                damage = f'{checkpoint.path} is damaged ({one_line(error)})'
                if epoch is not None:
                    raise UserError(f'{damage}: choose another epoch')
                print(damage, file=sys.stderr, flush=True)
        tried = found  # there may be newer ones by now: look again
    raise UserError(f'there is no usable checkpoint{"" if epoch is None else f" of epoch {epoch}"} in {directory}, '
                    f'which holds {", ".join(checkpoint.name for checkpoint in found) or "none"}: choose another epoch '
                    'or run, wait until the training has saved one, or train again, with --overwrite')


def _check_shapes(checkpoint, variables):
    """Restoring would give a variable whatever shape the checkpoint has."""
    saved = tf.train.load_checkpoint(os.path.join(checkpoint.path, _PREFIX)).get_variable_to_shape_map()
    for variable in variables:
        name, shape = variable.op.name, variable.shape.as_list()
        if saved.get(name) != shape:
            raise UserError(f'{checkpoint.path} does not fit these networks ({name} is {saved.get(name, "missing")} '
                            f'instead of {shape}): it is of another model or other settings, or the networks have '
                            'been edited: undo that, or train the new ones with another --logdir')


def save(saver, sess, directory, epoch, step_in_epoch):
    """Write a checkpoint, whole or not at all, and return it; OSError where it cannot be written."""
    name = f'epoch_{epoch:04d}' + (f'-step_{step_in_epoch:06d}' if step_in_epoch else '')
    checkpoint = Checkpoint(os.path.join(directory, name), epoch, step_in_epoch)
    delete(checkpoint.path)  # one that could not be deleted when the run went back
    with files.atomic_folder(checkpoint.path) as unfinished:
        try:
            saver.save(sess, os.path.join(unfinished, _PREFIX), write_meta_graph=False, write_state=False)
        except tf.errors.OpError as error:
            raise OSError(one_line(error))
    return checkpoint


def delete(path):
    """Delete the folder of a checkpoint in place; a kill leaves one that counts as none."""
    index = os.path.join(path, _PREFIX + '.index')
    files.delete(index)
    if not os.path.exists(index):
        files.delete(path)


def prune(directory, keep):
    """Delete the checkpoints that `keep`, a list of Checkpoint, leaves out, and what is left of half deleted ones."""
    kept = {checkpoint.name for checkpoint in keep}
    for name in os.listdir(directory):
        if _NAME.match(name) and name not in kept:
            delete(os.path.join(directory, name))
