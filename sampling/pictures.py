"""What sample.py reads and writes: noise; pictures, animations, arrays and single images, each whole or not at all."""

import contextlib
import glob
import os
import re
import zipfile
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, PngImagePlugin
from tqdm import tqdm

from common.errors import UserError, one_line
from common.files import atomic_file

import tensorflow.compat.v1 as tf

MAX_SIDE = 16384  # pixels; 256 MB for a square picture


class Inputs(NamedTuple):
    """What to draw in a grid: noise z (N, noise_size), and the condition as for `TrainedModel.generate`, or None.

    z_end: where an animated interpolation takes z, or None.
    """

    rows: int
    columns: int
    z: np.ndarray
    condition: np.ndarray
    z_end: np.ndarray


def read_noise(file, noise_size, at_least):
    """Noise vectors, float64 (N, noise_size), from a file of numpy.save or `z` of one of --npz."""
    try:
        content = np.load(file, allow_pickle=False)
        z = np.asarray(content if isinstance(content, np.ndarray) else content['z'])
        if z.dtype.kind not in 'fiu' or z.shape[1:] != (noise_size,) or len(z) < at_least or not np.isfinite(z).all():
            raise ValueError(f'{z.dtype}, {z.shape}')
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f'--z {file} must have {at_least} or more vectors of {noise_size} numbers ({one_line(error)})')
    return z.astype(np.float64)


def to_uint8(images):
    """[-1, 1] to the grey levels 0 .. 255, any shape; the training's pictures stretch each to its own extremes."""
    return np.rint((np.clip(images, -1, 1) + 1) * 127.5).astype(np.uint8)


def enlarge(picture, scale):
    """Each pixel of (height, width) becomes a square of scale x scale pixels."""
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)


def draw(trained, inputs, scale):
    """The images without gaps, uint8 (height, width), white where the last row is short; UserError if too large."""
    rows, columns, size = inputs.rows, inputs.columns, trained.image_size
    if max(rows, columns) * size * scale > MAX_SIDE:
        raise UserError(f'a side would have over {MAX_SIDE} pixels: draw fewer images, or choose a smaller --scale')
    grid = np.full((rows * columns, size, size), 255, np.uint8)
    grid[:len(inputs.z)] = to_uint8(trained.generate(inputs.z, inputs.condition))
    grid = grid.reshape(rows, columns, size, size).swapaxes(1, 2)
    return enlarge(grid.reshape(rows * size, columns * size), scale)


def animate_epochs(run_dir):
    """The frames of `write_gif` from the pictures that the training drew after each epoch."""
    files = sorted(glob.glob(os.path.join(glob.escape(run_dir), 'samples', 'epoch_*.png')))
    if len(files) < 2:
        raise UserError(f'--animate needs the pictures of two epochs, {run_dir} has {len(files)}: train for longer')
    return [(os.path.basename(file).removesuffix('.png'), np.array(Image.open(file).convert('L')))
            for file in files + 10 * files[-1:]]


def animate_inputs(args, trained, inputs, scale):
    """The frames of `write_gif`: the first continuous code, or the noise, moves there and back."""
    there = np.linspace(-3, 3, 13) if args.traversal else np.linspace(0, 1, args.interpolate)
    for value in (*there, *there[-2:0:-1]):
        if args.traversal:
            inputs.condition[:, 0] = value
            yield f'continuous code {value:+.1f}', draw(trained, inputs, scale)
        else:
            z = (1 - value) * inputs.z + value * inputs.z_end
            yield f'{value:.0%} of the way', draw(trained, inputs._replace(z=z), scale)


def write_png(path, picture, notes):
    """Write a picture, uint8 (height, width). notes: {keyword: text} to keep in the file. Raises OSError."""
    info = PngImagePlugin.PngInfo()
    for keyword, text in notes.items():
        info.add_text(keyword, text)
    Image.fromarray(picture).save(path, format='PNG', pnginfo=info)


def write_gif(path, frames, notes):
    """Write an animation that repeats for ever. frames: (caption, uint8 (height, width)), ..."""
    images = []
    for caption, picture in frames:
        image = Image.fromarray(np.pad(picture, ((24, 0), (0, 0)), constant_values=255))  # room for the caption
        ImageDraw.Draw(image).text((4, 2), caption, fill=0, font_size=16)
        images.append(image)
    images[0].save(path, format='GIF', save_all=True, append_images=images[1:], loop=0, duration=150,
                   comment='; '.join(f'{keyword}: {text}' for keyword, text in notes.items()).encode())


def write_npz(path, trained, seed, inputs):
    """All images and what they were generated from, as arrays."""
    images = trained.generate(inputs.z, inputs.condition)
    arrays = {'images': images, 'images_uint8': to_uint8(images), 'z': inputs.z.astype(np.float32)}
    if trained.n_cont:
        arrays['codes'] = inputs.condition.astype(np.float32)
    elif trained.n_classes:
        arrays.update(labels=inputs.condition.argmax(axis=1), class_names=np.array(trained.class_names))
    with open(path, 'wb') as file:  # np.savez would add .npz to a name
        np.savez(file, **arrays, model=trained.model, checkpoint=trained.name, seed=seed)


def write_files(folder, trained, inputs, scale, notes):
    """Each image as a PNG of its own, named by its number and its class, or its category where it has codes."""
    images = to_uint8(trained.generate(inputs.z, inputs.condition))
    for i, image in enumerate(tqdm(images, unit=' images', disable=None, delay=1)):
        name = f'{i:05}'
        if trained.n_classes:
            number = inputs.condition[i, trained.n_cont:].argmax()
            name += '_' + in_a_file_name(f'category{number}' if trained.n_cont else trained.class_names[number])
        write_png(os.path.join(folder, f'{name}.png'), enlarge(image, scale), notes)


def in_a_file_name(text):
    """Letters that are more than letters in the name of a file become _."""
    return re.sub(r'[^\w.+-]', '_', text)


@contextlib.contextmanager
def writing(path, whole=atomic_file):
    """As `whole`, atomic_file or atomic_folder, with a line on what was written, or UserError where it cannot be."""
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        with whole(path) as unfinished:
            yield unfinished
    except (OSError, tf.errors.OpError) as error:
        raise UserError(f'cannot write {path} ({one_line(error)}): make room, or choose another name')
    print('wrote', path)
