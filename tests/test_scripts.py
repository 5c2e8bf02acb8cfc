"""The five scripts from the command line to what they leave: what their loops ask of the graph, files and words."""

import contextlib
import io
import json
import os
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from runs import assert_same_bits, checkpoint_names, narrow, tensorboard, variables, write_mnist

from common import load_dataset_label, tensorflow1
from common.curves import read_losses
from common.errors import UserError
from common.random_streams import random_stream
from common.scripts import SCRIPTS, generator_inputs, load_script

PARTS = {'generator_loss', 'discriminator_loss', 'parts/discriminator_loss_real', 'parts/discriminator_loss_fake',
         'parts/D_real', 'parts/D_generated'}
OF_INFOGAN = {'parts/categorical_loss', 'parts/continuous_loss'}
IMAGES, BATCH_SIZE, EPOCHS = 40, 16, 2
PLACEHOLDERS = {'z': 'input_noise', 'y': 'y_classes', 'c': 'conditional_variable'}


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
    return write_mnist(tmp_path_factory.mktemp('data'), images=IMAGES)


def main(model, *arguments):
    """Run a script's main, here; returns what it prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        load_script(model).main(list(map(str, arguments)))
    return out.getvalue()


def record(model, *arguments):
    """Run a script's main; returns stdout, and its `sess.run` as [(names fetched, {name fed: array})]."""
    calls, run = [], tf.Session.run

    def recording(session, fetches, feed_dict=None, **more):
        tensors = fetches if isinstance(fetches, list) else [fetches]
        fetched = [tensor.name.removesuffix(':0') for tensor in tensors if hasattr(tensor, 'name')]
        calls.append((fetched, {tensor.op.name: np.array(value) for tensor, value in (feed_dict or {}).items()
                                if hasattr(tensor, 'op')}))
        return run(session, fetches, feed_dict, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.Session, 'run', recording)
        return main(model, *arguments), calls


@pytest.fixture(scope='module', params=SCRIPTS)
def trained(request, data_dir, tmp_path_factory):
    """A model trained for two epochs."""
    model, logdir = request.param, tmp_path_factory.mktemp('run')
    out, calls = record(model, '--data-dir', data_dir, '--epochs', EPOCHS, '--batch-size', BATCH_SIZE, '--seed', 3,
                        '--noise-size', 20, '--save-minutes', 0, '--keep-last', 9, '--generator-updates', 3,
                        '--logdir', logdir)
    inputs = generator_inputs(load_script(model))
    return SimpleNamespace(model=model, out=out, calls=calls, logdir=logdir, folder=logdir / model,
                           inputs=inputs, labels='y' in inputs, steps_per_epoch=2 if 'y' in inputs else 3,
                           shape=(784,) if model in ('vanilla', 'cgan') else (32, 32, 1))


def updates(calls):
    """The steps of a run, each a list of (optimizer, {name fed: array})."""
    steps = []
    for fetched, fed in calls:
        optimizers = [name for name in fetched if name in ('optimizers/d_adam', 'optimizers/g_adam')]
        if 'optimizers/d_adam' in optimizers:
            steps.append([])
        if optimizers:
            optimizer, = optimizers
            steps[-1].append((optimizer[-6:], fed))
    return steps


def test_a_step_is_one_update_of_the_discriminator_and_as_many_of_the_generator_as_asked_for(trained):
    """All of them with the noise and condition of its streams."""
    inputs = {PLACEHOLDERS[name] for name in trained.inputs}
    steps = updates(trained.calls)
    assert len(steps) == EPOCHS * trained.steps_per_epoch
    for i, step in enumerate(steps):
        assert [optimizer for optimizer, _ in step] == ['d_adam', 'g_adam', 'g_adam', 'g_adam']
        (_, of_d), *generator_updates = step
        assert of_d.keys() == inputs | {'input_real'}
        noise = random_stream(3, 'noise', i).uniform(-1, 1, size=(BATCH_SIZE, 20))
        np.testing.assert_array_equal(of_d['input_noise'], noise)
        if 'c' in trained.inputs:
            codes = load_script('infogan').gen_condition_variable(BATCH_SIZE, 10, 1, random_stream(3, 'code', i))
            np.testing.assert_array_equal(of_d['conditional_variable'], codes)
        for _, of_g in generator_updates:
            assert of_g.keys() == inputs
            for name in inputs:
                np.testing.assert_array_equal(of_g[name], of_d[name])
    powers = {name: value for name, value in variables(trained.folder).items() if 'beta1_power' in name}
    assert powers == {'optimizers/beta1_power': pytest.approx(0.5**(1 + len(steps))),
                      'optimizers/beta1_power_1': pytest.approx(0.5**(1 + 3 * len(steps)))}


