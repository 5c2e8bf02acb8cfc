"""What goes wrong around a run is told in one sentence and costs at most what came after the last good checkpoint."""

import errno
import functools
import json
import os
import shutil
import sys
import threading
import warnings

import pytest
import tensorflow.compat.v1 as tf
from runs import (assert_ran, assert_refused, assert_same_run, checkpoint_names, fail_at, flip_a_bit, limit_file_size,
                  run, tree, write_mnist)

import common
from common import checkpoints
from common.errors import UserError
from common.files import atomic_file
from common.run_folder import read_settings

SCRIPT = 'vanilla_gan.py'
LAST = 'epoch_0004'
NO_SPACE = OSError(errno.ENOSPC, 'No space left on device')


@pytest.fixture(scope='module')
def settings(tmp_path_factory):
    return '--data-dir', write_mnist(tmp_path_factory.mktemp('data'), images=160), '--batch-size', 40, '--epochs', 4


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


# Damaged checkpoints: each of these damages the one in the folder `path`.

def _truncate(path, name='model.ckpt.data-00000-of-00001'):
    os.truncate(path / name, os.path.getsize(path / name) // 2)


def _flip_a_bit(path):
    flip_a_bit(path / 'model.ckpt.data-00000-of-00001', 1_000_000)


def _remove_data(path):
    os.remove(path / 'model.ckpt.data-00000-of-00001')


def _truncate_index(path):
    _truncate(path, 'model.ckpt.index')


@pytest.mark.parametrize('last, before', [(_flip_a_bit, _truncate), (_remove_data, _truncate_index)])
def test_damaged_checkpoints_are_left_for_the_one_before(whole, copied, last, before):
    last(copied / 'checkpoints' / LAST)
    before(copied / 'checkpoints' / 'epoch_0003')
    result = run(SCRIPT, '--resume', '--logdir', copied.parent)
    assert result.status == 0, result.err
    assert [name in line for name, line in zip((LAST, 'epoch_0003'), result.err.splitlines(), strict=True)] == [1, 1]
    assert 'epoch_0002 (step 8)' in result.out
    assert_same_run(copied, whole)


def test_all_checkpoints_damaged_or_the_one_asked_for(copied):
    for name in checkpoint_names(copied):
        _truncate(copied / 'checkpoints' / name)
    before = tree(copied)
    result = run(SCRIPT, '--resume', '--logdir', copied.parent, '--epochs', 9)
    assert result.status == 2 and 'Traceback' not in result.err
    assert len(result.err.splitlines()) == 4 and '--overwrite' in result.err.splitlines()[-1]
    # another than the one that was asked for is not taken
    assert_refused(run(SCRIPT, '--resume-from', 3, '--logdir', copied.parent), 'epoch_0003')
    assert tree(copied) == before


def _edit_a_layer():
    dense = common.dense
    common.dense = lambda x, n_outputs, **more: dense(x, n_outputs + (n_outputs == 512), **more)


@pytest.mark.parametrize('edit', [_edit_a_layer, None])
def test_a_checkpoint_of_other_networks(copied, edit):
    if not edit:
        with tf.Graph().as_default(), tf.Session() as sess:
            tf.get_variable('of_another_model', ()).load(0, sess)
            checkpoints.save(tf.train.Saver(), sess, copied / 'checkpoints', 5, 0)
    before = tree(copied)
    name = LAST if edit else 'epoch_0005'
    assert_refused(run(SCRIPT, '--resume', '--logdir', copied.parent, before=edit), name, '--overwrite')
    assert tree(copied) == before


# A full disk, and other ways not to be able to write or delete

# Smaller than a checkpoint, than an event file with a picture, and than settings.json.
@pytest.mark.parametrize('size', [5_000_000, 50_000, 600])
@pytest.mark.skipif(os.name != 'posix', reason='a limit is how the disk gets full here')
def test_full_disk(whole, copied, size):
    """Going back to epoch 3, the disk is full before epoch 4 is saved again."""
    result = run(SCRIPT, '--resume-from', 3, '--logdir', copied.parent,
                 before=functools.partial(limit_file_size, size))
    assert_refused(result, copied, 'epoch_0003', '--resume', status=1)
    # nor is anything half written left
    assert sorted(os.listdir(copied / 'checkpoints')) == ['epoch_0002', 'epoch_0003']
    assert_ran(run(SCRIPT, '--resume', '--logdir', copied.parent))
    assert_same_run(copied, whole)


def test_no_room_for_the_losses(whole, settings, tmp_path):
    """A row of losses.csv is what finds the disk full, before there is a checkpoint."""
    result = run(SCRIPT, *settings, '--logdir', tmp_path,
                 before=functools.partial(fail_at, 'losses.csv', NO_SPACE, ['open']))
    assert_refused(result, tmp_path, 'No space left on device', '--resume', status=1)
    assert_ran(run(SCRIPT, '--resume', '--logdir', tmp_path, '--max-steps', 8))
    assert_same_run(tmp_path / 'vanilla', whole)


def test_a_checkpoint_that_cannot_be_deleted_is_reported_and_the_training_goes_on(whole, settings, tmp_path):
    """As on Windows while a virus scanner reads it."""
    result = run(SCRIPT, *settings, '--logdir', tmp_path, before=functools.partial(
        fail_at, 'epoch_0001', PermissionError(errno.EACCES, 'in use'), ['os.remove', 'shutil.rmtree']))
    assert result.status == 0 and 'epoch_0001' in result.err and result.err.count('\n') == 1, result.err
    assert checkpoint_names(tmp_path / 'vanilla') == ['epoch_0001', 'epoch_0002', 'epoch_0003', LAST]
    assert_same_run(tmp_path / 'vanilla', whole)


@pytest.mark.skipif(not os.path.exists('/dev/null'), reason='there is no device here')
def test_a_device_or_a_folder_is_not_replaced_by_a_file(tmp_path):
    for path in '/dev/null', tmp_path:
        with pytest.raises(OSError), atomic_file(path) as unfinished, open(unfinished, 'w'):
            pass
    assert not os.path.isfile('/dev/null') and os.listdir(tmp_path) == []


def _read_one_line_of_the_log():
    reader, writer = os.pipe()
    sys.stdout = os.fdopen(writer, 'w')

    def read():
        while b'\n' not in os.read(reader, 1000):
            pass
        os.close(reader)
    threading.Thread(target=read, daemon=True).start()


def test_a_log_that_nobody_reads(whole, settings, tmp_path):
    """`python vanilla_gan.py | head -1`: the run goes on."""
    run(SCRIPT, *settings, '--logdir', tmp_path, before=_read_one_line_of_the_log)
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
                 '--g-learning-rate', 1e39, before=functools.partial(warnings.simplefilter, 'ignore'))
    assert_refused(result, 'step 1', 'no checkpoint', status=1)
    assert checkpoint_names(tmp_path / 'vanilla') == []


