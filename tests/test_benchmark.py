"""The benchmark: its counts, and that its variants train the same networks the same way."""

import re

import numpy as np
import pytest

from benchmark import listing, ours, pytorch
from benchmark.made_data import write_random_mnist
from benchmark.multiply_adds import count_computed, count_multiply_adds, layer_costs
from common import convolutions, load_dataset_label, load_dataset_pad, tf
from common.scripts import SCRIPTS, load_script

MODELS = list(SCRIPTS)
BATCH_SIZE = 64

# Weights of the dense networks, and multiply-adds an image of one pass through the convolutional ones.
VANILLA_G = 100 * 256 + 256 * 512 + 512 * 1024 + 1024 * 784
VANILLA_D = 784 * 1024 + 1024 * 512 + 512 * 256 + 256
CONV = 16 * 16 * 25 * 64, 8 * 8 * 25 * 64 * 128, 4 * 4 * 25 * 128 * 256
DCGAN_G = 100 * 4096 + sum(CONV)
DCGAN_D = sum(CONV) + 4096
INFOGAN_HEAD = 4096 * 1024 + 1024 * 128 + 128


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp('mnist')
    write_random_mnist(folder, 70)
    return str(folder)


def settings(model):
    return load_script(model).parser().parse_args([])


def test_counts_are_those_made_by_hand():
    vanilla, dcgan, infogan, conv_cgan = map(count_multiply_adds, ('vanilla', 'dcgan', 'infogan', 'conv_cgan'))

    # D update: generate, then forward and two gradients on real and on fake; G updates: the same for G, without the
    # gradients by D's weights.
    assert vanilla['full'] == VANILLA_G + 6 * VANILLA_D + 2 * (3 * VANILLA_G + 2 * VANILLA_D)
    assert dcgan['full'] == DCGAN_G + 6 * DCGAN_D + 2 * (3 * DCGAN_G + 2 * DCGAN_D)
    assert round(vanilla['full'] / 1e6) == 25 and round(dcgan['full'] / 1e6) == 456
    assert vanilla['needed'] == vanilla['full'] - VANILLA_G - 2 * 784 * 1024 - 2 * 100 * 256
    assert dcgan['needed'] == dcgan['full'] - DCGAN_G - 2 * CONV[0] - 2 * 100 * 4096

    real = sum(CONV) + INFOGAN_HEAD
    g, fake = DCGAN_G + 11 * 4096, real + 128 * 11  # the codes' heads do not look at real images
    assert infogan['full'] == g + 3 * real + 3 * fake + 2 * (3 * g + 2 * fake)

    g, d = DCGAN_G + 10 * 4096, DCGAN_D + 10 * CONV[0] + 10  # ten planes, and the label before the last layer
    assert conv_cgan['full'] == g + 6 * d + 2 * (3 * g + 2 * d)


def test_counted_operations_are_those_that_run(data_dir):
    step, sess = ours.prepare_with_session('vanilla', 8, data_dir)
    products = []

    def traced_run(fetches, feed_dict):
        trace = tf.RunMetadata()
        values = sess.run(fetches, feed_dict, tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE), trace)
        labels = [node.timeline_label for device in trace.step_stats.dev_stats for node in device.node_stats]
        products.append(sum('MatMul(' in label for label in labels))
        return values

    step(traced_run)
    # 4 + 4 layers: G once and D twice forward, 14 gradients; then twice G and D forward, 4 + 7 gradients.
    assert products == [4 + 8 + 14, 8 + 11, 8 + 11]


def test_minimal_filtering_multiplies_less(monkeypatch):
    """Of 25 multiplications an output 9 are left, and what the transformations cost, less in large batches."""
    monkeypatch.setattr(convolutions, '_direct', False)
    small, large = (count_computed('dcgan', batch_size) for batch_size in (16, 128))
    assert 9 / 25 * large['listing'] < large['ours'] < small['ours'] and large['ours'] < 0.65 * large['listing']


def test_the_listings_generator_updates_run_the_discriminator_on_real_images():
    """Batch normalization makes them: each optimizer of the listing waits for all moving averages."""
    with convolutions.direct():
        gan = load_script('dcgan').build_graph(settings('dcgan'))
        own = sum(sum(layer_costs(run).values()) for run in listing.runs_of_a_step(gan))
    assert count_computed('dcgan', 1)['listing'] == own + 2 * sum(CONV)  # all of it but its last layer, in two updates


