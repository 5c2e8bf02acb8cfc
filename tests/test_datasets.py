"""The loaders: what they give, what they refuse, and what a failed download leaves behind."""

import errno
import gzip
import hashlib
import io
import os
import socket
import struct
import subprocess
import sys
import tracemalloc
import urllib.error
import zipfile
from pathlib import Path

import numpy as np
import pytest

from common import datasets
from common.datasets import load_dataset, load_dataset_label, load_dataset_pad, load_split
from common.errors import UserError

IDX_NAMES = ('train-images-idx3-ubyte.gz', 'train-labels-idx1-ubyte.gz',
             't10k-images-idx3-ubyte.gz', 't10k-labels-idx1-ubyte.gz')
NO_NETWORK = urllib.error.URLError('no route to host')


def arrays(train=6, test=4, **changes):
    rng = np.random.default_rng(0)
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
    return gzip.compress(struct.pack(f'>{len(header)}i', *header) + array.tobytes())


def write_idx(folder):
    for name, array in zip(IDX_NAMES, arrays().values()):
        (folder / name).write_bytes(idx_bytes(array))


@pytest.fixture(autouse=True)
def no_download(monkeypatch):
    """A test that does not expect a download fails when there is one."""
    monkeypatch.setattr(datasets, '_download', lambda *args: pytest.fail('unexpected download'))


@pytest.fixture
def download(monkeypatch):
    """download(content, error) replaces the downloader; returns the list of what is asked for."""
    def replace(content=None, error=None):
        calls = []

        def fake(url, path, sha256):
            calls.append((url, sha256))
            if content is not None:
                Path(path).write_bytes(content)
            if error is not None:
                raise error

        monkeypatch.setattr(datasets, '_download', fake)
        return calls

    return replace


@pytest.fixture
def data_dir(tmp_path):
    (tmp_path / 'mnist.npz').write_bytes(npz_bytes())
    return tmp_path


def assert_equal_splits(split, expected):
    flat = [array for part in split for array in part]
    assert [array.dtype for array in flat] == [np.uint8] * 4
    for array, name in zip(flat, ('x_train', 'y_train', 'x_test', 'y_test')):
        np.testing.assert_array_equal(array, expected[name])


def assert_refused(path, dataset, reason):
    """One sentence that names the file, the reason and the mend; the file stays as it was."""
    before = path.read_bytes()
    with pytest.raises(UserError, match=reason) as caught:
        load_dataset(path.parent, dataset)
    message = str(caught.value)
    assert str(path) in message and 'delete it' in message
    assert '\n' not in message and len(message) < 700
    assert path.read_bytes() == before


# What the loaders give.

def chapter_images():
    data = np.concatenate((arrays()['x_train'], arrays()['x_test']), axis=0)
    return data / 255. * 2. - 1  # float64, as in the chapter


def test_load_dataset_is_the_chapters(data_dir):
    data = load_dataset(data_dir)
    assert data.dtype == np.float32 and data.shape == (10, 784)
    np.testing.assert_allclose(data, chapter_images().reshape(-1, 784), rtol=0, atol=1e-6)
    assert data[0, 0] == -1 and data[0, 1] == 1
    assert data.min() == -1 and data.max() == 1


def test_load_dataset_pad_is_the_chapters(data_dir):
    data = load_dataset_pad(data_dir)
    expected = np.pad(chapter_images().reshape(-1, 28, 28, 1), ((0, 0), (2, 2), (2, 2), (0, 0)),
                      'constant', constant_values=0.)
    assert data.dtype == np.float32 and data.shape == (10, 32, 32, 1)
    np.testing.assert_allclose(data, expected, rtol=0, atol=1e-6)


def test_load_dataset_label_is_the_chapters(data_dir):
    data, labels = load_dataset_label(data_dir)
    np.testing.assert_array_equal(data, load_dataset(data_dir))
    assert labels.dtype == np.float32 and labels.shape == (10, 10)
    assert set(labels.ravel()) == {0, 1} and (labels.sum(axis=1) == 1).all()
    np.testing.assert_array_equal(
        labels.argmax(axis=1), np.concatenate((arrays()['y_train'], arrays()['y_test'])))


def test_load_split_gives_what_is_stored(data_dir):
    assert_equal_splits(load_split(data_dir), arrays())


