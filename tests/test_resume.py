"""Nothing of a run is lost when it is killed or stopped, and nothing of it is overwritten by accident."""

import functools
import os
import random
import shutil
import signal
import time

import pytest

from runs import (Process, assert_refused, assert_same_run, at_change, checkpoint_names, pictures, run, state,
                  summaries, tree, variables, write_mnist)

SCRIPT = 'vanilla_gan.py'
CONSTANTLY = ('--save-minutes', 1e-9)  # a checkpoint after every step
STEPS_PER_EPOCH, EPOCHS = 20, 6


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_mnist(tmp_path_factory.mktemp('data'), images=160)


@pytest.fixture(scope='module')
def settings(data):
    """What starts the same training as `whole`; summaries are of steps 0 and 100."""
    return '--data-dir', data, '--batch-size', 8, '--epochs', EPOCHS, '--keep-last', 2, '--keep-every', 2


@pytest.fixture(scope='module')
def whole(tmp_path_factory, settings):
    """Logdir of a run that nothing interrupted; not to be changed."""
    logdir = tmp_path_factory.mktemp('whole')
    result = run(SCRIPT, *settings, '--logdir', logdir)
    assert result.status == 0 and result.err == '', result.err
    return logdir


@pytest.fixture
def copied(whole, tmp_path):
    """A copy of `whole` that a test may change."""
    return shutil.copytree(whole, tmp_path / 'copied')


def test_whole_run(whole):
    """What the others are compared with is not empty: all summaries, pictures and kept checkpoints are there."""
    steps = {name: [step for step, other, _ in summaries(whole / 'vanilla') if other == name]
             for _, name, _ in summaries(whole / 'vanilla')}
    ends = [epoch * STEPS_PER_EPOCH - 1 for epoch in range(1, EPOCHS + 1)]
    assert steps.pop('samples') == ends
    assert {'generator_loss', 'discriminator_loss'} < steps.keys()
    assert all(logged == [0, 100] for logged in steps.values())
    assert list(pictures(whole / 'vanilla')) == [
        *(f'epoch_{epoch:04d}.png' for epoch in range(1, EPOCHS + 1)), 'real_samples.png']
    # the last 2, and every 2nd
    assert checkpoint_names(whole / 'vanilla') == ['epoch_0002', 'epoch_0004', 'epoch_0005', 'epoch_0006']
    # two networks of four layers: 16 weights and biases, two Adam slots each, two powers for each optimizer
    assert len(variables(whole / 'vanilla', 'epoch_0006')) == 16 * 3 + 4


def run_to_its_death(*args, at, script=SCRIPT):
    """Run a script that is killed when it first makes, renames or removes what has `at` in its name."""
    assert run(script, *args, before=functools.partial(at_change, at, signal.SIGKILL)).status == -signal.SIGKILL


def test_killed_again_and_again(whole, settings, tmp_path):
    """SIGKILL at random instants, most of them inside the writing of a checkpoint: the end is as if nothing was."""
    when = random.Random(0)
    start = (*settings, '--logdir', tmp_path)
    for times in 3, 5:
        process = Process(SCRIPT, *start, *CONSTANTLY)
        process.wait_for('saved', times)
        time.sleep(when.uniform(0, 0.2))
        process.signal(signal.SIGKILL)
        assert process.end().status == -signal.SIGKILL
        start = '--resume', '--logdir', tmp_path
    run_to_its_death(*start, '--save-minutes', 5, at='epoch_0003.png')
    result = run(SCRIPT, *start)
    assert result.status == 0 and result.err == '', result.err
    assert 'continuing from' in result.out
    assert_same_run(tmp_path / 'vanilla', whole / 'vanilla')
    assert not [name for name in os.listdir(tmp_path / 'vanilla' / 'checkpoints') if not name.startswith('epoch_')]


def test_killed_before_the_first_checkpoint(whole, settings, tmp_path):
    run_to_its_death(*settings, '--logdir', tmp_path, at='epoch_0001.png')
    assert checkpoint_names(tmp_path / 'vanilla') == []
    result = run(SCRIPT, '--resume', '--logdir', tmp_path, '--max-steps', 40)
    assert result.status == 0 and 'no checkpoint was saved yet' in result.out
    assert_same_run(tmp_path / 'vanilla', whole / 'vanilla')


def test_killed_before_there_is_a_run(settings, tmp_path):
    """The same command starts it, as if it had never been there."""
    run_to_its_death(*settings, '--logdir', tmp_path, at='settings.json')
    assert os.listdir(tmp_path / 'vanilla')
    assert_refused(run(SCRIPT, '--resume', '--logdir', tmp_path), 'no run in')
    result = run(SCRIPT, *settings, '--logdir', tmp_path, '--max-steps', 1)
    assert result.status == 0 and result.err == '', result.err
    assert not [name for name in os.listdir(tmp_path / 'vanilla') if 'unfinished' in name]


