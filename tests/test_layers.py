"""The layers against numpy, written out in loops from the definitions."""

import numpy as np
import pytest

from common import batch_norm, conv2d, dense, tf, transpose_conv2d, update_ops


@pytest.fixture
def rng():
    tf.reset_default_graph()
    return np.random.default_rng(0)


def run(out, x, value, changes=None):
    """The output, and all variables by their short names, after setting some of them."""
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for var in tf.global_variables():
            for name, new in (changes or {}).items():
                if var.op.name.endswith(name):
                    var.load(new, sess)
        result = sess.run(out, {x: value})
        return result, {var.op.name.split('/')[-1]: sess.run(var) for var in tf.global_variables()}


def test_dense(rng):
    x = tf.placeholder(tf.float32, (None, 3))
    out, var = run(dense(x, 5, activation=tf.nn.relu), x, value := rng.normal(size=(4, 3)),
                   {'bias': rng.normal(size=5)})
    np.testing.assert_allclose(out, np.maximum(value @ var['kernel'] + var['bias'], 0), rtol=1e-5, atol=1e-6)


def numpy_conv2d(x, kernel, bias):
    """Stride 2, zero padding of 'same': 1 before and 2 after, for 5 x 5 on an even size."""
    n, h, w, _ = x.shape
    padded = np.pad(x, ((0, 0), (1, 2), (1, 2), (0, 0)))
    out = np.zeros((n, h // 2, w // 2, kernel.shape[3]))
    for i in range(h // 2):
        for j in range(w // 2):
            out[:, i, j] = np.tensordot(padded[:, 2 * i:2 * i + 5, 2 * j:2 * j + 5], kernel, 3)
    return out + bias


def test_conv2d_halves_the_image(rng):
    x = tf.placeholder(tf.float32, (None, 8, 6, 2))
    out, var = run(conv2d(x, 3), x, value := rng.normal(size=(2, 8, 6, 2)), {'bias': rng.normal(size=3)})
    assert out.shape == (2, 4, 3, 3)
    np.testing.assert_allclose(out, numpy_conv2d(value, var['kernel'], var['bias']), rtol=1e-4, atol=1e-6)


def test_transpose_conv2d_is_the_transpose_of_conv2d(rng):
    x = tf.placeholder(tf.float32, (None, 4, 3, 3))
    out, var = run(transpose_conv2d(x, 2), x, value := rng.normal(size=(2, 4, 3, 3)), {'bias': rng.normal(size=2)})
    assert out.shape == (2, 8, 6, 2)
    # <conv(u), v> = <u, transposed conv(v)> for every u
    u = rng.normal(size=(2, 8, 6, 2))
    forward = numpy_conv2d(u, var['kernel'], 0)
    np.testing.assert_allclose(np.sum(forward * value), np.sum(u * (out - var['bias'])), rtol=1e-4)


def test_kernels_are_normal_with_stddev_002_and_biases_zero(rng):
    x = tf.placeholder(tf.float32, (None, 500))
    _, var = run(dense(x, 400), x, np.zeros((1, 500)))
    assert abs(var['kernel'].mean()) < 0.0002
    assert abs(var['kernel'].std() - 0.02) < 0.0002
    assert np.abs(var['kernel']).max() > 0.06  # normal, not truncated at two standard deviations
    assert not var['bias'].any()


@pytest.mark.parametrize('shape', [(16, 5), (4, 6, 3, 5)])
def test_batch_norm_normalizes_with_the_batch_and_updates_the_averages(rng, shape):
    x = tf.placeholder(tf.float32, (None,) + shape[1:])
    with tf.variable_scope('generator', reuse=tf.AUTO_REUSE):
        out = batch_norm(x, training=True)
    with tf.control_dependencies(update_ops('generator')):
        out = tf.identity(out)
    value, gamma, beta = rng.normal(3, 2, size=shape), rng.normal(size=5), rng.normal(size=5)
    result, var = run(out, x, value, {'gamma': gamma, 'beta': beta})
    axes = tuple(range(len(shape) - 1))
    mean, variance = value.mean(axes), value.var(axes)
    np.testing.assert_allclose(result, (value - mean) / np.sqrt(variance + 1e-5) * gamma + beta, rtol=1e-3, atol=1e-4)
    n = value.size / 5
    np.testing.assert_allclose(var['moving_mean'], 0.1 * mean, rtol=1e-4)
    np.testing.assert_allclose(var['moving_variance'], 0.9 + 0.1 * variance * n / (n - 1), rtol=1e-4)


def test_batch_norm_for_sampling_uses_the_averages_and_no_batch(rng):
    x = tf.placeholder(tf.float32, (None, 2, 2, 3))
    out = batch_norm(x, training=False)
    mean, variance = rng.normal(size=3), rng.uniform(1, 2, size=3)
    value = rng.normal(size=(1, 2, 2, 3))
    result, _ = run(out, x, value, {'moving_mean': mean, 'moving_variance': variance})
    np.testing.assert_allclose(result, (value - mean) / np.sqrt(variance + 1e-5), rtol=1e-4, atol=1e-5)
    assert not update_ops('')


def test_averages_of_two_batches_are_updated_in_the_order_of_the_calls(rng):
    x = tf.placeholder(tf.float32, (None, 1))
    for sign in (1, -1):
        with tf.variable_scope('discriminator', reuse=tf.AUTO_REUSE):
            batch_norm(sign * x, training=True)
    assert len(tf.global_variables()) == 4  # shared by both calls
    _, var = run(tf.group(*update_ops('discriminator')), x, np.full((4, 1), 2.))
    np.testing.assert_allclose(var['moving_mean'], 0.9 * (0.1 * 2) - 0.1 * 2, rtol=1e-5)
