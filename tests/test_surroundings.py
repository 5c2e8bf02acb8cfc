"""Where and how a script is started: odd names, other folders, a notebook, a terminal that is closed."""

import contextlib
import functools
import os
import runpy
import shlex
import signal
import subprocess
import sys

import pytest
from runs import assert_ran, assert_refused, checkpoint_names, run, write_mnist

from common import TrainingRun, run_script, training_parser, winograd
from common.random_streams import random_stream
from common.scripts import ROOT
from common.tensorflow1 import bfloat16_missing
from common.training_run import SIGNALS, catch_signals

SCRIPT = 'vanilla_gan.py'


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_mnist(tmp_path_factory.mktemp('data'), images=160)


def assert_came_to(result, logdir, steps):
    assert_ran(result)
    assert checkpoint_names(logdir / 'vanilla')[-1] == f'epoch_0000-step_{steps:06d}'


def _start(folder):
    """In `folder`, in a terminal that knows few letters."""
    os.chdir(folder)
    sys.stdout.reconfigure(encoding='ascii', errors='strict')


def test_printed_commands_work_and_data_are_found_again(data, tmp_path):
    """With spaces and letters of another alphabet in the name of the logdir, and after a move of the data."""
    logdir, moved = tmp_path / 'my 数字 logs', tmp_path / 'moved'
    folder = write_mnist(tmp_path / 'data')
    result = run(SCRIPT, '--data-dir', 'data', '--batch-size', 8, '--max-steps', 2, '--logdir', logdir.name,
                 before=functools.partial(_start, tmp_path))
    assert_came_to(result, logdir, 2)
    assert '\\u6570' in result.out
    result = run(SCRIPT, '--resume', '--logdir', logdir, '--max-steps', 3)  # from another folder
    assert_came_to(result, logdir, 3)
    commands = [shlex.split(line.partition(': ')[2]) for line in result.out.splitlines() if line.startswith('To ')]
    (python, script, *arguments), (tensorboard, *_, of_pictures) = commands
    assert (python, script, tensorboard) == ('python', SCRIPT, 'tensorboard')
    assert f'--logdir={logdir}' in commands[1] and of_pictures == 'images=1000'
    os.rename(folder, moved)
    assert_refused(run(script, *arguments), folder, '--data-dir')
    assert_came_to(run(script, *arguments, '--data-dir', moved, '--max-steps', 4), logdir, 4)


@pytest.mark.parametrize('setting, direct', [('', False), ('0', False), ('1', True)])
def test_the_environment_chooses_the_convolutions(monkeypatch, setting, direct):
    monkeypatch.setenv('GAN_DIRECT_CONVOLUTION', setting)
    assert runpy.run_path(winograd.__file__)['_direct'] == direct


def python(code, *args, **environment):
    """What Python code prints on stdout, in a process of its own that has imported nothing."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith('TF')}
    result = subprocess.run([sys.executable, '-c', code, *map(str, args)], cwd=ROOT, capture_output=True, text=True,
                            env={**clean, **environment})
    assert result.returncode == 0, result.stderr
    return result.stdout


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
model.compile(loss='mse')
model.fit(tf.ones((2, 2)), tf.ones((2, 1)), verbose=0)
print(model.predict(tf.ones((1, 2)), verbose=0).shape)
'''
    out = python(code, '--data-dir', data, '--logdir', tmp_path, '--batch-size', 8, TF_CPP_MIN_LOG_LEVEL='2')
    assert out.endswith('\n(1, 1)\n')
    assert checkpoint_names(tmp_path / 'vanilla')[-1] == 'epoch_0000-step_000002'


def test_a_script_started_as_a_reader_does(data, tmp_path):
    """Its own process, another working directory, and the backend that `!python` inherits from a notebook."""
    result = subprocess.run([sys.executable, os.path.join(ROOT, SCRIPT), '--data-dir', data, '--batch-size', '8',
                             '--max-steps', '2'], cwd=tmp_path, capture_output=True, text=True,
                            env={**os.environ, 'MPLBACKEND': 'module://not_installed'})
    assert result.returncode == 0, result.stderr
    assert os.listdir(tmp_path) == ['logdir'] and checkpoint_names(tmp_path / 'logdir' / 'vanilla')
    assert (tmp_path / 'logdir' / 'vanilla' / 'losses.png').read_bytes().startswith(b'\x89PNG')


def test_ctrl_c_before_the_training(capsys):
    def interrupted():
        raise KeyboardInterrupt
    with pytest.raises(SystemExit) as end:
        run_script(interrupted)
    assert end.value.code == 130 and 'Traceback' not in capsys.readouterr().err


@pytest.mark.skipif(os.name != 'posix', reason='there are no such signals here')
def test_a_second_ctrl_c_stops_at_once_and_nohup_is_respected():
    before = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        caught = []
        with contextlib.ExitStack() as until:
            catch_signals(until, caught)
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGINT)
            assert caught == [signal.SIGINT]
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert signal.getsignal(signal.SIGTERM) == before[signal.SIGTERM]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_stream_asked_twice_goes_on_and_begins_anew_at_the_next_step(data, tmp_path):
    start = training_parser('', 1).parse_args(['--seed', '7', '--data-dir', data, '--logdir', str(tmp_path)])
    training = TrainingRun('vanilla', start)
    for training.steps in 0, 1:
        expected = random_stream(7, 'noise', training.steps).uniform(size=6)
        assert [*training.rng('noise').uniform(size=3), *training.rng('noise').uniform(size=3)] == [*expected]
        assert training.rng('code').uniform() == random_stream(7, 'code', training.steps).uniform() != expected[0]


def test_the_home_directory_in_any_spelling(monkeypatch):
    monkeypatch.setenv('HOME', '/home/someone')
    monkeypatch.setenv('USERPROFILE', '/home/someone')
    args = training_parser('', 1).parse_args(['--logdir=~/runs', '--data-dir=~/data'])
    assert (args.logdir, args.data_dir) == ('/home/someone/runs', '/home/someone/data')


@pytest.mark.parametrize('cpuinfo, has_bfloat16', [
    ('processor\t: 0\nflags\t\t: fpu avx2 avx512f avx512_bf16\nbogomips\t: 4000\n', True),
    ('flags : avx2 avx512f amx_bf16 amx_tile\n', True), ('flags : avx2 avx512f avx512_vnni\n', False),
    ('processor\t: 0\nFeatures\t: fp asimd bf16\n', False), ('', False), (None, False)])
def test_processors_with_bfloat16(tmp_path, cpuinfo, has_bfloat16):
    if cpuinfo is not None:
        (tmp_path / 'cpuinfo').write_text(cpuinfo)
    missing = bfloat16_missing(tmp_path / 'cpuinfo')
    assert (missing is None) == has_bfloat16
    assert has_bfloat16 or '--mixed-precision' in missing and '\n' not in missing
