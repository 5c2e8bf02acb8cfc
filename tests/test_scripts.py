"""The five scripts from the command line to what they leave: what their loops ask of the graph, files and words."""

import contextlib
import io
import json
import os
import re
from types import SimpleNamespace

import numpy as np
import pytest
from runs import write_mnist

from common import load_dataset_label, progress, tf
from common.curves import read_losses
from common.scripts import SCRIPTS, load_script

PARTS = {'generator_loss', 'discriminator_loss', 'discriminator_loss_real', 'discriminator_loss_fake'}
IMAGES, BATCH_SIZE, EPOCHS = 90, 40, 2


def checkpoint_variables(run_dir):
    """{name: array} of the newest checkpoint."""
    newest = sorted(path for path in os.listdir(run_dir / 'checkpoints') if path.startswith('epoch_'))[-1]
    reader = tf.train.load_checkpoint(str(run_dir / 'checkpoints' / newest / 'model.ckpt'))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
    return write_mnist(tmp_path_factory.mktemp('data'), images=IMAGES)


def record(script, arguments, cwd):
    """Run a script's main, here; returns stdout, stderr, and its `sess.run` as [(names fetched, {name fed: array})]."""
    calls, run = [], tf.Session.run

    def recording(session, fetches, feed_dict=None, **more):
        tensors = fetches if isinstance(fetches, list) else [fetches]
        fetched = [tensor.name.removesuffix(':0') for tensor in tensors if hasattr(tensor, 'name')]
        calls.append((fetched, {tensor.op.name: np.array(value) for tensor, value in (feed_dict or {}).items()
                                if hasattr(tensor, 'op')}))
        return run(session, fetches, feed_dict, **more)

    out, err = io.StringIO(), io.StringIO()
    with (pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)):
        patch.chdir(cwd)
        patch.setattr(tf.Session, 'run', recording)
        load_script(script).main(list(map(str, arguments)))
    return out.getvalue(), err.getvalue(), calls


@pytest.fixture(scope='module', params=SCRIPTS)
def trained(request, data_dir, tmp_path_factory):
    """A model trained for two epochs."""
    model, folder = request.param, tmp_path_factory.mktemp('run')
    out, err, calls = record(model, ['--data-dir', data_dir, '--epochs', EPOCHS, '--batch-size', BATCH_SIZE,
                                     '--seed', 3, '--noise-size', 20], folder)
    labels = 'y' in load_script(model).INPUTS
    return SimpleNamespace(model=model, out=out, err=err, calls=calls, folder=folder / 'logdir' / model,
                           labels=labels, steps_per_epoch=2 if labels else 3,
                           shape=(784,) if model in ('vanilla', 'cgan') else (32, 32, 1))


def updates(trained):
    """The steps of a run, each a list of (network, {name fed: array})."""
    steps = []
    for fetched, fed in trained.calls:
        if 'optimizers/d_adam' in fetched:
            steps.append([])
        if {'optimizers/d_adam', 'optimizers/g_adam'} & set(fetched):
            assert len({'optimizers/d_adam', 'optimizers/g_adam'} & set(fetched)) == 1
            steps[-1].append(('discriminator' if 'optimizers/d_adam' in fetched else 'generator', fed))
    return steps


def test_a_step_is_one_update_of_the_discriminator_and_two_of_the_generator(trained):
    steps = updates(trained)
    assert len(steps) == EPOCHS * trained.steps_per_epoch
    for step in steps:
        assert [network for network, _ in step] == ['discriminator', 'generator', 'generator']
    powers = {name: value for name, value in checkpoint_variables(trained.folder).items() if 'beta1_power' in name}
    assert powers == {'optimizers/beta1_power': pytest.approx(0.5**(1 + len(steps))),
                      'optimizers/beta1_power_1': pytest.approx(0.5**(1 + 2 * len(steps)))}


def test_the_updates_of_a_step_share_their_noise_and_condition_and_the_next_step_has_others(trained):
    condition = {'y': {'y_classes'}, 'c': {'conditional_variable'}}
    inputs = {'input_noise'}.union(*(condition[name] for name in load_script(trained.model).INPUTS[1:]))
    seen = set()
    for (_, of_d), *generator_updates in updates(trained):
        assert of_d.keys() == inputs | {'input_real'}
        assert of_d['input_noise'].shape == (BATCH_SIZE, 20)
        assert -1 <= of_d['input_noise'].min() < -0.9 and 0.9 < of_d['input_noise'].max() <= 1
        for _, of_g in generator_updates:
            assert of_g.keys() == inputs
            for name in inputs:
                np.testing.assert_array_equal(of_g[name], of_d[name])
        seen.update(of_d[name].tobytes() for name in inputs)
    assert len(seen) == EPOCHS * trained.steps_per_epoch * len(inputs)