# Settings and mistakes

@pytest.mark.parametrize('damage', [b'', b'{', b'[]', b'{"model": "vanilla"}', b'\xff\xfe\x00', b'{"settings": 1}'])
def test_damaged_settings(tmp_path, damage):
    (tmp_path / 'settings.json').write_bytes(damage)
    with pytest.raises(UserError, match='settings.json'):
        read_settings(str(tmp_path))
    assert (tmp_path / 'settings.json').read_bytes() == damage


@pytest.mark.parametrize('options, words', [
    (['--data-dir', 'nowhere'], ['nowhere']),
    (['--batch-size', 161], ['161', '160']),
    (['--logdir', 'a_file'], ['a_file', '--logdir']),
    (['--logdir', 'runs[1]'], ['runs[1]', '--logdir']),  # a pattern, which TensorFlow would not find again
    (['--logdir', ''], ['--logdir']),
    (['--frobnicate'], ['--frobnicate', '--help']),
    (['--resume'], ['--logdir']),
    (['--resume', '--overwrite'], ['--overwrite'])], ids=str)
def test_mistakes(settings, tmp_path, options, words):
    (tmp_path / 'a_file').write_text('mine')
    before = tree(tmp_path)
    if options[-1] in ('nowhere', 'a_file', 'runs[1]'):
        options = [options[0], tmp_path / options[1]]
    assert_refused(run(SCRIPT, *settings, '--logdir', tmp_path / 'logdir', *options), *words)
    assert tree(tmp_path) == before


def test_the_folder_of_a_model_instead_of_the_logdir(whole):
    assert_refused(run(SCRIPT, '--resume', '--logdir', whole), whole, '--logdir')
