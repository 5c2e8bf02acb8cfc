"""MNIST and images like it: where they are found, how they are downloaded and read, and what the loaders give."""

import gzip
import hashlib
import http.server
import io
import os
import struct
import subprocess
import sys
import threading

import numpy as np
import pytest

from common import data_files
from common.datasets import (available_dataset, class_names, load_dataset, load_dataset_label, load_dataset_label_pad,
                             load_dataset_pad, load_split)
from common.errors import UserError

LOADERS = [load_dataset, load_dataset_pad, load_dataset_label, load_dataset_label_pad]
IDX_NAMES = ['train-images-idx3-ubyte', 'train-labels-idx1-ubyte', 't10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte']
PACKED_NAMES = [name + '.gz' for name in IDX_NAMES]


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path, tmp_path_factory):
    """No cache but the test's own, and no network: this port answers nobody."""
    monkeypatch.setattr(data_files, 'ORIGIN', 'http://127.0.0.1:9/')
    monkeypatch.setenv('NO_PROXY', '*')
    monkeypatch.delenv('KERAS_HOME', raising=False)
    home = tmp_path_factory.mktemp('home')
    for name in ('HOME', 'USERPROFILE'):
        monkeypatch.setenv(name, str(home))
    monkeypatch.chdir(tmp_path_factory.mktemp('cwd'))
    return home


def arrays(seed=0, **changes):
    """10 images of 10 classes as they are stored, 6 of them for training."""
    rng = np.random.default_rng(seed)
    images, labels = rng.integers(0, 256, (10, 28, 28), np.uint8), rng.permutation(10).astype(np.uint8)
    images[0, 0, :2] = 0, 255  # the ends of the range, whatever the random numbers
    return {'x_train': images[:6], 'y_train': labels[:6], 'x_test': images[6:], 'y_test': labels[6:]} | changes


def npz_bytes(content=None):
    file = io.BytesIO()
    np.savez(file, **(content or arrays()))
    return file.getvalue()


def idx_bytes(array):
    return struct.pack(f'>{1 + array.ndim}i', 0x0800 + array.ndim, *array.shape) + array.tobytes()


def write_npz(folder, content=None, name='mnist.npz'):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(npz_bytes(content))


def idx_files(names=IDX_NAMES, content=None):
    """{name: content}, packed where the name ends with .gz."""
    files = dict(zip(names, map(idx_bytes, (content or arrays()).values())))
    return {name: gzip.compress(data) if name.endswith('.gz') else data for name, data in files.items()}


def write_idx(folder, names=IDX_NAMES, content=None):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in idx_files(names, content).items():
        (folder / name).write_bytes(data)


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

@pytest.fixture
def data_dir(tmp_path):
    write_npz(tmp_path)
    return tmp_path


def chapter_images(content, padded=False):
    """As the chapter computes them, in float64."""
    data = np.concatenate((content['x_train'], content['x_test']), axis=0)
    data = data / 255.
    data = data * 2. - 1
    if padded:
        return np.pad(data.reshape([-1, 28, 28, 1]), ((0, 0), (2, 2), (2, 2), (0, 0)), 'constant', constant_values=0.)
    return data.reshape([-1, 28 * 28])


@pytest.mark.parametrize('load', LOADERS)
@pytest.mark.parametrize('split, n_images', [('all', 10), ('train', 6)])
def test_loaders_give_what_the_chapters_give(data_dir, load, split, n_images, capsys):
    result = load(data_dir, split=split)
    images, labels = result if load in LOADERS[2:] else (result, None)
    assert type(images) is np.ndarray and images.dtype == np.float32 and (images.min(), images.max()) == (-1, 1)
    expected = chapter_images(arrays(), padded=load in (load_dataset_pad, load_dataset_label_pad))[:n_images]
    np.testing.assert_allclose(images, expected, rtol=0, atol=1e-6)
    if labels is not None:
        assert labels.dtype == np.float32
        expected = np.eye(10)[np.concatenate((arrays()['y_train'], arrays()['y_test']))]
        np.testing.assert_array_equal(labels, expected[:n_images])
    assert f' {n_images} ' in capsys.readouterr().out


def test_mistakes_in_the_call(data_dir):
    assert 'cifar10' in refusal(data_dir, 'cifar10')
    with pytest.raises(UserError):
        load_dataset(data_dir, split='test')


