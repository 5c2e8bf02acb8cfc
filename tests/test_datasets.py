"""MNIST and images like it: where they are found, how they are downloaded and read, and what the loaders give."""

import functools
import gzip
import hashlib
import http.server
import io
import os
import pathlib
import struct
import sys
import threading

import numpy as np
import pytest

from common import data_files
from common.datasets import (available_dataset, class_names, load_dataset, load_dataset_label, load_dataset_label_pad,
                             load_dataset_pad, load_split)
from common.errors import UserError

IDX_NAMES = ['train-images-idx3-ubyte', 'train-labels-idx1-ubyte', 't10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte']
PACKED_NAMES = [name + '.gz' for name in IDX_NAMES]


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path_factory):
    """No cache but the test's own, which it returns, and no network: this port answers nobody."""
    monkeypatch.setattr(data_files, 'ORIGIN', 'http://127.0.0.1:9/')
    monkeypatch.setenv('NO_PROXY', '*')
    monkeypatch.delenv('KERAS_HOME', raising=False)
    home = tmp_path_factory.mktemp('home')
    for name in ('HOME', 'USERPROFILE'):
        monkeypatch.setenv(name, str(home))
    monkeypatch.chdir(tmp_path_factory.mktemp('cwd'))
    return home / '.keras' / 'datasets'


def arrays(seed=0, **changes):
    """10 images of 10 classes as they are stored, 6 of them for training."""
    rng = np.random.default_rng(seed)
    images, labels = rng.integers(0, 256, (10, 28, 28), np.uint8), rng.permutation(10).astype(np.uint8)
    images[0, 0, :2] = 0, 255  # the ends of the range, whatever the random numbers
    return {'x_train': images[:6], 'y_train': labels[:6], 'x_test': images[6:], 'y_test': labels[6:]} | changes


GOOD = arrays()


def npz_bytes(content):
    file = io.BytesIO()
    np.savez(file, **content)
    return file.getvalue()


def idx_bytes(array):
    return struct.pack(f'>{1 + array.ndim}i', 0x0800 + array.ndim, *array.shape) + array.tobytes()


def idx_files(content, names=IDX_NAMES):
    """{name: content}, packed where the name ends with .gz."""
    files = dict(zip(names, map(idx_bytes, content.values())))
    return {name: gzip.compress(data) if name.endswith('.gz') else data for name, data in files.items()}


