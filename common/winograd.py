"""The two convolutions of the networks, 5x5 with stride 2, and how a CPU does them with fewer multiplications.

On a CPU, convolutions are nearly all of a DCGAN step. Winograd convolution (Lavin & Gray 2016, arXiv:1509.09308) takes
a third off the step, with the same result up to float rounding:

1. A convolution with stride 2 treats even and odd pixels apart. With each block of 2x2 pixels taken as one pixel of 4
   times the channels, it is one with stride 1 and a kernel of 3x3 (of 6x6 pixels; the sixth is zero).
2. Along one side, 4 neighbouring outputs of 3 taps depend on 6 inputs. They are coefficients of a product of
   polynomials: evaluate both factors at 6 points, multiply point by point, interpolate. That is 6 multiplications
   instead of 12, in two dimensions 36 instead of 144. Evaluation and interpolation are constant matrices.
3. At each point the sum over the channels is a matrix product. Batches below 32 images lose, by the kernel's transform.

`GAN_DIRECT_CONVOLUTION=1` in the environment, or a GPU, leaves everything to TensorFlow's own operations.
"""

import contextlib
import os

import numpy as np

import tensorflow.compat.v1 as tf

from common.tensorflow1 import has_gpu

_direct = os.environ.get('GAN_DIRECT_CONVOLUTION', '0') not in ('', '0')

# At these points and at infinity. Any five do; these lose least to rounding of some that were tried.
POINTS = (0, 0.75, -0.75, 1.5, -1.5)
N_POINTS = len(POINTS) + 1
TAPS = 3
TILE = N_POINTS + 1 - TAPS  # outputs from one set of points
MIN_CHANNELS = 16  # of the larger image; below, the matrix products are too thin to gain


@contextlib.contextmanager
def direct():
    """Within the `with` all is left to TensorFlow's operations: for a graph to compare with, or to run elsewhere."""
    global _direct
    before, _direct = _direct, True
    try:
        yield
    finally:
        _direct = before


