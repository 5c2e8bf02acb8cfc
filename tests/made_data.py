"""Small data sets in the layouts of the true ones, for the tests of the loaders."""

import gzip
import io
import struct

import numpy as np
import pytest

from common.data_files import download

IDX_NAMES = ('train-images-idx3-ubyte', 'train-labels-idx1-ubyte', 't10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte')


def shield(monkeypatch, tmp_path_factory):
    """A test that does not expect a download fails when there is one; caches are in a folder of the test's own."""
    monkeypatch.setattr(download, '_download', lambda *args: pytest.fail('unexpected download'))
    home = tmp_path_factory.mktemp('home')
    monkeypatch.setenv('HOME', str(home))
    monkeypatch.delenv('KERAS_HOME', raising=False)
    monkeypatch.delenv('XDG_CACHE_HOME', raising=False)
    return home


def arrays(train=6, test=4, seed=0, **changes):
    rng = np.random.default_rng(seed)
    result = {}
    for part, count in (('train', train), ('test', test)):
        result[f'x_{part}'] = rng.integers(0, 256, (count, 28, 28), np.uint8)
        result[f'y_{part}'] = rng.integers(0, 10, count, np.uint8)
    result['x_train'][0, 0, :2] = 0, 255  # the ends of the range, whatever the random numbers
    return result | changes


def npz_bytes(**changes):
    file = io.BytesIO()
    np.savez(file, **arrays(**changes))
    return file.getvalue()


def idx_bytes(array, magic=None, shape=None):
    header = [magic or 0x0800 + array.ndim, *(shape or array.shape)]
    return struct.pack(f'>{len(header)}i', *header) + array.tobytes()


def write_idx(folder, names=IDX_NAMES, content=None):
    """The four IDX files, packed where their name ends with .gz."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(names, (content or arrays()).values()):
        data = idx_bytes(array)
        (folder / name).write_bytes(gzip.compress(data) if name.endswith('.gz') else data)


def packed(names=IDX_NAMES):
    return tuple(f'{name}.gz' for name in names)


def assert_equal_splits(split, expected):
    flat = [array for part in split for array in part]
    assert [array.dtype for array in flat] == [np.uint8, np.int64] * 2
    for array, name in zip(flat, ('x_train', 'y_train', 'x_test', 'y_test')):
        np.testing.assert_array_equal(array, expected[name])


def tree(folder):
    """{relative path: bytes, or None for a folder} of all in a folder, to see any change."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
            for path in folder.rglob('*')}
