"""The benchmark: its variants train the same networks the same way, and the command measures them."""

import re

import numpy as np
import pytest

import benchmark.__main__ as benchmark
import dcgan
from benchmark import variants
from common import load_dataset_label, load_dataset_label_pad

import tensorflow.compat.v1 as tf

BATCH_SIZE = 16


def updates(listing):
    """Each optimizer's update of a DCGAN from the same weights.

    Returns {optimizer: (loss, all first moments, half the gradients, as one vector, moving averages that changed)}.
    """
    result = {}
    args = dcgan.parser().parse_args(['--batch-size', str(BATCH_SIZE)])
    data = np.random.default_rng(0).uniform(-1, 1, (BATCH_SIZE, 32, 32, 1)), np.zeros(BATCH_SIZE)
    inputs = next(variants.step_inputs(dcgan, args, data, lambda x, y, batch_size: [(x, y)]))
    with tf.Graph().as_default(), tf.Session() as sess:
        gan = variants.build_graph(dcgan, args, listing)
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


def test_the_listing_loads_the_same_data(tmp_path):
    benchmark.write_random_mnist(tmp_path, 140)
    for convolutional, load in ((False, load_dataset_label), (True, load_dataset_label_pad)):
        images, labels = variants.load_listing_data(tmp_path, convolutional)
        assert images.dtype == labels.dtype == np.float64
        np.testing.assert_allclose(images, load(tmp_path)[0], atol=1e-6)
        np.testing.assert_array_equal(labels, load(tmp_path)[1])


def test_it_measures(monkeypatch, capsys):
    monkeypatch.setattr(benchmark, 'N_IMAGES', 140)
    benchmark.main(['--models', 'vanilla', '--steps', '2', '--rounds', '1'])
    ours, listing = re.findall(r'^\| *(?:ours|listing) *\| *([\d.]+) *\| *(\S+)', capsys.readouterr().out, re.M)
    assert float(ours[0]) > 0 < float(listing[0]) and ours[1] == '1.00'