def test_an_epoch_shows_each_image_once_with_its_own_label_in_the_order_of_its_stream(trained, data_dir):
    images, labels = load_dataset_label(data_dir)
    label_of = {image.tobytes(): label for image, label in zip(images, labels)}
    for epoch in range(EPOCHS):
        shown = []
        for (_, fed), *_ in updates(trained.calls)[epoch * trained.steps_per_epoch:][:trained.steps_per_epoch]:
            batch = fed['input_real'] if len(trained.shape) == 1 else fed['input_real'][:, 2:30, 2:30]
            batch = [image.astype(np.float32).tobytes() for image in batch]
            shown += batch
            if trained.labels:
                np.testing.assert_array_equal(fed['y_classes'], [label_of[image] for image in batch])
        order = random_stream(3, 'shuffle', epoch).permutation(IMAGES)
        # a short batch with labels is dropped
        assert shown == [image.tobytes() for image in images[order][:32 if trained.labels else 40]]


def test_pictures_are_always_from_the_same_noise_and_condition(trained):
    # The generator's second call is the one normalized with the moving averages.
    samples = 'generator/Tanh' if len(trained.shape) == 1 else 'samples/generator/Tanh'
    sampling = [fed for fetched, fed in trained.calls if fetched == [samples]]
    assert len(sampling) == EPOCHS
    for fed in sampling:
        assert fed.keys() == {PLACEHOLDERS[name] for name in trained.inputs}
        noise = random_stream(3, 'sample').uniform(-1, 1, size=(40, 20))
        np.testing.assert_array_equal(fed.pop('input_noise'), noise)
        for condition in fed.values():
            np.testing.assert_array_equal(condition, load_script(trained.model).sample_condition(40, 10))


def test_what_a_run_says_and_leaves(trained):
    assert f'Training dataset shape: {(IMAGES, *trained.shape)}\n' in trained.out
    assert re.search(r'^Epoch 1/2 - discriminator loss: \d+\.\d{4}, generator Loss: \d+\.\d{4}$', trained.out, re.M)
    folder = trained.folder
    for path in ('samples', 'losses.png', os.path.join('checkpoints', 'epoch_0002')):
        assert os.path.join(folder, path) in trained.out and os.path.exists(folder / path)
    assert sorted(name for name in os.listdir(folder) if not name.startswith(('.', 'events.'))) == [
        'checkpoints', 'losses.csv', 'losses.png', 'samples', 'settings.json']
    assert sorted(os.listdir(folder / 'samples')) == ['epoch_0001.png', 'epoch_0002.png', 'real_samples.png']
    settings = json.loads((folder / 'settings.json').read_text())
    assert settings['model'] == trained.model and settings['settings']['seed'] == 3
    assert settings['data']['images'] == IMAGES
    assert settings['data']['class_names'] == ([str(digit) for digit in range(10)] if trained.labels else [])


def test_curves_pictures_settings_and_graph_for_tensorboard(trained):
    shown = tensorboard(trained.folder)
    for name, file in ('samples', 'epoch_0002'), ('real_samples', 'real_samples'):
        assert shown.pop(name)[-1] == (0 if name == 'real_samples' else 2 * trained.steps_per_epoch - 1,
                                       (trained.folder / 'samples' / f'{file}.png').read_bytes())
    assert set(shown) == PARTS | (OF_INFOGAN if trained.model == 'infogan' else set())
    row, = read_losses(trained.folder)
    assert (row.pop('step'), row.pop('epoch')) == (0, 1)
    for name, value in row.items():  # losses.csv has the same float32 numbers
        assert [(0, np.float32(value))] == shown[name]
    assert row.keys() == shown.keys()
    printed = float(re.search(r'discriminator loss: (\d+\.\d{4})', trained.out)[1])
    assert row['discriminator_loss'] == pytest.approx(printed, abs=1e-4)

    events = [event for path in trained.folder.glob('events.*') for event in tf.train.summary_iterator(str(path))]
    texts = [value.tensor.string_val[0].decode() for event in events for value in event.summary.value
             if value.HasField('tensor')]
    assert len(texts) == 1 and 'seed | 3' in texts[0] and 'noise_size | 20' in texts[0]
    graph, = [tf.GraphDef.FromString(event.graph_def) for event in events if event.graph_def]
    boxes = {node.name.split('/')[0] for node in graph.node}
    assert {'generator', 'discriminator', 'losses', 'optimizers'} <= boxes
    assert not [box for box in boxes if box.startswith(('save', 'all_finite'))]
    assert len(boxes) < 40  # in TensorBoard's picture, not a cloud of operations


