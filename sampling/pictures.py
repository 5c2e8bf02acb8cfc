"""What sample.py writes: pictures, animations, arrays and folders of single images, each whole or not at all."""

import contextlib
import glob
import os
import re

import numpy as np
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin
from tqdm import tqdm

from common.datasets import load_dataset, load_dataset_pad
from common.errors import UserError, one_line
from common.files import atomic_file
from sampling.trained_model import data_of_run

import tensorflow.compat.v1 as tf

MAX_SIDE = 16384  # pixels; 256 MB for a square picture
_WHITE = 255
_CAPTION_HEIGHT = 24  # pixels


def to_uint8(images):
    """[-1, 1] to the grey levels 0 .. 255, any shape.

    All images have one scale, so that the same image has the same greys in a strip, in a GIF and in a file of its own.
    The training's pictures, samples/epoch_*.png, are drawn as the chapter does, with each image stretched to its own
    darkest and lightest pixel (common.images.display_images): those of the first epochs have more contrast there.
    """
    return np.rint((np.clip(images, -1, 1) + 1) * 127.5).astype(np.uint8)


def tile(images, rows, columns, scale=1):
    """Put images into rows without gaps; what is missing in the last row is white.

    images: at most rows * columns, row by row, (N, height, width) in [-1, 1]. scale: height and width of the square
    that each pixel becomes. Returns uint8 (rows * height * scale, columns * width * scale). Raises UserError where a
    side is longer than MAX_SIDE.
    """
    n, height, width = images.shape
    if max(rows * height, columns * width) * scale > MAX_SIDE:
        raise UserError(f'the picture would be {columns * width * scale} x {rows * height * scale} pixels, at most '
                        f'{MAX_SIDE} a side are drawn: choose fewer --rows or --columns, or a smaller --scale')
    grid = np.full((rows * columns, height, width), _WHITE, np.uint8)
    grid[:n] = to_uint8(images)
    grid = grid.reshape(rows, columns, height, width).swapaxes(1, 2)
    return enlarge(grid.reshape(rows * height, columns * width), scale)


def enlarge(picture, scale):
    """Each pixel of (height, width) becomes a square of scale x scale pixels."""
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)


def draw(trained, inputs, scale):
    """The grid of images, uint8 (height, width)."""
    return tile(trained.generate(inputs.z, inputs.condition), inputs.rows, inputs.columns, scale)


def draw_beside_real(args, trained, inputs, scale, rng):
    """Generated images and as many real ones, on random sides: the picture, and the answer."""
    load = load_dataset_pad if trained.image_size == 32 else load_dataset  # with the border that the training saw
    data, n = load(**data_of_run(args, trained), split=trained.args.split), len(inputs.z)
    if n > len(data):
        raise UserError(f'there are {len(data)} real images, not {n}: choose fewer --rows or --columns')
    real = data[rng.choice(len(data), n, replace=False)].reshape(n, trained.image_size, trained.image_size)
    real, generated = tile(real, inputs.rows, inputs.columns, scale), draw(trained, inputs, scale)
    gap = np.full((len(real), 20), _WHITE, np.uint8)
    if rng.integers(2):
        return np.hstack((real, gap, generated)), 'the left half is real, the right half is generated'
    return np.hstack((generated, gap, real)), 'the left half is generated, the right half is real'


