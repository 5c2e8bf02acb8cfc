"""A folder of pictures as a data set like MNIST: the folders in it are the classes."""

import os
import sys
import warnings
from collections import Counter

import numpy as np
from PIL import Image, ImageOps
from tqdm.contrib.concurrent import thread_map

from common.errors import UserError, one_line

SIZE = 28
_ENDINGS = ('.png', '.jpg', '.jpeg', '.jfif', '.bmp', '.gif', '.webp', '.tif', '.tiff')
_FORMATS = ('PNG', 'JPEG', 'BMP', 'GIF', 'WEBP', 'TIFF')  # others, whatever a file is called, may start programs
_NO_CLASSES = ('__MACOSX', '@eaDir')  # folders that macOS's archives and Synology's disks add
_PARTS = {'train': 'train', 'training': 'train', 'val': 'val', 'valid': 'val', 'validation': 'val', 'dev': 'val',
          'eval': 'val', 'test': 'test', 'testing': 'test'}


def read_pictures(folder):
    """All pictures in a folder and the folders in it, in the order of their paths.

    Files that cannot be read or are no pictures are counted in a line each, and left out.

    @return: images, uint8 (N, 28, 28); labels, int64 (N,), indices into the class names; class names, empty where
             pictures lie outside of folders (the labels are 0); whether each image is for testing, bool (N,)
    @raise UserError: where there is no picture, none of a class can be read, or a folder cannot be read
    """
    paths, left_out = _list_pictures(folder)
    if left_out:
        endings = ', '.join(f'{count:,} {ending!r}' for ending, count in left_out.most_common(10))
        print(f'pictures: left out by the ending of their names: {endings}', flush=True)
    if not paths:
        raise UserError(f'there are no pictures in {folder} ({" ".join(_ENDINGS)}): name the folder that holds them '
                        'with --data-dir')
    classes, parts = _divide(paths)
    names = _in_order(classes)
    if names:  # repr: a name may hold control characters
        shared = os.path.commonpath([os.path.dirname(path) for path in paths])
        nested = len(names) == 1 and not parts and any(os.path.dirname(path) != shared for path in paths)
        hint = f'; the classes seem to be in {os.path.join(folder, shared)!r}' if nested else ''
        print(f'pictures: classes ({len(names)}): {", ".join(map(repr, names[:100]))}{hint}', flush=True)
    results = _read_files([os.path.join(folder, path) for path in paths])
    broken = [i for i, result in enumerate(results) if isinstance(result, str)]
    if broken:
        first = ', '.join(f'{paths[i]!r} ({results[i]})' for i in broken[:3])
        print(f'pictures: {len(broken):,} of {len(paths):,} files cannot be read and are left out: {first}'
              f'{", ..." if len(broken) > 3 else ""}', file=sys.stderr, flush=True)
    good = np.ones(len(paths), bool)
    good[broken] = False
    labels = np.array([names.index(name) for name in classes] if names else [0] * len(paths), np.int64)
    lost = np.setdiff1d(labels, labels[good])
    if len(lost):
        of_class = f' of the class {names[lost[0]]!r}' if names else ''
        raise UserError(f'none of the pictures{of_class} in {folder} can be read: replace or remove them')
    images = _as_bytes([results[i] for i in np.flatnonzero(good)])
    labels = labels[good]
    return images, labels, names, np.array(parts)[good] == 'test' if parts else _every_seventh(labels)


def picture_classes(folder):
    """Names of the classes in the order of their labels, as read_pictures gives them."""
    return _in_order(_divide(_list_pictures(folder)[0])[0])


def is_picture(name):
    return name.lower().endswith(_ENDINGS) and not name.startswith('.')


def _list_pictures(folder):
    """Sorted paths of the pictures, relative to the folder, and a Counter of the endings of the other files."""
    def refuse(error):
        raise UserError(f'the folder {error.filename!r} cannot be read ({one_line(error)}): name another one with '
                        '--data-dir, or change its permissions')

    paths, left_out = [], Counter()
    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith('.') and name not in _NO_CLASSES]
        below = os.path.relpath(place, folder)
        paths += [os.path.normpath(os.path.join(below, name)) for name in names if is_picture(name)]
        left_out.update(os.path.splitext(name)[1].lower() for name in names
                        if not is_picture(name) and not name.startswith('.'))
    return sorted(paths), left_out


def _divide(paths):
    """
    @param paths: relative to the folder
    @return: the class name of each picture, [] where one of them lies in no folder; and 'train' or 'test' for each,
             [] where the folder has no such division
    """
    folders = [path.split(os.sep)[:-1] for path in paths]
    parts = [_PARTS.get(names[0].lower()) if names else None for names in folders]
    divided = None not in parts and len(set(parts)) > 1
    if divided:
        folders = [names[1:] for names in folders]
        test = 'test' if 'test' in parts else 'val'
        parts = ['test' if part == test else 'train' for part in parts]
    return [names[0] for names in folders] if all(folders) else [], parts if divided else []


def _in_order(classes):
    """Their names once each: by number where all are numbers, otherwise by name."""
    numbers = all(name.isascii() and name.isdigit() for name in classes)
    return sorted(set(classes), key=lambda name: (int(name), name) if numbers else name)


def _every_seventh(labels):
    """Every seventh picture of a class is for testing, as of MNIST."""
    test = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        test[np.flatnonzero(labels == label)[6::7]] = True
    return test


def _read_files(paths):
    """For each file its image as from _read_picture, or in words why it cannot be read."""
    def read(path):
        try:
            return _read_picture(path)
        except Exception as error:  # damage shows as any of a dozen types
            return one_line(error)

    with warnings.catch_warnings():
        warnings.simplefilter('error', Image.DecompressionBombWarning)
        # Pillow lets other threads run while it decodes.
        return thread_map(read, paths, max_workers=min(4, os.cpu_count() or 1), desc='Reading pictures',
                          unit=' files', delay=2, disable=None)


def _read_picture(path):
    """The square in the middle in grey, upright as the camera was held, on white where it is transparent.

    @return: (28, 28), uint8 in 0..255; float32 for a picture of more than 8 bits, in the file's own scale
    """
    if not os.path.isfile(path):
        raise OSError('not a file')  # a pipe would never end
    with Image.open(path, formats=_FORMATS) as picture:
        picture.draft('L', (4 * SIZE, 4 * SIZE))  # JPEG: decodes no more than is needed
        picture = ImageOps.exif_transpose(picture)
        if picture.mode.startswith(('I', 'F')):
            picture = picture.convert('F')  # 'L' would cut it off at 255
        else:
            if picture.has_transparency_data:
                picture = picture.convert('RGBA')
                picture = Image.alpha_composite(Image.new('RGBA', picture.size, 'white'), picture)
            picture = picture.convert('L')
        return np.asarray(ImageOps.fit(picture, (SIZE, SIZE), Image.Resampling.LANCZOS))


def _as_bytes(images):
    """Pictures of more than 8 bits may use only 12 of 16: the brightest pixel of all of them becomes white."""
    white = max((image.max() for image in images if image.dtype != np.uint8), default=0)
    return np.stack([image if image.dtype == np.uint8 else
                     np.rint(np.clip(image, 0, white) * (255 / max(white, 1e-9))).astype(np.uint8)
                     for image in images])
