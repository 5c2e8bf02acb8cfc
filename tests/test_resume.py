"""Nothing of a run is lost when it is killed or stopped, and nothing of it is overwritten by accident."""

import json
import os
import random
import shutil
import signal
import time

import numpy as np
import pytest
from runs import (Process, assert_ran, assert_refused, assert_same_run, at_change, checkpoint_names, limit_file_size,
                  pictures, run, tensorboard, tree, variables, write_mnist)

from common.curves import read_losses
from common.run_folder import fingerprint

SCRIPT = 'vanilla_gan.py'
CONSTANTLY = ('--save-minutes', 1e-9)  # a checkpoint after every step
EPOCHS = 6  # of 20 steps
needs_signals = pytest.mark.skipif(os.name != 'posix', reason='there are no signals here')


@pytest.fixture(scope='module')
def settings(tmp_path_factory):
    """What starts the same training as `whole`; losses are logged at steps 0 and 100."""
    return ('--data-dir', write_mnist(tmp_path_factory.mktemp('data')), '--batch-size', 8, '--epochs', EPOCHS,
            '--keep-last', 2, '--keep-every', 2)


@pytest.fixture(scope='module')
def whole(tmp_path_factory, settings):
    """Logdir of a run that nothing interrupted; not to be changed."""
    logdir = tmp_path_factory.mktemp('whole')
    assert_ran(run(SCRIPT, *settings, '--logdir', logdir))
    return logdir


@pytest.fixture
def copied(whole, tmp_path):
    """A copy of `whole` that a test may change."""
    return shutil.copytree(whole, tmp_path / 'copied')


def test_whole_run(whole):
    """What the others are compared with is not empty: all curves, pictures and kept checkpoints are there."""
    steps = {tag: [step for step, _ in points] for tag, points in tensorboard(whole / 'vanilla').items()}
    assert steps.pop('samples') == [19, 39, 59, 79, 99, 119] and steps.pop('real_samples') == [0]
    assert len(steps) == 6 and all(logged == [0, 100] for logged in steps.values())
    assert [(row['step'], row['epoch']) for row in read_losses(whole / 'vanilla')] == [(0, 1), (100, 6)]
    assert list(pictures(whole / 'vanilla')) == [*(f'epoch_000{epoch}.png' for epoch in range(1, 7)),
                                                 'real_samples.png']
    # the last 2, and every 2nd
    assert checkpoint_names(whole / 'vanilla') == ['epoch_0002', 'epoch_0004', 'epoch_0005', 'epoch_0006']
    # two networks of four layers: 16 weights and biases, two Adam slots each, two powers for each optimizer
    assert len(variables(whole / 'vanilla', 'epoch_0006')) == 16 * 3 + 4


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
    shutil.rmtree(tmp_path / 'vanilla' / 'checkpoints' / 'epoch_0006')
    result = run(*start)
    assert_ran(result)
    assert 'continuing from' in result.out
    assert_same_run(tmp_path / 'vanilla', whole / 'vanilla')
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
    assert_same_run(tmp_path / 'vanilla', whole / 'vanilla')
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
    assert_same_run(tmp_path / 'vanilla', whole / 'vanilla')


def test_a_finished_run_is_not_changed_and_is_prolonged_as_it_was(whole, copied):
    """Even where it was begun with other convolutions, which is reported."""
    settings = copied / 'vanilla' / 'settings.json'
    settings.write_text(settings.read_text().replace('"direct_convolution": false', '"direct_convolution": true'))
    result = run(SCRIPT, '--resume', '--logdir', copied)
    assert result.status == 0 and 'GAN_DIRECT_CONVOLUTION' in result.err and result.err.count('\n') == 1, result.err
    assert_same_run(copied / 'vanilla', whole / 'vanilla')
    # The run had --keep-last 2 --keep-every 2: the defaults would delete what it has kept.
    assert_ran(run(SCRIPT, '--resume', '--logdir', copied, '--epochs', EPOCHS + 1))
    assert checkpoint_names(copied / 'vanilla') == ['epoch_0002', 'epoch_0004', 'epoch_0006', 'epoch_0007']


