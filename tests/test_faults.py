"""What goes wrong around a run is told in one sentence and costs at most what came after the last good checkpoint."""

import errno
import json
import os
import shutil
import sys
import threading
import warnings
from types import SimpleNamespace

import pytest
from runs import (assert_ran, assert_refused, assert_same_run, at_change, checkpoint_names, limit_file_size, run, tree,
                  write_mnist)

import common
import vanilla_gan
from common.arguments import run_script
from common.errors import UserError
from common.run_folder import read_settings

SCRIPT = 'vanilla_gan.py'
LAST, DATA = 'epoch_0004', 'model.ckpt.data-00000-of-00001'


@pytest.fixture(scope='module')
def settings(tmp_path_factory):
    return '--data-dir', write_mnist(tmp_path_factory.mktemp('data')), '--batch-size', 40, '--epochs', 4


@pytest.fixture(scope='module')
def whole(tmp_path_factory, settings):
    """Folder of a run of 4 epochs of 4 steps, which has kept epochs 2, 3 and 4; not to be changed."""
    logdir = tmp_path_factory.mktemp('whole')
    assert_ran(run(SCRIPT, *settings, '--logdir', logdir))
    assert checkpoint_names(logdir / 'vanilla') == ['epoch_0002', 'epoch_0003', LAST]
    return logdir / 'vanilla'


@pytest.fixture
def copied(whole, tmp_path):
    """A copy of `whole` that a test may change."""
    return shutil.copytree(whole, tmp_path / 'vanilla')


