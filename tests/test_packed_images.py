"""Images kept as bytes: what comes out is what the loaders give as float32, and little memory is taken."""

import tracemalloc

import numpy as np
import pytest

from common import gen_batches, load_dataset, load_dataset_label, load_dataset_pad
from common.packed_images import PackedImages
from common.settings import fingerprint


@pytest.mark.parametrize('load', [load_dataset, load_dataset_pad, load_dataset_label])
def test_same_images_and_labels_as_unpacked(load):
    packed, plain = load(dataset='mnist_5k', packed=True), load(dataset='mnist_5k')
    if load is load_dataset_label:
        np.testing.assert_array_equal(packed[1], plain[1])
        packed, plain = packed[0], plain[0]
    assert isinstance(plain, np.ndarray) and isinstance(packed, PackedImages)
    assert packed.shape == plain.shape and packed.dtype == plain.dtype == np.float32 and len(packed) == 5000
    for index in (slice(None), slice(10, 50), np.array([4999, 0, 7])):
        np.testing.assert_array_equal(packed[index], plain[index])
        assert packed[index].dtype == np.float32
    for ours, theirs in zip(gen_batches(packed, 1500, seed=1), gen_batches(plain, 1500, seed=1), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert fingerprint(packed) == fingerprint(plain)  # a run can be resumed whichever way the data is kept


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
    for batch in gen_batches(data, 100, seed=0):
        pass
    fingerprint(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6  # 62.7 MB as float32