def test_resume_from(whole, copied):
    """Back to epoch 2: what came later is gone; continued, it comes again. A kill has left half an event and row.

    An older version, which had other settings and wrote a state.json into each checkpoint, began the run.
    """
    run_dir = copied / 'vanilla'
    events, = run_dir.glob('events.*')
    os.truncate(events, os.path.getsize(events) - 500)
    losses = run_dir / 'losses.csv'
    losses.write_bytes(losses.read_bytes()[:-5])
    saved = json.loads((run_dir / 'settings.json').read_text())
    for name in 'transpose', 'start_from':
        del saved['settings'][name]
    saved['settings']['deterministic'] = False
    (run_dir / 'settings.json').write_text(json.dumps(saved))
    for name in checkpoint_names(run_dir):
        (run_dir / 'checkpoints' / name / 'state.json').write_text('{"steps": 1, "epoch": 1, "sha256": {}}')
    assert_ran(run(SCRIPT, '--resume-from', 2, '--logdir', copied, '--max-steps', 50))
    assert checkpoint_names(run_dir) == ['epoch_0002', 'epoch_0002-step_000010']
    assert list(pictures(run_dir)) == ['epoch_0001.png', 'epoch_0002.png', 'real_samples.png']
    assert_ran(run(SCRIPT, '--resume', '--logdir', copied))
    assert_same_run(run_dir, whole / 'vanilla')


def test_start_from_the_weights_of_another_run(whole, settings, tmp_path):
    start = SCRIPT, *settings, '--batch-size', 40, '--max-steps', 1, '--logdir', tmp_path, '--start-from'
    assert_refused(run(*start, tmp_path / 'nowhere'), 'nowhere')
    assert_ran(run(*start, whole / 'vanilla'))
    before, after = variables(whole / 'vanilla'), variables(tmp_path / 'vanilla')
    assert after['optimizers/beta1_power_1'] == pytest.approx(before['optimizers/beta1_power_1'] / 4)
    # two of Adam's steps away from them
    assert 0 < abs(after['generator/dense/kernel'] - before['generator/dense/kernel']).max() < 0.002


# What is refused, and leaves all as it was

def test_refused(copied, settings, tmp_path):
    def check(*options, words):
        before = tree(copied)
        assert_refused(run(SCRIPT, *options, '--logdir', copied), *words)
        assert tree(copied) == before

    check(*settings, words=['--resume', '--overwrite', '--logdir'])
    check('--resume-from', 3, '--epochs', 9, words=['2, 4, 5, 6'])
    check('--resume', '--batch-size', 9, '--seed', 1, '--g-learning-rate', 0.001, '--split', 'train', '--epochs', 9,
          '--data-dir', write_mnist(tmp_path / 'data', images=161),
          words=['batch_size', 'seed', 'g_learning_rate', 'split', 'images', 'data_crc32', '--data-dir'])
    os.remove(copied / 'vanilla' / 'settings.json')  # checkpoints without it are a run, too
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
    foreign = [copied / 'vanilla' / name for name in ('notes.txt', 'samples/notes.txt', 'checkpoints/notes.txt')]
    for path in foreign:
        path.write_text('mine')
    before = tree(copied)
    start = SCRIPT, *settings, '--overwrite', '--logdir', copied, '--epochs', 1, '--batch-size'
    assert_refused(run(*start, 8, '--data-dir', write_mnist(tmp_path / 'few', images=30)), '30 images', '40')
    assert_refused(run(*start, 161), '161', '160')
    if os.name == 'posix':
        interrupted = run(*start, 40, before=(at_change, 'mnist.npz', signal.SIGINT, ['open']))
        assert interrupted.status == 130 and 'Traceback' not in interrupted.err
    assert tree(copied) == before

    assert_ran(run(*start, 40))
    for path in foreign:
        assert path.read_text() == 'mine'
        path.unlink()
    assert checkpoint_names(copied / 'vanilla') == ['epoch_0001']
    assert list(pictures(copied / 'vanilla')) == ['epoch_0001.png', 'real_samples.png']
    assert {step for points in tensorboard(copied / 'vanilla').values() for step, _ in points} == {0, 3}
    assert [row['step'] for row in read_losses(copied / 'vanilla')] == [0]


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
