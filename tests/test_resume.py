"""Nothing of a run is lost when it is killed or stopped, and nothing of it is overwritten by accident."""

import functools
import json
import os
import random
import shutil
import signal
import time

import numpy as np
import pytest
from runs import (Process, assert_ran, assert_refused, assert_same_run, at_change, checkpoint_names,
                  killed, limit_file_size, pictures, run, tensorboard, tree, variables, write_mnist)

from common.curves import read_losses
from common.run_folder import fingerprint

SCRIPT = 'vanilla_gan.py'
CONSTANTLY = ('--save-minutes', 1e-9)  # a checkpoint after every step
STEPS_PER_EPOCH, EPOCHS = 20, 6
needs_signals = pytest.mark.skipif(os.name != 'posix', reason='there are no signals here')


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_mnist(tmp_path_factory.mktemp('data'), images=160)


@pytest.fixture(scope='module')
def settings(data):
    """What starts the same training as `whole`; losses are logged at steps 0 and 100."""
    return '--data-dir', data, '--batch-size', 8, '--epochs', EPOCHS, '--keep-last', 2, '--keep-every', 2


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
    curves = {tag: [step for step, _ in points] for tag, points in tensorboard(whole / 'vanilla').items()}
    assert curves.pop('samples') == [epoch * STEPS_PER_EPOCH - 1 for epoch in range(1, EPOCHS + 1)]
    assert curves.pop('real_samples') == [0]
    assert len(curves) == 6 and all(steps == [0, 100] for steps in curves.values())
    assert [(row['step'], row['epoch']) for row in read_losses(whole / 'vanilla')] == [(0, 1), (100, 6)]
    assert list(pictures(whole / 'vanilla')) == [
        *(f'epoch_{epoch:04d}.png' for epoch in range(1, EPOCHS + 1)), 'real_samples.png']
    # the last 2, and every 2nd
    assert checkpoint_names(whole / 'vanilla') == ['epoch_0002', 'epoch_0004', 'epoch_0005', 'epoch_0006']
    # two networks of four layers: 16 weights and biases, two Adam slots each, two powers for each optimizer
    assert len(variables(whole / 'vanilla', 'epoch_0006')) == 16 * 3 + 4


@needs_signals
def test_killed_again_and_again(whole, settings, tmp_path):
    """SIGKILL at random instants, most of them inside the writing of a checkpoint: the end is as if nothing was."""
    when = random.Random(0)
    start = (*settings, '--logdir', tmp_path)
    for times in 3, 5:
        process = Process(SCRIPT, *start, *CONSTANTLY)
        process.wait_for('saved', times)
        time.sleep(when.uniform(0, 0.2))
        process.kill()
        assert process.end().status == -signal.SIGKILL
        start = '--resume', '--logdir', tmp_path
    killed(SCRIPT, *start, '--save-minutes', 5, at='epoch_0003.png')
    killed(SCRIPT, *start, at='losses.png')  # the row of step 100 is written, and the last checkpoint
    shutil.rmtree(tmp_path / 'vanilla' / 'checkpoints' / 'epoch_0006')
    result = run(SCRIPT, *start)
    assert_ran(result)
    assert 'continuing from' in result.out
    assert_same_run(tmp_path / 'vanilla', whole / 'vanilla')
    assert sorted(os.listdir(tmp_path / 'vanilla' / 'checkpoints')) == checkpoint_names(tmp_path / 'vanilla')


@needs_signals
def test_killed_before_there_is_a_run_and_before_its_first_checkpoint(whole, settings, tmp_path):
    killed(SCRIPT, *settings, '--logdir', tmp_path, at='settings.json')
    assert_refused(run(SCRIPT, '--resume', '--logdir', tmp_path), tmp_path)
    killed(SCRIPT, *settings, '--logdir', tmp_path, at='epoch_0001.png')  # the same command starts it
    assert checkpoint_names(tmp_path / 'vanilla') == []
    # resumed, and stopped before the first step
    result = run(SCRIPT, '--resume', '--logdir', tmp_path,
                 before=functools.partial(at_change, 'settings.json', signal.SIGTERM))
    assert result.status == 143 and result.err == '', result.err
    assert_ran(run(SCRIPT, '--resume', '--logdir', tmp_path, '--max-steps', 40))
    assert_same_run(tmp_path / 'vanilla', whole / 'vanilla')
    assert not [name for name in os.listdir(tmp_path / 'vanilla') if 'unfinished' in name]


