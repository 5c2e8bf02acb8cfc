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
    @raise UserError: where there is no picture, or none of a class can be read
    """
    paths, left_out = _list_pictures(folder)
    if left_out:
        print(f'pictures: left out by the ending of their names: {dict(left_out)}', flush=True)
    if not paths:
        raise UserError(f'there are no pictures in {folder}: name the folder that holds them with --data-dir')
    names, labels, test = _divide(paths)
    if names:  # repr: a name may hold control characters
        print(f'pictures: classes ({len(names)}): {", ".join(map(repr, names[:100]))}', flush=True)
    # Pillow lets other threads run while it decodes.
    images = thread_map(lambda path: _read_picture(os.path.join(folder, path)), paths, desc='Reading pictures',
                        max_workers=min(4, os.cpu_count() or 1), unit=' files', delay=2, disable=None)
    good = np.array([isinstance(image, np.ndarray) for image in images])
    if not good.all():
        some = ', '.join(f'{paths[i]!r} ({images[i]})' for i in np.flatnonzero(~good)[:3])
        print(f'pictures: {np.sum(~good):,} of {len(paths):,} files cannot be read and are left out, such as {some}',
              file=sys.stderr, flush=True)
    lost = np.setdiff1d(labels, labels[good])
    if len(lost):
        of_class = f' of the class {names[lost[0]]!r}' if names else ''
        raise UserError(f'none of the pictures{of_class} in {folder} can be read: replace or remove them')
    images, labels, test = _as_bytes([images[i] for i in np.flatnonzero(good)]), labels[good], test[good]
    return images[~test], labels[~test], images[test], labels[test]


def picture_classes(folder):
    """Names of the classes in the order of their labels; [] where pictures lie outside of folders."""
    return _divide(_list_pictures(folder)[0])[0]


def _list_pictures(folder):
    """Sorted paths of the pictures, relative to the folder, and a Counter of the endings of the other files."""
    paths, left_out = [], Counter()
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith('.') and name not in _NO_CLASSES
                      and not os.path.exists(os.path.join(place, name, 'settings.json'))]  # a run, and its samples
        below = os.path.relpath(place, folder)
        for name in names:
            ending = os.path.splitext(name)[1].lower()
            if ending in _ENDINGS and not name.startswith('.'):
                paths.append(os.path.normpath(os.path.join(below, name)))
            elif not name.startswith('.'):
                left_out[ending] += 1
    return sorted(paths), left_out


def _divide(paths):
    """Class names, [] where a picture lies in no folder; the label of each picture; and whether it is for testing."""
    folders = [path.split(os.sep)[:-1] for path in paths]
    parts = [_PARTS.get(names[0].lower()) if names else None for names in folders]
    is_divided = None not in parts and len(set(parts)) > 1
    if is_divided:
        folders = [names[1:] for names in folders]
    classes = [names[0] for names in folders] if all(folders) else []
    numbers = all(name.isascii() and name.isdigit() for name in classes)
    names = sorted(set(classes), key=lambda name: (int(name), name) if numbers else name)
    labels = np.array([names.index(name) for name in classes] or [0] * len(paths), np.int64)
    if is_divided:
        return names, labels, np.array(parts) == ('test' if 'test' in parts else 'val')
    test = np.zeros(len(paths), bool)
    for label in np.unique(labels):  # every seventh of a class, as of MNIST
        test[np.flatnonzero(labels == label)[6::7]] = True
    return names, labels, test


def _read_picture(path):
    """The square in the middle in grey, upright as the camera was held, on white where it is transparent: (28, 28).

    uint8 in 0..255; of more than 8 bits float32 in the file's own scale; of what cannot be read a string, why.
    """
    try:
        if not os.path.isfile(path):
            return 'not a file'  # a pipe would never end
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
    except Exception as error:  # damage shows as any of a dozen types
        return one_line(error)


def _as_bytes(images):
    """Pictures of more than 8 bits may use only 12 of 16: the brightest pixel of all of them becomes white."""
    deep = np.array([image.dtype != np.uint8 for image in images])
    images = np.stack(images)  # float32 if any is
    if deep.any():
        images[deep] *= 255 / max(images[deep].max(), 1e-9)
        images = np.rint(images.clip(0, 255)).astype(np.uint8)
    return images