def test_invert_swaps_black_and_white(data_dir):
    np.testing.assert_allclose(load_dataset(data_dir, invert=True), -load_dataset(data_dir), atol=1e-6)
    assert not load_dataset_pad(data_dir, invert=True)[:, :2].any()  # the border stays mid-grey
    assert_reads(arrays() | {name: 255 - arrays()[name] for name in ('x_train', 'x_test')}, data_dir, invert=True)


def test_transpose_brings_emnist_upright(tmp_path):
    upright = arrays()
    write_npz(tmp_path, upright | {name: upright[name].transpose(0, 2, 1) for name in ('x_train', 'x_test')})
    assert_reads(upright, tmp_path, transpose=True)
    np.testing.assert_allclose(load_dataset(tmp_path, transpose=True), chapter_images(upright), rtol=0, atol=1e-6)


def test_number_of_classes_is_that_of_the_labels(tmp_path, capsys):
    letters = arrays()
    letters |= {'y_train': np.arange(21, 27), 'y_test': np.array([1, 5, 6, 7])}
    write_npz(tmp_path, letters)  # EMNIST's letters begin with 1
    assert_reads(letters | {name: letters[name] - 1 for name in ('y_train', 'y_test')}, tmp_path)
    assert '1 to 26' in capsys.readouterr().out
    assert load_dataset_label(tmp_path, split='train')[1].shape == (6, 26)


@pytest.mark.parametrize('last', [0, 100])
def test_labels_need_2_to_100_classes(tmp_path, last):
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


def test_only_fashion_mnist_has_class_names():
    assert class_names(dataset='mnist') == class_names(dataset='mnist_5k') == []
    names = class_names(dataset='fashion_mnist')
    assert len(names) == 10 and names[0] == 'T-shirt/top' and names[9] == 'Ankle boot'


# Where they are found

@pytest.mark.parametrize('names', [IDX_NAMES, PACKED_NAMES, [name.replace('-idx', '.idx') for name in IDX_NAMES]])
@pytest.mark.parametrize('place', ['', 'MNIST/raw'])
def test_mnist_as_idx_files(tmp_path, capsys, names, place):
    write_idx(tmp_path / place, names)
    write_idx(tmp_path / 'FashionMNIST' / 'raw', content=arrays(seed=1))
    assert_reads(arrays(), tmp_path)
    assert_reads(arrays(seed=1), tmp_path, 'fashion_mnist')
    assert str(tmp_path / place / names[0]) in capsys.readouterr().out


def test_idx_files_are_unpacked_by_content_not_by_name(tmp_path):
    write_idx(tmp_path)
    (tmp_path / IDX_NAMES[1]).rename(tmp_path / PACKED_NAMES[1])
    (tmp_path / IDX_NAMES[0]).write_bytes(gzip.compress((tmp_path / IDX_NAMES[0]).read_bytes()))
    assert_reads(arrays(), tmp_path)


@pytest.mark.parametrize('name', ['mnist.npz', 'mnist_data'])
def test_keras_cache_comes_after_the_folder(tmp_path, home, monkeypatch, name):
    write_npz(home / '.keras' / 'datasets', name=name)
    assert_reads(arrays())
    assert_reads(arrays(), tmp_path)  # an empty folder
    write_npz(tmp_path, arrays(seed=1))
    assert_reads(arrays(seed=1), tmp_path)
    monkeypatch.setenv('KERAS_HOME', str(home / 'keras'))
    write_npz(home / 'keras' / 'datasets', arrays(seed=2), name=name)
    assert_reads(arrays(seed=2))


def test_fashion_mnist_in_keras_cache(home):
    write_idx(home / '.keras' / 'datasets' / 'fashion-mnist', PACKED_NAMES)
    assert_reads(arrays(), dataset='fashion_mnist')


def test_fashion_mnist_in_a_folder_of_ones_own(tmp_path):
    write_idx(tmp_path)
    assert_reads(arrays(), tmp_path, 'fashion_mnist')
    write_idx(tmp_path, content=arrays(y_test=np.full(4, 10, np.uint8)))
    assert str(tmp_path) in refusal(tmp_path, 'fashion_mnist')


@pytest.mark.parametrize('name, advice', [('train.csv', 'docs/data.md'), ('cat.npy', 'docs/data.md'),
                                          ('dermamnist.npz', 'docs/data.md'), ('cats/a.PNG', '--dataset pictures')])
def test_folder_that_holds_something_else(tmp_path, home, name, advice):
    write_npz(home / '.keras' / 'datasets')  # which the user does not mean
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b'something')
    for dataset in ('mnist', 'fashion_mnist'):
        message = refusal(tmp_path, dataset)
        assert name.split('/')[0] in message and advice in message


