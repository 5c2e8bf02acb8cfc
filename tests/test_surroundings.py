"""Where and how a script is started: odd names, no terminal, other threads, other folders, signals from outside."""

import argparse
import contextlib
import functools
import importlib
import os
import shlex
import shutil
import signal
import subprocess
import sys

import pytest

from common import convolutions, run_script
from common.arguments import path
from common.scripts import ROOT, SCRIPTS
from runs import assert_refused, at_change, checkpoint_names, run, write_mnist

SCRIPT = 'vanilla_gan.py'


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_mnist(tmp_path_factory.mktemp('data'), images=160)


@pytest.fixture(scope='module')
def short(data):
    return '--data-dir', data, '--batch-size', 8, '--max-steps', 2


def assert_ran(result, logdir, steps=2):
    assert result.status == 0 and result.err == '', result.err
    assert checkpoint_names(logdir / 'vanilla')[-1] == f'epoch_0000-step_{steps:06d}'


@pytest.mark.parametrize('name', ['runs[1]', 'what? *', 'my "new" 数字'])
def test_any_name_of_a_folder(short, tmp_path, name):
    assert_ran(run(SCRIPT, *short, '--logdir', tmp_path / name), tmp_path / name)
    result = run(SCRIPT, '--resume', '--logdir', tmp_path / name, '--max-steps', 3)
    assert '(step 2)' in result.out
    assert_ran(result, tmp_path / name, steps=3)
    result = run('sample.py', 'vanilla', '--logdir', tmp_path / name)
    assert result.status == 0 and 'damaged' not in result.err, result.err


@pytest.mark.parametrize('program', [*SCRIPTS.values(), 'sample', 'evaluate'])
def test_every_option_that_names_a_path_knows_the_home_directory(program, monkeypatch):
    monkeypatch.setenv('HOME', '/home/someone')
    paths = [action for action in importlib.import_module(program).parser()._actions
             if action.metavar in ('DIR', 'FILE', 'FOLDER')]
    assert len(paths) >= 2 and all(action.type is path for action in paths)
    parser = argparse.ArgumentParser()
    parser.add_argument('--logdir', type=path)
    assert parser.parse_args(['--logdir=~/runs']).logdir == '/home/someone/runs'


@pytest.fixture(scope='module')
def started(data, tmp_path_factory):
    """A folder, and what a script says that was started there as a reader does, with all that Python imports."""
    folder = tmp_path_factory.mktemp('folder')
    command = [sys.executable, os.path.join(ROOT, 'dcgan.py'), '--data-dir', data, '--batch-size', '40',
               '--max-steps', '1', '--logdir', 'my logs']
    return folder, subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def test_started_from_another_folder_a_script_says_nothing_but_its_own(started):
    """No notes on CUDA, oneDNN or deprecation."""
    folder, result = started
    assert (result.returncode, result.stderr) == (0, '')
    assert '\nTraining dataset shape: (160, 32, 32, 1)\n' in result.stdout
    assert os.listdir(folder) == ['my logs']


def test_printed_commands_work_when_pasted(started):
    folder, result = started
    lines = dict(line.split(': ', 1) for line in result.stdout.splitlines() if line.startswith('To '))
    go_on = subprocess.run(lines['To train on'].strip() + ' --max-steps 2', shell=True, cwd=folder,
                           capture_output=True, text=True)
    assert go_on.returncode == 0 and '(step 1)' in go_on.stdout, go_on.stderr
    tensorboard = lines['To see the curves'].strip()
    assert tensorboard.endswith("'--logdir=my logs' --samples_per_plugin images=1000")
    python = shlex.split(tensorboard)[0]
    assert shutil.which(python) or (folder / python).exists()


def test_data_are_found_again_from_another_folder(data, tmp_path):
    result = run(SCRIPT, '--data-dir', os.path.basename(data), '--batch-size', 8, '--max-steps', 2,
                 '--logdir', tmp_path, before=functools.partial(os.chdir, os.path.dirname(data)))
    assert_ran(result, tmp_path)
    assert_ran(run(SCRIPT, '--resume', '--logdir', tmp_path, '--max-steps', 3), tmp_path, steps=3)


def test_data_that_are_gone(tmp_path):
    write_mnist(tmp_path / 'data')
    run(SCRIPT, '--data-dir', tmp_path / 'data', '--batch-size', 8, '--max-steps', 2, '--logdir', tmp_path)
    (tmp_path / 'data').rename(tmp_path / 'elsewhere')
    assert_refused(run(SCRIPT, '--resume', '--logdir', tmp_path), str(tmp_path / 'data'), '--data-dir')
    result = run(SCRIPT, '--resume', '--logdir', tmp_path, '--data-dir', tmp_path / 'elsewhere', '--max-steps', 3)
    assert_ran(result, tmp_path, steps=3)


def test_too_few_images_are_refused_before_anything_is_written(tmp_path):
    write_mnist(tmp_path / 'data', images=30)
    start = '--data-dir', tmp_path / 'data', '--batch-size', 8, '--logdir', tmp_path / 'logdir'
    for _ in range(2):
        assert_refused(run(SCRIPT, *start), '30 images', '40')
        assert not (tmp_path / 'logdir').exists()


