"""Runs of the four scripts as processes of their own, to be killed, stopped and compared.

A process is forked from a server that has already imported TensorFlow, which
would cost each run seconds; from there on it is `python SCRIPT ARGUMENTS`.
"""

import glob
import hashlib
import json
import multiprocessing
import multiprocessing.forkserver
import os
import resource
import runpy
import signal
import sys
import tempfile
import time
from types import SimpleNamespace
from unittest import mock

import numpy as np

from common import tf
from common.scripts import ROOT

PATIENCE = 300  # seconds, for a machine that is busy with other things

_context = multiprocessing.get_context('forkserver')
_context.set_forkserver_preload(['with_tensorflow'])


def write_mnist(folder, images=160, seed=0, other_pixels=0, other_labels=0):
    """Write a mnist.npz of random images into `folder`, some pixels or labels changed; returns its name."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for part, count in (('train', images * 7 // 8), ('test', images - images * 7 // 8)):
        arrays[f'x_{part}'] = rng.integers(0, 256, (count, 28, 28), np.uint8)
        arrays[f'y_{part}'] = rng.integers(0, 10, count, np.uint8)
    arrays['x_train'].flat[5000:5000 + other_pixels] ^= 1
    arrays['y_train'][:other_labels] ^= 1
    os.makedirs(folder, exist_ok=True)
    np.savez(os.path.join(folder, 'mnist.npz'), **arrays)
    return str(folder)


def _start_server():
    """Start the server, if it does not run, in the environment of a terminal in which nothing has been imported."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith('TF_')}
    environment['PYTHONPATH'] = os.pathsep.join([ROOT, os.path.join(ROOT, 'tests')])
    with mock.patch.dict(os.environ, environment, clear=True):
        multiprocessing.forkserver.ensure_running()


class Process:
    """`python SCRIPT ARGUMENTS`, started.

    @param script: file name in the repository
    @param before: called in the new process first of all, to make it fail
    """

    def __init__(self, script, *args, before=None):
        self._folder = tempfile.TemporaryDirectory()  # also where it runs: nothing may be written there
        self._files = [os.path.join(self._folder.name, name) for name in ('stdout', 'stderr')]
        _start_server()
        self._process = _context.Process(
            target=_run_script, args=(os.path.join(ROOT, script), list(map(str, args)), *self._files, before))
        self._process.start()

    @property
    def out(self):
        return self._read(0)

    @property
    def err(self):
        return self._read(1)

    def _read(self, i):
        with open(self._files[i]) if os.path.exists(self._files[i]) else open(os.devnull) as file:
            return file.read()

    def running(self):
        return self._process.is_alive()

    def signal(self, number):
        os.kill(self._process.pid, number)

    def wait_for(self, text, times=1):
        """Wait until stdout has `text` so many times."""
        deadline = time.monotonic() + PATIENCE
        while self.out.count(text) < times:
            assert self.running(), f'ended before {text!r}: {self.out}{self.err}'
            assert time.monotonic() < deadline, f'no {text!r} in {self.out}{self.err}'
            time.sleep(0.01)

    def end(self):
        """Wait for the end; returns exit status (minus the signal that killed it), stdout and stderr."""
        self._process.join(PATIENCE)
        if self._process.is_alive():
            self._process.kill()
            raise AssertionError(f'did not end: {self.out}{self.err}')
        with self._folder:
            return SimpleNamespace(status=self._process.exitcode, out=self.out, err=self.err)


