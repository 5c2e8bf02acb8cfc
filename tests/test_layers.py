"""What the layers start from; how they compute is compared with NumPy by the tests of the graphs."""

import numpy as np
import tensorflow.compat.v1 as tf

from common import dense


def test_dense_has_an_activation_and_kernels_that_are_normal_with_stddev_002_and_biases_of_zero():
    value = np.random.default_rng(0).normal(size=(2, 500))
    with tf.Graph().as_default(), tf.Session() as sess:
        out = dense(tf.constant(value, tf.float32), 400, activation=tf.nn.relu)
        sess.run(tf.global_variables_initializer())
        out, kernel, bias = sess.run([out, *tf.global_variables()])
    np.testing.assert_allclose(out, np.maximum(value @ kernel, 0), rtol=1e-4, atol=1e-5)
    assert abs(kernel.mean()) < 0.0002
    assert abs(kernel.std() - 0.02) < 0.0002
    assert np.abs(kernel).max() > 0.06  # normal, not truncated at two standard deviations
    assert not bias.any()