def test_stopped_before_the_first_step(settings, tmp_path):
    """There is no checkpoint yet when a run that was killed early is resumed and stopped at once."""
    run_to_its_death(*settings, '--logdir', tmp_path, at='epoch_0001.png')
    assert checkpoint_names(tmp_path / 'vanilla') == []
    result = run(SCRIPT, '--resume', '--logdir', tmp_path, before=_stop_at_first_chance)
    assert result.status == 143 and result.err == '', result.err
    result = run(SCRIPT, '--resume', '--logdir', tmp_path, '--max-steps', 20)
    assert result.status == 0 and result.err == '', result.err
    assert set(pictures(tmp_path / 'vanilla')) == {'real_samples.png', 'epoch_0001.png'}


def _stop_at_first_chance():
    """SIGTERM as soon as it is caught."""
    handle = signal.signal

    def handle_and_send(number, handler):
        previous = handle(number, handler)
        if number == signal.SIGTERM and callable(handler):
            signal.signal = handle
            os.kill(os.getpid(), signal.SIGTERM)
        return previous
    signal.signal = handle_and_send


def test_dcgan_killed(tmp_path):
    """The same with moving averages and convolutions."""
    settings = ('--data-dir', write_mnist(tmp_path / 'data', images=48), '--batch-size', 16, '--epochs', 2)
    assert run('dcgan.py', *settings, '--logdir', tmp_path / 'whole').status == 0
    run_to_its_death(*settings, '--logdir', tmp_path / 'killed', *CONSTANTLY, script='dcgan.py',
                     at='epoch_0001-step_000002')
    assert checkpoint_names(tmp_path / 'killed' / 'dcgan')[-1] == 'epoch_0001-step_000001'
    assert run('dcgan.py', '--resume', '--logdir', tmp_path / 'killed').status == 0
    assert any('moving_variance' in name for name in variables(tmp_path / 'whole' / 'dcgan', 'epoch_0002'))
    assert_same_run(tmp_path / 'killed' / 'dcgan', tmp_path / 'whole' / 'dcgan')


