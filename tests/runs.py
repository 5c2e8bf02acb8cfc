"""Runs of the scripts as processes of their own, to be killed, stopped and compared.

A process is forked, where the system can, from a server that has already imported TensorFlow, which would cost each
run seconds; from there on it is `python SCRIPT ARGUMENTS`, with narrow layers where it trains the vanilla GAN.
"""

import gc
import hashlib
import multiprocessing
import os
import pathlib
import runpy
import signal
import sys
import tempfile
import time
from types import SimpleNamespace

import matplotlib.figure  # noqa: F401  which takes time, too
import numpy as np

import common
from common import checkpoints
from common.curves import read_losses
from common.scripts import ROOT

import tensorflow.compat.v1 as tf  # after common, which makes its settings
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

gc.freeze()  # what has been imported stays: each picture's gc.collect() need not look through it
PATIENCE = 300  # seconds, for a machine that is busy with other things

# The server is a process of its own, which finds what is here by its environment.
os.environ['PYTHONPATH'] = os.pathsep.join([ROOT, os.path.join(ROOT, 'tests')])
_context = multiprocessing.get_context('forkserver' if os.name == 'posix' else 'spawn')
if os.name == 'posix':
    _context.set_forkserver_preload(['runs'])


def write_mnist(folder, images=160):
    """Write a mnist.npz of random images into `folder`, a seventh of them for testing; returns the folder's name."""
    rng = np.random.default_rng(images)
    x, y = rng.integers(0, 256, (images, 28, 28), np.uint8), rng.integers(0, 10, images, np.uint8)
    n = images * 6 // 7
    os.makedirs(folder, exist_ok=True)
    np.savez(os.path.join(folder, 'mnist.npz'), x_train=x[:n], y_train=y[:n], x_test=x[n:], y_test=y[n:])
    return str(folder)


class Process:
    """`python SCRIPT ARGUMENTS`, started in an empty folder.

    script: file name in the repository; before: (function, its arguments), called in the new process first of all.
    """

    def __init__(self, script, *args, before=None):
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._files = [os.path.join(self._folder.name, name) for name in ('stdout', 'stderr')]
        self._process = _context.Process(
            target=_run_script, args=(os.path.join(ROOT, script), list(map(str, args)), *self._files, before))
        self._process.start()
        self.kill = self._process.kill

    def _read(self, i):
        with open(self._files[i] if os.path.exists(self._files[i]) else os.devnull, encoding='utf-8') as file:
            return file.read()

    def wait_for(self, text, times=1):
        """Wait until stdout has `text` so many times."""
        deadline = time.monotonic() + PATIENCE
        while self._read(0).count(text) < times:
            assert self._process.is_alive() and time.monotonic() < deadline, self._read(0) + self._read(1)
            time.sleep(0.01)

    def end(self):
        """Wait for the end; returns exit status (minus the signal that killed it), stdout and stderr."""
        self._process.join(PATIENCE)
        if self._process.is_alive():
            self.kill()
            raise AssertionError(f'did not end: {self._read(0)}{self._read(1)}')
        with self._folder:
            return SimpleNamespace(status=self._process.exitcode, out=self._read(0), err=self._read(1))


