"""Checkpoints that a kill at any instant, or a damaged file, cannot turn into a lost run.

A checkpoint is a folder in `checkpoints/` that holds what `tf.train.Saver`
writes. Its name says which step it is of. It is written under another name and
renamed when it is complete, and loses its .index file first when it is deleted,
so a folder with a checkpoint's name and an .index file is a complete one. Damage
is found by TensorFlow's own checksums; then the checkpoint before it serves.
"""

import os
import re
import shutil
import sys
from typing import NamedTuple

import tensorflow.compat.v1 as tf

from common.errors import UserError, one_line
from common.files import atomic_folder

_NAME = re.compile(r'epoch_(\d{4,})(?:-step_(\d+))?$')


class Checkpoint(NamedTuple):
    """A checkpoint on disk.

    path: its folder; epoch: number of completed epochs; step_in_epoch: steps into the next epoch, 0 at the end of one.
    """

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


class DamagedCheckpoint(Exception):
    """What is on disk is not what was saved."""


class WrongCheckpoint(Exception):
    """It holds other variables than the graph: it is of another model, or the networks have been edited since."""


def list_checkpoints(directory):
    """All complete checkpoints in `directory`, oldest first; [] where there are none."""
    found = [_parse(directory, name) for name in (os.listdir(directory) if os.path.isdir(directory) else [])]
    return sorted((checkpoint for checkpoint in found if checkpoint and os.path.exists(checkpoint.prefix + '.index')),
                  key=lambda checkpoint: checkpoint[1:])


def _parse(directory, name):
    match = _NAME.match(name)
    return match and Checkpoint(os.path.join(directory, name), int(match[1]), int(match[2] or 0))


def kept_epochs(directory):
    """The checkpoints of ends of epochs, {epoch: Checkpoint}, oldest first."""
    return {checkpoint.epoch: checkpoint for checkpoint in list_checkpoints(directory)
            if checkpoint.step_in_epoch == 0}


def find_epoch(directory, epoch):
    """The kept checkpoint of the end of `epoch`; UserError where it was not kept, with a list of those that were."""
    kept = kept_epochs(directory)
    if epoch not in kept:
        there = ', '.join(map(str, kept)) or 'none'
        raise UserError(f'there is no checkpoint of epoch {epoch} in {directory}: kept are epochs {there}')
    return kept[epoch]


def restore(saver, sess, checkpoint, variables):
    """Load the variables of `saver`, which are `variables`, from a checkpoint.

    Raises WrongCheckpoint before any variable is touched, and DamagedCheckpoint.
    """
    try:
        saved = tf.train.load_checkpoint(checkpoint.prefix).get_variable_to_shape_map()
        for variable in variables:  # restoring would give a variable whatever shape the checkpoint has
            if saved.get(variable.op.name) != variable.shape.as_list():
                raise WrongCheckpoint(f'{checkpoint.path} does not fit the networks of today: {variable.op.name} is '
                                      f'{saved.get(variable.op.name, "missing")} instead of {variable.shape.as_list()}')
        saver.restore(sess, checkpoint.prefix)
    except (tf.errors.OpError, ValueError, RuntimeError) as error:  # load_checkpoint's own are Python's
        raise DamagedCheckpoint(one_line(error)) from error


def load_newest_good(candidates, load):
    """Load the first checkpoint that is not damaged; each damaged one is reported on stderr.

    candidates: Checkpoints, the one to try first in front. load: is called with a Checkpoint; raises
    DamagedCheckpoint. Returns what `load` returns, or None where all are damaged.
    """
    for i, checkpoint in enumerate(candidates):
        try:
            return load(checkpoint)
        except DamagedCheckpoint as error:
            next_one = ': trying the one before' if i + 1 < len(candidates) else ''
            print(f'{checkpoint.path} is damaged ({error}){next_one}', file=sys.stderr, flush=True)
    return None


def restore_run(saver, sess, directory, epoch=None):
    """Load the checkpoint from which a training goes on: that of the end of `epoch`, or else the newest good one.

    Returns the Checkpoint, or None where none was saved yet. Raises UserError where that of `epoch` was not kept, all
    are damaged, or they are of other networks.
    """
    def load(checkpoint):
        restore(saver, sess, checkpoint, tf.global_variables())
        return checkpoint

    candidates = list_checkpoints(directory)[::-1] if epoch is None else [find_epoch(directory, epoch)]
    try:
        loaded = load_newest_good(candidates, load)
    except WrongCheckpoint as error:
        raise UserError(f'{error}: undo the edit, or train the new networks in another --logdir or with --overwrite')
    if candidates and not loaded:
        raise UserError(f'no usable checkpoint in {directory}: choose one with --resume-from, or start again with '
                        '--overwrite')
    return loaded


def start_from(saver, sess, run_dir):
    """Load the newest good checkpoint of another run, whose variables a new run begins with; returns it.

    Raises UserError as `restore_run` does, and where the run has none.
    """
    loaded = restore_run(saver, sess, os.path.join(run_dir, 'checkpoints'))
    if not loaded:
        raise UserError(f'there is no checkpoint of a run in {run_dir}: give --start-from the folder of a run, such as '
                        'logdir/dcgan')
    return loaded


def save(saver, sess, directory, epoch, step_in_epoch):
    """Write a checkpoint, whole or not at all.

    epoch: number of completed epochs; step_in_epoch: steps done of the next one. Returns a Checkpoint. Raises
    OSError or tf.errors.OpError where it cannot be written; nothing is left of it then.
    """
    name = f'epoch_{epoch:04d}' + (f'-step_{step_in_epoch:06d}' if step_in_epoch else '')
    checkpoint = Checkpoint(os.path.join(directory, name), epoch, step_in_epoch)
    with atomic_folder(checkpoint.path) as unfinished:
        saver.save(sess, checkpoint._replace(path=unfinished).prefix, write_meta_graph=False, write_state=False)
    return checkpoint


def delete(checkpoint):
    """Delete a checkpoint in place; a kill leaves a folder that counts as none. Raises OSError where it cannot."""
    os.remove(checkpoint.prefix + '.index')
    shutil.rmtree(checkpoint.path)


def delete_old(directory, keep_last, keep_every):
    """Keep the newest `keep_last` checkpoints and the end of every `keep_every`th epoch.

    One that cannot be deleted, since a virus scanner or sample.py reads it, is reported on stderr and stays.
    """
    for checkpoint in list_checkpoints(directory)[:-keep_last]:
        if checkpoint.step_in_epoch or checkpoint.epoch % keep_every:
            try:
                delete(checkpoint)
            except OSError as error:
                print(f'{checkpoint.path} could not be deleted ({one_line(error)}), the training goes on',
                      file=sys.stderr, flush=True)


def delete_incomplete(directory):
    """Remove what is left of checkpoints whose deletion was interrupted."""
    complete = {checkpoint.name for checkpoint in list_checkpoints(directory)}
    for name in os.listdir(directory):
        if _NAME.match(name) and name not in complete:
            shutil.rmtree(os.path.join(directory, name), ignore_errors=True)
