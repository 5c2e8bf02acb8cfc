"""The pictures of sample.py: a grid, an animation, generated images beside real ones."""

import os
import sys

import numpy as np

from after_training.arguments import data_of_run
from after_training.tiles import beside, tile
from common import load_dataset, load_dataset_pad
from common.checkpoints import DamagedCheckpoint, kept_epochs
from common.errors import UserError


def draw(args, trained, inputs):
    """The grid, uint8 (height, width)."""
    return tile(trained.generate(inputs.z, inputs.condition), inputs.rows, inputs.columns, args.scale or 2)


def animate_epochs(args, trained, inputs):
    """The same images at all kept epochs: their pictures, captions and durations in milliseconds."""
    pictures, captions = [], []
    for epoch, checkpoint in kept_epochs(os.path.join(trained.run_dir, 'checkpoints')).items():
        try:
            trained.restore(checkpoint)
        except DamagedCheckpoint as error:  # or deleted by a training that goes on
            print(f'epoch {epoch} is left out: {checkpoint.path} is damaged ({error})', file=sys.stderr)
            continue
        pictures.append(draw(args, trained, inputs))
        captions.append(f'epoch {epoch}')
    if len(pictures) < 2:
        raise UserError(f'--animate needs at least two kept epochs, {trained.run_dir} has {len(pictures)} usable: '
                        'train with a smaller --keep-every or a larger --keep-last')
    print('frames:', ', '.join(captions))
    return pictures, captions, [500] * (len(pictures) - 1) + [2000]


def animate_codes(args, trained, inputs):
    """The first continuous code from -3 to 3 and back: pictures, captions and durations in milliseconds."""
    there = np.linspace(-3, 3, 13)
    values = np.concatenate((there, there[-2:0:-1]))
    pictures = []
    for value in values:
        inputs.condition[:, 0] = value
        pictures.append(draw(args, trained, inputs))
    return pictures, [f'continuous code {value:+.1f}' for value in values], [150] * len(values)


def draw_beside_real(args, trained, inputs, rng):
    """The picture, and the answer."""
    load = load_dataset_pad if trained.image_size == 32 else load_dataset  # with the frame that the training saw
    data, n = load(**data_of_run(args, trained.run), split=trained.args.split), len(inputs.z)
    if n > len(data):
        raise UserError(f'there are {len(data)} real images, not {n}: choose fewer --rows or --columns')
    real = data[rng.choice(len(data), n, replace=False)].reshape(n, trained.image_size, trained.image_size)
    generated = draw(args, trained, inputs)
    real = tile(real, inputs.rows, inputs.columns, args.scale or 2)
    if rng.integers(2):
        return beside(real, generated), 'the left half is real, the right half is generated'
    return beside(generated, real), 'the left half is generated, the right half is real'
