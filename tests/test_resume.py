"""Runs that are killed, stopped, damaged or short of room: nothing of them is lost or overwritten by accident.

What goes wrong is reported in one sentence, and costs at most what came after the last good checkpoint.
"""

import errno
import json
import os
import random
import shutil
import signal
import sys
import time
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from runs import (Process, assert_ran, assert_refused, assert_same_run, at_change, checkpoint_names, limit_file_size,
                  pictures, run, tensorboard, tree, variables, write_mnist)

import common
import vanilla_gan
from common.arguments import run_script
from common.curves import read_losses
from common.errors import UserError
from common.run_folder import fingerprint, read_settings

SCRIPT = 'vanilla_gan.py'
CONSTANTLY = ('--save-minutes', 1e-9)  # a checkpoint after every step
EPOCHS, LAST = 6, 'epoch_0006'  # of 20 steps each
DATA = 'model.ckpt.data-00000-of-00001'
needs_signals = pytest.mark.skipif(os.name != 'posix', reason='there are no signals here')


@pytest.fixture(scope='module')
def settings(tmp_path_factory):
    """What starts the same training as `whole`; losses are logged at steps 0 and 100."""
    return ('--data-dir', write_mnist(tmp_path_factory.mktemp('data')), '--batch-size', 8, '--epochs', EPOCHS,
            '--keep-last', 2, '--keep-every', 2)


@pytest.fixture(scope='module')
def whole(tmp_path_factory, settings):
    """Folder of a run that nothing interrupted; not to be changed."""
    logdir = tmp_path_factory.mktemp('whole')
    assert_ran(run(SCRIPT, *settings, '--logdir', logdir))
    return logdir / 'vanilla'


@pytest.fixture
def copied(whole, tmp_path):
    """A copy of `whole` that a test may change."""
    return shutil.copytree(whole, tmp_path / 'vanilla')


def test_whole_run(whole):
    """What the others are compared with is not empty: all curves, pictures and kept checkpoints are there."""
    steps = {tag: [step for step, _ in points] for tag, points in tensorboard(whole).items()}
    assert steps.pop('samples') == [19, 39, 59, 79, 99, 119] and steps.pop('real_samples') == [0]
    assert len(steps) == 6 and all(logged == [0, 100] for logged in steps.values())
    assert [(row['step'], row['epoch']) for row in read_losses(whole)] == [(0, 1), (100, 6)]
    assert list(pictures(whole)) == [*(f'epoch_000{epoch}.png' for epoch in range(1, 7)), 'real_samples.png']
    # the last 2, and every 2nd
    assert checkpoint_names(whole) == ['epoch_0002', 'epoch_0004', 'epoch_0005', 'epoch_0006']
    # two networks of four layers: 16 weights and biases, two Adam slots each, two powers for each optimizer
    assert len(variables(whole)) == 16 * 3 + 4


def killed(*args, at):
    """Run a script that is killed when it first makes, renames or removes what has `at` in its name."""
    assert run(*args, before=(at_change, at, signal.SIGKILL)).status == -signal.SIGKILL


@needs_signals
def test_killed_again_and_again(whole, settings, tmp_path):
    """SIGKILL at random instants, most of them inside the writing of a checkpoint: the end is as if nothing was."""
    when = random.Random(0)
    start = SCRIPT, *settings, '--logdir', tmp_path
    for times in 3, 5:
        process = Process(*start, *CONSTANTLY)
        process.wait_for('saved', times)
        time.sleep(when.uniform(0, 0.2))
        process.kill()
        assert process.end().status == -signal.SIGKILL
        start = SCRIPT, '--resume', '--logdir', tmp_path
    killed(*start, '--save-minutes', 5, at='epoch_0003.png')
    killed(*start, at='losses.png')  # the row of step 100 is written, and the last checkpoint
    shutil.rmtree(tmp_path / 'vanilla' / 'checkpoints' / LAST)
    result = run(*start)
    assert_ran(result)
    assert 'continuing from' in result.out
    assert_same_run(tmp_path / 'vanilla', whole)
    assert sorted(os.listdir(tmp_path / 'vanilla' / 'checkpoints')) == checkpoint_names(tmp_path / 'vanilla')