def slot_means(sess, adam):
    """{variable: first moment of its Adam}, which after one update is 1 - beta1 = half the gradient."""
    slots = [var for var in tf.global_variables() if re.search(rf'/{adam}$', var.op.name)]
    return {var.op.name.split(f'/{adam}')[0].replace('optimizers/', ''): value
            for var, value in zip(slots, sess.run(slots))}


def close(got, expected):
    """As one vector: rounding of single numbers depends on the processor's kernels; a wrong gradient shows here."""
    assert got.keys() == expected.keys() and expected
    a, b = (np.concatenate([values[name].ravel() for name in sorted(expected)]) for values in (got, expected))
    return np.linalg.norm(a - b) < 0.01 * np.linalg.norm(b) and np.linalg.norm(b) > 0


@pytest.mark.parametrize('model', MODELS)
def test_the_listing_trains_as_the_script_does(model):
    """Same losses and gradients from the same weights and inputs; only its moving averages are more."""
    script, args = load_script(model), settings(model)
    rng = np.random.default_rng(0)
    inputs = {'z': rng.uniform(-1, 1, (BATCH_SIZE, args.noise_size))}
    if len(script.INPUTS) > 1:
        inputs[script.INPUTS[1]] = script.random_condition(args, BATCH_SIZE, rng)

    gan = listing.build_graph(script, args)
    x = rng.uniform(-1, 1, (BATCH_SIZE, *gan.X_real.shape[1:]))
    d_run, g_run, _ = listing.runs_of_a_step(gan)
    with tf.Session() as sess:
        sess.run(gan.initialize)
        train_vars = tf.trainable_variables()
        weights = {var.op.name: value for var, value in zip(train_vars, sess.run(train_vars))}
        averages = [var for var in tf.global_variables() if '/moving_' in var.name]
        before = sess.run(averages)
        d_loss = sess.run(d_run, ours.feed(gan, X_real=x, **inputs))[2]
        assert not any(np.array_equal(*pair) for pair in zip(before, sess.run(averages)))
        assert {var.op.name for var in gan.g_vars if not np.array_equal(weights[var.op.name], sess.run(var))} == set()
        for var in gan.d_vars:
            var.load(weights[var.op.name], sess)
        sess.run(g_run, ours.feed(gan, X_real=x, **inputs))
        assert {var.op.name for var in gan.d_vars if not np.array_equal(weights[var.op.name], sess.run(var))} == set()
        expected = [slot_means(sess, adam) for adam in ('d_listing', 'g_listing')]

    gan = script.build_graph(args)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for var in tf.trainable_variables():
            var.load(weights[var.op.name], sess)
        assert sess.run(gan.d_loss, ours.feed(gan, X_real=x, **inputs)) == pytest.approx(d_loss, rel=1e-3)
        sess.run(gan.d_opt, ours.feed(gan, X_real=x, **inputs))
        for var in gan.d_vars:
            var.load(weights[var.op.name], sess)
        sess.run(gan.g_opt, ours.feed(gan, **inputs))
        got = [slot_means(sess, adam) for adam in ('d_adam', 'g_adam')]
    assert close(got[0], expected[0])
    assert close(got[1], expected[1])


def test_listing_loads_the_same_data(data_dir):
    flat, one_hot = load_dataset_label(data_dir)
    images, labels = listing.load_data(data_dir, convolutional=False)
    assert images.dtype == labels.dtype == np.float64
    np.testing.assert_allclose(images, flat, atol=1e-6)
    np.testing.assert_array_equal(labels, one_hot)
    padded, _ = listing.load_data(data_dir, convolutional=True)
    np.testing.assert_allclose(padded, load_dataset_pad(data_dir), atol=1e-6)


@pytest.mark.parametrize('model', MODELS)
def test_torch_networks_are_as_large(model, data_dir):
    pytest.importorskip('torch')
    script, args = load_script(model), settings(model)
    script.build_graph(args)
    condition_size = script.sample_condition(args, 1).shape[1] if len(script.INPUTS) > 1 else 0
    for network, scope in zip(pytorch.networks(script, condition_size), ('generator', 'discriminator')):
        assert (sum(parameter.numel() for parameter in network.parameters())
                == sum(np.prod(var.shape.as_list()) for var in tf.trainable_variables(scope)))
    assert np.all(np.isfinite(pytorch.prepare(model, 8, data_dir)()))