def _run_script(script, args, stdout, stderr, before):
    for number, path in ((1, stdout), (2, stderr)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a background job or nohup may have ignored
    os.chdir(os.path.dirname(stdout))
    sys.argv = [script, *args]
    if script.endswith('vanilla_gan.py'):
        common.dense = narrow(common.dense)
    if before:
        function, *arguments = before
        function(*arguments)
    runpy.run_path(script, run_name='__main__')


def narrow(dense):
    """Layers with a 32nd of their outputs, so that a step and a checkpoint cost little."""
    return lambda x, n_outputs, **more: dense(x, n_outputs if n_outputs in (1, 784) else n_outputs // 32, **more)


def run(script, *args, before=None):
    """`python SCRIPT ARGUMENTS` to its end; returns exit status, stdout and stderr."""
    return Process(script, *args, before=before).end()


def assert_ran(result):
    assert result.status == 0 and result.err == '', result.err


def assert_refused(result, *words, status=2):
    """It ended with `status` and one line on stderr, which has these words."""
    assert result.status == status, (result.status, result.out, result.err)
    assert result.err.count('\n') == 1 and result.err.endswith('\n'), result.err
    assert 'Traceback' not in result.out
    for word in map(str, words):
        assert word in result.err, result.err


# What may happen to a process, for `before`

def limit_file_size(size):
    """Let the process write no file above `size` bytes, which is to it as if the disk were full."""
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def at_change(text, what, events=('os.mkdir', 'os.rename', 'os.remove')):
    """Let something happen to the process just before it makes, renames or removes a path with `text`.

    what: a signal that it sends itself, or an OSError that it fails with.
    """
    def hook(event, args):
        if event in events and text in str(args[:2]):
            if isinstance(what, OSError):
                raise what
            os.kill(os.getpid(), what)
    sys.addaudithook(hook)


# What a run has left

def checkpoint_names(run_dir):
    """Names of the checkpoints of a run, oldest first."""
    return [checkpoint.name for checkpoint in checkpoints.list_checkpoints(os.path.join(run_dir, 'checkpoints'))]


def variables(run_dir, checkpoint=None):
    """{name: array} of all that a checkpoint, by default the newest, holds: weights, Adam slots, averages."""
    checkpoint = checkpoint or checkpoint_names(run_dir)[-1]
    reader = tf.train.load_checkpoint(os.path.join(run_dir, 'checkpoints', checkpoint, 'model.ckpt'))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def tensorboard(run_dir):
    """What TensorBoard shows: {tag: [(step, number or bytes of a picture)]}."""
    shown = EventAccumulator(str(run_dir), size_guidance={'scalars': 0, 'images': 0}).Reload()
    return {**{tag: [(event.step, event.value) for event in shown.Scalars(tag)] for tag in shown.Tags()['scalars']},
            **{tag: [(event.step, event.encoded_image_string) for event in shown.Images(tag)]
               for tag in shown.Tags()['images']}}


def pictures(run_dir):
    """{name: bytes} of the sample pictures."""
    return {path.name: path.read_bytes() for path in sorted(pathlib.Path(run_dir, 'samples').iterdir())}


def assert_same_bits(variables, expected):
    assert variables.keys() == expected.keys()
    assert [name for name in expected if variables[name].tobytes() != expected[name].tobytes()] == []


def assert_same_run(run_dir, expected_dir):
    """At the newest checkpoint of the one run, the other, which came as far or further, was the same.

    Every variable has the same bits; until there the same was logged and drawn, each step once, and nothing later.
    """
    newest = checkpoints.list_checkpoints(os.path.join(run_dir, 'checkpoints'))[-1]
    assert_same_bits(variables(run_dir), variables(expected_dir, newest.name))
    expected = tensorboard(expected_dir)
    steps = newest.epoch * (expected['samples'][0][0] + 1) + newest.step_in_epoch
    before = {tag: [point for point in points if point[0] < steps] for tag, points in expected.items()}
    assert tensorboard(run_dir) == {tag: points for tag, points in before.items() if points}
    assert read_losses(run_dir) == [row for row in read_losses(expected_dir) if row['step'] < steps]
    last = f'epoch_{newest.epoch:04d}.png'
    assert pictures(run_dir) == {name: png for name, png in pictures(expected_dir).items()
                                 if name <= last or name[0] == 'r'}


def tree(folder):
    """{path: (time of change, SHA-256)} of all below `folder` but the lock, to see any change."""
    found = {}
    for path in pathlib.Path(folder).rglob('*'):
        if path.name != '.lock':
            found[path] = path.is_file() and (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
    return found
