"""Files that someone has saved again, and damaged ones: what is accepted, what is refused, and that all stay."""

import gzip
import io
import os
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from made_data import arrays, assert_equal_splits, idx_bytes, npz_bytes, packed, shield, write_idx

from common.datasets import load_dataset, load_split
from common.errors import UserError


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path_factory):
    return shield(monkeypatch, tmp_path_factory)


def assert_refused(path, dataset, why, advice=''):
    """One sentence that names the file, the reason and what to do; the file stays as it was."""
    before = path.read_bytes()
    with pytest.raises(UserError, match=why) as caught:
        load_dataset(path.parent, dataset)
    message = str(caught.value)
    assert str(path) in message and advice in message
    assert '\n' not in message and len(message) < 700 and 'delete' not in message
    assert path.read_bytes() == before


# Harmless re-saves.

GOOD = arrays()


def with_images(change):
    return arrays(**{name: change(GOOD[name]) for name in ('x_train', 'x_test')})


RESAVED = {
    'whole floats': with_images(lambda x: x.astype(np.float32)),
    '0 to 1': with_images(lambda x: x / 255),
    '0 to 1 in float32': with_images(lambda x: (x / 255).astype(np.float32)),
    '0 to 1 in float16': with_images(lambda x: (x / 255).astype(np.float16)),
    'int64': with_images(lambda x: x.astype(np.int64)),
    'an axis of one behind': with_images(lambda x: x[..., None]),
    'an axis of one in front': with_images(lambda x: x[:, None]),
    'flat rows': with_images(lambda x: x.reshape(-1, 784)),
    'flat rows from 0 to 1': with_images(lambda x: x.reshape(-1, 784) / 255),
    'columns in memory first': with_images(np.asfortranarray),
    'labels in a column': arrays(y_train=GOOD['y_train'][:, None]),
    'labels as floats': arrays(y_train=GOOD['y_train'] * 1., y_test=GOOD['y_test'].astype(np.float32)),
    'only the test images as floats': arrays(x_test=GOOD['x_test'] / 255),
}


@pytest.mark.parametrize('kind', RESAVED)
def test_harmless_resave_is_accepted(tmp_path, kind):
    np.savez_compressed(tmp_path / 'mnist.npz', **RESAVED[kind])
    assert_equal_splits(load_split(tmp_path), arrays())


def test_black_and_white_as_booleans(tmp_path):
    np.savez(tmp_path / 'mnist.npz', **with_images(lambda x: x > 100))
    (x_train, _), _ = load_split(tmp_path)
    np.testing.assert_array_equal(x_train, (GOOD['x_train'] > 100) * 255)


def test_a_single_image(tmp_path):
    np.savez(tmp_path / 'mnist.npz', **arrays(x_test=GOOD['x_test'][:1, :, :, None], y_test=GOOD['y_test'][:1]))
    assert len(load_split(tmp_path)[1][0]) == 1


def test_idx_files_of_flat_rows(tmp_path):
    write_idx(tmp_path, content=with_images(lambda x: x.reshape(-1, 784)))
    assert_equal_splits(load_split(tmp_path), arrays())


