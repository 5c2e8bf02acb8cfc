"""What goes wrong around a run is told in one sentence and costs at most what came after the last good checkpoint."""

import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import threading

import pytest

from common import checkpoints
from runs import (Process, assert_refused, assert_same_run, checkpoint_names, flip_a_bit, limit_file_size, read_bytes,
                  run, summaries, tree, write_mnist)

SCRIPT = 'vanilla_gan.py'
LAST = 'epoch_0004'


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_mnist(tmp_path_factory.mktemp('data'), images=160)


@pytest.fixture(scope='module')
def whole(tmp_path_factory, data):
    """Folder of a run of 4 epochs of 4 steps, which has kept epochs 2, 3 and 4; not to be changed."""
    logdir = tmp_path_factory.mktemp('whole')
    result = run(SCRIPT, '--data-dir', data, '--batch-size', 40, '--epochs', 4, '--logdir', logdir)
    assert result.status == 0 and result.err == '', result.err
    assert checkpoint_names(logdir / 'vanilla') == ['epoch_0002', 'epoch_0003', LAST]
    return logdir / 'vanilla'


@pytest.fixture
def copied(whole, tmp_path):
    """A copy of `whole` that a test may change."""
    return shutil.copytree(whole, tmp_path / 'vanilla')


# Each damages the checkpoint in the folder `path`.