def animate_epochs(run_dir):
    """The frames of `write_gif` from the pictures that the training drew after each epoch."""
    pictures = {}
    for file in glob.glob(os.path.join(glob.escape(run_dir), 'samples', 'epoch_*.png')):
        with contextlib.suppress(OSError, ValueError), Image.open(file) as image:  # or it is no picture of a training
            pictures[int(os.path.basename(file)[len('epoch_'):-len('.png')])] = np.array(image.convert('L'))
    if len(pictures) < 2:
        raise UserError(f'--animate needs the pictures of two epochs, {run_dir} has {len(pictures)} usable: '
                        'train for longer')
    milliseconds = max(50, min(500, 20_000 // len(pictures)))
    frames = [(f'epoch {epoch}', pictures[epoch], milliseconds) for epoch in sorted(pictures)]
    return frames[:-1] + [(*frames[-1][:2], 2000)]


def animate_inputs(args, trained, inputs, scale):
    """The frames of `write_gif`: the first continuous code, or the noise, moves there and back."""
    there = np.linspace(-3, 3, 13) if args.traversal else np.linspace(0, 1, args.interpolate)
    frames = []
    for value in (*there, *there[-2:0:-1]):
        if args.traversal:
            inputs.condition[:, 0] = value
            frames.append((f'continuous code {value:+.1f}', draw(trained, inputs, scale), 150))
        else:
            z = (1 - value) * inputs.z + value * inputs.z_end
            frames.append((f'{value:.0%} of the way', draw(trained, inputs._replace(z=z), scale), 150))
    return frames


def write_png(path, picture, notes):
    """Write a picture, uint8 (height, width). notes: {keyword: text} to keep in the file. Raises OSError."""
    info = PngImagePlugin.PngInfo()
    for keyword, text in notes.items():
        info.add_text(keyword, text)
    Image.fromarray(picture).save(path, format='PNG', pnginfo=info)


def write_gif(path, frames, notes):
    """Write an animation that repeats for ever. frames: (caption, uint8 (height, width), milliseconds), ..."""
    font = ImageFont.load_default(16)
    height, width = frames[0][1].shape
    width = max(width, *(int(font.getlength(caption)) + 8 for caption, _, _ in frames))
    images = []
    for caption, picture, _ in frames:
        image = Image.new('L', (width, _CAPTION_HEIGHT + height), _WHITE)
        ImageDraw.Draw(image).text((4, 2), caption, fill=0, font=font)
        image.paste(Image.fromarray(picture), (0, _CAPTION_HEIGHT))
        images.append(image)
    images[0].save(path, format='GIF', save_all=True, append_images=images[1:], loop=0,
                   duration=[milliseconds for _, _, milliseconds in frames],
                   comment='; '.join(f'{keyword}: {text}' for keyword, text in notes.items()).encode())


def write_picture(file, args, trained, run_dir, inputs, rng, notes):
    """The picture that `args` ask for; trained and inputs are None where the training's own pictures are animated."""
    scale, answer = args.scale or 2, None
    if args.animate:
        frames = animate_inputs(args, trained, inputs, scale) if trained else animate_epochs(run_dir)
    elif args.beside_real:
        picture, answer = draw_beside_real(args, trained, inputs, scale, rng)
    else:
        picture = draw(trained, inputs, scale)
    with writing(file) as unfinished:
        if args.animate:
            write_gif(unfinished, frames, notes)
        else:
            write_png(unfinished, picture, notes)
    if answer:
        print('Look first. The answer:', answer)


def default_name(args, weights):
    """The file name of a picture without --out: what it shows, and which weights drew it."""
    shows = [(args.subject or 'grid').replace('_', '-')]
    for value in args.label, args.digits, args.category, args.interpolate:
        shows += [] if value is None else [in_a_file_name(str(value)[:20])]
    return '-'.join([*shows, weights]) + ('.gif' if args.animate else '.png')


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
    names = [''] * len(inputs.z)
    if trained.n_classes:
        categories = inputs.condition[:, trained.n_cont:].argmax(axis=1)
        names = ['_' + in_a_file_name(f'category{category}' if trained.n_cont else trained.class_names[category])
                 for category in categories]
    images = to_uint8(trained.generate(inputs.z, inputs.condition))
    for i, (image, name) in enumerate(zip(tqdm(images, unit=' images', disable=None, delay=1), names)):
        write_png(os.path.join(folder, f'{i:05}{name}.png'), enlarge(image, scale), notes)


def in_a_file_name(text):
    """Letters that are more than letters in the name of a file become _."""
    return re.sub(r'[^\w.+-]', '_', text)


@contextlib.contextmanager
def writing(path, whole=atomic_file):
    """Gives a name to write to, which becomes `path` when all is written; otherwise `path` is as it was.

    whole: atomic_file or atomic_folder. Raises UserError where it cannot be written.
    """
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        with whole(path) as unfinished:
            yield unfinished
    except (OSError, tf.errors.OpError) as error:
        raise UserError(f'cannot write {path} ({one_line(error)}): make room, or choose another name')
    print('wrote', path)
