"""The batch generators: every image once, no copy of the data set, the same order for the same seed."""

import tracemalloc

import numpy as np
import pytest

from common import count_batches, gen_batches, gen_batches_label

DATA = np.arange(10, dtype=np.float32)[:, None]
LABELS = np.arange(10)[:, None] * 10


def test_gen_batches_yields_everything_once_and_keeps_the_short_batch():
    batches = list(gen_batches(DATA, 4, seed=1))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert sorted(np.concatenate(batches).ravel()) == list(range(10))
    assert np.concatenate(batches).ravel().tolist() != list(range(10))


def test_without_shuffling_the_order_is_that_of_the_data():
    np.testing.assert_array_equal(np.concatenate(list(gen_batches(DATA, 3, shuffle=False))), DATA)
    images, labels = zip(*gen_batches_label(DATA, LABELS, 3, shuffle=False))
    np.testing.assert_array_equal(np.concatenate(images), DATA[:9])
    np.testing.assert_array_equal(np.concatenate(labels), LABELS[:9])


@pytest.mark.parametrize('batch_size, lengths', [(4, [4, 4]), (5, [5, 5]), (10, [10])])
def test_gen_batches_label_keeps_pairs_and_drops_only_a_short_batch(batch_size, lengths):
    batches = list(gen_batches_label(DATA, LABELS, batch_size, seed=1))
    assert [len(x) for x, _ in batches] == lengths
    assert all((y == 10 * x).all() for x, y in batches)
    assert len(batches) == count_batches(10, batch_size, keep_short=False)


def test_the_order_follows_the_seed():
    def order(seed):
        return np.concatenate(list(gen_batches(DATA, 3, seed=seed))).ravel().tolist()
    assert order(7) == order(7) != order(8)
    assert order(np.random.default_rng(7)) == order(7)
    np.random.seed(5)
    first = order(None)
    np.random.seed(5)
    assert order(None) == first


@pytest.mark.parametrize('start', [0, 1, 2])
def test_an_interrupted_epoch_goes_on_with_the_batches_that_are_left(start):
    rest = list(gen_batches(DATA, 4, seed=3, start=start))
    for batch, expected in zip(rest, list(gen_batches(DATA, 4, seed=3))[start:], strict=True):
        np.testing.assert_array_equal(batch, expected)
    rest = list(gen_batches_label(DATA, LABELS, 3, seed=3, start=start))
    for (x, y), (expected_x, expected_y) in zip(
            rest, list(gen_batches_label(DATA, LABELS, 3, seed=3))[start:], strict=True):
        np.testing.assert_array_equal(x, expected_x)
        np.testing.assert_array_equal(y, expected_y)


@pytest.mark.parametrize('batch_size', [11, 0, -1])
def test_a_batch_size_that_yields_nothing_is_an_error_at_once(batch_size):
    with pytest.raises(ValueError, match='batch'):
        gen_batches(DATA, batch_size)
    with pytest.raises(ValueError, match='batch'):
        gen_batches_label(DATA, LABELS, batch_size)


def test_shuffling_does_not_copy_the_data_set():
    data = np.zeros((1000, 1000), np.float32)
    tracemalloc.start()
    try:
        for _ in gen_batches(data, 10, seed=0):
            pass
        assert tracemalloc.get_traced_memory()[1] < data.nbytes / 10
    finally:
        tracemalloc.stop()