def test_an_epoch_shows_each_image_once_with_its_own_label_in_a_new_order(trained, data_dir):
    images, labels = load_dataset_label(data_dir)
    label_of = {image.tobytes(): label for image, label in zip(np.asarray(images), labels)}
    orders = []
    for epoch in range(EPOCHS):
        shown = []
        for (_, fed), *_ in updates(trained)[epoch * trained.steps_per_epoch:][:trained.steps_per_epoch]:
            batch = fed['input_real']
            if batch.ndim == 4:
                batch = batch[:, 2:30, 2:30]
            batch = [image.astype(np.float32).tobytes() for image in batch]
            shown += batch
            if trained.labels:
                np.testing.assert_array_equal(fed['y_classes'], [label_of[image] for image in batch])
        assert len(shown) == len(set(shown)) == (80 if trained.labels else 90)  # a short batch with labels is dropped
        assert set(shown) <= label_of.keys()
        orders.append(shown)
    assert orders[0] != orders[1]


def test_pictures_are_always_from_the_same_noise_and_condition(trained):
    # The generator's second call is the one normalized with the moving averages.
    sampling = [fed for fetched, fed in trained.calls if fetched == ['generator_1/Tanh']]
    assert len(sampling) == EPOCHS
    assert {len(value) for value in sampling[0].values()} == {40}
    for name, value in sampling[0].items():
        np.testing.assert_array_equal(value, sampling[1][name])
    script = load_script(trained.model)
    condition = set(sampling[0]) - {'input_noise'}
    assert len(condition) == len(script.INPUTS) - 1
    for name in condition:
        np.testing.assert_array_equal(sampling[0][name], script.sample_condition(SimpleNamespace(n_classes=10), 40))


def test_what_a_run_says(trained):
    assert trained.err == ''
    lines = trained.out.splitlines()[1:]  # after what the data are
    assert lines[0] == f'Training dataset shape: {(IMAGES, *trained.shape)}'
    assert re.fullmatch(r'Epoch 1/2 - discriminator loss: \d+\.\d{4}, generator Loss: \d+\.\d{4}', lines[1])
    assert re.fullmatch(r'Epoch 2/2 done - \d+ images/s, \S+ left', lines[3])
    end = ''.join(lines[-6:])
    for path in ('samples', 'losses.png', 'checkpoints/epoch_0002'):
        assert os.path.join('logdir', trained.model, path) in end
    assert f'{SCRIPTS[trained.model]}.py --resume' in end and '--logdir=' in lines[-1]


def test_speed_and_time_left_are_those_of_the_last_epoch(monkeypatch):
    now = 0.
    monkeypatch.setattr(progress, 'time', SimpleNamespace(monotonic=lambda: now))
    shown = progress.Progress(steps=10, total=40, batch_size=100)
    said = []
    for seconds_a_step in (360, 1):  # as where the machine slept in the first of them
        for _ in range(10):
            now += seconds_a_step
            shown.step(epoch=1, epochs=4, d_loss=0., g_loss=0.)
        said.append(shown.speed())
    shown.close()
    assert said == ['0 images/s, 2:00:00 left', '100 images/s, 00:10 left']


def test_what_a_run_leaves(trained):
    folder = trained.folder
    assert sorted(name for name in os.listdir(folder) if not name.startswith(('.', 'events.'))) == [
        'checkpoints', 'losses.png', 'samples', 'settings.json']
    assert sorted(os.listdir(folder / 'samples')) == ['epoch_0001.png', 'epoch_0002.png', 'real_samples.png']
    for name in ('samples/real_samples.png', 'samples/epoch_0001.png', 'samples/epoch_0002.png', 'losses.png'):
        assert (folder / name).read_bytes().startswith(b'\x89PNG'), name
    assert sorted(os.listdir(folder / 'checkpoints')) == ['epoch_0001', 'epoch_0002']
    settings = json.loads((folder / 'settings.json').read_text())
    assert settings['model'] == trained.model and settings['settings']['seed'] == 3
    assert settings['data']['images'] == IMAGES