@pytest.mark.parametrize('name', ['absent', 'a file'])
def test_data_directory_that_is_none(tmp_path, name):
    (tmp_path / 'a file').write_text('')
    assert name in refusal(tmp_path / name)
    assert os.listdir(tmp_path) == ['a file']


@pytest.mark.parametrize('make', [os.mkdir, lambda path: os.symlink('absent', path), getattr(os, 'mkfifo', os.mkdir)])
def test_something_else_called_mnist_npz(tmp_path, make):
    make(tmp_path / 'mnist.npz')
    assert 'mnist.npz' in refusal(tmp_path)
    assert os.listdir(tmp_path) == ['mnist.npz']


# What can be read

GOOD = arrays()
RESAVED = {
    'whole floats': lambda x: x.astype(np.float32),
    'int64': lambda x: x.astype(np.int64),
    'an axis of one': lambda x: x[..., None],
    'flat rows': lambda x: x.reshape(len(x), -1),
}


@pytest.mark.parametrize('kind', RESAVED)
def test_what_becomes_uint8_without_loss_is_read(tmp_path, kind):
    images = {name: RESAVED[kind](GOOD[name]) for name in ('x_train', 'x_test')}
    write_npz(tmp_path, GOOD | images | {'y_train': GOOD['y_train'][:, None] * 1.})
    assert_reads(GOOD, tmp_path)


UNCLEAR = {
    '0 to 1': {'x_train': GOOD['x_train'] / 255},
    '0 and 1': {'x_train': GOOD['x_train'] // 128},
    'bool': {'x_test': GOOD['x_test'] > 100},
    'NaN': {'x_train': np.where(GOOD['x_train'] == 255, np.nan, GOOD['x_train'])},
    '16 bits': {'x_train': GOOD['x_train'] * np.uint16(257)},
    'images last': {'x_train': GOOD['x_train'].transpose(1, 2, 0)},
    'another size': {'x_train': GOOD['x_train'][:, 1:]},
    'one-hot': {'y_train': np.eye(10)[GOOD['y_train']]},
    'below 0': {'y_test': GOOD['y_test'] - 1 - GOOD['y_test'].astype(int)},
    'fewer labels': {'y_train': GOOD['y_train'][1:]},
}


@pytest.mark.parametrize('kind', UNCLEAR)
def test_unclear_arrays_are_refused(tmp_path, kind):
    write_npz(tmp_path, arrays(**UNCLEAR[kind]))
    message = refusal(tmp_path)
    assert 'mnist.npz' in message and 'docs/data.md' in message and next(iter(UNCLEAR[kind])) in message


class Bomb:
    def __reduce__(self):
        return os.mkdir, ('unpickled',)


def test_pickle_is_never_executed(tmp_path):
    write_npz(tmp_path, arrays(y_test=np.array([Bomb()] * 4)))
    assert 'y_test' in refusal(tmp_path)
    assert not os.path.exists('unpickled')


def flipped(content, position):
    return content[:position] + bytes([content[position] ^ 255]) + content[position + 1:]


@pytest.mark.parametrize('content', [b'', b'<html>Please log in</html>', npz_bytes()[:-200], flipped(npz_bytes(), 1000),
                                     npz_bytes({'x_train': GOOD['x_train']})])
def test_damaged_npz_is_refused_wherever_it_is(tmp_path, home, content):
    for folder in (tmp_path, home / '.keras' / 'datasets'):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / 'mnist.npz').write_bytes(content)
        assert str(folder / 'mnist.npz') in refusal(folder)


@pytest.mark.parametrize('name, content', [
    (0, b''), (0, bytes((0, 0, 8, 3))), (0, b'<html>'), (0, idx_bytes(GOOD['x_train'])[:-30]),
    (0, gzip.compress(idx_bytes(GOOD['x_train']))[:-30]), (0, flipped(gzip.compress(idx_bytes(GOOD['x_train'])), -8)),
    (0, idx_bytes(GOOD['y_train'])), (1, idx_bytes(GOOD['x_train'])), (1, idx_bytes(GOOD['y_train'][1:]))])
def test_damaged_idx_file_is_refused(tmp_path, name, content):
    write_idx(tmp_path)
    (tmp_path / IDX_NAMES[name]).write_bytes(content)
    assert str(tmp_path / IDX_NAMES[name]) in refusal(tmp_path)


# Downloads