def _truncate(path):
    os.truncate(path, os.path.getsize(path) // 2)


def test_damaged_checkpoints_are_left_for_the_one_before(whole, copied):
    with open(copied / 'checkpoints' / LAST / DATA, 'r+b') as file:  # one bit
        file.seek(100_000)
        byte = file.read(1)[0]
        file.seek(100_000)
        file.write(bytes([byte ^ 1]))
    _truncate(copied / 'checkpoints' / 'epoch_0003' / 'model.ckpt.index')
    result = run(SCRIPT, '--resume', '--logdir', copied.parent)
    assert result.status == 0, result.err
    assert [name in line for name, line in zip((LAST, 'epoch_0003'), result.err.splitlines(), strict=True)] == [1, 1]
    assert 'epoch_0002 (step 8)' in result.out
    assert_same_run(copied, whole)


def test_all_checkpoints_damaged_or_the_one_asked_for(copied):
    for name in checkpoint_names(copied):
        _truncate(copied / 'checkpoints' / name / DATA)
    before = tree(copied)
    result = run(SCRIPT, '--resume', '--logdir', copied.parent, '--epochs', 9)
    assert result.status == 2 and 'Traceback' not in result.err
    assert len(result.err.splitlines()) == 4 and '--overwrite' in result.err.splitlines()[-1]
    # another than the one that was asked for is not taken
    assert_refused(run(SCRIPT, '--resume-from', 3, '--logdir', copied.parent), 'epoch_0003')
    assert tree(copied) == before


def _edit_a_layer():
    dense = common.dense
    common.dense = lambda x, n_outputs, **more: dense(x, n_outputs + 32 * (n_outputs == 512), **more)


def test_a_layer_that_was_edited(copied):
    before = tree(copied)
    assert_refused(run(SCRIPT, '--resume', '--logdir', copied.parent, before=[_edit_a_layer]), LAST, '--overwrite')
    assert tree(copied) == before


# A full disk, and other ways not to be able to write or delete

@pytest.mark.skipif(os.name != 'posix', reason='a limit is how the disk gets full here')
def test_full_disk(whole, copied):
    """Going back to epoch 3, the disk is full before epoch 4 is saved again."""
    result = run(SCRIPT, '--resume-from', 3, '--logdir', copied.parent, before=(limit_file_size, 300_000))
    assert_refused(result, copied, 'epoch_0003', '--resume', status=1)
    # nor is anything half written left
    assert sorted(os.listdir(copied / 'checkpoints')) == ['epoch_0002', 'epoch_0003']
    assert_ran(run(SCRIPT, '--resume', '--logdir', copied.parent))
    assert_same_run(copied, whole)


def _undeletable(name, events=('os.remove', 'shutil.rmtree')):
    return at_change, os.path.join('checkpoints', name), PermissionError(errno.EACCES, 'in use'), events


def test_a_checkpoint_that_cannot_be_deleted_is_reported_and_the_training_goes_on(whole, settings, tmp_path):
    """As on Windows while a virus scanner reads it. What is left of one is none; an old run's must not stay."""
    result = run(SCRIPT, *settings, '--logdir', tmp_path, before=_undeletable('epoch_0001'))
    assert result.status == 0 and 'epoch_0001' in result.err and result.err.count('\n') == 1, result.err
    assert checkpoint_names(tmp_path / 'vanilla') == ['epoch_0001', 'epoch_0002', 'epoch_0003', LAST]
    result = run(SCRIPT, '--resume-from', 2, '--logdir', tmp_path, '--max-steps', 9,
                 before=_undeletable('epoch_0003', ['shutil.rmtree']))
    assert result.status == 0 and 'epoch_0003' in result.err, result.err
    assert checkpoint_names(tmp_path / 'vanilla') == ['epoch_0001', 'epoch_0002', 'epoch_0002-step_000001']
    assert_ran(run(SCRIPT, '--resume', '--logdir', tmp_path))
    assert_same_run(tmp_path / 'vanilla', whole)
    result = run(SCRIPT, *settings, '--logdir', tmp_path, '--overwrite', before=_undeletable(LAST))
    assert result.status == 2 and '--logdir' in result.err and checkpoint_names(tmp_path / 'vanilla') == [LAST]


def _read_one_line_of_the_log():
    reader, writer = os.pipe()
    sys.stdout = os.fdopen(writer, 'w')

    def read():
        while b'\n' not in os.read(reader, 1000):
            pass
        os.close(reader)
    threading.Thread(target=read, daemon=True).start()


def test_no_room_for_the_losses_and_a_log_that_nobody_reads(whole, settings, tmp_path):
    """A row of losses.csv is what finds the disk full. As under `python vanilla_gan.py | head -1`, the run goes on."""
    full = OSError(errno.ENOSPC, 'No space left on device')
    result = run(SCRIPT, *settings, '--logdir', tmp_path, before=(at_change, 'losses.csv', full, ['open']))
    assert_refused(result, tmp_path, 'No space left on device', '--resume', status=1)
    run(SCRIPT, '--resume', '--logdir', tmp_path, before=[_read_one_line_of_the_log])
    assert checkpoint_names(tmp_path / 'vanilla')[-1] == LAST
    assert_same_run(tmp_path / 'vanilla', whole)


# Numbers that are none

def test_a_loss_that_is_no_number(copied):
    """The last good checkpoint stays. As if the rate had always been so: another would be refused on resuming."""
    settings = json.loads((copied / 'settings.json').read_text())
    settings['settings'].update(g_learning_rate=1e30)
    (copied / 'settings.json').write_text(json.dumps(settings))
    before = checkpoint_names(copied)
    result = run(SCRIPT, '--resume', '--logdir', copied.parent, '--epochs', 9)
    assert_refused(result, 'step 1', LAST, status=1)
    assert checkpoint_names(copied) == before


def test_variables_that_are_no_numbers_are_not_saved(settings, tmp_path):
    """The losses of this step were finite, what its last update made of the weights is not."""
    result = run(SCRIPT, *settings, '--logdir', tmp_path, '--max-steps', 1, '--generator-updates', 1,
                 '--g-learning-rate', 1e39, before=(warnings.simplefilter, 'ignore'))
    assert_refused(result, 'step 1', 'no checkpoint', status=1)
    assert checkpoint_names(tmp_path / 'vanilla') == []


# Settings and mistakes

def test_damaged_settings(tmp_path):
    for damage in b'', b'[]', b'{"model": "vanilla"}', b'{"settings": 1}', b'\xff\xfe\x00':
        (tmp_path / 'settings.json').write_bytes(damage)
        with pytest.raises(UserError, match='settings.json'):
            read_settings(str(tmp_path))
        assert (tmp_path / 'settings.json').read_bytes() == damage


@pytest.mark.parametrize('option, value', [
    ('--data-dir', 'nowhere'), ('--logdir', 'a_file'), ('--logdir', ''),
    ('--logdir', 'runs[1]'),  # a pattern, which TensorFlow would not find again
    ('--resume', None), ('--resume', 'vanilla')])  # without a run; the run's own folder instead of the logdir
def test_mistakes(settings, copied, capsys, monkeypatch, option, value):
    monkeypatch.chdir(copied.parent)
    (copied.parent / 'a_file').write_text('mine')
    options = ['--resume', '--logdir', value or 'nowhere'] if option == '--resume' else [*settings, option, value]
    before = tree('.')
    with pytest.raises(SystemExit) as end:
        run_script(lambda: vanilla_gan.main(list(map(str, options))))
    assert_refused(SimpleNamespace(status=end.value.code, **capsys.readouterr()._asdict()), value or '--logdir')
    assert tree('.') == before