@needs_signals
def test_killed_before_there_is_a_run_and_before_its_first_checkpoint(whole, settings, tmp_path):
    killed(SCRIPT, *settings, '--logdir', tmp_path, at='settings.json')
    killed(SCRIPT, *settings, '--logdir', tmp_path, at='epoch_0001.png')  # the same command starts it
    assert checkpoint_names(tmp_path / 'vanilla') == []
    # resumed, and stopped before the first step
    result = run(SCRIPT, '--resume', '--logdir', tmp_path, before=(at_change, 'settings.json', signal.SIGTERM))
    assert result.status == 143 and result.err == '', result.err
    assert_ran(run(SCRIPT, '--resume', '--logdir', tmp_path, '--max-steps', 40))
    assert_same_run(tmp_path / 'vanilla', whole)
    assert not [name for name in os.listdir(tmp_path / 'vanilla') if 'unfinished' in name]


@needs_signals
def test_stopped_by_signals_then_by_max_steps_then_finished_and_prolonged(whole, settings, tmp_path):
    start = SCRIPT, '--logdir', tmp_path
    options = [*settings, '--epochs', 3, *CONSTANTLY]
    for steps, number in (5, signal.SIGTERM), (8, signal.SIGINT):
        # While it saves: that checkpoint, and the one step after it that was under way, are kept.
        result = run(*start, *options, before=(at_change, f'epoch_0000-step_{steps:06d}', number))
        assert result.status == 128 + number and result.err == '', (number, result.err)
        newest = checkpoint_names(tmp_path / 'vanilla')[-1]
        assert newest == f'epoch_0000-step_{steps + 1:06d}'
        assert newest in result.out.split(number.name)[1]  # where the model is
        options = ['--resume']
    for option, newest in (('--max-steps', 50), 'epoch_0002-step_000010'), ((), 'epoch_0003'), (
            ('--epochs', EPOCHS, '--max-steps', 80), 'epoch_0004'):
        assert_ran(run(*start, '--resume', '--save-minutes', 5, *option))
        assert checkpoint_names(tmp_path / 'vanilla')[-1] == newest
    assert_same_run(tmp_path / 'vanilla', whole)


def test_a_finished_run_is_not_changed_and_is_prolonged_as_it_was(whole, copied):
    assert_ran(run(SCRIPT, '--resume', '--logdir', copied.parent))
    assert_same_run(copied, whole)
    # The run had --keep-last 2 --keep-every 2: the defaults would delete what it has kept.
    assert_ran(run(SCRIPT, '--resume', '--logdir', copied.parent, '--epochs', EPOCHS + 1))
    assert checkpoint_names(copied) == ['epoch_0002', 'epoch_0004', LAST, 'epoch_0007']


def test_resume_from(whole, copied):
    """Back to epoch 2: what came later is gone; continued, it comes again. A kill has left half an event and row.

    An older version, which had other settings and wrote a state.json into each checkpoint, began the run.
    """
    run_dir = copied
    events, = run_dir.glob('events.*')
    os.truncate(events, os.path.getsize(events) - 500)
    losses = run_dir / 'losses.csv'
    losses.write_bytes(b'\xef\xbb\xbf' + losses.read_bytes()[:-5] + b'\0\0\n')  # and an editor a mark
    saved = json.loads((run_dir / 'settings.json').read_text())
    for name in 'transpose', 'start_from':
        del saved['settings'][name]
    saved['settings']['deterministic'] = False
    (run_dir / 'settings.json').write_text(json.dumps(saved))
    for name in checkpoint_names(run_dir):
        (run_dir / 'checkpoints' / name / 'state.json').write_text('{"steps": 1, "epoch": 1, "sha256": {}}')
    assert_ran(run(SCRIPT, '--resume-from', 2, '--logdir', copied.parent, '--max-steps', 50))
    assert checkpoint_names(run_dir) == ['epoch_0002', 'epoch_0002-step_000010']
    assert list(pictures(run_dir)) == ['epoch_0001.png', 'epoch_0002.png', 'real_samples.png']
    assert_ran(run(SCRIPT, '--resume', '--logdir', copied.parent))
    assert_same_run(run_dir, whole)