def test_each_model_is_continued_with_the_same_bits(trained, tmp_path):
    """From inside the second epoch, with moving averages, codes and labels."""
    logdir = shutil.copytree(trained.logdir, tmp_path / 'copied')
    for name in checkpoint_names(trained.folder)[-trained.steps_per_epoch + 1:]:
        shutil.rmtree(logdir / trained.model / 'checkpoints' / name)
    assert checkpoint_names(logdir / trained.model)[-1] == 'epoch_0001-step_000001'
    main(trained.model, '--resume', '--logdir', logdir)
    assert_same_bits(variables(logdir / trained.model), variables(trained.folder))


def small_graph(script):
    """A build_graph of two variables, with which a hundred steps take no time."""
    def build_graph(args, n_classes=10):
        inputs = {name: tf.placeholder(tf.float32, (None, None)) for name in generator_inputs(script)}
        X_real = tf.placeholder(tf.float32)
        losses = [tf.get_variable(f'{name}_loss', (), initializer=tf.zeros_initializer()) for name in 'dg']
        d_opt, g_opt = (loss.assign_add(1).op for loss in losses)
        for name, loss in zip(('discriminator_loss', 'generator_loss'), losses):
            tf.summary.scalar(name, loss)
        return SimpleNamespace(X_real=X_real, **inputs, d_loss=losses[0], g_loss=losses[1], d_opt=d_opt, g_opt=g_opt,
                               samples=tf.zeros([40, 32, 32]), merged=tf.summary.merge_all())
    return build_graph


@pytest.mark.parametrize('model', SCRIPTS)
def test_losses_are_logged_every_100_steps(model, tmp_path, monkeypatch):
    script = load_script(model)
    monkeypatch.setattr(script, 'build_graph', small_graph(script))
    out = main(model, '--data-dir', write_mnist(tmp_path, images=260), '--batch-size', 1, '--max-steps', 250,
               '--logdir', tmp_path)
    assert [(row['step'], row['epoch']) for row in read_losses(tmp_path / model)] == [(0, 1), (100, 1), (200, 1)]
    assert [step for step, _ in tensorboard(tmp_path / model)['discriminator_loss']] == [0, 100, 200]
    assert len(re.findall(r'^Epoch 1/\d+ - discriminator loss', out, re.M)) == 3


@pytest.mark.skipif(tensorflow1.bfloat16_missing() is not None, reason='no bfloat16 here')
def test_bfloat16_is_used(data_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(load_script('vanilla'), 'dense', narrow(load_script('vanilla').dense))
    found = {}
    for name, *option in ('bfloat16', '--mixed-precision'), ('float32',):
        main('vanilla', '--data-dir', data_dir, '--batch-size', 20, '--max-steps', 1, '--logdir', tmp_path / name,
             *option)
        found[name] = variables(tmp_path / name / 'vanilla')
    assert {value.dtype for value in found['bfloat16'].values()} == {np.dtype(np.float32)}
    kernel = 'discriminator/dense_1/kernel'
    assert (found['bfloat16'][kernel] != found['float32'][kernel]).any()
    with pytest.raises(UserError, match='mixed_precision'):
        main('vanilla', '--resume', '--logdir', tmp_path / 'float32', '--mixed-precision')


@pytest.mark.parametrize('model, epochs', [*zip(SCRIPTS, (100, 50, 100, 50, 25))])
def test_the_defaults_are_the_chapters(model, epochs):
    parser = load_script(model).parser()
    args = parser.parse_args([])
    assert (args.epochs, args.batch_size, args.noise_size, args.generator_updates) == (epochs, 128, 100, 2)
    assert (args.d_learning_rate, args.g_learning_rate, args.beta1, args.split) == (0.0002, 0.0002, 0.5, 'all')
    if model == 'infogan':
        assert (args.n_classes, args.lambda_cont, args.lambda_cat, args.cont_loss) == (10, 0.1, 1.0, 'gaussian')
    assert f'(default: {epochs})' in ' '.join(parser.format_help().split())