def test_floats_are_converted_part_by_part(tmp_path):
    images = np.zeros((8000, 28, 28), np.float32)
    images[-1, 0, :2] = 0.9999, 0.0001
    np.savez_compressed(tmp_path / 'mnist.npz', **arrays(x_train=images, y_train=np.zeros(8000, int)))
    tracemalloc.start()
    (x_train, _), _ = load_split(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert x_train[-1, 0, :2].tolist() == [255, 0]  # rounded
    assert peak < 1.8 * images.nbytes


# Where there is more than one way to read it, or none.

AMBIGUOUS = {
    '0 and 1': (lambda x: x > 100, np.uint8, 'only the values 0 and 1', 'multiply by 255'),
    '0. and 1.': (lambda x: x > 100, np.float64, 'only the values 0 and 1', 'multiply by 255'),
    '-1 to 1': (lambda x: x / 127.5 - 1, np.float32, 'values from -1.0 to 1.0', '(x + 1) * 127.5'),
    'standardized': (lambda x: (x - 33.) / 78, np.float32, 'not 0 to 255', 'from 0 (black) to 255 (white)'),
    'signed': (lambda x: x, np.int8, 'values from -1', 'uint8'),
    '16 bits': (lambda x: x * 257., np.uint16, 'not 0 to 255', 'uint8'),
    'not whole': (lambda x: x * 0.5, np.float64, 'not whole numbers', 'round them'),
    'not a number': (lambda x: np.where(x == 255, np.nan, x), np.float64, 'nan', 'uint8'),
}


@pytest.mark.parametrize('kind', AMBIGUOUS)
def test_unclear_range_is_refused_with_how_to_convert(tmp_path, kind):
    change, dtype, why, advice = AMBIGUOUS[kind]
    np.savez(tmp_path / 'mnist.npz', **with_images(lambda x: change(x).astype(dtype)))
    assert_refused(tmp_path / 'mnist.npz', 'mnist', why, advice)


@pytest.mark.parametrize('labels, why, advice', [
    (np.eye(10, dtype=int)[:4], r'y_test is int64 \(4, 10\)', 'y.argmax(axis=1)'),
    (np.array([0, 1, 2, 2.5]), 'not whole numbers', 'integers'),
    (np.array([0, 1, 2, np.nan]), 'not whole numbers', 'integers'),
])
def test_unclear_labels_are_refused_with_how_to_convert(tmp_path, labels, why, advice):
    np.savez(tmp_path / 'mnist.npz', **arrays(y_test=labels))
    assert_refused(tmp_path / 'mnist.npz', 'mnist', why, advice)


# Damaged files.

class Bomb:
    """Unpickling it leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), 'w'))


def npz_with_header(shape, data=b''):
    """An archive whose x_train claims `shape`, pasted in as text, over `data`."""
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    npy = b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header + data
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w') as archive:
        archive.writestr('x_train.npy', npy)
    return file.getvalue()


def flipped(content, position):
    return content[:position] + bytes([content[position] ^ 255]) + content[position + 1:]


def without(name):
    content = arrays()
    del content[name]
    file = io.BytesIO()
    np.savez(file, **content)
    return file.getvalue()


DAMAGED_NPZ = {
    'empty': (b'', 'not a zip'),
    'text': (b'<html>Please log in</html>', 'not a zip'),
    'a bare npy': (b'\x93NUMPY\x01\x00', 'not a zip'),
    'truncated': (npz_bytes()[:-200], 'not a zip'),
    'bad CRC': (flipped(npz_bytes(), 1000), 'CRC'),
    'missing': (without('y_test'), 'no array y_test'),
    'image size': (npz_bytes(x_train=GOOD['x_train'][:, :, 1:]), r'x_train is uint8 \(6, 28, 27\)'),
    'scalar': (npz_bytes(y_test=np.int64(3)), r'y_test is int64 \(\)'),
    'lengths': (npz_bytes(y_train=GOOD['y_train'][1:]), '5 labels for 6 images'),
    'label 10': (npz_bytes(y_test=np.array([0, 1, 2, 10])), r'0\.\.9'),
    'label -1': (npz_bytes(y_test=np.array([0, 1, 2, -1])), r'0\.\.9'),
    'no images': (npz_bytes(test=0), '0 items'),
    'objects': (npz_bytes(y_test=np.array([None] * 4)), 'y_test is object'),
    'short data': (npz_with_header((3, 28, 28), bytes(2 * 784)), 'not as long'),
    'surplus data': (npz_with_header((3, 28, 28), bytes(4 * 784)), 'not as long'),
    'huge': (npz_with_header((10**9, 28, 28)), '1000000000 items'),
    'negative': (npz_with_header((-1, 28, 28)), '-1 items'),
    'quoted header': (npz_with_header(repr('-' * 900)), 'shape is not valid'),
    'endless header': (npz_with_header('-' * 9000 + '3'), 'Header info length'),
}


@pytest.mark.parametrize('kind', DAMAGED_NPZ)
def test_damaged_npz_is_refused_and_kept(tmp_path, kind):
    content, why = DAMAGED_NPZ[kind]
    path = tmp_path / 'mnist.npz'
    path.write_bytes(content)
    assert_refused(path, 'mnist', why)


def test_pickle_is_never_executed(tmp_path):
    path, marker = tmp_path / 'mnist.npz', tmp_path / 'executed'
    path.write_bytes(npz_bytes(x_train=np.array([Bomb(marker)] * 6)))
    assert_refused(path, 'mnist', 'x_train is object')
    assert not marker.exists()
    with np.load(path, allow_pickle=True) as archive:
        archive['x_train']
    assert marker.exists()  # so the bomb was live


@pytest.mark.parametrize('make, why', [
    (Path.mkdir, 'MNIST is not in'),
    (lambda path: path.symlink_to('absent'), r'mnist\.npz cannot be used \(No such file'),
], ids=['a directory', 'a dead link'])
def test_npz_that_cannot_be_opened(tmp_path, make, why):
    make(tmp_path / 'mnist.npz')
    with pytest.raises(UserError, match=why):
        load_dataset(tmp_path)
    assert os.listdir(tmp_path) == ['mnist.npz']


IMAGES, LABELS = packed()[:2]
DAMAGED_IDX = {
    'empty': (IMAGES, b'', "magic number is ''"),
    'header only': (IMAGES, bytes((0, 0, 8, 3)), 'buffer of 12 bytes'),
    'text': (IMAGES, b'<html>', "magic number is '3c68746d'"),
    'truncated': (IMAGES, gzip.compress(idx_bytes(GOOD['x_train']))[:-30], 'ended before'),
    'bad CRC': (IMAGES, flipped(gzip.compress(idx_bytes(GOOD['x_train'])), -8), 'CRC'),
    'truncated, unpacked': (IMAGES, idx_bytes(GOOD['x_train'])[:-30], 'not as long'),
    'floats': (IMAGES, idx_bytes(GOOD['x_train'], magic=0x0D03), "magic number is '00000d03', not 00000803"),
    'labels for images': (IMAGES, idx_bytes(GOOD['y_train']), r'uint8 \(6,\) instead of images'),
    'images for labels': (LABELS, idx_bytes(GOOD['x_train']), r'uint8 \(6, 28, 28\) instead of labels'),
    'image size': (IMAGES, idx_bytes(GOOD['x_train'][:, 1:]), r'\(6, 27, 28\)'),
    'short data': (IMAGES, idx_bytes(GOOD['x_train'], shape=(7, 28, 28)), 'not as long'),
    'surplus data': (IMAGES, idx_bytes(GOOD['x_train'], shape=(5, 28, 28)), 'not as long'),
    'huge': (IMAGES, idx_bytes(GOOD['x_train'], shape=(10**9, 28, 28)), '1000000000 items'),
    'negative': (IMAGES, idx_bytes(GOOD['x_train'], shape=(-1, 28, 28)), '-1 items'),
    'lengths': (LABELS, idx_bytes(GOOD['y_train'][1:]), '5 labels for 6 images'),
    'label 10': (LABELS, idx_bytes(GOOD['y_train'] + np.uint8(10)), r'0\.\.9'),
}


@pytest.mark.parametrize('kind', DAMAGED_IDX)
def test_damaged_idx_is_refused_and_kept(tmp_path, kind):
    name, content, why = DAMAGED_IDX[kind]
    write_idx(tmp_path, packed())
    (tmp_path / name).write_bytes(content)
    assert_refused(tmp_path / name, 'fashion_mnist', why)
