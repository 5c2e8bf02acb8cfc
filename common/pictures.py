"""A folder of pictures as a data set like MNIST: the folders in it are the classes."""

import os
import sys
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
    """
    All pictures in a folder and the folders in it; files that cannot be read are left out, and counted in a line
    @return: x_train, y_train, x_test, y_test; uint8 (N, 28, 28), and int64 (N,), indices into `picture_classes`, or 0
    @raise UserError: where there is no picture, none of a class can be read, or a folder cannot be read
    """
    paths, left_out = _list_pictures(folder)
    if left_out:
        endings = ', '.join(f'{count:,} {ending!r}' for ending, count in left_out.most_common(10))
        print(f'pictures: left out by the ending of their names: {endings}', flush=True)
    if not paths:
        raise UserError(f'there are no pictures in {folder}: name the folder that holds them with --data-dir')
    names, labels, test = _divide(paths)
    if names:  # repr: a name may hold control characters
        places = {os.path.dirname(path) for path in paths}
        shared = os.path.commonpath(places)
        hint = f'; the classes seem to be in {os.path.join(folder, shared)!r}' if shared and len(places) > 1 else ''
        print(f'pictures: classes ({len(names)}): {", ".join(map(repr, names[:100]))}{hint}', flush=True)
    images = _read_files(folder, paths)
    good = np.array([image is not None for image in images])
    lost = np.setdiff1d(labels, labels[good])
    if len(lost):
        of_class = f' of the class {names[lost[0]]!r}' if names else ''
        raise UserError(f'none of the pictures{of_class} in {folder} can be read: replace or remove them')
    images, labels = _as_bytes([image for image in images if image is not None]), labels[good]
    test = _every_seventh(labels) if test is None else test[good]
    return images[~test], labels[~test], images[test], labels[test]


def picture_classes(folder):
    """Names of the classes in the order of their labels; [] where pictures lie outside of folders."""
    return _divide(_list_pictures(folder)[0])[0]


def _list_pictures(folder):
    """Sorted paths of the pictures, relative to the folder, and a Counter of the endings of the other files."""
    def refuse(error):
        raise UserError(f'the folder {error.filename!r} cannot be read: {one_line(error)}')

    paths, left_out = [], Counter()
    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith('.') and name not in _NO_CLASSES]
        below = os.path.relpath(place, folder)
        for name in names:
            ending = os.path.splitext(name)[1].lower()
            if name.startswith('.'):
                continue
            if ending in _ENDINGS:
                paths.append(os.path.normpath(os.path.join(below, name)))
            else:
                left_out[ending] += 1
    return sorted(paths), left_out


def _divide(paths):
    """
    @param paths: relative to the folder
    @return: class names, [] where a picture lies in no folder; the label of each picture; and whether it is for
             testing, None where the folder has no such division
    """
    folders = [path.split(os.sep)[:-1] for path in paths]
    parts = [_PARTS.get(names[0].lower()) if names else None for names in folders]
    test = None
    if None not in parts and len(set(parts)) > 1:
        test = np.array(parts) == ('test' if 'test' in parts else 'val')
        folders = [names[1:] for names in folders]
    if not all(folders):
        return [], np.zeros(len(paths), np.int64), test
    classes = [names[0] for names in folders]
    numbers = all(name.isascii() and name.isdigit() for name in classes)
    names = sorted(set(classes), key=lambda name: (int(name), name) if numbers else name)
    return names, np.array([names.index(name) for name in classes], np.int64), test


def _every_seventh(labels):
    """Every seventh picture of a class is for testing, as of MNIST."""
    test = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        test[np.flatnonzero(labels == label)[6::7]] = True
    return test


def _read_files(folder, paths):
    """For each file its image as from _read_picture, or None where it cannot be read."""
    errors = {}

    def read(path):
        try:
            return _read_picture(os.path.join(folder, path))
        except Exception as error:  # damage shows as any of a dozen types
            errors[path] = one_line(error)

    # Pillow lets other threads run while it decodes.
    images = thread_map(read, paths, max_workers=min(4, os.cpu_count() or 1), desc='Reading pictures', unit=' files',
                        delay=2, disable=None)
    if errors:
        some = ', '.join(f'{path!r} ({errors[path]})' for path in sorted(errors)[:3])
        print(f'pictures: {len(errors):,} of {len(paths):,} files cannot be read and are left out, such as {some}',
              file=sys.stderr, flush=True)
    return images


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