@pytest.mark.parametrize('number, status', [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_stopped_by_a_signal(whole, settings, tmp_path, number, status):
    """While it writes the checkpoint after step 5: that and the one step that was under way are kept."""
    result = run(SCRIPT, *settings, '--logdir', tmp_path, *CONSTANTLY,
                 before=functools.partial(at_change, 'epoch_0000-step_000005', number))
    assert result.status == status and result.err == '', result.err
    assert f'{number.name}: saving' in result.out
    newest = checkpoint_names(tmp_path / 'vanilla')[-1]
    assert newest in result.out.split(number.name)[1]  # where the model is
    assert state(tmp_path / 'vanilla', newest)['steps'] == 6
    result = run(SCRIPT, '--resume', '--logdir', tmp_path, '--save-minutes', 5, '--max-steps', 4 * STEPS_PER_EPOCH)
    assert result.status == 0 and '(step 6)' in result.out
    assert_same_run(tmp_path / 'vanilla', whole / 'vanilla')


# Inside an epoch, and at the end of one, where the step has already been saved once.
@pytest.mark.parametrize('steps, newest', [(50, 'epoch_0002-step_000010'), (40, 'epoch_0002')])
def test_max_steps_and_more_epochs(whole, settings, tmp_path, steps, newest):
    result = run(SCRIPT, *settings, '--epochs', EPOCHS - 1, '--logdir', tmp_path, '--max-steps', steps)
    assert result.status == 0 and result.err == '', result.err
    assert checkpoint_names(tmp_path / 'vanilla')[-1] == newest
    assert not [name for name in os.listdir(tmp_path / 'vanilla' / 'checkpoints') if not name.startswith('epoch_')]
    result = run(SCRIPT, '--resume', '--logdir', tmp_path, '--epochs', EPOCHS)
    assert result.status == 0 and f'(step {steps})' in result.out
    assert_same_run(tmp_path / 'vanilla', whole / 'vanilla')


def test_resuming_a_finished_run(whole, copied):
    """There is nothing to do, and nothing is lost by it."""
    result = run(SCRIPT, '--resume', '--logdir', copied)
    assert result.status == 0 and result.err == '', result.err
    assert_same_run(copied / 'vanilla', whole / 'vanilla')


def test_what_to_keep_is_remembered(copied):
    """The run had --keep-last 2 --keep-every 2: the defaults would delete what it has kept."""
    result = run(SCRIPT, '--resume', '--logdir', copied, '--epochs', EPOCHS + 1)
    assert result.status == 0 and result.err == '', result.err
    assert checkpoint_names(copied / 'vanilla') == ['epoch_0002', 'epoch_0004', 'epoch_0006', 'epoch_0007']


def test_fewer_epochs_than_are_done_are_refused(copied):
    before = tree(copied)
    result = run(SCRIPT, '--resume', '--logdir', copied, '--epochs', 1)
    assert_refused(result, 'beyond 1 epochs', '--epochs', '--resume-from')
    assert tree(copied) == before


def test_resume_from(whole, copied):
    """Back to epoch 2: what came later is gone; continued, it comes again."""
    result = run(SCRIPT, '--resume-from', 2, '--logdir', copied, '--max-steps', 50)
    assert result.status == 0 and '(step 40)' in result.out
    assert checkpoint_names(copied / 'vanilla') == ['epoch_0002', 'epoch_0002-step_000010']
    assert list(pictures(copied / 'vanilla')) == ['epoch_0001.png', 'epoch_0002.png', 'real_samples.png']
    assert summaries(copied / 'vanilla') == [point for point in summaries(whole / 'vanilla') if point[0] < 50]
    assert run(SCRIPT, '--resume', '--logdir', copied, '--max-steps', 80).status == 0
    assert_same_run(copied / 'vanilla', whole / 'vanilla')


def test_a_missing_epoch_lists_the_kept_ones(copied):
    before = tree(copied)
    # --epochs differs from the run's, so that settings.json would change if it were written before the refusal
    assert_refused(run(SCRIPT, '--resume-from', 3, '--epochs', 9, '--logdir', copied), 'epoch 3', '2, 4, 5, 6')
    assert tree(copied) == before


def test_a_run_is_not_overwritten_by_accident(whole, settings):
    before = tree(whole)
    assert_refused(run(SCRIPT, *settings, '--logdir', whole), '--resume', '--overwrite', '--logdir')
    assert tree(whole) == before


def test_checkpoints_without_settings_are_a_run_too(copied, settings):
    os.remove(copied / 'vanilla' / 'settings.json')
    before = tree(copied)
    assert_refused(run(SCRIPT, *settings, '--logdir', copied), '--overwrite', '--logdir')
    assert tree(copied) == before


def test_overwrite_deletes_only_the_old_run(copied, data):
    foreign = [copied / 'vanilla' / name for name in ('notes.txt', 'samples/notes.txt', 'checkpoints/notes.txt')]
    for path in foreign:
        path.write_text('mine')
    result = run(SCRIPT, '--overwrite', '--logdir', copied, '--data-dir', data, '--batch-size', 40, '--epochs', 1)
    assert result.status == 0 and result.err == '', result.err
    for path in foreign:
        assert path.read_text() == 'mine'
        path.unlink()
    assert checkpoint_names(copied / 'vanilla') == ['epoch_0001']
    assert list(pictures(copied / 'vanilla')) == ['epoch_0001.png', 'real_samples.png']
    assert {step for step, _, _ in summaries(copied / 'vanilla')} == {0, 3}


@pytest.mark.parametrize('option, value, named', [
    ('--batch-size', 9, 'batch_size is 9 instead of 8'), ('--seed', 1, 'seed is 1 instead of 0'),
    ('--g-learning-rate', 0.001, 'g_learning_rate is 0.001 instead of 0.0002'),
    ('--split', 'train', "split is 'train' instead of 'all'"),
    ('--data-dir', 'other', 'data_crc32'), ('--data-dir', 'one pixel', 'data_crc32'),
    ('--data-dir', 'more', 'images is 161 instead of 160')])
def test_other_settings_are_refused(whole, tmp_path, option, value, named):
    if option == '--data-dir':
        value = write_mnist(tmp_path / value, images=161 if value == 'more' else 160, seed=int(value == 'other'),
                            other_pixels=int(value == 'one pixel'))
    before = tree(whole)
    assert_refused(run(SCRIPT, '--resume', '--epochs', 9, '--logdir', whole, option, value), named,
                   '--data-dir' if option == '--data-dir' else '--logdir')
    assert tree(whole) == before


def test_a_second_process_in_the_folder_is_refused(settings, tmp_path):
    first = Process(SCRIPT, *settings, '--epochs', 1000, '--logdir', tmp_path)
    try:
        first.wait_for('Epoch 1/1000 done')
        for option in '--resume', '--overwrite':
            assert_refused(run(SCRIPT, *settings, '--epochs', 1000, '--logdir', tmp_path, option), 'another process')
        done = first.out.count('done')
        first.wait_for('done', done + 1)  # it goes on undisturbed
    finally:
        first.signal(signal.SIGKILL)
        first.end()
    # The lock ends with its process, even a killed one.
    assert run(SCRIPT, '--resume', '--logdir', tmp_path, '--max-steps', 1).status == 0
