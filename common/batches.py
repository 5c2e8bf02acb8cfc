"""The batch generators of the chapter."""

import numpy as np

from common.errors import UserError


def count_batches(n_data, batch_size, keep_short=True):
    """Batches in an epoch, with or without a short last one; UserError where batch_size is not in 1..n_data."""
    if not 1 <= batch_size <= n_data:
        raise UserError(f'the batch size must be from 1 to {n_data}, the number of images, not {batch_size}')
    return -(-n_data // batch_size) if keep_short else n_data // batch_size


def _batch_indices(n_data, batch_size, keep_short, shuffle, seed, start):
    n_batches = count_batches(n_data, batch_size, keep_short)
    if not shuffle:
        order = np.arange(n_data)
    elif seed is None:
        order = np.random.permutation(n_data)  # the chapter's source: np.random.seed governs it
    else:
        order = np.random.default_rng(seed).permutation(n_data)
    # Only the indices are shuffled. Each batch is a small copy; the data set is never copied.
    return (order[i * batch_size:(i + 1) * batch_size] for i in range(start, n_batches))


def gen_batches(data, batch_size, shuffle=True, seed=None, start=0):
    """
    Generate batches for training (chapter, section "Vanilla GAN"); the last one may be short
    @param data: training data, (n_data, ...)
    @param batch_size: batch size, 1 to n_data
    @param shuffle: shuffle the data or not
    @param seed: integer or np.random.Generator that the order depends on; None: NumPy's global state
    @param start: number of batches to leave out, for an epoch that was interrupted
    @return: batches generator, each (batch_size, ...)
    """
    indices = _batch_indices(len(data), batch_size, True, shuffle, seed, start)
    return (data[idx] for idx in indices)


def gen_batches_label(x_data, y_data, batch_size, shuffle=True, seed=None, start=0):
    """
    Generate batches including label for training (chapter, section "Conditional GAN"); a short last one is dropped
    @param x_data: training data, (n_data, ...)
    @param y_data: training label, (n_data, ...), shuffled as the data; the others are those of gen_batches
    @return: batches generator, each ((batch_size, ...), (batch_size, ...))
    """
    indices = _batch_indices(len(x_data), batch_size, False, shuffle, seed, start)
    return ((x_data[idx], y_data[idx]) for idx in indices)
