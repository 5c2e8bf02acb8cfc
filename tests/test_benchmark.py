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


def generator_update(listing):
    """Of a DCGAN from the same weights and inputs: its loss, and the names of the moving averages that change."""
    args = dcgan.parser().parse_args(['--batch-size', str(BATCH_SIZE)])
    data = np.random.default_rng(0).uniform(-1, 1, (BATCH_SIZE, 32, 32, 1)), np.zeros(BATCH_SIZE)
    inputs = next(variants.step_inputs(dcgan, args, data, lambda x, y, batch_size: [(x, y)]))
    with tf.Graph().as_default(), tf.Session() as sess:
        gan = variants.build_graph(dcgan, args, listing)
        averages = [var for var in tf.global_variables() if '/moving_' in var.name]
        sess.run(tf.global_variables_initializer())  # by the kernels' own seeds
        before = sess.run(averages)
        _, loss = sess.run([gan.g_opt, gan.g_loss], {getattr(gan, name): value for name, value in inputs.items()})
        return loss, {var.op.name for var, old in zip(averages, before) if not np.array_equal(old, sess.run(var))}


def test_the_listing_differs_in_that_an_update_waits_for_the_averages_of_both_networks():
    (loss, changed), (listing_loss, listing_changed) = map(generator_update, (False, True))
    assert loss == pytest.approx(listing_loss, rel=1e-3)
    assert {name.split('/')[0] for name in changed} == {'generator'} and len(changed) == 4
    assert {name.split('/')[0] for name in listing_changed} == {'generator', 'discriminator'}
    assert len(listing_changed) == 8


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
