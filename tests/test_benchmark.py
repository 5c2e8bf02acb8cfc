"""The benchmark: its variants train the same networks the same way, and the command measures them."""

import math
import re

import numpy as np
import pytest

import benchmark.__main__ as benchmark
from benchmark import variants
from common import load_dataset_label, load_dataset_label_pad
from common.scripts import SCRIPTS, generator_inputs, load_script

import tensorflow.compat.v1 as tf

BATCH_SIZE = 16


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp('mnist')
    benchmark.write_random_mnist(folder, 140)
    return str(folder)


def prepared(model):
    """A script, its arguments, and the inputs of a step."""
    script = load_script(model)
    args = script.parser().parse_args(['--batch-size', str(BATCH_SIZE)])
    shape = (BATCH_SIZE, *getattr(script, 'image_size', (784,)))
    data = np.random.default_rng(0).uniform(-1, 1, shape), np.eye(10)[np.arange(BATCH_SIZE) % 10]
    return script, args, next(variants.step_inputs(script, args, data, lambda x, y, batch_size: [(x, y)]))


def updates(listing):
    """Each optimizer's update of a DCGAN from the same weights.

    Returns {optimizer: (loss, all first moments, half the gradients, as one vector, moving averages that changed)}.
    """
    result = {}
    script, args, inputs = prepared('dcgan')
    with tf.Graph().as_default(), tf.Session() as sess:
        gan = variants.build_graph(script, args, listing)
        feed = {getattr(gan, name): value for name, value in inputs.items()}
        averages = [var for var in tf.global_variables() if '/moving_' in var.name]
        for adam, optimizer, loss in (('d_adam', gan.d_opt, gan.d_loss), ('g_adam', gan.g_opt, gan.g_loss)):
            sess.run(tf.global_variables_initializer())  # by the kernels' own seeds
            before = sess.run(averages)
            _, loss = sess.run([optimizer, loss], feed)
            moments = sess.run([var for var in tf.global_variables() if var.op.name.endswith('/' + adam)])
            changed = {var.op.name for var, old in zip(averages, before) if not np.array_equal(old, sess.run(var))}
            result[adam] = loss, np.concatenate([moment.ravel() for moment in moments]), changed
    return result


def test_the_listing_trains_as_the_script_does():
    """Same losses and gradients from the same weights and inputs; each update moves all averages, not only its own."""
    ours, listing = updates(listing=False), updates(listing=True)
    for adam, (loss, moments, changed) in ours.items():
        listing_loss, listing_moments, listing_changed = listing[adam]
        assert loss == pytest.approx(listing_loss, rel=1e-3)
        # As one vector: rounding of single numbers depends on the processor's kernels.
        assert 0 < np.linalg.norm(listing_moments)
        assert np.linalg.norm(moments - listing_moments) < 0.01 * np.linalg.norm(listing_moments)
        assert changed < listing_changed == ours['d_adam'][2] | ours['g_adam'][2]


def test_the_listing_loads_the_same_data(data_dir):
    for convolutional, load in ((False, load_dataset_label), (True, load_dataset_label_pad)):
        images, labels = variants.load_listing_data(data_dir, convolutional)
        assert images.dtype == labels.dtype == np.float64
        np.testing.assert_allclose(images, load(data_dir)[0], atol=1e-6)
        np.testing.assert_array_equal(labels, load(data_dir)[1])


@pytest.mark.parametrize('model', SCRIPTS)
def test_pytorch_networks_are_as_large(model, data_dir):
    pytest.importorskip('torch')
    from benchmark import pytorch
    script, args, inputs = prepared(model)
    condition_size = sum(inputs[name].shape[1] for name in generator_inputs(script) if name != 'z')
    with tf.Graph().as_default():
        variants.build_graph(script, args)
        sizes = [sum(math.prod(var.shape.as_list()) for var in tf.trainable_variables(scope))
                 for scope in ('generator', 'discriminator')]
    assert sizes == [sum(parameter.numel() for parameter in network.parameters())
                     for network in pytorch.networks(script, args.noise_size, condition_size)]
    assert np.all(np.isfinite(variants.prepare('torch', model, data_dir)()))


def test_it_measures(monkeypatch, capsys):
    monkeypatch.setattr(benchmark, 'N_IMAGES', 140)
    benchmark.main(['--models', 'vanilla', '--steps', '2', '--rounds', '1'])
    ours, listing = re.findall(r'^\| *(?:ours|listing) *\| *([\d.]+) *\| *(\S+)', capsys.readouterr().out, re.M)
    assert float(ours[0]) > 0 < float(listing[0]) and ours[1] == '1.00'
