"""The fast convolutions against TensorFlow's own, forward and all gradients, and when each is used."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from common import convolutions, tf


@pytest.fixture
def rng():
    tf.reset_default_graph()
    return np.random.default_rng(0)


def outputs_and_gradients(x, y, kernel):
    """conv2d of x and conv2d_transpose of y, each with its gradients along random directions, {name: array}."""
    tf.reset_default_graph()
    inputs = [tf.placeholder(tf.float32, (None,) + value.shape[1:]) for value in (x, y)]
    weights = tf.constant(kernel, tf.float32)
    down, up = convolutions.conv2d(inputs[0], weights), convolutions.conv2d_transpose(inputs[1], weights)
    results = {'conv2d': down, 'conv2d_transpose': up}
    for (name, out), image, along in zip(list(results.items()), inputs, (y, x)):
        gradients = tf.gradients(out, [image, weights], tf.constant(along, tf.float32))
        results.update({f'{name} by image': gradients[0], f'{name} by kernel': gradients[1]})
    operations = {op.type for op in tf.get_default_graph().get_operations()}
    with tf.Session() as sess:
        return sess.run(results, dict(zip(inputs, (x, y)))), operations


# Layers of the networks, and images that are wide, with one tile or more along each side, and a batch of one.
@pytest.mark.parametrize('batch, height, width, channels, filters', [
    (3, 32, 32, 1, 64), (3, 16, 16, 64, 128), (2, 8, 8, 128, 256), (2, 8, 24, 16, 3), (1, 16, 8, 20, 7), (2, 16, 8, 3, 5)])
def test_same_as_direct(rng, batch, height, width, channels, filters):
    x = rng.normal(size=(batch, height, width, channels))
    y = rng.normal(size=(batch, height // 2, width // 2, filters))
    kernel = rng.normal(size=(5, 5, channels, filters))
    fast, fast_operations = outputs_and_gradients(x, y, kernel)
    with convolutions.direct():
        direct, direct_operations = outputs_and_gradients(x, y, kernel)

    assert 'Conv2DBackpropInput' in direct_operations and 'Conv2DBackpropInput' not in fast_operations
    assert ('Conv2D' in fast_operations) == (channels < convolutions.MIN_CHANNELS)
    for name, expected in direct.items():
        assert fast[name].shape == expected.shape
        np.testing.assert_allclose(fast[name], expected, rtol=0, atol=2e-5 * np.abs(expected).max(), err_msg=name)
        # All values are compared: none is zero by chance of the construction.
        assert np.abs(expected).min() < np.abs(expected).max() < np.inf and np.abs(expected).mean() > 0.1


def test_against_the_definition(rng):
    """One output written out: pixels 2i - 1 to 2i + 3 of the image, zero outside."""
    x, kernel = rng.normal(size=(2, 8, 8, 16)), rng.normal(size=(5, 5, 16, 4))
    padded = np.pad(x, ((0, 0), (1, 2), (1, 2), (0, 0)))
    expected = np.array([[np.tensordot(padded[:, 2 * i:2 * i + 5, 2 * j:2 * j + 5], kernel, 3) for j in range(4)]
                         for i in range(4)]).transpose(2, 0, 1, 3)
    out = convolutions.conv2d(tf.constant(x, tf.float32), tf.constant(kernel, tf.float32))
    with tf.Session() as sess:
        np.testing.assert_allclose(sess.run(out), expected, rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize('height, kernel_size, gpu', [(28, 5, False), (16, 3, False), (16, 5, True)])
def test_plain_operations_where_the_fast_way_does_not_fit(rng, monkeypatch, height, kernel_size, gpu):
    monkeypatch.setattr(convolutions, 'has_gpu', lambda: gpu)
    x = tf.placeholder(tf.float32, (None, height, 16, 20))
    kernel = tf.zeros([kernel_size, kernel_size, 20, 20])
    y = convolutions.conv2d(x, kernel)
    assert convolutions.conv2d_transpose(y, kernel).shape.as_list() == [None, height, 16, 20]
    operations = {op.type for op in tf.get_default_graph().get_operations()}
    assert {'Conv2D', 'Conv2DBackpropInput'} <= operations and 'BatchMatMulV2' not in operations


@pytest.mark.parametrize('setting, operation', [('', 'BatchMatMulV2'), ('1', 'Conv2DBackpropInput')])
def test_the_environment_turns_it_off(setting, operation):
    code = ('import dcgan; dcgan.build_graph()\n'
            'print({op.type for op in dcgan.tf.get_default_graph().get_operations()})')
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    result = subprocess.run([sys.executable, '-c', code], cwd=root, capture_output=True, text=True,
                            env={**os.environ, 'GAN_DIRECT_CONVOLUTION': setting})
    assert result.returncode == 0, result.stderr
    assert {'BatchMatMulV2', 'Conv2DBackpropInput'} & set(re.findall(r'\w+', result.stdout)) == {operation}


def test_filter_matrices_are_exact_on_whole_numbers():
    inputs, taps, interpolation = convolutions._minimal_filter()
    rng = np.random.default_rng(0)
    pixels, kernel = rng.integers(-9, 9, 6), rng.integers(-9, 9, 3)
    np.testing.assert_allclose(interpolation @ ((taps @ kernel) * (inputs @ pixels)),
                               np.correlate(pixels, kernel, 'valid'), atol=1e-10)
