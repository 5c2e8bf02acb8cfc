"""Arrays as people save them: accepted where there is only one way to read them, otherwise refused with the reason."""

import math

import numpy as np

from common.errors import UserError, one_line

# A file that declares more is not believed: the largest relative of MNIST has 814,000 images.
_MAX_ITEMS = 1_000_000
_MAX_BYTES = 2**31

_ANOTHER_COPY = 'put a good copy in its place, or name another folder with --data-dir'
_AS_MNIST = ('save it again with images as uint8 (N, 28, 28) from 0 (black) to 255 (white) '
             'and labels as integers (N,)')


class BadFile(ValueError):
    """
    @param why: what is wrong
    @param advice: what the user can do
    """

    def __init__(self, why, advice=_ANOTHER_COPY):
        super().__init__(why)
        self.advice = advice


def read_file(path, parse):
    """
    Read a file of the user's
    @param parse: takes the open file; may raise whatever it likes
    @return: what `parse` returns
    @raise UserError: names the file, the reason, and what to do
    """
    try:
        with open(path, 'rb') as file:
            return parse(file)
    except MemoryError:
        raise  # not the file's fault
    except Exception as error:  # damage shows as any of a dozen types
        advice = getattr(error, 'advice', _ANOTHER_COPY)
        raise UserError(f'{path} cannot be used ({one_line(error)}): {advice}') from error


def check_header(name, shape, dtype, images):
    """
    Refuse an array by what its file declares, before anything is allocated or decoded
    @param name: of the array
    @param images: whether it should hold images, otherwise labels
    @raise BadFile: where it cannot be images of 28 x 28 or labels
    """
    shape = tuple(shape)
    sizes = [n for n in shape if n != 1]
    if images:
        good = any(sizes in ([n, 28, 28], [28, 28], [n, 784], [784]) for n in sizes[:1]) and dtype.kind in 'buif'
        wanted, advice = 'images (N, 28, 28)', _AS_MNIST
        n_items = sizes[0] if len(sizes) > 1 and sizes != [28, 28] else 1
    else:
        good = len(shape) > 0 and len(sizes) <= 1 and dtype.kind in 'uif'
        wanted, advice = 'labels (N,)', _AS_MNIST
        n_items = sizes[0] if sizes else 1
        if len(sizes) == 2 and sizes[1] <= 100:
            advice = 'one-hot labels become integers by y.argmax(axis=1); ' + advice
    if not good:
        raise BadFile(f'{name} is {dtype} {shape} instead of {wanted}', advice)
    if not 1 <= n_items <= _MAX_ITEMS or math.prod(shape) * dtype.itemsize > _MAX_BYTES:
        raise BadFile(f'{name} has {n_items} items, not 1 to {_MAX_ITEMS:,}, or takes more than 2 GB')


def as_images(name, array):
    """
    @param name: of the array
    @param array: bool, integers or floats; (N, 28, 28), flat rows (N, 784), or with more axes of one
    @return: uint8 (N, 28, 28)
    @raise BadFile: where the range of its values does not tell which of them is white
    """
    images = array.reshape(-1, 28, 28)
    if images.dtype.kind == 'b':
        return images * np.uint8(255)
    low, high = images.min(), images.max()
    if not (low >= 0 and high <= 255):  # NaN fails here, too
        scale = '; from -1 to 1 they become so by (x + 1) * 127.5' if low >= -1 and high <= 1 else ''
        raise BadFile(f'{name} has values from {low} to {high}, not 0 to 255', _AS_MNIST + scale)
    whole = images.dtype.kind != 'f' or all((part == np.rint(part)).all() for part in _parts(images))
    if not whole and high > 1:
        raise BadFile(f'{name} has values up to {high} that are not whole numbers',
                      'round them, and ' + _AS_MNIST)
    if whole and high == 1:
        raise BadFile(f'{name} has only the values 0 and 1, and 1 may be white or nearly black',
                      'if 1 is white, multiply by 255, and ' + _AS_MNIST)
    if images.dtype == np.uint8:
        return images
    result = np.empty(images.shape, np.uint8)
    for part, out in zip(_parts(images), _parts(result)):
        out[:] = part if whole else np.rint(part * 255)
    return result


def _parts(images):
    # All of them as float64 are large, and temporary arrays as large again.
    return (images[start:start + 1000] for start in range(0, len(images), 1000))


def as_labels(name, array):
    """
    @param name: of the array
    @param array: whole numbers of any type, (N,) or with more axes of one
    @return: int64 (N,)
    @raise BadFile: where they are not whole numbers
    """
    labels = array.reshape(-1)
    if labels.dtype.kind == 'f' and not (np.isfinite(labels).all() and (labels == np.rint(labels)).all()):
        raise BadFile(f'{name} has labels that are not whole numbers', _AS_MNIST)
    return labels.astype(np.int64)


def check_pair(images, labels, known):
    """
    @param known: KnownSet
    @return: images upright, and labels that begin with 0
    @raise BadFile: where they do not belong together, or are not of this data set
    """
    if len(images) != len(labels):
        raise BadFile(f'there are {len(labels)} labels for {len(images)} images')
    last_label = known.first_label + len(known.class_names) - 1
    if labels.min() < known.first_label or labels.max() > last_label:
        raise BadFile(f'a label is not in {known.first_label}..{last_label}')
    if known.transposed:
        images = np.ascontiguousarray(images.transpose(0, 2, 1))
    return images, labels - known.first_label