def _run_script(script, args, stdout, stderr, before):
    for number, path in ((1, stdout), (2, stderr)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a background job or nohup may have ignored
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.chdir(os.path.dirname(stdout))
    sys.argv = [script, *args]
    if before:
        before()
    runpy.run_path(script, run_name='__main__')


def run(script, *args, before=None):
    """`python SCRIPT ARGUMENTS` to its end; returns exit status, stdout and stderr."""
    return Process(script, *args, before=before).end()


def limit_file_size(size):
    """Let the process write no file above `size` bytes, which is to it as if the disk were full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def at_change(text, number):
    """Let the process send itself a signal just before it makes, renames or removes a path with `text`."""
    def hook(event, args):
        if event in ('os.mkdir', 'os.rename', 'os.remove') and text in str(args[:2]):
            os.kill(os.getpid(), number)
    sys.addaudithook(hook)


def checkpoint_names(run_dir):
    """Names of the checkpoints of a run in alphabetical order, which is their order in time."""
    return sorted(name for name in os.listdir(os.path.join(run_dir, 'checkpoints')) if name.startswith('epoch_'))


def variables(run_dir, checkpoint):
    """{name: (dtype, shape, bytes)} of all that a checkpoint holds: weights, Adam slots and powers, averages."""
    reader = tf.train.load_checkpoint(os.path.join(run_dir, 'checkpoints', checkpoint, 'model.ckpt'))
    tensors = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    return {name: (str(tensor.dtype), tensor.shape, tensor.tobytes()) for name, tensor in tensors.items()}


def summaries(run_dir):
    """[(step, name, value)] of all event files, sorted; values are numbers or the bytes of a picture.

    A file that is damaged or cut off raises: a run that has ended must leave none.
    """
    found = []
    for path in glob.glob(os.path.join(glob.escape(str(run_dir)), 'events.out.tfevents.*')):
        for record in tf.python_io.tf_record_iterator(path):
            event = tf.Event.FromString(record)
            for value in event.summary.value:
                found.append((event.step, value.tag, value.image.encoded_image_string or value.simple_value))
    return sorted(found)


def assert_same_run(run_dir, expected_dir):
    """At the newest checkpoint of the one run, the other, which came as far or further, was the same.

    Every variable has the same bits; until there the same was logged and drawn, each step once, and nothing later.
    """
    newest = checkpoint_names(run_dir)[-1]
    got, expected = variables(run_dir, newest), variables(expected_dir, newest)
    assert got.keys() == expected.keys()
    assert [name for name in expected if got[name] != expected[name]] == []
    steps = state(expected_dir, newest)['steps']
    assert state(run_dir, newest)['steps'] == steps
    logged, expected = summaries(run_dir), [point for point in summaries(expected_dir) if point[0] < steps]
    assert [point[:2] for point in logged] == [point[:2] for point in expected]
    assert logged == expected
    expected = pictures(expected_dir)
    last = f'{newest[:10]}.png'
    assert pictures(run_dir) == {name: expected[name] for name in expected if name <= last or name[0] == 'r'}


def state(run_dir, checkpoint):
    """The content of a checkpoint's state.json."""
    with open(os.path.join(run_dir, 'checkpoints', checkpoint, 'state.json')) as file:
        return json.load(file)


def pictures(run_dir):
    """{name: bytes} of the sample pictures."""
    folder = os.path.join(run_dir, 'samples')
    return {name: read_bytes(os.path.join(folder, name)) for name in sorted(os.listdir(folder))}


def read_bytes(path):
    with open(path, 'rb') as file:
        return file.read()


def flip_a_bit(path, at):
    """Damage the byte at this position of a file."""
    with open(path, 'r+b') as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def tree(folder):
    """{path: (time of change, SHA-256)} of all below `folder` but the lock, to see any change."""
    found = {}
    for parent, folders, files in os.walk(folder):
        for name in folders:
            found[os.path.join(parent, name)] = 'folder'
        for name in files:
            path = os.path.join(parent, name)
            if name != '.lock':
                found[path] = os.stat(path).st_mtime_ns, hashlib.sha256(read_bytes(path)).hexdigest()
    return found


def assert_refused(result, *words, status=2):
    """It ended with `status` and one line on stderr, which has these words."""
    assert result.status == status, (result.status, result.out, result.err)
    assert result.err.count('\n') == 1 and result.err.endswith('\n'), result.err
    assert 'Traceback' not in result.out
    for word in words:
        assert word in result.err, result.err
