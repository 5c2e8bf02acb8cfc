"""One picture file, made into an image like MNIST's."""

import contextlib

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from common.errors import one_line

SIZE = 28
_FORMATS = ('PNG', 'JPEG', 'BMP', 'GIF', 'WEBP')
_MAX_PIXELS = 89_478_485  # from here on Pillow warns of a decompression bomb
_UPRIGHT = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
            5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_90}  # by EXIF's number for how the camera was held


class BrokenPicture(Exception):
    """It cannot be read; the message says why."""


def read_picture(path):
    """
    The square in the middle, in grey, upright as the camera was held, on white where it is transparent
    @param path: PNG, JPEG, BMP, GIF (its first frame) or WebP
    @return: uint8 (28, 28)
    @raise BrokenPicture: where it is damaged, of another kind, or claims to be gigantic
    """
    try:
        with Image.open(path, formats=_FORMATS) as picture:
            if picture.width * picture.height > _MAX_PIXELS:
                raise BrokenPicture(f'{picture.width} x {picture.height} pixels are too many')
            picture.draft('L', (4 * SIZE, 4 * SIZE))  # JPEG: decodes no more than is needed
            orientation = None
            with contextlib.suppress(Exception):  # damage here does not harm the picture
                orientation = picture.getexif().get(ExifTags.Base.Orientation)
            image = _scale(_grey(picture))
    except UnidentifiedImageError:
        raise BrokenPicture('not a picture') from None
    except BrokenPicture:
        raise
    except Exception as error:  # damage shows as any of a dozen types
        raise BrokenPicture(one_line(error)) from error
    if orientation in _UPRIGHT:
        image = image.transpose(_UPRIGHT[orientation])
    return np.asarray(image)


def _grey(picture):
    if picture.mode.startswith(('I', 'F')):  # 16 bits; Pillow would cut them off at 255
        return Image.fromarray((np.clip(np.asarray(picture), 0, 65535) // 257).astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert('RGBA')
        picture = Image.alpha_composite(Image.new('RGBA', picture.size, 'white'), picture)
    return picture.convert('L')


def _scale(image):
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.resize((SIZE, SIZE), Image.Resampling.LANCZOS, (left, top, left + side, top + side), reducing_gap=3)