def write(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def write_npz(folder, content=GOOD, name='mnist.npz'):
    write(folder, {name: npz_bytes(content)})


def assert_reads(expected, *args, **options):
    flat = [array for part in load_split(*args, **options) for array in part]
    assert [array.dtype for array in flat] == [np.uint8, np.int64] * 2
    for array, name in zip(flat, ('x_train', 'y_train', 'x_test', 'y_test'), strict=True):
        np.testing.assert_array_equal(array, expected[name])


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def refusal(data_dir, dataset='mnist', load=load_split):
    """The sentence that refuses; no file is changed by it."""
    before = tree(data_dir)
    with pytest.raises(UserError) as caught:
        load(data_dir, dataset)
    assert tree(data_dir) == before
    assert '\n' not in str(caught.value)
    return str(caught.value)


# What the loaders give

def chapter_images(content, padded):
    """As the chapter computes them, in float64."""
    data = np.concatenate((content['x_train'], content['x_test']), axis=0)
    data = data / 255.
    data = data * 2. - 1
    if padded:
        return np.pad(data.reshape([-1, 28, 28, 1]), ((0, 0), (2, 2), (2, 2), (0, 0)), 'constant', constant_values=0.)
    return data.reshape([-1, 28 * 28])


@pytest.mark.parametrize('split, n_images', [('all', 10), ('train', 6)])
def test_loaders_give_what_the_chapters_give(tmp_path, split, n_images):
    write_npz(tmp_path)
    one_hot = np.eye(10)[np.concatenate((GOOD['y_train'], GOOD['y_test']))]
    for padded, load, load_label in ((False, load_dataset, load_dataset_label),
                                     (True, load_dataset_pad, load_dataset_label_pad)):
        images, labels = load_label(tmp_path, split=split)
        assert type(images) is np.ndarray and images.dtype == labels.dtype == np.float32
        np.testing.assert_allclose(images, chapter_images(GOOD, padded)[:n_images], rtol=0, atol=1e-6)
        np.testing.assert_array_equal(images, load(tmp_path, split=split))
        np.testing.assert_array_equal(labels, one_hot[:n_images])
        assert (images.min(), images.max()) == (-1, 1)


def test_inverted_and_transposed(tmp_path):
    stored = {name: GOOD[name].transpose(0, 2, 1) for name in ('x_train', 'x_test')}  # on its side, as EMNIST
    write_npz(tmp_path, GOOD | stored)
    assert_reads(GOOD, tmp_path, transpose=True)
    assert_reads(GOOD | {name: 255 - images for name, images in stored.items()}, tmp_path, invert=True)
    images = load_dataset_pad(tmp_path, invert=True, transpose=True)
    np.testing.assert_allclose(images, -chapter_images(GOOD, padded=True), rtol=0, atol=1e-6)


def test_number_of_classes_is_that_of_the_labels(tmp_path):
    write_npz(tmp_path, arrays(y_train=np.arange(21, 27), y_test=np.array([1, 5, 6, 7])))  # EMNIST's begin with 1
    assert_reads(arrays(y_train=np.arange(20, 26), y_test=np.array([0, 4, 5, 6])), tmp_path)
    assert load_dataset_label(tmp_path, split='train')[1].shape == (6, 26)
    for last in (0, 100):
        write_npz(tmp_path, arrays(y_train=np.zeros(6, int), y_test=np.array([0, 0, 0, last])))
        assert str(tmp_path) in refusal(tmp_path, load=load_dataset_label)
    assert len(load_dataset(tmp_path)) == 10


def test_mnist_5k_has_all_classes_in_both_parts(tmp_path):
    (x_train, y_train), (x_test, y_test) = load_split(tmp_path / 'is not looked at', 'mnist_5k')
    assert x_train.shape == (4000, 28, 28) and x_test.shape == (1000, 28, 28) and x_test.dtype == np.uint8
    assert np.bincount(y_train).tolist() == [400] * 10 and np.bincount(y_test).tolist() == [100] * 10
    # Digits and labels belong together: the nearest class mean is mostly right.
    means = np.stack([x_train[y_train == digit].mean(axis=0) for digit in range(10)])
    distances = ((x_test[:, None] - means) ** 2).sum(axis=(2, 3))
    assert (distances.argmin(axis=1) == y_test).mean() > 0.75


# Where they are found

@pytest.mark.parametrize('place, names', [('', IDX_NAMES), ('MNIST/raw', PACKED_NAMES),
                                          ('', [name.replace('-idx', '.idx') for name in IDX_NAMES])])
def test_idx_files(tmp_path, capsys, place, names):
    fashion = arrays(seed=1, y_test=np.zeros(4, np.uint8))
    # packed or not by its content, not by its name
    write(tmp_path / place, idx_files(GOOD, names) | {names[0]: gzip.compress(idx_bytes(GOOD['x_train']))})
    assert_reads(GOOD, tmp_path, 'mnist' if place else 'fashion_mnist')  # in a folder of one's own, files of one's own
    write(tmp_path / 'FashionMNIST' / 'raw', idx_files(fashion, names))
    assert_reads(GOOD, tmp_path)
    assert str(tmp_path / place / names[0]) in capsys.readouterr().out
    assert_reads(fashion, tmp_path, 'fashion_mnist')
    assert load_dataset_label(tmp_path, 'fashion_mnist')[1].shape == (10, 10)
    assert class_names(tmp_path, 'fashion_mnist')[::9] == ['T-shirt/top', 'Ankle boot']
    assert class_names(tmp_path, 'mnist') == []


def test_keras_cache_comes_after_the_folder(tmp_path, cache, monkeypatch):
    write_npz(cache, name='mnist_data')  # as Keras called the chapter's
    write(cache / 'fashion-mnist', idx_files(arrays(seed=3), PACKED_NAMES))
    assert_reads(GOOD)
    assert_reads(GOOD, tmp_path)  # an empty folder
    assert_reads(arrays(seed=3), dataset='fashion_mnist')
    write_npz(tmp_path, arrays(seed=1))
    assert_reads(arrays(seed=1), tmp_path)
    monkeypatch.setenv('KERAS_HOME', str(cache / 'keras'))
    write_npz(cache / 'keras' / 'datasets', arrays(seed=2))
    assert_reads(arrays(seed=2))


def test_folder_that_holds_something_else(tmp_path, cache):
    write_npz(cache)  # which the user does not mean
    write(tmp_path, {'train.csv': b'something'})
    for dataset in ('mnist', 'fashion_mnist'):
        message = refusal(tmp_path, dataset)
        assert 'train.csv' in message and 'docs/data.md' in message


def test_mistakes_in_the_call_and_a_pipe_called_mnist_npz(tmp_path):
    assert 'absent' in refusal(tmp_path / 'absent') and os.listdir(tmp_path) == []
    getattr(os, 'mkfifo', os.mkdir)(tmp_path / 'mnist.npz')
    assert 'mnist.npz' in refusal(tmp_path)
    assert 'cifar10' in refusal(tmp_path, 'cifar10')
    with pytest.raises(UserError, match='test'):
        load_dataset(tmp_path, split='test')


# What can be read

def test_what_becomes_uint8_without_loss_is_read(tmp_path):
    for resaved in (lambda x: x.astype(np.float32), lambda x: x.astype(np.int64), lambda x: x[..., None],
                    lambda x: x.reshape(len(x), -1)):
        write_npz(tmp_path, arrays(x_train=resaved(GOOD['x_train']), x_test=resaved(GOOD['x_test']),
                                   y_train=GOOD['y_train'][:, None] * 1.))
        assert_reads(GOOD, tmp_path)


class Bomb:
    def __reduce__(self):
        return os.mkdir, ('unpickled',)


def test_unclear_arrays_are_refused_and_no_pickle_is_executed(tmp_path):
    x, y = GOOD['x_train'], GOOD['y_train']
    for name, array in (('x_train', x / 255), ('x_train', x // 128), ('x_train', np.where(x, x, np.nan)),
                        ('x_train', x * np.uint16(257)), ('x_train', x.transpose(1, 2, 0)), ('y_train', y[1:]),
                        ('y_train', np.eye(10)[y]), ('y_train', y - 1.), ('y_train', np.array([Bomb()] * 6))):
        write_npz(tmp_path, arrays(**{name: array}))
        message = refusal(tmp_path)
        assert 'mnist.npz' in message and 'docs/data.md' in message and name in message
    assert not os.path.exists('unpickled')


def test_a_damaged_file_is_refused_wherever_it_is(tmp_path, cache):
    npz, images, labels = npz_bytes(GOOD), idx_bytes(GOOD['x_train']), idx_bytes(GOOD['y_train'])
    flipped = npz[:1000] + bytes([npz[1000] ^ 255]) + npz[1001:]
    for name, content in [(IDX_NAMES[0], content) for content in (
            b'', b'<html>', images[:-30], gzip.compress(images)[:-30], labels)] + [
            (IDX_NAMES[1], idx_bytes(GOOD['y_train'][1:]))] + [('mnist.npz', content) for content in (
            b'<html>', npz[:-200], flipped, npz_bytes({'x_train': GOOD['x_train']}))]:
        for folder in (tmp_path, cache):
            write(folder, idx_files(GOOD) | {name: content})
            assert str(folder / name) in refusal(folder)


# Downloads

@pytest.fixture
def served(monkeypatch, tmp_path_factory):
    """The folder that a server on this machine offers, with all files of both data sets."""
    folder = tmp_path_factory.mktemp('served')
    write(folder, {'mnist.npz': npz_bytes(GOOD)} | idx_files(arrays(seed=1), PACKED_NAMES))
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in tree(folder).items()}
    monkeypatch.setattr(data_files, 'DOWNLOADS', {'mnist': {'mnist.npz': hashes['mnist.npz']},
                                                  'fashion_mnist': {name: hashes[name] for name in PACKED_NAMES}})
    monkeypatch.setitem(sys.modules, 'keras', None)  # importing it is an error: it would take seconds
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        monkeypatch.setattr(data_files, 'ORIGIN', f'http://127.0.0.1:{server.server_port}/')
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield folder
        server.shutdown()


def test_a_download_fills_an_empty_folder_once_and_replaces_no_file(served, tmp_path):
    assert available_dataset() == 'mnist' and os.listdir('mnist_data') == ['mnist.npz']
    assert_reads(GOOD, tmp_path)
    (served / 'mnist.npz').unlink()
    assert_reads(GOOD)
    write_npz(tmp_path, arrays(seed=2))  # another hash than the download's
    third = os.path.join('fashion-mnist', PACKED_NAMES[2])
    write(tmp_path / 'fashion-mnist', {PACKED_NAMES[2]: idx_files(arrays(seed=1))[IDX_NAMES[2]]})
    before = tree(tmp_path)
    assert_reads(arrays(seed=2), tmp_path)
    assert_reads(arrays(seed=1), tmp_path, 'fashion_mnist')
    after = tree(tmp_path)
    assert len(after) == 5 and after['mnist.npz'] == before['mnist.npz'] and after[third] == before[third]


@pytest.mark.parametrize('fault', ['another file', 'no network', 'no folder'])
def test_failed_download(served, monkeypatch, capsys, fault):
    data_dir = pathlib.Path('mnist_data')
    if fault == 'no folder':
        data_dir.write_bytes(b'')
    if fault == 'another file':
        write(served, dict.fromkeys(tree(served), b'<html>Please log in</html>'))
    if fault == 'no network':
        monkeypatch.setattr(data_files, 'ORIGIN', 'http://127.0.0.1:9/')
    assert available_dataset(data_dir) == 'mnist_5k'
    assert 'WARNING' in capsys.readouterr().err
    assert 'mnist_data' in refusal(data_dir, 'fashion_mnist')
    assert list(tree(pathlib.Path('.')).values()) == [b''] * (fault == 'no folder')
