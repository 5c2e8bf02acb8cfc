"""Downloads with Keras: whole and checked, or not at all, and never into a folder that holds other files."""

import contextlib
import errno
import os
import shutil
import socket
import tempfile
import time

from filelock import FileLock, Timeout

from common.data_files.arrays import read_file
from common.data_files.idx import parse_idx
from common.data_files.known_sets import DEFAULT_DATA_DIR, KNOWN_SETS
from common.data_files.npz import read_npz
from common.errors import UserError, one_line

# The address and the hash are those of keras.datasets.mnist.
ORIGIN = 'https://storage.googleapis.com/tensorflow/tf-keras-datasets/'
MNIST_SHA256 = '731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1'
_FASHION_FILES = ('train-images-idx3-ubyte.gz', 'train-labels-idx1-ubyte.gz',
                  't10k-images-idx3-ubyte.gz', 't10k-labels-idx1-ubyte.gz')
_FASHION_FOLDER = 'fashion-mnist'  # of its own: the names of its files are MNIST's, too
# Seconds without an answer after which the network counts as missing.
_TIMEOUT = 5

_UNFINISHED, _LOCK = '.download-', 'in_use'


class DownloadFailed(Exception):
    """No network, or what came is not the data set. The message is one line."""


def is_default(data_dir):
    return os.path.abspath(data_dir) == os.path.abspath(DEFAULT_DATA_DIR)


def may_download_into(data_dir):
    """Whether nothing of the user's is there: it is the default folder, or empty but for earlier downloads."""
    if is_default(data_dir):
        return True
    names = {name for name in os.listdir(data_dir) if not name.startswith(_UNFINISHED)}
    return names <= {'mnist.npz', _FASHION_FOLDER} and not os.path.isdir(os.path.join(data_dir, 'mnist.npz'))


def download(name, data_dir):
    """
    Download what is missing of a data set
    @param name: 'mnist' or 'fashion_mnist'
    @raise DownloadFailed: where it does not come
    @raise UserError: where it cannot be saved
    """
    if name == 'mnist':
        _fetch('mnist.npz', data_dir, 'mnist.npz', lambda path: read_npz(path, KNOWN_SETS[name]), MNIST_SHA256)
        return
    for file_name in _FASHION_FILES:
        path = os.path.join(_FASHION_FOLDER, file_name)
        if not os.path.lexists(os.path.join(data_dir, path)):
            _fetch(file_name, data_dir, path,
                   lambda path: read_file(path, lambda file: parse_idx(file, images='images' in path)))


def _fetch(file_name, data_dir, path, check, sha256=None):
    """Download ORIGIN + file_name to `path` in data_dir."""
    created = not os.path.exists(data_dir)
    try:
        os.makedirs(data_dir, exist_ok=True)
        # Inside data_dir, because os.replace must stay on one file system.
        with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=data_dir) as folder, \
                FileLock(os.path.join(folder, _LOCK)):
            new = os.path.join(folder, file_name)
            _download(ORIGIN + file_name, new, sha256)
            check(new)
            path = os.path.join(data_dir, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.replace(new, path)
    except Exception as error:
        # Network errors are OSErrors too, hence the errno.
        full = getattr(error, 'errno', None) in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
        if full or isinstance(error, PermissionError):
            raise UserError(f'{file_name} is not in {data_dir} and a download cannot be saved there '
                            f'({one_line(error)}): change that or use another data directory') from error
        raise DownloadFailed(one_line(error)) from error
    finally:
        if created:
            with contextlib.suppress(OSError):  # not empty: the download succeeded
                os.rmdir(data_dir)


def _download(url, path, sha256):
    """Keras's get_file, with its progress bar, to exactly `path`."""
    import keras  # seconds; only a download needs it

    folder, name = os.path.split(os.path.abspath(path))
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT)
    try:
        keras.utils.get_file(name, url, file_hash=sha256, cache_dir=folder, cache_subdir='')
    finally:
        socket.setdefaulttimeout(before)


def delete_unfinished_downloads(data_dir):
    """Delete what killed processes have left of a download, if no process is at work there any more."""
    with contextlib.suppress(OSError):
        for name in os.listdir(data_dir):
            folder = os.path.join(data_dir, name)
            if name.startswith(_UNFINISHED) and os.path.isdir(folder) and _is_left_over(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_left_over(folder):
    if not set(os.listdir(folder)) <= {_LOCK, 'mnist.npz', *_FASHION_FILES}:
        return False  # not ours
    lock = os.path.join(folder, _LOCK)
    if not os.path.exists(lock):  # it may be just beginning
        return time.time() - os.stat(folder).st_mtime > 3600
    try:
        with FileLock(lock, timeout=0):
            return True
    except Timeout:
        return False
