"""What the layers start from, and how batch normalization averages; the graphs' tests compare them with NumPy."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from common import batch_norm, dense


@pytest.fixture
def rng():
    with tf.Graph().as_default():
        yield np.random.default_rng(0)


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