def test_start_from_the_weights_of_another_run(whole, settings, tmp_path):
    start = SCRIPT, *settings, '--batch-size', 40, '--max-steps', 1, '--logdir', tmp_path, '--start-from'
    assert_refused(run(*start, tmp_path / 'nowhere'), 'nowhere')
    assert_ran(run(*start, whole))
    before, after = variables(whole), variables(tmp_path / 'vanilla')
    assert after['optimizers/beta1_power_1'] == pytest.approx(before['optimizers/beta1_power_1'] / 4)
    # two of Adam's steps away from them
    assert 0 < abs(after['generator/dense/kernel'] - before['generator/dense/kernel']).max() < 0.002


# What is refused, and leaves all as it was

def test_refused(copied, settings, tmp_path):
    def check(*options, words):
        before = tree(copied)
        assert_refused(run(SCRIPT, *options, '--logdir', copied.parent), *words)
        assert tree(copied) == before

    check(*settings, words=['--resume', '--overwrite', '--logdir'])
    check('--resume-from', 3, '--epochs', 9, words=['epoch_0004, epoch_0005'])
    check('--resume', '--batch-size', 9, '--seed', 1, '--g-learning-rate', 0.001, '--split', 'train', '--epochs', 9,
          '--data-dir', write_mnist(tmp_path / 'data', images=161),
          words=['batch_size', 'seed', 'g_learning_rate', 'split', 'images', 'data_crc32', '--data-dir'])
    os.remove(copied / 'settings.json')  # checkpoints without it are a run, too
    check(*settings, words=['settings.json', '--overwrite'])
    check('--resume', words=['settings.json', '--overwrite'])


def test_data_are_told_apart_by_a_pixel_or_a_label():
    images, labels = np.zeros((1001, 4), np.float32), np.zeros((1001, 2), np.float32)
    found = {fingerprint(images, None, [])['data_crc32']}
    for array in labels, labels, images:
        found.add(fingerprint(images, labels, [])['data_crc32'])
        array[1000, 0] += 1
    assert len(found) == 4


def test_overwrite_deletes_the_old_run_only_and_only_when_the_new_one_begins(copied, settings, tmp_path):
    foreign = [copied / name for name in ('losses.xlsx', 'samples/notes.txt', 'checkpoints/notes.txt')]
    for path in foreign:
        path.write_text('mine')
    shutil.copytree(copied / 'checkpoints' / 'epoch_0002', copied / 'checkpoints' / 'epoch_0000')  # by an early Ctrl-C
    before = tree(copied)
    start = SCRIPT, *settings, '--overwrite', '--logdir', copied.parent, '--epochs', 1, '--batch-size'
    assert_refused(run(*start, 161), '161', '160')
    if os.name == 'posix':
        interrupted = run(*start, 40, before=(at_change, 'mnist.npz', signal.SIGINT, ['open']))
        assert interrupted.status == 130 and 'Traceback' not in interrupted.err
    assert tree(copied) == before

    assert_ran(run(*start, 40))
    for path in foreign:
        assert path.read_text() == 'mine'
        path.unlink()
    assert checkpoint_names(copied) == ['epoch_0001']
    assert list(pictures(copied)) == ['epoch_0001.png', 'real_samples.png']
    assert {step for points in tensorboard(copied).values() for step, _ in points} == {0, 3}
    assert [row['step'] for row in read_losses(copied)] == [0]


@needs_signals
def test_a_start_that_fails_leaves_nothing_to_be_resumed_or_replaced(settings, tmp_path):
    start = SCRIPT, *settings, '--logdir', tmp_path, '--max-steps', 1
    for size in 600, 20_000:  # below the size of settings.json, and of real_samples.png
        result = run(*start, before=(limit_file_size, size))
        assert_refused(result, tmp_path, status=1)
        assert '--resume' not in result.err
    assert_ran(run(*start))