def test_curves_and_pictures_for_tensorboard(trained):
    losses = read_losses(trained.folder)
    assert set(losses) == PARTS | ({'categorical_loss', 'continuous_loss'} if trained.model == 'infogan' else set())
    assert all(steps == [0] for steps, _ in losses.values())
    printed = float(re.search(r'discriminator loss: (\d+\.\d{4})', trained.out)[1])
    assert losses['discriminator_loss'][1][0] == pytest.approx(printed, abs=1e-4)

    events = [event for path in trained.folder.glob('events.*') for event in tf.train.summary_iterator(str(path))]
    pictures = [(event.step, value.image) for event in events for value in event.summary.value
                if value.HasField('image')]
    assert [step for step, _ in pictures] == [trained.steps_per_epoch - 1, 2 * trained.steps_per_epoch - 1]
    assert pictures[1][1].encoded_image_string == (trained.folder / 'samples/epoch_0002.png').read_bytes()

    graph = tf.GraphDef.FromString(next(event.graph_def for event in events if event.graph_def))
    boxes = {node.name.split('/')[0] for node in graph.node}
    assert {'generator', 'discriminator', 'losses', 'optimizers'} <= boxes
    assert len(boxes) < 40  # in TensorBoard's picture, not a cloud of operations


def test_rates_and_numbers_of_updates_reach_the_graph_and_the_loop(data_dir, tmp_path):
    """With a rate of (almost) nothing a network stays as it was."""
    arguments = ['--data-dir', data_dir, '--batch-size', 30, '--max-steps', 2, '--logdir', tmp_path]
    _, _, calls = record('vanilla', [*arguments, '--d-learning-rate', '1e-20', '--generator-updates', 3], tmp_path)
    steps = updates(SimpleNamespace(calls=calls))
    assert [[network[0] for network, _ in step] for step in steps] == [list('dggg'), list('dggg')]
    variables = checkpoint_variables(tmp_path / 'vanilla')
    assert not variables['discriminator/dense/bias'].round(12).any()
    assert variables['generator/dense/bias'].any()


def test_infogans_codes_can_be_chosen():
    args = load_script('infogan').parser().parse_args(
        ['--categories', '3', '--lambda-cont', '0', '--lambda-cat', '2', '--cont-loss', 'chapter'])
    assert (args.n_classes, args.lambda_cont, args.lambda_cat, args.cont_loss) == (3, 0, 2, 'chapter')


@pytest.mark.parametrize('arguments, words', [
    (['--epochs', '0'], 'argument --epochs: must be at least 1, not 0'),
    (['--beta1', '1'], 'argument --beta1: must be at least 0 and at most 0.999, not 1'),
    (['--g-learning-rate', 'nan'], 'argument --g-learning-rate: must be above 0, not nan'),
    (['--seed', 'seven'], "argument --seed: invalid whole number value: 'seven'"),
    (['--resume', '--overwrite'], 'argument --overwrite: not allowed with argument --resume')])
def test_a_wrong_option_is_one_sentence(arguments, words, capsys):
    for model in SCRIPTS:
        with pytest.raises(SystemExit) as exit:
            load_script(model).main(arguments)
        assert exit.value.code == 2
        told = capsys.readouterr().err
        assert words in told and told.count('\n') == 1


@pytest.mark.parametrize('model, epochs', [('vanilla', 100), ('dcgan', 50), ('cgan', 100), ('infogan', 50),
                                           ('conv_cgan', 25)])
def test_the_defaults_are_the_chapters(model, epochs, capsys):
    script = load_script(model)
    args = script.parser().parse_args([])
    assert (args.epochs, args.batch_size, args.noise_size, args.generator_updates) == (epochs, 128, 100, 2)
    assert (args.d_learning_rate, args.g_learning_rate, args.beta1) == (0.0002, 0.0002, 0.5)
    if model == 'infogan':
        assert (args.n_classes, args.lambda_cont, args.lambda_cat, args.cont_loss) == (10, 0.1, 1.0, 'gaussian')
    with pytest.raises(SystemExit) as exit:
        script.main(['--help'])
    assert exit.value.code == 0
    text = ' '.join(capsys.readouterr().out.split())
    for default in (epochs, 128, 100, 0.0002, 0.5, 2):
        assert f'(default: {default})' in text