def _truncate(path, name='model.ckpt.data-00000-of-00001'):
    os.truncate(path / name, os.path.getsize(path / name) // 2)


def _flip_a_bit(path):
    flip_a_bit(path / 'model.ckpt.data-00000-of-00001', 1_000_000)


def _remove_data(path):
    os.remove(path / 'model.ckpt.data-00000-of-00001')


def _damage_index(path):
    _truncate(path, 'model.ckpt.index')


def _damage_state(path):
    _truncate(path, 'state.json')


def _remove_state(path):
    os.remove(path / 'state.json')


def _empty_state(path):
    (path / 'state.json').write_text('{}')


def _other_step(path):
    """One flipped bit in state.json that leaves it readable."""
    (path / 'state.json').write_text((path / 'state.json').read_text().replace('"steps": 12', '"steps": 13'))


@pytest.mark.parametrize('damage', [_truncate, _flip_a_bit, _remove_data, _damage_index, _damage_state, _remove_state,
                                    _empty_state], ids=lambda damage: damage.__name__)
def test_every_damage_is_seen(whole, tmp_path, damage):
    path = shutil.copytree(whole / 'checkpoints' / LAST, tmp_path / LAST)
    checkpoint, = checkpoints.list_checkpoints(tmp_path)
    assert checkpoints.read_state(checkpoint)['steps'] == 16
    damage(path)
    with pytest.raises(checkpoints.DamagedCheckpoint):
        checkpoints.read_state(checkpoint)


def test_damaged_checkpoints_are_left_for_the_one_before(whole, copied):
    _flip_a_bit(copied / 'checkpoints' / LAST)
    _other_step(copied / 'checkpoints' / 'epoch_0003')
    result = run(SCRIPT, '--resume', '--logdir', copied.parent)
    assert result.status == 0, result.err
    last, before = result.err.splitlines()
    assert f'{LAST} is damaged' in last and 'epoch_0003 is damaged' in before
    assert 'epoch_0002 (step 8)' in result.out
    assert_same_run(copied, whole)


def test_all_checkpoints_damaged(copied):
    for name in checkpoint_names(copied):
        _truncate(copied / 'checkpoints' / name)
    before = tree(copied)
    result = run(SCRIPT, '--resume', '--logdir', copied.parent, '--epochs', 9)
    assert result.status == 2
    *lines, sentence = result.err.splitlines()
    assert len(lines) == 3 and all('is damaged' in line for line in lines)
    assert 'no usable checkpoint' in sentence and '--overwrite' in sentence
    assert tree(copied) == before


def test_going_back_to_a_damaged_checkpoint(copied):
    _truncate(copied / 'checkpoints' / 'epoch_0003')
    before = tree(copied)
    result = run(SCRIPT, '--resume-from', 3, '--logdir', copied.parent)
    assert result.status == 2 and 'epoch_0003 is damaged' in result.err
    assert 'trying the one before' not in result.err  # another than the one that was asked for is not taken
    assert tree(copied) == before


# Below the size of a checkpoint, of an event file with its pictures, and of either.
@pytest.mark.parametrize('size', [5_000_000, 50_000, 2000])
def test_full_disk(whole, copied, size):
    """Going back to epoch 3, the disk is full before epoch 4 is saved again."""
    result = run(SCRIPT, '--resume-from', 3, '--logdir', copied.parent,
                 before=functools.partial(limit_file_size, size))
    assert_refused(result, 'cannot write into', 'File too large', 'epoch_0003', 'continue with --resume', status=1)
    assert checkpoint_names(copied) == ['epoch_0002', 'epoch_0003']
    assert len(os.listdir(copied / 'checkpoints')) == 2  # nor is anything half written left
    for checkpoint in checkpoints.list_checkpoints(copied / 'checkpoints'):
        checkpoints.read_state(checkpoint)  # it is intact
    result = run(SCRIPT, '--resume', '--logdir', copied.parent)
    assert result.status == 0 and result.err == '', result.err
    assert_same_run(copied, whole)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 60 MB, which is room for one checkpoint of 35 MB."""
    folder = tmp_path / 'disk'
    folder.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=60m', 'tmpfs', folder]
    if subprocess.run(mount, stderr=subprocess.DEVNULL).returncode:
        pytest.skip('mounting is not allowed here')
    yield folder
    subprocess.run(['umount', folder], check=True)


def test_small_disk(whole, data, small_disk):
    result = run(SCRIPT, '--data-dir', data, '--batch-size', 40, '--epochs', 4, '--logdir', small_disk)
    assert_refused(result, 'No space left on device', 'epoch_0001', status=1)
    assert os.listdir(small_disk / 'vanilla' / 'checkpoints') == ['epoch_0001']
    subprocess.run(['mount', '-o', 'remount,size=300m', small_disk], check=True)
    result = run(SCRIPT, '--resume', '--logdir', small_disk)
    assert result.status == 0 and result.err == '', result.err
    assert_same_run(small_disk / 'vanilla', whole)


def test_no_room_for_a_summary(data, small_disk):
    """The few bytes of the losses are the first that a full disk refuses."""
    process = Process(SCRIPT, '--data-dir', data, '--batch-size', 1, '--logdir', small_disk)
    process.wait_for('Epoch 1/100 - ')
    _fill(small_disk / 'filler')
    process.signal(signal.SIGTERM)
    assert_refused(process.end(), 'No space left on device', 'no checkpoint was saved yet', status=1)
    os.remove(small_disk / 'filler')
    result = run(SCRIPT, '--resume', '--logdir', small_disk, '--max-steps', 1)
    assert result.status == 0 and result.err == '', result.err
    assert {step for step, _, _ in summaries(small_disk / 'vanilla')} == {0}


def _fill(path):
    with open(path, 'wb', buffering=0) as file:
        for size in 1 << 16, 1 << 9, 1:
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))


def _log_on_a_full_disk():
    os.dup2(os.open('/dev/full', os.O_WRONLY), 1)


def _read_nothing_of_the_log():
    reader, writer = os.pipe()
    os.dup2(writer, 1)
    os.close(reader)


def _read_one_line_of_the_log():
    reader, writer = os.pipe()
    os.dup2(writer, 1)
    os.close(writer)

    def read():
        while b'\n' not in os.read(reader, 1000):
            pass
        os.close(reader)
    threading.Thread(target=read, daemon=True).start()


@pytest.mark.parametrize('log', [_log_on_a_full_disk, _read_nothing_of_the_log, _read_one_line_of_the_log],
                         ids=lambda log: log.__name__)
def test_a_log_that_nobody_can_read(whole, data, tmp_path, log):
    """`python vanilla_gan.py | head`, or a log on a full disk: the run goes on."""
    if log is _log_on_a_full_disk and not os.path.exists('/dev/full'):
        pytest.skip('there is no full disk here')
    result = run(SCRIPT, '--data-dir', data, '--batch-size', 40, '--epochs', 4, '--logdir', tmp_path, before=log)
    assert 'Traceback' not in result.err, result.err
    assert_same_run(tmp_path / 'vanilla', whole)


def test_full_disk_at_the_start(data, tmp_path):
    """With no room for the first checkpoint there is none, and the run can be begun again where it is."""
    result = run(SCRIPT, '--data-dir', data, '--batch-size', 40, '--epochs', 1, '--logdir', tmp_path,
                 before=functools.partial(limit_file_size, 5_000_000))
    assert_refused(result, 'cannot write into', 'no checkpoint was saved yet', status=1)
    assert os.listdir(tmp_path / 'vanilla' / 'checkpoints') == []


def test_a_loss_that_is_no_number(copied):
    """The last good checkpoint stays. As if the rate had always been so: another would be refused on resuming."""
    settings = json.loads((copied / 'settings.json').read_text())
    settings['settings'].update(g_learning_rate=1e30)
    (copied / 'settings.json').write_text(json.dumps(settings))
    before = checkpoint_names(copied)
    result = run(SCRIPT, '--resume', '--logdir', copied.parent, '--epochs', 9)
    assert_refused(result, 'step 1', LAST, 'learning rate', status=1)
    assert checkpoint_names(copied) == before


@pytest.mark.parametrize('network', ['d', 'g'])
def test_a_huge_learning_rate(data, tmp_path, network):
    result = run(SCRIPT, '--data-dir', data, '--batch-size', 40, '--epochs', 9, '--logdir', tmp_path,
                 f'--{network}-learning-rate', 1e20)
    assert_refused(result, 'step ', 'stopped at once', status=1)
    for checkpoint in checkpoints.list_checkpoints(tmp_path / 'vanilla' / 'checkpoints'):
        checkpoints.read_state(checkpoint)


@pytest.mark.parametrize('cut', [5, 500])
def test_half_an_event(whole, copied, cut):
    """A kill can leave half an event at the end of the curves; what was whole before it is kept."""
    events, = copied.glob('events.out.tfevents.*')
    os.truncate(events, os.path.getsize(events) - cut)
    with pytest.raises(Exception, match='truncated'):
        summaries(copied)
    assert run(SCRIPT, '--resume-from', 3, '--logdir', copied.parent).status == 0
    assert_same_run(copied, whole)


def test_a_flipped_bit_in_the_curves(whole, copied):
    """It is told on resuming, and costs one event: here the pictures of epoch 2."""
    events, = copied.glob('events.out.tfevents.*')
    flip_a_bit(events, events.read_bytes().index(read_bytes(copied / 'samples' / 'epoch_0002.png')) + 1000)
    result = run(SCRIPT, '--resume-from', 3, '--logdir', copied.parent)
    assert result.status == 0 and events.name in result.err and result.err.count('\n') == 1
    expected = [point for point in summaries(whole) if point[:2] != (7, 'samples')]
    assert len(expected) == len(summaries(whole)) - 1 and summaries(copied) == expected


@pytest.mark.parametrize('damage', [b'', b'{', b'[]', b'{"model": "vanilla"}', b'\xff\xfe\x00',
                                    b'{"model": "vanilla", "settings": {"epochs": "many"}, "data": {}}'])
def test_damaged_settings(copied, damage):
    (copied / 'settings.json').write_bytes(damage)
    before = tree(copied)
    assert_refused(run(SCRIPT, '--resume', '--logdir', copied.parent), 'vanilla_gan.py: ')
    assert tree(copied) == before
    assert read_bytes(copied / 'settings.json') == damage


@pytest.mark.parametrize('name, value', [
    ('epochs', None), ('epochs', float('nan')), ('epochs', [4]), ('epochs', 4.5), ('batch_size', None),
    ('noise_size', 'missing'), ('seed', -1), ('d_learning_rate', float('nan')), ('dataset', 'cifar'),
    ('overwrite', True), ('hidden_layers', 3)])
def test_damaged_settings_value(copied, name, value):
    settings = json.loads((copied / 'settings.json').read_text())
    settings['settings'][name] = value
    if value == 'missing':
        del settings['settings'][name]
    (copied / 'settings.json').write_text(json.dumps(settings))
    before = tree(copied)
    assert_refused(run(SCRIPT, '--resume', '--logdir', copied.parent), 'vanilla_gan.py: ')
    assert tree(copied) == before


@pytest.mark.parametrize('options, words', [
    (['--data-dir', 'nowhere'], ['nowhere']),
    (['--batch-size', -1], ['--batch-size', 'at least 1']),
    (['--batch-size', 0], ['--batch-size', 'at least 1']),
    (['--batch-size', 161], ['161', '160']),
    (['--d-learning-rate', 'nan'], ['--d-learning-rate']),
    (['--logdir', 'a_file'], ['a_file', '--logdir']),
    (['--logdir', 'a_file/below'], ['a_file', '--logdir']),
    (['--frobnicate'], ['--frobnicate', '--help']),
    (['--resume'], ['no run', '--logdir']),
    (['--resume', '--overwrite'], ['--overwrite']),
    (['--dataset', 'cifar'], ['cifar'])])
def test_mistakes(data, tmp_path, options, words):
    (tmp_path / 'a_file').write_text('mine')
    before = tree(tmp_path)
    options = [tmp_path / value if value in ('nowhere', 'a_file', 'a_file/below') else value for value in options]
    assert_refused(run(SCRIPT, '--data-dir', data, '--logdir', tmp_path / 'logdir', *options), *words)
    assert tree(tmp_path) == before
