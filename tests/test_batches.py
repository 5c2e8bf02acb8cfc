"""The batch generators: every image once, the same order for the same seed."""

import numpy as np
import pytest

from common import gen_batches, gen_batches_label
from common.batches import count_batches
from common.errors import UserError

DATA = np.arange(10)[:, None]


def batches(batch_size, **options):
    return [batch.ravel().tolist() for batch in gen_batches(DATA, batch_size, **options)]


def test_every_image_once_and_the_last_batch_may_be_short():
    assert batches(4, shuffle=False) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    shuffled = batches(4, seed=1)
    assert [len(batch) for batch in shuffled] == [4, 4, 2] and sorted(sum(shuffled, [])) == list(range(10))
    assert sum(shuffled, []) != list(range(10))
    for generate in lambda: gen_batches(DATA, 11), lambda: gen_batches_label(DATA, DATA, 0):
        with pytest.raises(UserError, match='batch size'):
            generate()


@pytest.mark.parametrize('batch_size, lengths', [(4, [4, 4]), (5, [5, 5]), (10, [10])])
def test_labels_stay_with_their_images_and_only_a_short_batch_is_dropped(batch_size, lengths):
    pairs = list(gen_batches_label(DATA, 10 * DATA, batch_size, seed=1))
    assert [len(x) for x, _ in pairs] == lengths and all((y == 10 * x).all() for x, y in pairs)
    assert len(pairs) == count_batches(10, batch_size, keep_short=False)
    assert len(batches(batch_size)) == count_batches(10, batch_size)


def test_the_order_follows_the_seed():
    assert batches(3, seed=7) == batches(3, seed=np.random.default_rng(7)) != batches(3, seed=8)
    np.random.seed(5)
    first = batches(3)
    assert batches(3) != first
    np.random.seed(5)
    assert batches(3) == first
    # An interrupted epoch goes on with the batches that are left.
    for start in 0, 1, 2:
        assert batches(4, seed=3, start=start) == batches(4, seed=3)[start:]
        np.testing.assert_array_equal(list(gen_batches_label(DATA, DATA, 3, seed=3, start=start)),
                                      list(gen_batches_label(DATA, DATA, 3, seed=3))[start:])
