"""A folder of pictures as a data set like MNIST: the folders in it are the classes."""

import os
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image
from tqdm import tqdm

from common.data_files import picture_cache
from common.data_files.one_picture import SIZE, BrokenPicture, read_picture
from common.data_files.picture_folder import classes_of, in_order, list_pictures
from common.errors import UserError
from common.terminal import say

_AT_ONCE = 16  # files that a thread reads before it says so


def read_pictures(folder):
    """
    All pictures in a folder and the folders in it. Every seventh of a class is for testing, as of MNIST, unless the
    folder is divided into train and test
    @param folder: the folders in it are the classes, in the order of their names
    @return: (x_train, y_train), (x_test, y_test), class names; uint8 (N, 28, 28) and int64 (N,); without classes the
             labels are 0 and there are no names
    @raise UserError: where there is no picture, or a folder cannot be read
    """
    files = list_pictures(folder)
    if not files:
        raise UserError(f'there are no pictures in {folder} (PNG, JPEG, BMP, GIF or WebP): '
                        'name the folder that holds them with --data-dir')
    cached = picture_cache.load(folder, files)
    images, broken = cached or _read_files(folder, files)
    if not cached:
        picture_cache.save(folder, files, images, broken)
    if broken:
        _report(files, broken)
    if not len(images):
        raise UserError(f'none of the {len(files):,} pictures in {folder} can be read: name another folder '
                        'with --data-dir')
    classes, tested = classes_of([file.path for i, file in enumerate(files) if i not in broken])
    names = in_order(set(classes)) if classes else []
    number = {name: label for label, name in enumerate(names)}
    labels = np.array([number[name] for name in classes] if classes else [0] * len(images), np.int64)
    test = _every_seventh(labels) if tested is None else np.array(tested)
    return (images[~test], labels[~test]), (images[test], labels[test]), names


def _every_seventh(labels):
    test = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        test[np.flatnonzero(labels == label)[6::7]] = True
    return test


def _read_files(folder, files):
    """
    Decode all files, in several threads: Pillow lets them run at once
    @param files: list of PictureFile
    @return: uint8 (N, 28, 28) of those that can be read, and {index in files: what is wrong} of the others
    """
    images, broken = np.empty((len(files), SIZE, SIZE), np.uint8), {}

    def read(start):
        for i in range(start, min(start + _AT_ONCE, len(files))):
            try:
                images[i] = read_picture(os.path.join(folder, files[i].path))
            except BrokenPicture as error:
                broken[i] = str(error)

    said = time.monotonic()
    starts = range(0, len(files), _AT_ONCE)
    with (warnings.catch_warnings(), ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool,
          tqdm(total=len(files), desc='Reading pictures', unit=' files', delay=2, dynamic_ncols=True,
               disable=not (sys.stderr and sys.stderr.isatty())) as bar):
        warnings.simplefilter('ignore', Image.DecompressionBombWarning)  # those count as broken
        for start, _ in zip(starts, pool.map(read, starts)):
            bar.update(min(_AT_ONCE, len(files) - start))
            if bar.disable and time.monotonic() - said > 30:
                say(f'pictures: {start:,} of {len(files):,} files read')
                said = time.monotonic()
    good = np.ones(len(files), bool)
    good[list(broken)] = False
    return images[good] if broken else images, broken


def _report(files, broken):
    first = [f'{files[i].path} ({broken[i]})' for i in sorted(broken)[:3]]
    more = f' and {len(broken) - 3:,} more' if len(broken) > 3 else ''
    say(f'pictures: {len(broken):,} of {len(files):,} files cannot be read and are left out: {", ".join(first)}{more}',
        sys.stderr)
