"""Checkpoints that a kill at any instant, or a damaged file, cannot turn into a lost run.

A checkpoint is a folder in `checkpoints/` that holds what `tf.train.Saver` writes. Its name says which step it is of.
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

    @property
    def prefix(self):
        """What TensorFlow calls the checkpoint's path: that of its files without their endings."""
        return os.path.join(self.path, 'model.ckpt')


def list_checkpoints(directory):
    """All complete checkpoints in `directory`, oldest first; [] where there are none."""
    found = []
    for name in os.listdir(directory) if os.path.isdir(directory) else []:
        match = _NAME.match(name)
        if match and os.path.exists(os.path.join(directory, name, 'model.ckpt.index')):
            found.append(Checkpoint(os.path.join(directory, name), int(match[1]), int(match[2] or 0)))
    return sorted(found, key=lambda checkpoint: checkpoint[1:])


def kept_epochs(directory):
    """The checkpoints of ends of epochs, {epoch: Checkpoint}, oldest first."""
    return {checkpoint.epoch: checkpoint for checkpoint in list_checkpoints(directory)
            if checkpoint.step_in_epoch == 0}


def load(saver, sess, variables, directory, epoch=None):
    """Load the checkpoint of the end of `epoch`, or else the newest that is not damaged, and return it.

    variables: those of `saver`. A damaged checkpoint is reported on stderr. Raises UserError where there is none that
    can be used, or it is of other networks.
    """
    tried = None
    while (candidates := _candidates(directory, epoch)) != tried:
        for checkpoint in candidates:
            try:
                _check_shapes(checkpoint, variables)
                saver.restore(sess, checkpoint.prefix)
                return checkpoint
            except (tf.errors.OpError, ValueError, RuntimeError) as error:  # the last two are load_checkpoint's
                damage = f'{checkpoint.path} is damaged ({one_line(error)})'
                if epoch is not None:
                    raise UserError(f'{damage}: choose another epoch')
                print(damage, file=sys.stderr, flush=True)
        tried = candidates  # a training that goes on may have deleted them all meanwhile: look again
    raise UserError(f'there is no usable checkpoint in {directory}: choose another run, or train again, with '
                    '--overwrite')


def _candidates(directory, epoch):
    if epoch is None:
        return list_checkpoints(directory)[::-1]
    kept = kept_epochs(directory)
    if epoch not in kept:
        raise UserError(f'there is no checkpoint of epoch {epoch} in {directory}: kept are epochs '
                        f'{", ".join(map(str, kept)) or "none"}')
    return [kept[epoch]]


def _check_shapes(checkpoint, variables):
    """Restoring would give a variable whatever shape the checkpoint has."""
    saved = tf.train.load_checkpoint(checkpoint.prefix).get_variable_to_shape_map()
    for variable in variables:
        name, shape = variable.op.name, variable.shape.as_list()
        if saved.get(name) != shape:
            raise UserError(f'{checkpoint.path} does not fit the networks of today ({name} is '
                            f'{saved.get(name, "missing")} instead of {shape}): undo the edit, or train the new '
                            'networks in another --logdir or with --overwrite')


def save(saver, sess, directory, epoch, step_in_epoch):
    """Write a checkpoint, whole or not at all.

    epoch: number of completed epochs; step_in_epoch: steps done of the next one. Returns a Checkpoint. Raises
    OSError or tf.errors.OpError where it cannot be written; nothing is left of it then.
    """
    name = f'epoch_{epoch:04d}' + (f'-step_{step_in_epoch:06d}' if step_in_epoch else '')
    checkpoint = Checkpoint(os.path.join(directory, name), epoch, step_in_epoch)
    delete(checkpoint)  # one that could not be deleted when the run went back
    with files.atomic_folder(checkpoint.path) as unfinished:
        saver.save(sess, checkpoint._replace(path=unfinished).prefix, write_meta_graph=False, write_state=False)
    return checkpoint


def delete(checkpoint):
    """Delete a checkpoint in place; a kill leaves a folder that counts as none."""
    index = checkpoint.prefix + '.index'
    files.delete(index)
    if not os.path.exists(index):
        files.delete(checkpoint.path)


def delete_old(directory, keep_last, keep_every):
    """Keep the newest `keep_last` checkpoints and the end of every `keep_every`th epoch."""
    for checkpoint in list_checkpoints(directory)[:-keep_last]:
        if checkpoint.step_in_epoch or checkpoint.epoch % keep_every:
            delete(checkpoint)


def delete_incomplete(directory):
    """Remove what is left of checkpoints whose deletion was interrupted."""
    complete = {checkpoint.name for checkpoint in list_checkpoints(directory)}
    for name in os.listdir(directory):
        if _NAME.match(name) and name not in complete:
            files.delete(os.path.join(directory, name))
