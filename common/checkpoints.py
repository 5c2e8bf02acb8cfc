"""Checkpoints that a kill at any instant, or a damaged file, cannot turn into a lost run.

A checkpoint is a folder in `checkpoints/` that holds what `tf.train.Saver`
writes and a `state.json` with the step and the SHA-256 of each file. It is
written under another name and renamed when it is complete, so a folder with a
checkpoint's name is a complete one.
"""

import collections
import contextlib
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile

from common.errors import UserError
from common.files import delete_folder, whole_folder, write_json
from common.terminal import say
from common.tensorflow1 import tf

# What TensorFlow takes for a pattern in a path; Windows has \ between folders.
_OF_PATTERNS = set('*?[') if os.sep == '\\' else set('*?[\\')
_NAME = re.compile(r'epoch_(\d{4,})(?:-step_(\d+))?$')

Checkpoint = collections.namedtuple('Checkpoint', 'path epoch step_in_epoch')
Checkpoint.__doc__ = """A checkpoint on disk.

path: its folder; epoch: number of completed epochs; step_in_epoch: steps into
the next epoch, 0 at the end of an epoch. Sorts by age within a run.
"""


class DamagedCheckpoint(Exception):
    """What is on disk is not what was saved."""


def list_checkpoints(directory):
    """All complete checkpoints in `directory`, oldest first; [] where there are none."""
    found = []
    for name in os.listdir(directory) if os.path.isdir(directory) else []:
        match = _NAME.match(name)
        if match:
            found.append(Checkpoint(os.path.join(directory, name), int(match[1]), int(match[2] or 0)))
    return sorted(found, key=lambda checkpoint: checkpoint[1:])


def kept_epochs(directory):
    """The checkpoints of ends of epochs, {epoch: Checkpoint}, oldest first."""
    return {checkpoint.epoch: checkpoint for checkpoint in list_checkpoints(directory)
            if checkpoint.step_in_epoch == 0}


def find_epoch(directory, epoch):
    """The kept checkpoint of the end of `epoch`.

    @raise UserError: where it was not kept; lists those that were
    """
    kept = kept_epochs(directory)
    if epoch not in kept:
        there = ', '.join(map(str, kept)) or 'none'
        raise UserError(f'there is no checkpoint of epoch {epoch} in {directory}: kept are epochs {there}')
    return kept[epoch]


def read_state(checkpoint):
    """The content of state.json after comparing every file with its SHA-256.

    @return: dict with `steps`, `epoch`, `step_in_epoch`
    @raise DamagedCheckpoint: where a file is missing, altered or unreadable
    """
    try:
        with open(os.path.join(checkpoint.path, 'state.json')) as file:
            state = json.load(file)
        for name, expected in state['sha256'].items():
            if _sha256(os.path.join(checkpoint.path, name)) != expected:
                raise DamagedCheckpoint(f'{name} is not as it was saved')
        int(state['steps'])
        return state
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedCheckpoint(f'state.json or a file that it names is missing or damaged: {error}')


def restore(saver, sess, checkpoint):
    """Load the variables of `saver` from a checkpoint, after checking it; returns its state.

    @raise DamagedCheckpoint: before any variable is touched
    """
    state = read_state(checkpoint)
    with _name_without_pattern(checkpoint.path) as path:
        saver.restore(sess, _prefix(path))
    return state


def shapes(checkpoint):
    """{name: shape} of the variables in a checkpoint."""
    with _name_without_pattern(checkpoint.path) as path:
        return tf.train.load_checkpoint(_prefix(path)).get_variable_to_shape_map()


def load_newest_good(candidates, load):
    """Load the first checkpoint that is not damaged; each damaged one is told on stderr.

    @param candidates: Checkpoints, the one to try first in front
    @param load: is called with a Checkpoint; raises DamagedCheckpoint
    @return: what `load` returns, or None where all are damaged
    """
    for i, checkpoint in enumerate(candidates):
        try:
            return load(checkpoint)
        except DamagedCheckpoint as error:
            next_one = ': trying the one before' if i + 1 < len(candidates) else ''
            say(f'{checkpoint.path} is damaged ({error}){next_one}', sys.stderr)
    return None


def restore_run(saver, sess, directory, steps_per_epoch, epoch=None):
    """Load the checkpoint from which a training goes on, and tell which it is; each damaged one is told, too.

    @param epoch: the kept checkpoint of the end of this epoch; None: the newest good one
    @return: number of steps done since the start of the training, None where no checkpoint was saved yet
    @raise UserError: where that of `epoch` was not kept, or all are damaged
    """
    def load(checkpoint):
        steps = checkpoint.epoch * steps_per_epoch + checkpoint.step_in_epoch
        if restore(saver, sess, checkpoint)['steps'] != steps:
            raise DamagedCheckpoint('state.json has the step of another')
        say(f'continuing from {checkpoint.path} (step {steps})')
        return steps

    candidates = list_checkpoints(directory)[::-1] if epoch is None else [find_epoch(directory, epoch)]
    steps = load_newest_good(candidates, load)
    if steps is None and candidates:
        raise UserError(f'no usable checkpoint in {directory}: choose one with --resume-from, '
                        'or start anew with --overwrite')
    return steps


def save(saver, sess, directory, steps, epoch, step_in_epoch):
    """Write a checkpoint, whole or not at all.

    @param steps: number of steps done since the start of the training
    @param epoch: number of completed epochs
    @param step_in_epoch: steps done of the next epoch
    @return: Checkpoint
    @raise OSError, tf.errors.OpError: where it cannot be written; nothing is left of it
    """
    name = f'epoch_{epoch:04d}' + (f'-step_{step_in_epoch:06d}' if step_in_epoch else '')
    path = os.path.join(directory, name)
    with whole_folder(path) as unfinished:
        saver.save(sess, _prefix(unfinished), write_meta_graph=False, write_state=False)
        names = sorted(os.listdir(unfinished))
        state = {'steps': steps, 'epoch': epoch, 'step_in_epoch': step_in_epoch,
                 'sha256': {file: _sha256(os.path.join(unfinished, file)) for file in names}}
        write_json(os.path.join(unfinished, 'state.json'), state)
        for file in names:
            _to_disk(os.path.join(unfinished, file))
        _to_disk(unfinished)
    _to_disk(directory)
    return Checkpoint(path, epoch, step_in_epoch)


def delete_old(directory, keep_last, keep_every):
    """Keep the newest `keep_last` checkpoints and the end of every `keep_every`th epoch."""
    for checkpoint in list_checkpoints(directory)[:-keep_last]:
        if checkpoint.step_in_epoch or checkpoint.epoch % keep_every:
            delete_folder(checkpoint.path)


@contextlib.contextmanager
def _name_without_pattern(path):
    """A folder under a name by which TensorFlow finds it: in 'runs[1]' it sees a pattern, wherever it reads."""
    if not _OF_PATTERNS & set(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        yield shutil.copytree(path, os.path.join(folder, 'checkpoint'))


def _prefix(path):
    return os.path.join(path, 'model.ckpt')


def _sha256(path):
    with open(path, 'rb') as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
        return digest.hexdigest()


def _to_disk(path):
    # Not only into the system's memory, so that a power cut does not undo a rename that came later.
    with contextlib.suppress(PermissionError):  # Windows opens no folders
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
