"""Images kept as bytes: what comes out is what the loaders give as float32, and little memory is taken."""

import tracemalloc

import numpy as np
import pytest

from common.batches import gen_batches
from common.packed_images import PackedImages
from common.settings import fingerprint


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (50, 28, 28), np.uint8)


def plain_array(images, shape):
    """What PackedImages stands for, as the chapter computes it."""
    array = (images / 255 * 2 - 1).astype(np.float32)
    if len(shape) == 3:
        array = np.pad(array, ((0, 0), (2, 2), (2, 2)))
    return array.reshape(-1, *shape)


SHAPES = [(784,), (32, 32, 1)]
INDICES = [slice(None), slice(10, 50), slice(None, None, -7), np.array([49, 0, 7]), [1, 2], np.arange(50) > 40,
           np.array([[1, 2], [3, 4]]), 3, -1, np.int64(5), (3, 5), (3, slice(None)), (slice(2), 10),
           (slice(5), [1, 2]), ([1, 2], [3, 4]), (Ellipsis, 0), None, ()]


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('index', INDICES, ids=str)
def test_every_index_gives_what_the_plain_array_gives(images, shape, index):
    packed, plain = PackedImages(images, shape), plain_array(images, shape)
    np.testing.assert_allclose(packed[index], plain[index], rtol=0, atol=1e-6)
    assert np.shape(packed[index]) == np.shape(plain[index]) and packed[index].dtype == np.float32


@pytest.mark.parametrize('shape', SHAPES)
def test_it_reads_like_the_plain_array(images, shape):
    packed, plain = PackedImages(images, shape), plain_array(images, shape)
    assert (packed.shape, packed.ndim, packed.dtype, len(packed)) == (plain.shape, plain.ndim, plain.dtype, 50)
    array = np.asarray(packed)
    assert type(array) is np.ndarray and array.dtype == np.float32
    np.testing.assert_allclose(array, plain, rtol=0, atol=1e-6)
    assert np.asarray(packed, np.float64).dtype == np.float64
    assert len(list(packed)) == 50
    for out_of_range in (50, -51):
        with pytest.raises(IndexError):
            packed[out_of_range]


@pytest.mark.parametrize('shape', SHAPES)
def test_batches_and_fingerprint_are_those_of_the_plain_array(images, shape):
    packed = PackedImages(images, shape)
    plain = np.asarray(packed)
    for ours, theirs in zip(gen_batches(packed, 15, seed=1), gen_batches(plain, 15, seed=1), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert fingerprint(packed) == fingerprint(plain)


def test_class_names_are_a_list(images):
    assert PackedImages(images, (784,)).class_names == []
    assert PackedImages(images, (784,), ('a', 'b')).class_names == ['a', 'b']


def test_border_is_grey_and_the_middle_scaled():
    images = np.full((3, 28, 28), 255, np.uint8)
    images[:, 0, 0] = 0
    out = PackedImages(images, (32, 32, 1))[:]
    assert out.shape == (3, 32, 32, 1)
    assert (out[:, 2, 2] == -1).all() and (out[:, 2:30, 2:30].sum(axis=(1, 2, 3)) == 28 * 28 - 2).all()
    out[:, 2:30, 2:30] = 0
    assert not out.any()


def test_a_batch_does_not_unpack_the_rest():
    data = PackedImages(np.zeros((20000, 28, 28), np.uint8), (28 * 28,))
    tracemalloc.start()
    for _ in gen_batches(data, 100, seed=0):
        pass
    fingerprint(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6  # 62.7 MB as float32
