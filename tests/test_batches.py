"""The batch generators: every image once, the same order for the same seed."""

import numpy as np
import pytest

from common import gen_batches, gen_batches_label
from common.batches import count_batches

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


def test_an_interrupted_epoch_goes_on_with_the_batches_that_are_left():
    for start in 0, 1, 2:
        np.testing.assert_array_equal(np.concatenate(list(gen_batches(DATA, 4, seed=3, start=start))),
                                      np.concatenate(list(gen_batches(DATA, 4, seed=3)))[4 * start:])
        np.testing.assert_array_equal([x for x, _ in gen_batches_label(DATA, LABELS, 3, seed=3, start=start)],
                                      [x for x, _ in gen_batches_label(DATA, LABELS, 3, seed=3)][start:])


@pytest.mark.parametrize('batch_size', [11, 0, -1])
def test_a_batch_size_that_yields_nothing_is_an_error_at_once(batch_size):
    with pytest.raises(ValueError, match='batch'):
        gen_batches(DATA, batch_size)
    with pytest.raises(ValueError, match='batch'):
        gen_batches_label(DATA, LABELS, batch_size)