def conv2d(x, kernel):
    """`tf.nn.conv2d(x, kernel, strides=2, padding='SAME')`, in the fastest way that is known here.

    @param x: (batch, h, w, channels)
    @param kernel: (height, width, channels, filters)
    @return: (batch, ceil(h/2), ceil(w/2), filters)
    """
    if not _gains(kernel, *x.shape[1:3]):
        return tf.nn.conv2d(x, kernel, strides=2, padding='SAME')
    height, width, channels, filters = x.shape[1] // 2, x.shape[2] // 2, 4 * x.shape[3], kernel.shape[3]
    to_points, from_points = _matrices(height, width)
    blocks = tf.reshape(x, [-1, height, 2, width, channels // 2])
    blocks = tf.reshape(tf.transpose(blocks, [1, 3, 0, 2, 4]), [height, width, -1])
    points = _multiply(_on_both_sides(*to_points, blocks), _kernel_at_points(kernel))
    outputs = tf.reshape(_on_both_sides(*from_points, points), [height, width, -1, filters])
    return tf.transpose(outputs, [2, 0, 1, 3])


def conv2d_transpose(y, kernel):
    """`tf.nn.conv2d_transpose` with strides 2 and padding 'SAME', in the fastest way that is known here.

    @param y: (batch, h, w, filters)
    @param kernel: (height, width, channels, filters)
    @return: (batch, 2h, 2w, channels)
    """
    height, width, channels = y.shape[1], y.shape[2], kernel.shape[2]
    if not _gains(kernel, 2 * height, 2 * width):
        return tf.nn.conv2d_transpose(y, kernel, [tf.shape(y)[0], 2 * height, 2 * width, channels], strides=2,
                                      padding='SAME')
    # Each step of conv2d transposed, in reverse order.
    to_points, from_points = _matrices(height, width)
    outputs = tf.reshape(tf.transpose(y, [1, 2, 0, 3]), [height, width, -1])
    points = _on_both_sides(*(matrix.T for matrix in from_points), outputs)
    points = _multiply(points, _kernel_at_points(kernel), transpose_b=True)
    blocks = _on_both_sides(*(matrix.T for matrix in to_points), points)
    blocks = tf.reshape(blocks, [height, width, -1, 2, 2 * channels])
    return tf.reshape(tf.transpose(blocks, [2, 0, 3, 1, 4]), [-1, 2 * height, 2 * width, channels])


def _gains(kernel, height, width):
    return (not _direct and not has_gpu() and kernel.shape[:2] == (5, 5) and kernel.shape[2] >= MIN_CHANNELS
            and height % (2 * TILE) == 0 and width % (2 * TILE) == 0)


def _powers(n):
    """The matrix that evaluates polynomials of n coefficients at all points: (6, n); the last row is infinity."""
    return np.vstack([np.vander(POINTS, n, increasing=True), np.eye(n)[-1]])


def _side(n_blocks):
    """Along a side, by Toom and Cook: (tiles, 6, n_blocks) from blocks to points, (n_blocks, tiles, 6) to outputs."""
    tiles = n_blocks // TILE
    to_points = np.zeros((tiles, N_POINTS, n_blocks + 2))  # a block of padding at each end
    from_points = np.zeros((n_blocks, tiles, N_POINTS))
    for tile in range(tiles):
        start = tile * TILE
        to_points[tile, :, start:start + N_POINTS] = np.linalg.inv(_powers(N_POINTS)).T
        from_points[start:start + TILE, tile] = _powers(TILE).T
    return to_points[:, :, 1:-1], from_points


def _matrices(height, width):
    """The matrices for `_on_both_sides` from h x w blocks to points, and from points to outputs.

    The points are in the order (tile, point) along the rows, (point, tile) along the columns: the tiles of a row and
    the batch are then neighbours and become the rows of one matrix product.
    """
    rows_to, rows_from = _side(height)
    columns_to, columns_from = _side(width)
    columns_to, columns_from = columns_to.swapaxes(0, 1), columns_from.swapaxes(1, 2)
    return ((rows_to.reshape(-1, height), columns_to.reshape(-1, width)),
            (rows_from.reshape(height, -1), columns_from.reshape(width, -1)))


def _kernel_at_points(kernel):
    """(5, 5, channels, filters) -> (1, 36, 4 * channels, filters), the channels in the order of the blocks'."""
    side = np.zeros((N_POINTS, 2, 5))  # point, pixel in block, pixel of the kernel
    for pixel in range(5):
        # The padding of 'SAME' is 1 in front, that of the blocks 2.
        tap, phase = divmod(pixel + 1, 2)
        side[:, phase, pixel] = _powers(TAPS)[:, tap]
    both = np.einsum('apk,bql->abpqkl', side, side).reshape(-1, 25)
    channels, filters = kernel.shape[2:]
    points = tf.matmul(tf.constant(both, tf.float32), tf.reshape(kernel, [25, -1]))
    return tf.reshape(points, [1, N_POINTS**2, 4 * channels, filters])


def _on_both_sides(rows, columns, image):
    """Apply constant matrices (a, h) to the rows and (b, w) to the columns: (h, w, n) -> (a, b, n)."""
    height, width, _ = image.shape
    out = tf.matmul(tf.constant(rows, tf.float32), tf.reshape(image, [height, -1]))
    out = tf.reshape(out, [len(rows), width, -1])
    return tf.matmul(tf.constant(np.tile(columns, (len(rows), 1, 1)), tf.float32), out)


def _multiply(points, kernel, transpose_b=False):
    """At each point the sum over the channels, or over the filters: (a, b, n) -> (a, b, m)."""
    rows, columns, _ = points.shape
    channels = kernel.shape[3 if transpose_b else 2]
    out = tf.matmul(tf.reshape(points, [rows // N_POINTS, N_POINTS**2, -1, channels]), kernel, transpose_b=transpose_b)
    return tf.reshape(out, [rows, columns, -1])
