"""The Winograd convolutions against the definition, forward and all gradients, and when each is used.

They are compared in float64, where their rounding is far below any mistake whatever kernels a processor picks; that
they are as good in float32 show the tests of the graphs.
"""

import numpy as np
import numpy_models
import pytest
import tensorflow.compat.v1 as tf

from common import winograd


@pytest.fixture
def rng():
    with tf.Graph().as_default():
        yield np.random.default_rng(0)


# Layers of the networks, and images that are wide, with one tile or more along each side, and a batch of one.
@pytest.mark.parametrize('batch, height, width, channels, filters', [
    (3, 16, 16, 64, 12), (2, 8, 8, 17, 25), (2, 8, 24, 16, 3), (1, 16, 8, 20, 7)])
def test_outputs_and_gradients(rng, monkeypatch, batch, height, width, channels, filters):
    monkeypatch.setattr(tf, 'float32', tf.float64)  # also that of the constants in the convolutions
    monkeypatch.setattr(winograd, '_direct', False)
    x = rng.normal(size=(batch, height, width, channels))
    y = rng.normal(size=(batch, height // 2, width // 2, filters))
    kernel = rng.normal(size=(5, 5, channels, filters))
    images, outputs = (tf.placeholder(tf.float64, (None, *value.shape[1:])) for value in (x, y))
    weights = tf.constant(kernel)
    down, up = winograd.conv2d(images, weights), winograd.conv2d_transpose(outputs, weights)
    # By the outputs' product with y resp. x: each convolution is the gradient of the other by the image.
    results = [down, *tf.gradients(down, [images, weights], outputs), up, *tf.gradients(up, [outputs, weights], images)]
    operations = {op.type for op in tf.get_default_graph().get_operations()}
    assert 'BatchMatMulV2' in operations and not operations & {'Conv2D', 'Conv2DBackpropInput'}
    with tf.Session() as sess:
        results = sess.run(results, {images: x, outputs: y})

    padded = np.pad(x, ((0, 0), (1, 2), (1, 2), (0, 0)))
    by_kernel = np.array([[np.einsum('nijc,nijf->cf', padded[:, a:a + height:2, b:b + width:2], y) for b in range(5)]
                          for a in range(5)])
    expected_down, expected_up = numpy_models.conv2d(x, kernel), numpy_models.transpose_conv2d(y, kernel)
    for result, expected in zip(results, [expected_down, expected_up, by_kernel,
                                          expected_up, expected_down, by_kernel], strict=True):
        assert result.shape == expected.shape and np.abs(expected).mean() > 1
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize('height, channels, kernel_size, gpu, direct', [
    (28, 20, 5, False, False), (16, 11, 5, False, False), (16, 20, 3, False, False), (16, 20, 5, True, False),
    (16, 20, 5, False, True)])
def test_plain_operations_where_the_fast_way_does_not_fit(
        rng, monkeypatch, height, channels, kernel_size, gpu, direct):
    monkeypatch.setattr(winograd, 'has_gpu', lambda: gpu)
    monkeypatch.setattr(winograd, '_direct', direct)
    x, kernel = tf.placeholder(tf.float32, (None, height, 16, channels)), tf.zeros([kernel_size] * 2 + [channels, 6])
    y = winograd.conv2d(x, kernel)
    assert winograd.conv2d_transpose(y, kernel).shape.as_list() == [None, height, 16, channels]
    operations = {op.type for op in tf.get_default_graph().get_operations()}
    assert {'Conv2D', 'Conv2DBackpropInput'} <= operations and 'BatchMatMulV2' not in operations


def test_within_direct_all_is_left_to_tensorflow_and_afterwards_it_is_as_before(monkeypatch):
    monkeypatch.setattr(winograd, '_direct', False)
    with pytest.raises(ZeroDivisionError), winograd.direct():
        assert winograd._direct
        raise ZeroDivisionError
    assert not winograd._direct