def test_a_second_process_in_the_folder_is_refused(settings, tmp_path):
    start = (SCRIPT, *settings, '--epochs', 1000, '--logdir', tmp_path)
    first = Process(*start)
    try:
        first.wait_for('Epoch 1/1000 done')
        assert_refused(run(*start, '--overwrite'), 'another process')
        first.wait_for('Epoch 6/1000 done')  # it goes on undisturbed
    finally:
        first.kill()
        first.end()
    # The lock ends with its process, even a killed one.
    assert_ran(run(SCRIPT, '--resume', '--logdir', tmp_path, '--max-steps', 1))


def test_damaged_checkpoints_are_left_for_the_one_before(whole, copied):
    content = bytearray((copied / 'checkpoints' / LAST / DATA).read_bytes())
    content[100_000] ^= 1
    (copied / 'checkpoints' / LAST / DATA).write_bytes(content)
    os.truncate(copied / 'checkpoints' / 'epoch_0005' / 'model.ckpt.index', 500)
    result = run(SCRIPT, '--resume', '--logdir', copied.parent)
    assert result.status == 0, result.err
    assert [name in line for name, line in zip((LAST, 'epoch_0005'), result.err.splitlines(), strict=True)] == [1, 1]
    assert 'epoch_0004 (step 80)' in result.out
    assert_same_run(copied, whole)


def test_all_checkpoints_damaged_or_the_one_asked_for(copied):
    for name in checkpoint_names(copied):
        os.truncate(copied / 'checkpoints' / name / DATA, 100_000)
    before = tree(copied)
    result = run(SCRIPT, '--resume', '--logdir', copied.parent, '--epochs', 9)
    assert result.status == 2 and 'Traceback' not in result.err
    assert len(result.err.splitlines()) == 5 and '--overwrite' in result.err.splitlines()[-1]
    # another than the one that was asked for is not taken
    assert_refused(run(SCRIPT, '--resume-from', 4, '--logdir', copied.parent), 'epoch_0004')
    assert tree(copied) == before


def _edit_a_layer():
    dense = common.dense
    common.dense = lambda x, n_outputs, **more: dense(x, n_outputs + 32 * (n_outputs == 512), **more)


def test_a_layer_that_was_edited(copied):
    before = tree(copied)
    assert_refused(run(SCRIPT, '--resume', '--logdir', copied.parent, before=[_edit_a_layer]), LAST, '--logdir')
    assert tree(copied) == before


# A full disk, and other ways not to be able to write or delete

@pytest.mark.skipif(os.name != 'posix', reason='a limit is how the disk gets full here')
def test_full_disk(whole, copied):
    """Going back to epoch 5, the disk is full before epoch 6 is saved again."""
    result = run(SCRIPT, '--resume-from', 5, '--logdir', copied.parent, before=(limit_file_size, 300_000))
    assert_refused(result, copied, 'epoch_0005', '--resume', status=1)
    # nor is anything half written left
    assert sorted(os.listdir(copied / 'checkpoints')) == ['epoch_0002', 'epoch_0004', 'epoch_0005']
    assert_ran(run(SCRIPT, '--resume', '--logdir', copied.parent))
    assert_same_run(copied, whole)


def _undeletable(name, events=('os.remove', 'shutil.rmtree')):
    return at_change, os.path.join('checkpoints', name), PermissionError(errno.EACCES, 'in use'), events


