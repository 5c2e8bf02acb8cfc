"""The layers against numpy and their definitions, and the values that they start from."""

import numpy as np
import numpy_models
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


def test_conv2d_halves_the_image(rng):
    x = tf.placeholder(tf.float32, (None, 8, 6, 2))
    out, var = run(conv2d(x, 3), x, value := rng.normal(size=(2, 8, 6, 2)),
                   {'kernel': rng.normal(size=(5, 5, 2, 3)), 'bias': rng.normal(size=3)})
    np.testing.assert_allclose(out, numpy_models.conv2d(value, var['kernel']) + var['bias'], rtol=1e-4, atol=1e-4)


def test_transpose_conv2d_doubles_the_image(rng):
    x = tf.placeholder(tf.float32, (None, 4, 3, 3))
    out, var = run(transpose_conv2d(x, 2), x, value := rng.normal(size=(2, 4, 3, 3)),
                   {'kernel': rng.normal(size=(5, 5, 2, 3)), 'bias': rng.normal(size=2)})
    expected = numpy_models.transpose_conv2d(value, var['kernel']) + var['bias']
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-4)


def test_the_transpose_convolution_is_the_transpose_of_the_convolution(rng):
    """Of those in numpy, that all others are compared with: <conv(u), v> = <u, transposed conv(v)>."""
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


def test_kernels_are_normal_with_stddev_002_and_biases_zero(rng):
    x = tf.placeholder(tf.float32, (None, 500))
    _, var = run(dense(x, 400), x, np.zeros((1, 500)))
    assert abs(var['kernel'].mean()) < 0.0002
    assert abs(var['kernel'].std() - 0.02) < 0.0002
    assert np.abs(var['kernel']).max() > 0.06  # normal, not truncated at two standard deviations
    assert not var['bias'].any()


def test_a_kernel_starts_from_the_seed_and_its_name_whatever_else_is_in_the_graph(rng):
    def kernel(seed, scope='generator', before=0):
        tf.reset_default_graph()
        tf.set_random_seed(seed)
        x = tf.placeholder(tf.float32, (None, 3))
        for i in range(before):
            with tf.variable_scope(f'other_{i}', reuse=tf.AUTO_REUSE):
                dense(x, 7)
        with tf.variable_scope(scope, reuse=tf.AUTO_REUSE):
            dense(x, 4)
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            return sess.run(tf.global_variables()[-2]).tolist()
    assert kernel(0) == kernel(0) == kernel(0, before=2)
    assert kernel(0) != kernel(1)
    assert kernel(0) != kernel(0, scope='discriminator')


def test_a_network_called_again_finds_its_variables_and_another_one_has_its_own(rng):
    x = tf.placeholder(tf.float32, (None, 3))
    for scope in ('generator', 'discriminator', 'generator'):
        with tf.variable_scope(scope, reuse=tf.AUTO_REUSE):
            dense(dense(x, 3), 3)
    assert [var.op.name for var in tf.global_variables()] == [
        f'{scope}/{layer}/{name}' for scope in ('generator', 'discriminator') for layer in ('dense', 'dense_1')
        for name in ('kernel', 'bias')]


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
