"""The NumPy layers that all graphs are compared with, by their definitions, and what the layers start from."""

import numpy as np
import numpy_models
import pytest
import tensorflow.compat.v1 as tf

from common import batch_norm, dense


@pytest.fixture
def rng():
    with tf.Graph().as_default():
        yield np.random.default_rng(0)


def test_the_transposed_convolution_is_the_transpose_of_the_convolution(rng):
    """<conv(u), v> = <u, transposed conv(v)>."""
    u, v, kernel = rng.normal(size=(2, 8, 6, 2)), rng.normal(size=(2, 4, 3, 3)), rng.normal(size=(5, 5, 2, 3))
    assert np.sum(numpy_models.conv2d(u, kernel) * v) == pytest.approx(
        np.sum(u * numpy_models.transpose_conv2d(v, kernel)))


def test_padding_is_one_pixel_in_front_and_two_behind(rng):
    """That of 'same' for a kernel of 5 and stride 2, by hand: one output sees the pixels 2i - 1 to 2i + 3."""
    x, kernel = np.zeros((1, 8, 8, 1)), np.arange(1., 26).reshape(5, 5, 1, 1)
    x[0, 4, 6] = 1
    out = numpy_models.conv2d(x, kernel)[0, ..., 0]
    expected = np.zeros((4, 4))
    for i, a in ((1, 3), (2, 1)):  # 2i + a - 1 = 4
        for j, b in ((2, 3), (3, 1)):  # 2j + b - 1 = 6
            expected[i, j] = kernel[a, b, 0, 0]
    np.testing.assert_array_equal(out, expected)


def test_dense_has_an_activation_and_kernels_that_are_normal_with_stddev_002_and_biases_of_zero(rng):
    x = tf.placeholder(tf.float32, (None, 500))
    out, value = dense(x, 400, activation=tf.nn.relu), rng.normal(size=(2, 500))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        out = sess.run(out, {x: value})
        var = {var.op.name.split('/')[-1]: sess.run(var) for var in tf.global_variables()}
    np.testing.assert_allclose(out, np.maximum(value @ var['kernel'], 0), rtol=1e-4, atol=1e-5)
    assert abs(var['kernel'].mean()) < 0.0002
    assert abs(var['kernel'].std() - 0.02) < 0.0002
    assert np.abs(var['kernel']).max() > 0.06  # normal, not truncated at two standard deviations
    assert not var['bias'].any()


def test_averages_of_two_batches_are_updated_in_the_order_of_the_calls(rng):
    x = tf.placeholder(tf.float32, (None, 1))
    for sign in (1, -1):
        with tf.variable_scope('discriminator', reuse=tf.AUTO_REUSE):
            batch_norm(sign * x, training=True)
            batch_norm(x, training=False)  # looks at no batch: it has nothing to update
    assert len(tf.global_variables()) == 8  # shared by both calls
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS, scope='discriminator')
    assert len(updates) == 4
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(updates, {x: np.full((4, 1), 2.)})
        mean, = [sess.run(var) for var in tf.global_variables() if var.op.name.endswith('normalization/moving_mean')]
    np.testing.assert_allclose(mean, 0.9 * (0.1 * 2) - 0.1 * 2, rtol=1e-5)