def test_a_checkpoint_that_cannot_be_deleted_is_reported_and_the_training_goes_on(whole, settings, tmp_path):
    """As on Windows while a virus scanner reads it. What is left of one is none; an old run's must not stay."""
    result = run(SCRIPT, *settings, '--logdir', tmp_path, '--epochs', 3, before=_undeletable('epoch_0001'))
    assert result.status == 0 and 'epoch_0001' in result.err and result.err.count('\n') == 1, result.err
    assert checkpoint_names(tmp_path / 'vanilla') == ['epoch_0001', 'epoch_0002', 'epoch_0003']
    result = run(SCRIPT, '--resume-from', 2, '--logdir', tmp_path, '--max-steps', 41,
                 before=_undeletable('epoch_0003', ['shutil.rmtree']))
    assert result.status == 0 and 'epoch_0003' in result.err, result.err
    assert checkpoint_names(tmp_path / 'vanilla') == ['epoch_0002', 'epoch_0002-step_000001']
    assert_ran(run(SCRIPT, '--resume', '--logdir', tmp_path, '--epochs', EPOCHS))
    assert_same_run(tmp_path / 'vanilla', whole)
    result = run(SCRIPT, *settings, '--logdir', tmp_path, '--overwrite', before=_undeletable(LAST))
    assert result.status == 2 and '--logdir' in result.err and checkpoint_names(tmp_path / 'vanilla') == [LAST]


def _nobody_reads_the_log():
    reader, writer = os.pipe()
    os.close(reader)

    def hook(event, args):
        if event == 'os.rename' and 'settings.json' in str(args):  # after the first lines
            os.dup2(writer, 1)
    sys.addaudithook(hook)


def test_no_room_for_the_losses_and_a_log_that_nobody_reads(whole, settings, tmp_path):
    """A row of losses.csv is what finds the disk full. As under `python vanilla_gan.py | head -1`, the run goes on."""
    full = OSError(errno.ENOSPC, 'No space left on device')
    result = run(SCRIPT, *settings, '--logdir', tmp_path, before=(at_change, 'losses.csv', full, ['open']))
    assert_refused(result, tmp_path, 'No space left on device', '--resume', status=1)
    run(SCRIPT, '--resume', '--logdir', tmp_path, before=[_nobody_reads_the_log])
    assert checkpoint_names(tmp_path / 'vanilla')[-1] == LAST
    assert_same_run(tmp_path / 'vanilla', whole)


def test_a_loss_that_is_no_number(copied):
    """The last good checkpoint stays. Here the run had this learning rate from the start: another would be refused."""
    settings = json.loads((copied / 'settings.json').read_text())
    settings['settings'].update(g_learning_rate=1e30)
    (copied / 'settings.json').write_text(json.dumps(settings))
    before = checkpoint_names(copied)
    result = run(SCRIPT, '--resume', '--logdir', copied.parent, '--epochs', 9)
    assert_refused(result, 'step 12', LAST, status=1)
    assert checkpoint_names(copied) == before


def test_variables_that_are_no_numbers_are_not_saved(settings, tmp_path):
    """The losses of this step were finite, what its last update made of the weights is not."""
    result = run(SCRIPT, *settings, '--logdir', tmp_path, '--max-steps', 1, '--generator-updates', 1,
                 '--g-learning-rate', 1e39, before=(warnings.simplefilter, 'ignore'))
    assert_refused(result, 'step 1', 'no checkpoint', status=1)
    assert checkpoint_names(tmp_path / 'vanilla') == []


def test_damaged_settings(tmp_path):
    for damage in b'', b'[]', b'{"model": "vanilla"}', b'{"settings": 1}', b'\xff\xfe\x00':
        (tmp_path / 'settings.json').write_bytes(damage)
        with pytest.raises(UserError, match='settings.json'):
            read_settings(str(tmp_path))
        assert (tmp_path / 'settings.json').read_bytes() == damage


@pytest.mark.parametrize('option, value', [
    ('--epochs', '0'), ('--batch-size', '-1'), ('--beta1', '1'), ('--g-learning-rate', 'nan'), ('--seed', 'seven'),
    ('--dataset', 'cifar'), ('--data-dir', 'nowhere'), ('--logdir', 'a_file'), ('--logdir', ''),
    ('--logdir', 'runs[1]'), ('--logdir', 'a\\b' if os.sep == '/' else 'a*b'),  # patterns to TensorFlow
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