@pytest.mark.parametrize('compression', [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_another_container_and_label_type_will_do(tmp_path, compression):
    content = arrays(y_test=arrays()['y_test'].astype('>i8'), extra=np.ones(3))
    with zipfile.ZipFile(tmp_path / 'mnist.npz', 'w', compression) as archive:
        for name, array in content.items():
            with archive.open(f'{name}.npy', 'w') as member:
                np.save(member, array)
    assert_equal_splits(load_split(tmp_path), arrays())


@pytest.mark.parametrize('loader', [load_dataset, load_dataset_pad, load_dataset_label])
def test_no_copies_in_memory(tmp_path, loader):
    (tmp_path / 'mnist.npz').write_bytes(npz_bytes(train=3000, test=500))
    tracemalloc.start()
    result = loader(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    kept = sum(array.nbytes for array in (result if isinstance(result, tuple) else (result,)))
    assert peak < 1.1 * (kept + 3500 * 784)  # the result and the bytes it came from


def test_mnist_5k_has_all_classes_in_both_parts(tmp_path):
    (x_train, y_train), (x_test, y_test) = load_split(tmp_path, 'mnist_5k')
    assert x_train.shape == (4000, 28, 28) and x_test.shape == (1000, 28, 28)
    assert x_train.dtype == x_test.dtype == y_train.dtype == y_test.dtype == np.uint8
    assert np.bincount(y_train).tolist() == [400] * 10
    assert np.bincount(y_test).tolist() == [100] * 10
    # Digits and labels belong together: the nearest class mean is mostly right.
    means = np.stack([x_train[y_train == digit].mean(axis=0) for digit in range(10)])
    distances = ((x_test[:, None] - means) ** 2).sum(axis=(2, 3))
    assert (distances.argmin(axis=1) == y_test).mean() > 0.75
    merged = load_dataset(tmp_path, 'mnist_5k')
    expected = x_test.reshape(-1, 784) / 255 * 2 - 1
    np.testing.assert_allclose(merged[4000:], expected, rtol=0, atol=1e-6)


def test_unknown_data_set(tmp_path):
    with pytest.raises(UserError, match='mnist_5k'):
        load_split(tmp_path, 'cifar10')


def test_import_stays_cheap():
    code = 'import sys, common.datasets; print({"keras", "mlxtend"} & set(sys.modules))'
    root = Path(datasets.__file__).parents[1]
    environment = {**os.environ, 'TF_USE_LEGACY_KERAS': '1'}  # or TensorFlow itself imports Keras
    output = subprocess.run([sys.executable, '-c', code], cwd=root, env=environment,
                            stdout=subprocess.PIPE, check=True, text=True).stdout
    assert output.strip() == 'set()'


# The data directory.

def test_missing_directory_is_not_created(tmp_path):
    with pytest.raises(UserError, match='does not exist'):
        load_split(tmp_path / 'absent')
    assert not (tmp_path / 'absent').exists()


def test_directory_that_is_a_file(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='is not a directory'):
        load_split(tmp_path / 'file')


def test_unreadable_directory(data_dir, monkeypatch):
    monkeypatch.setattr(os, 'access', lambda path, mode: False)  # root may read everything
    with pytest.raises(UserError, match='cannot be read'):
        load_split(data_dir)


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


GOOD = arrays()
DAMAGED_NPZ = {
    'empty': (b'', 'not a zip'),
    'text': (b'<html>Please log in</html>', 'not a zip'),
    'a bare npy': (b'\x93NUMPY\x01\x00', 'not a zip'),
    'truncated': (npz_bytes()[:-200], 'not a zip'),
    'bad CRC': (flipped(npz_bytes(), 1000), 'CRC'),
    'missing': (without('y_test'), 'no array y_test'),
    'image size': (npz_bytes(x_train=GOOD['x_train'][:, :, 1:]), r'x_train is uint8 \(6, 28, 27\)'),
    'flat images': (npz_bytes(x_test=GOOD['x_test'].reshape(4, 784)), r'is uint8 \(4, 784\)'),
    'scalar': (npz_bytes(y_test=np.int64(3)), r'y_test is int64 \(\)'),
    'float images': (npz_bytes(x_train=GOOD['x_train'] / 255), 'x_train is float64'),
    'signed images': (npz_bytes(x_train=GOOD['x_train'].astype(np.int8)), 'x_train is int8'),
    'float labels': (npz_bytes(y_train=GOOD['y_train'] * 1.), 'y_train is float64'),
    'one-hot labels': (npz_bytes(y_test=np.eye(10, dtype=int)[:4]), r'y_test is int64 \(4, 10\)'),
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
    content, reason = DAMAGED_NPZ[kind]
    path = tmp_path / 'mnist.npz'
    path.write_bytes(content)
    assert_refused(path, 'mnist', reason)


def test_pickle_is_never_executed(tmp_path):
    path, marker = tmp_path / 'mnist.npz', tmp_path / 'executed'
    path.write_bytes(npz_bytes(x_train=np.array([Bomb(marker)] * 6)))
    assert_refused(path, 'mnist', 'x_train is object')
    assert not marker.exists()
    with np.load(path, allow_pickle=True) as archive:
        archive['x_train']
    assert marker.exists()  # so the bomb was live


@pytest.mark.parametrize('make, reason', [
    (Path.mkdir, 'Is a directory'),
    (lambda path: path.symlink_to('absent'), 'No such file'),
], ids=['a directory', 'a dead link'])
def test_npz_that_cannot_be_opened(tmp_path, make, reason):
    make(tmp_path / 'mnist.npz')
    with pytest.raises(UserError, match=rf'mnist\.npz cannot be used \({reason}'):
        load_dataset(tmp_path)
    assert os.listdir(tmp_path) == ['mnist.npz']


IMAGES, LABELS = IDX_NAMES[:2]
DAMAGED_IDX = {
    'empty': (IMAGES, b'', "magic number is ''"),
    'header only': (IMAGES, gzip.compress(bytes((0, 0, 8, 3))), 'buffer of 12 bytes'),
    'not gzip': (IMAGES, b'plain', 'gzip'),
    'truncated': (IMAGES, idx_bytes(GOOD['x_train'])[:-30], 'ended before'),
    'bad CRC': (IMAGES, flipped(idx_bytes(GOOD['x_train']), -8), 'CRC'),
    'labels for images': (IMAGES, idx_bytes(GOOD['y_train']), "number is '00000801', not 00000803"),
    'images for labels': (LABELS, idx_bytes(GOOD['x_train']), "number is '00000803', not 00000801"),
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
    name, content, reason = DAMAGED_IDX[kind]
    write_idx(tmp_path)
    (tmp_path / name).write_bytes(content)
    assert_refused(tmp_path / name, 'fashion_mnist', reason)


# Downloads.

def test_good_download_is_kept(tmp_path, monkeypatch, download):
    monkeypatch.chdir(tmp_path)
    calls = download(npz_bytes())
    assert_equal_splits(load_split(), arrays())
    assert_equal_splits(load_split(), arrays())
    assert calls == [(datasets.ORIGIN + 'mnist.npz', datasets.MNIST_SHA256)]  # once
    assert os.listdir('mnist_data') == ['mnist.npz']
    assert Path('mnist_data/mnist.npz').read_bytes() == npz_bytes()


def test_without_network_the_5000_digits_stand_in(tmp_path, monkeypatch, download, capsys):
    monkeypatch.chdir(tmp_path)
    download(error=NO_NETWORK)
    data = load_dataset()
    np.testing.assert_array_equal(data, load_dataset(dataset='mnist_5k'))
    warning = capsys.readouterr().err
    for part in ('WARNING', '5,000 of the 70,000', './mnist_data', 'no route to host',
                 datasets.ORIGIN + 'mnist.npz'):
        assert part in warning
    assert os.listdir() == []  # the default directory is gone again


@pytest.mark.parametrize('error', [TimeoutError('timed out'), None], ids=['noticed', 'unnoticed'])
def test_half_a_download_is_never_taken(tmp_path, download, capsys, error):
    download(npz_bytes()[:3000], error)
    assert len(load_dataset(tmp_path)) == 5000
    assert 'WARNING' in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


def test_left_over_of_a_killed_download_is_ignored(tmp_path, download):
    left_over = tmp_path / '.download-abc' / 'mnist.npz'
    left_over.parent.mkdir()
    left_over.write_bytes(npz_bytes(train=1))
    calls = download(npz_bytes())
    assert_equal_splits(load_split(tmp_path), arrays())
    assert len(calls) == 1


def test_ctrl_c_is_not_a_missing_network(tmp_path, monkeypatch, download):
    monkeypatch.chdir(tmp_path)
    download(npz_bytes()[:3000], KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        load_dataset()
    assert os.listdir() == []


@pytest.mark.parametrize('code', [errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EROFS])
def test_download_that_cannot_be_saved(tmp_path, download, code):
    download(error=OSError(code, os.strerror(code)))
    with pytest.raises(UserError) as caught:
        load_dataset(tmp_path)
    assert str(tmp_path) in str(caught.value) and os.strerror(code) in str(caught.value)


def test_fashion_mnist_from_its_four_files(tmp_path):
    write_idx(tmp_path)
    assert_equal_splits(load_split(tmp_path, 'fashion_mnist'), arrays())


def test_fashion_mnist_downloads_only_what_is_missing(tmp_path, download):
    write_idx(tmp_path)
    content = (tmp_path / IDX_NAMES[3]).read_bytes()
    (tmp_path / IDX_NAMES[3]).unlink()
    calls = download(content)
    assert_equal_splits(load_split(tmp_path, 'fashion_mnist'), arrays())
    assert calls == [(datasets.ORIGIN + IDX_NAMES[3], None)]
    assert sorted(os.listdir(tmp_path)) == sorted(IDX_NAMES)


@pytest.mark.parametrize('content, error', [(None, NO_NETWORK), (b'<html>', None)],
                         ids=['offline', 'login page'])
def test_fashion_mnist_without_network(tmp_path, download, content, error):
    download(content, error)
    with pytest.raises(UserError, match='dataset-fashion-mnist') as caught:
        load_split(tmp_path, 'fashion_mnist')
    assert str(tmp_path) in str(caught.value) and '\n' not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_the_real_downloader(tmp_path, monkeypatch):
    monkeypatch.undo()
    source, target = tmp_path / 'source.npz', tmp_path / 'new' / 'mnist.npz'
    source.write_bytes(npz_bytes())
    target.parent.mkdir()
    datasets._download(source.as_uri(), target, hashlib.sha256(npz_bytes()).hexdigest())
    assert target.read_bytes() == npz_bytes()
    target.unlink()
    with pytest.raises(ValueError, match='hash'):
        datasets._download(source.as_uri(), target, '0' * 64)
    assert socket.getdefaulttimeout() is None