def test_the_folder_of_a_model_instead_of_the_logdir(short, tmp_path):
    run(SCRIPT, *short, '--logdir', tmp_path)
    assert_refused(run(SCRIPT, '--resume', '--logdir', tmp_path / 'vanilla'), 'the folder above')


def test_another_label_is_other_data(data, tmp_path):
    result = run('cgan.py', '--data-dir', data, '--batch-size', 8, '--max-steps', 1, '--logdir', tmp_path)
    assert result.status == 0, result.err
    write_mnist(tmp_path / 'relabelled', other_labels=1)
    assert_refused(run('cgan.py', '--resume', '--logdir', tmp_path, '--data-dir', tmp_path / 'relabelled'),
                   'data_crc32', '--data-dir')


def _convolve_otherwise():
    convolutions._direct = not convolutions._direct


def test_other_convolutions_than_the_run_was_begun_with(short, tmp_path):
    run(SCRIPT, *short, '--logdir', tmp_path)
    result = run(SCRIPT, '--resume', '--logdir', tmp_path, '--max-steps', 3, before=_convolve_otherwise)
    assert result.status == 0 and result.err.count('\n') == 1, result.err
    assert 'GAN_DIRECT_CONVOLUTION' in result.err and 'rounding' in result.err


# The terminal

def _ascii_terminal():
    sys.stdout.reconfigure(encoding='ascii', errors='strict')


def test_letters_that_the_terminal_does_not_know(short, tmp_path):
    logdir = tmp_path / '数字'
    result = run(SCRIPT, *short, '--logdir', logdir, before=_ascii_terminal)
    assert_ran(result, logdir)
    assert 'saved' in result.out and '\\u6570' in result.out


def _close_stderr():
    os.close(2)


def _no_stderr():
    sys.stderr = None


def _no_streams():
    sys.stdout = sys.stderr = None
    for descriptor in range(3):
        with contextlib.suppress(OSError):
            os.close(descriptor)


@pytest.mark.parametrize('before', [_close_stderr, _no_stderr, _no_streams], ids=lambda before: before.__name__)
def test_started_without_stderr(short, tmp_path, before):
    assert_ran(run(SCRIPT, *short, '--logdir', tmp_path, before=before), tmp_path)


def test_in_a_thread(short, tmp_path):
    program = tmp_path / 'in_a_thread.py'
    program.write_text(f'import sys, threading\nsys.path.insert(0, {ROOT!r})\nimport vanilla_gan\n'
                       'thread = threading.Thread(target=vanilla_gan.main)\nthread.start()\nthread.join()\n')
    assert_ran(run(program, *short, '--logdir', tmp_path), tmp_path)


def _ignore_hangups():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    at_change('epoch_0001.png', signal.SIGHUP)


def test_the_terminal_is_closed(data, tmp_path):
    result = run(SCRIPT, '--data-dir', data, '--batch-size', 40, '--logdir', tmp_path,
                 before=functools.partial(at_change, 'epoch_0001.png', signal.SIGHUP))
    assert result.status == 129 and result.err == '' and 'SIGHUP: saving' in result.out, result.err


def test_the_terminal_is_closed_under_nohup(data, tmp_path):
    result = run(SCRIPT, '--data-dir', data, '--batch-size', 40, '--epochs', 2, '--logdir', tmp_path,
                 before=_ignore_hangups)
    assert result.status == 0 and 'Finished after 2 epochs' in result.out, result.err


CTRL_C_WHILE_IT_IMPORTS = """
import os, signal, sys
class Interrupt:
    def find_spec(name, path, target=None):
        if name == 'common.tensorflow1':
            os.kill(os.getpid(), signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupt)
"""


@pytest.mark.parametrize('program, says', [
    (['vanilla_gan.py'], '\ninterrupted\n'), (['sample.py'], '\ninterrupted\n'), (['evaluate.py'], '\ninterrupted\n'),
    # other programs are left alone, a user's own script beside ours, too
    (['-c', 'import common'], 'Traceback'),
    (['-c', "import os, __main__; __main__.__file__ = os.path.abspath('my_own.py'); import common"], 'Traceback')])
def test_ctrl_c_while_a_script_imports(tmp_path, program, says):
    (tmp_path / 'sitecustomize.py').write_text(CTRL_C_WHILE_IT_IMPORTS)
    result = subprocess.run([sys.executable, *program], cwd=ROOT, capture_output=True, text=True,
                            env={**os.environ, 'PYTHONPATH': str(tmp_path)})
    assert result.returncode == -signal.SIGINT and result.stderr.startswith(says), result.stderr
    assert says == 'Traceback' or result.stderr == says


def test_ctrl_c_before_the_training(capsys):
    def interrupted():
        raise KeyboardInterrupt
    with pytest.raises(SystemExit) as end:
        run_script(interrupted)
    assert end.value.code == 130 and capsys.readouterr().err == '\ninterrupted\n'
