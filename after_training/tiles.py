"""Images side by side without gaps, exact to the pixel, and their files: PNG, animated PNG and GIF."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from common.errors import UserError

MAX_SIDE = 16384  # pixels; 256 MB for a square picture
_WHITE = 255
_CAPTION_HEIGHT = 24  # pixels


def to_uint8(images):
    """[-1, 1] to the grey levels 0 .. 255, any shape; all images on the same scale."""
    return np.rint((np.clip(images, -1, 1) + 1) * 127.5).astype(np.uint8)


def tile(images, rows, columns, scale=1):
    """
    Put images into rows
    @param images: rows * columns images, row by row, (N, height, width) in [-1, 1]
    @param rows: number of rows
    @param columns: number of columns
    @param scale: height and width of the square that each pixel becomes
    @return: uint8 (rows * height * scale, columns * width * scale)
    @raise UserError: where a side is longer than MAX_SIDE
    """
    _, height, width = images.shape
    if max(rows * height, columns * width) * scale > MAX_SIDE:
        raise UserError(f'the picture would be {columns * width * scale} x {rows * height * scale} pixels, at most '
                        f'{MAX_SIDE} a side are drawn: choose fewer rows or columns, or a smaller --scale')
    grid = to_uint8(images).reshape(rows, columns, height, width).swapaxes(1, 2)
    return enlarge(grid.reshape(rows * height, columns * width), scale)


def enlarge(picture, scale):
    """Each pixel of (height, width) becomes a square of scale x scale pixels."""
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)


def beside(left, right, gap=20):
    """Two pictures of the same height, uint8 (height, width), with `gap` white pixels between them."""
    return np.hstack((left, np.full((len(left), gap), _WHITE, np.uint8), right))


def write_png(path, picture, notes):
    """
    Write a picture
    @param path: file name
    @param picture: uint8 (height, width)
    @param notes: {keyword: text} to keep in the file
    @raise OSError: where it cannot be written
    """
    Image.fromarray(picture).save(path, format='PNG', pnginfo=_png_notes(notes))


def write_animation(path, pictures, captions, milliseconds, notes, kind):
    """
    Write an animation that repeats for ever, each picture below its caption
    @param path: file name
    @param pictures: at least one, each uint8 (height, width)
    @param captions: a short text for each
    @param milliseconds: how long each is shown, a list
    @param notes: {keyword: text} to keep in the file
    @param kind: 'GIF', or 'PNG' for an animated PNG
    @raise OSError: where it cannot be written
    """
    frames = _with_captions(pictures, captions)
    comment = ({'pnginfo': _png_notes(notes)} if kind == 'PNG'
               else {'comment': '; '.join(f'{name}: {text}' for name, text in notes.items()).encode()})
    frames[0].save(path, format=kind, save_all=True, append_images=frames[1:], duration=milliseconds, loop=0,
                   **comment)


def _with_captions(pictures, captions):
    font = ImageFont.load_default(16)
    height, width = pictures[0].shape
    width = max(width, *(int(font.getlength(caption)) + 8 for caption in captions))
    frames = []
    for picture, caption in zip(pictures, captions):
        frame = Image.new('L', (width, _CAPTION_HEIGHT + height), _WHITE)
        ImageDraw.Draw(frame).text((4, 2), caption, fill=0, font=font)
        frame.paste(Image.fromarray(picture), (0, _CAPTION_HEIGHT))
        frames.append(frame)
    return frames


def _png_notes(notes):
    info = PngImagePlugin.PngInfo()
    for name, text in notes.items():
        info.add_text(name, text)
    return info