@pytest.fixture
def server(monkeypatch):
    """A server on this machine: server.files, {name: content}, server.fault and server.requests, the names so far."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path[1:]
            self.server.requests.append(name)
            if self.server.fault == 'silent':
                self.server.end.wait()
                return
            content = self.server.files[name]
            self.send_response(200)
            self.send_header('Content-Length', len(content))
            self.end_headers()
            self.wfile.write(content[:len(content) // 2] if self.server.fault == 'cut off' else content)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
        server.files, server.fault, server.requests, server.end = {'mnist.npz': npz_bytes()}, '', [], threading.Event()
        server.files |= idx_files(PACKED_NAMES, arrays(seed=1))
        hashes = {name: hashlib.sha256(content).hexdigest() for name, content in server.files.items()}
        monkeypatch.setattr(data_files, 'DOWNLOADS', {'mnist': {'mnist.npz': hashes.pop('mnist.npz')},
                                                      'fashion_mnist': hashes})
        monkeypatch.setattr(data_files, 'ORIGIN', f'http://127.0.0.1:{server.server_port}/')
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.end.set()
        server.shutdown()


def test_download_into_the_default_folder_once(server, capsys):
    assert available_dataset() == 'mnist'
    for _ in range(2):
        assert_reads(arrays())
    assert server.requests == ['mnist.npz'] and os.listdir('mnist_data') == ['mnist.npz']
    assert capsys.readouterr().err == ''


def test_download_beside_others(server, tmp_path):
    """An empty folder of the user's is filled; what is there stays."""
    assert_reads(arrays(), tmp_path)
    (tmp_path / 'fashion-mnist').mkdir()
    (tmp_path / 'fashion-mnist' / PACKED_NAMES[2]).write_bytes(server.files[PACKED_NAMES[2]])
    assert_reads(arrays(seed=1), tmp_path, 'fashion_mnist')
    assert server.requests == ['mnist.npz'] + [PACKED_NAMES[i] for i in (0, 1, 3)]
    assert set(tree(tmp_path)) == {'mnist.npz', *(os.path.join('fashion-mnist', name) for name in PACKED_NAMES)}


def test_a_file_of_the_users_is_never_replaced(server, tmp_path):
    write_npz(tmp_path, arrays(seed=1))  # another hash than the download's
    before = tree(tmp_path)
    assert_reads(arrays(seed=1), tmp_path)
    (tmp_path / 'mnist.npz').write_bytes(b'damaged')
    refusal(tmp_path)
    (tmp_path / 'mnist.npz').write_bytes(before['mnist.npz'])
    assert_reads(arrays(seed=1), tmp_path, 'fashion_mnist')  # downloaded beside it
    assert tree(tmp_path)['mnist.npz'] == before['mnist.npz'] and 'mnist.npz' not in server.requests


@pytest.mark.parametrize('fault', ['another file', 'cut off', 'silent', 'no network'])
def test_failed_download(server, tmp_path, monkeypatch, capsys, fault):
    server.fault = fault
    if fault == 'silent':
        monkeypatch.setattr(data_files, 'TIMEOUT', 0.5)
    if fault == 'another file':
        server.files = dict.fromkeys(server.files, b'<html>Please log in</html>')
    if fault == 'no network':
        monkeypatch.setattr(data_files, 'ORIGIN', 'http://127.0.0.1:9/')
    assert available_dataset(tmp_path) == 'mnist_5k'
    assert 'WARNING' in capsys.readouterr().err
    assert len(load_dataset(tmp_path)) == 5000
    assert str(tmp_path) in refusal(tmp_path, 'fashion_mnist')
    assert tree(tmp_path) == {}


def test_download_that_cannot_be_saved(server):
    with open('mnist_data', 'w'):
        pass
    with pytest.raises(UserError):
        load_dataset()
    assert server.requests == []


def test_a_download_imports_neither_keras_nor_tensorflow(tmp_path):
    code = ('import sys; from common import data_files, datasets; before = set(sys.modules); '
            'data_files.ORIGIN = "http://127.0.0.1:9/"; data_files.find_files(sys.argv[1], "mnist"); '
            'print(sorted({"keras", "tensorflow", "mlxtend"} & (set(sys.modules) - before)), "pooch" in sys.modules)')
    root = os.path.dirname(os.path.dirname(data_files.__file__))
    output = subprocess.run([sys.executable, '-c', code, str(tmp_path)], cwd=root, stdout=subprocess.PIPE, check=True,
                            stderr=subprocess.DEVNULL, text=True).stdout
    assert output.split() == ['[]', 'True']