@needs_signals
def test_stopped_by_each_signal_in_turn_then_by_max_steps_then_finished_and_prolonged(whole, settings, tmp_path):
    start = SCRIPT, '--logdir', tmp_path
    options = [*settings, '--epochs', 3, *CONSTANTLY]
    for i, name in enumerate(('SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGXCPU')):
        # While it saves: that checkpoint, and the one step after it that was under way, are kept.
        steps, number = 5 + 3 * i, getattr(signal, name)
        result = run(*start, *options, before=functools.partial(at_change, f'epoch_0000-step_{steps:06d}', number))
        assert result.status == 128 + number and result.err == '', (name, result.err)
        newest = checkpoint_names(tmp_path / 'vanilla')[-1]
        assert newest == f'epoch_0000-step_{steps + 1:06d}'
        assert name in result.out and newest in result.out.split(name)[1]  # where the model is
        options = ['--resume']
    for option, newest in (('--max-steps', 40), 'epoch_0002'), (('--max-steps', 50), 'epoch_0002-step_000010'), (
            (), 'epoch_0003'), (('--epochs', EPOCHS, '--max-steps', 70), 'epoch_0003-step_000010'):
        assert_ran(run(*start, '--resume', '--save-minutes', 5, *option))
        assert checkpoint_names(tmp_path / 'vanilla')[-1] == newest
    assert_ran(run(*start, '--resume', '--max-steps', 80))
    assert_same_run(tmp_path / 'vanilla', whole / 'vanilla')


def test_a_finished_run_is_not_changed_and_is_prolonged_as_it_was(whole, copied):
    assert_ran(run(SCRIPT, '--resume', '--logdir', copied))
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

@pytest.mark.parametrize('options, words', [
    ([], ['--resume', '--overwrite', '--logdir']),
    (['--resume-from', 3, '--epochs', 9], ['epoch_0004, epoch_0005']),
    (['--resume', '--batch-size', 9, '--seed', 1, '--g-learning-rate', 0.001, '--split', 'train', '--epochs', 9],
     ['batch_size', 'seed', 'g_learning_rate', 'split', '--logdir']),
    (['--resume', '--data-dir'], ['data_crc32', '--data-dir'])], ids=str)
def test_refused(whole, settings, tmp_path, options, words):
    if options[-1:] == ['--data-dir']:
        options = [*options, write_mnist(tmp_path / 'data', other_pixels=1)]
    before = tree(whole)
    assert_refused(run(SCRIPT, *(options or settings), '--logdir', whole), *words)
    assert tree(whole) == before


def test_checkpoints_without_settings_are_a_run_too(copied, settings):
    os.remove(copied / 'vanilla' / 'settings.json')
    before = tree(copied)
    for options in settings, ['--resume']:
        assert_refused(run(SCRIPT, *options, '--logdir', copied), 'settings.json', '--overwrite', '--logdir')
    assert tree(copied) == before


def test_data_are_told_apart_by_a_pixel_or_a_label():
    images, labels = np.zeros((1001, 4), np.float32), np.zeros((1001, 2), np.float32)
    found = {fingerprint(images, None, [])['data_crc32']}
    for array in labels, labels, images:
        found.add(fingerprint(images, labels, [])['data_crc32'])
        array[1000, 0] += 1
    assert len(found) == 4


def test_overwrite_deletes_the_old_run_only_and_only_when_the_new_one_begins(copied, data, tmp_path):
    foreign = [copied / 'vanilla' / name for name in ('notes.txt', 'samples/notes.txt', 'checkpoints/notes.txt')]
    for path in foreign:
        path.write_text('mine')
    before = tree(copied)
    start = SCRIPT, '--overwrite', '--logdir', copied, '--epochs', 1, '--batch-size'
    assert_refused(run(*start, 161, '--data-dir', data), '161', '160')
    if os.name == 'posix':
        interrupted = run(*start, 40, '--data-dir', data,
                          before=functools.partial(at_change, 'mnist.npz', signal.SIGINT, ['open']))
        assert interrupted.status == 130 and 'Traceback' not in interrupted.err
    assert tree(copied) == before

    assert_ran(run(*start, 40, '--data-dir', data))
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
        result = run(*start, before=functools.partial(limit_file_size, size))
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
