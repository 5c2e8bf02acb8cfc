"""The layers of the networks: dense, convolution, batch normalization, and `flatten`.

Same names, arguments and meaning as the chapter's wrappers around `tf.layers`, which need an old Keras (`tf_keras`)
today. All kernels start from a normal distribution with mean 0 and standard deviation 0.02 (chapter, sections "Vanilla
GAN" and "Deep convolutional GAN"; Radford et al. 2015), all biases from 0.
"""

import zlib

import tensorflow.compat.v1 as tf

from common import winograd


def _variable(name, shape, initializer, trainable=True):
    # A resource variable, even where a notebook has called tf.disable_v2_behavior.
    return tf.get_variable(name, shape, initializer=initializer, trainable=trainable, use_resource=True)


def _kernel(shape):
    # With a seed of its own a kernel starts from the same values however the rest of the graph is built.
    seed = zlib.crc32(tf.get_variable_scope().name.encode())
    return _variable('kernel', shape, tf.random_normal_initializer(mean=0.0, stddev=0.02, seed=seed))


def _bias(n_outputs):
    return _variable('bias', [n_outputs], tf.zeros_initializer())


def dense(x, n_outputs, activation=None):
    """Fully connected layer: (batch, n_inputs) -> (batch, n_outputs)."""
    with tf.variable_scope(None, default_name='dense'):
        out = tf.nn.bias_add(tf.matmul(x, _kernel([x.shape[1], n_outputs])), _bias(n_outputs))
        return out if activation is None else activation(out)


def conv2d(x, n_filters, kernel_size=5):
    """Convolution with stride 2: (batch, h, w, channels) -> (batch, h/2, w/2, n_filters)."""
    with tf.variable_scope(None, default_name='conv2d'):
        kernel = _kernel([kernel_size, kernel_size, x.shape[3], n_filters])
        out = winograd.conv2d(x, kernel)  # tf.nn.conv2d, faster on a CPU
        return tf.nn.bias_add(out, _bias(n_filters))


def transpose_conv2d(x, n_filters, kernel_size=5):
    """Transposed convolution with stride 2: (batch, h, w, channels) -> (batch, 2h, 2w, n_filters)."""
    with tf.variable_scope(None, default_name='conv2d_transpose'):
        kernel = _kernel([kernel_size, kernel_size, n_filters, x.shape[3]])
        out = winograd.conv2d_transpose(x, kernel)  # tf.nn.conv2d_transpose, faster on a CPU
        return tf.nn.bias_add(out, _bias(n_filters))


def flatten(x):
    """One row for each image: (batch, h, w, channels) -> (batch, h * w * channels)."""
    return tf.reshape(x, (-1, x.shape[1:].num_elements()))


def _update_average(average, value, momentum):
    # The discriminator sees two batches in a step, real and fake. Left to chance, the order of their two
    # updates differs from run to run, and with it the average: each waits for the one built before it.
    earlier = [op for op in tf.get_collection(tf.GraphKeys.UPDATE_OPS) if op.inputs[0] is average.handle]
    with tf.control_dependencies(earlier):
        update = average.assign_sub((1 - momentum) * (average - value), read_value=False)
    tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)


def batch_norm(x, training, epsilon=1e-5, momentum=0.9):
    """Batch normalization over all axes but the last (Ioffe & Szegedy 2015).

    @param x: (batch, channels) or (batch, h, w, channels)
    @param training: True normalizes with the mean and variance of this batch, and adds the updates of the moving
        averages to `tf.GraphKeys.UPDATE_OPS`; False normalizes with the moving averages
    @param epsilon: added to the variance
    @param momentum: share of the old moving average that an update keeps
    @return: tensor of the shape of x, scaled and shifted by the trained gamma and beta
    """
    n_channels = x.shape[-1:]
    with tf.variable_scope(None, default_name='batch_normalization'):
        gamma = _variable('gamma', n_channels, tf.ones_initializer())
        beta = _variable('beta', n_channels, tf.zeros_initializer())
        moving_mean = _variable('moving_mean', n_channels, tf.zeros_initializer(), trainable=False)
        moving_variance = _variable('moving_variance', n_channels, tf.ones_initializer(), trainable=False)

        image = x if x.shape.ndims == 4 else x[:, None, None, :]  # the fused operation wants images
        if training:
            out, mean, variance = tf.nn.fused_batch_norm(image, gamma, beta, epsilon=epsilon)
            _update_average(moving_mean, mean, momentum)
            _update_average(moving_variance, variance, momentum)
        else:
            out, _, _ = tf.nn.fused_batch_norm(
                image, gamma, beta, moving_mean, moving_variance, epsilon=epsilon, is_training=False)
        return tf.reshape(out, tf.shape(x)) if x.shape.ndims != 4 else out
