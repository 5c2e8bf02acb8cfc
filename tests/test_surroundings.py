"""Where and how a script is started: odd names, other folders, a notebook, a terminal that is closed."""

import contextlib
import os
import runpy
import shlex
import signal
import subprocess
import sys

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from runs import assert_ran, checkpoint_names, run, write_mnist

from common import TrainingRun, training_parser, winograd
from common.curves import SummaryWriter, read_losses
from common.random_streams import random_stream
from common.scripts import ROOT
from common.tensorflow1 import bfloat16_missing
from common.training_run import SIGNALS, catch_signals

SCRIPT = 'cgan.py'


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_mnist(tmp_path_factory.mktemp('data'))


def test_started_as_a_reader_does_and_continued_by_the_printed_command(tmp_path):
    """Its own process, another working directory, and the backend that `!python` inherits from a notebook.

    A terminal that knows few letters; spaces and other letters in the name of the logdir; the data are moved.
    """
    logdir = tmp_path / 'my 数字 logs'
    folder = write_mnist(tmp_path / 'data')
    result = subprocess.run([sys.executable, os.path.join(ROOT, SCRIPT), '--data-dir', 'data', '--batch-size', '8',
                             '--max-steps', '2', '--logdir', logdir.name], cwd=tmp_path, capture_output=True, text=True,
                            env={**os.environ, 'MPLBACKEND': 'module://not_installed', 'PYTHONIOENCODING': 'ascii'})
    assert result.returncode == 0, result.stderr
    assert '\\u6570' in result.stdout and sorted(os.listdir(tmp_path)) == ['data', logdir.name]
    assert (logdir / 'cgan' / 'losses.png').read_bytes().startswith(b'\x89PNG')

    result = run(SCRIPT, '--resume', '--logdir', logdir, '--max-steps', 3)  # from another folder
    assert_ran(result)
    commands = [shlex.split(line.partition(': ')[2]) for line in result.out.splitlines() if line.startswith('To ')]
    (python, script, *arguments), tensorboard = commands
    assert (python, script) == ('python', SCRIPT)
    assert tensorboard == ['tensorboard', f'--logdir={logdir}', '--samples_per_plugin', 'images=1000']
    os.rename(folder, tmp_path / 'moved')
    assert_ran(run(script, *arguments, '--data-dir', tmp_path / 'moved', '--max-steps', 4))
    assert checkpoint_names(logdir / 'cgan')[1:] == ['epoch_0000-step_000003', 'epoch_0000-step_000004']


def test_the_environment_chooses_the_convolutions_and_the_home_directory(monkeypatch):
    for setting, direct in ('', False), ('0', False), ('1', True):
        monkeypatch.setenv('GAN_DIRECT_CONVOLUTION', setting)
        assert runpy.run_path(winograd.__file__)['_direct'] == direct
    for name in 'HOME', 'USERPROFILE':
        monkeypatch.setenv(name, '/home/someone')
    args = training_parser('', 1).parse_args(['--logdir=~/runs', '--data-dir=~/data'])
    assert (args.logdir, args.data_dir) == ('/home/someone/runs', '/home/someone/data')


def test_a_notebook_is_left_as_it_was(data, tmp_path):
    """Eager TensorFlow 2, Keras and a graph of the user's work after a training, which may be in a thread.

    What the user has set in the environment stays set.
    """
    code = '''
import os, sys, threading
before = dict(os.environ)
import vanilla_gan
changed = {name for name in before.keys() | os.environ.keys() if before.get(name) != os.environ.get(name)}
assert changed == {'TF_ENABLE_ONEDNN_OPTS', 'TF2_BEHAVIOR'}, changed  # the last is TensorFlow's
import tensorflow as tf
mine = tf.Graph()
with mine.as_default():
    tf.compat.v1.placeholder(tf.float32, name='mine')
    vanilla_gan.main([*sys.argv[1:], '--max-steps', '1'])
    assert tf.compat.v1.get_default_graph() is mine
    tf.constant(1)
thread = threading.Thread(target=vanilla_gan.main, args=[[*sys.argv[3:], '--resume', '--max-steps', '2']])
thread.start()
thread.join()
assert [operation.name for operation in mine.get_operations()] == ['mine', 'Const']
assert tf.constant(1).numpy() == 1
model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
assert model.predict(tf.ones((1, 2)), verbose=0).shape == (1, 1)
'''
    environment = {name: value for name, value in os.environ.items() if not name.startswith('TF')}
    result = subprocess.run([sys.executable, '-c', code, '--data-dir', data, '--logdir', tmp_path, '--batch-size', '8'],
                            cwd=ROOT, capture_output=True, text=True, env={**environment, 'TF_CPP_MIN_LOG_LEVEL': '2'})
    assert result.returncode == 0, result.stderr
    assert checkpoint_names(tmp_path / 'vanilla')[-1] == 'epoch_0000-step_000002'


@pytest.mark.skipif(os.name != 'posix', reason='there are no such signals here')
def test_the_signals_that_stop_a_second_ctrl_c_and_nohup():
    before = {number: signal.getsignal(number) for number in SIGNALS}
    assert {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGXCPU} == set(SIGNALS)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        caught = []
        with contextlib.ExitStack() as until:
            catch_signals(until, caught)
            for number in SIGNALS:
                os.kill(os.getpid(), number)
            assert caught == SIGNALS
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with contextlib.ExitStack() as until:
            catch_signals(until, caught := [])
            os.kill(os.getpid(), signal.SIGHUP)
            assert caught == []
        assert signal.getsignal(signal.SIGTERM) == before[signal.SIGTERM]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_scalars_that_were_edited_before_a_run_is_resumed_stay_in_their_columns(tmp_path):
    for names in 'ab', 'cba', 'a':
        with contextlib.closing(SummaryWriter(tmp_path, 10)) as writer:
            values = [tf.Summary.Value(tag=name, simple_value=ord(name)) for name in names]
            writer.add_summary(tf.Summary(value=values), 0)
    found = [(row['a'], row['b']) for row in read_losses(tmp_path)]
    np.testing.assert_equal(found, [(97, 98), (97, 98), (97, np.nan)])


def test_a_stream_asked_twice_goes_on_and_begins_anew_at_the_next_step(data, tmp_path):
    start = training_parser('', 1).parse_args(['--seed', '7', '--data-dir', data, '--logdir', str(tmp_path)])
    training = TrainingRun('vanilla', start)
    for training.steps in 0, 1:
        expected = random_stream(7, 'noise', training.steps).uniform(size=6)
        assert [*training.rng('noise').uniform(size=3), *training.rng('noise').uniform(size=3)] == [*expected]
        assert training.rng('code').uniform() == random_stream(7, 'code', training.steps).uniform() != expected[0]


def test_processors_with_bfloat16(tmp_path):
    for cpuinfo, has_bfloat16 in (('flags\t\t: fpu avx512f avx512_bf16\nbogomips\t: 4000\n', True),
                                  ('flags : avx2 amx_bf16 amx_tile\n', True), ('flags : avx512f\n', False),
                                  ('Features\t: fp asimd bf16\n', False)):  # ARM's
        (tmp_path / 'cpuinfo').write_text(cpuinfo)
        assert (bfloat16_missing(tmp_path / 'cpuinfo') is None) == has_bfloat16
    assert '--mixed-precision' in bfloat16_missing(tmp_path / 'no such file, as on macOS')
