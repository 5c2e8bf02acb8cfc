"""Draw what a trained model generates, from a checkpoint, without any training data.

MODEL is vanilla, dcgan, cgan or infogan. Without further options it draws a
grid: random images (vanilla, dcgan), a column for each digit (cgan), or a
traversal of the codes (infogan). The noise is that of the training's own
pictures unless --seed asks for another.
"""

import argparse
import collections
import contextlib
import json
import os
import shlex
import sys
import tempfile

import numpy as np

from common import load_dataset, load_dataset_pad, random_stream, run_script, tf
from common.arguments import Parser, number
from common.checkpoints import kept_epochs
from common.errors import UserError, reason
from after_training.tiles import beside, tile, to_uint8, write_animation, write_png
from after_training.trained_model import (OF_THE_RUN, add_data_arguments_of_run, add_model_arguments, data_of_run,
                                   load_trained_model)

EXAMPLES = """
examples:
  python sample.py cgan                               a grid, ten columns for ten digits
  python sample.py cgan --digits 31415926             a number as one strip
  python sample.py infogan --traversal --animate      the continuous code moves
  python sample.py dcgan --animate --out dcgan.gif    the same noise, epoch after epoch
  python sample.py vanilla --interpolate 12           from one image to another in 12 steps
  python sample.py dcgan --beside-real                can you tell which is which?
  python sample.py dcgan --rows 100 --columns 100 --npz dcgan.npz
  python sample.py cgan --export models/cgan/1        for TensorFlow Serving, or:
      f = tf.saved_model.load('models/cgan/1').signatures['serving_default']
      f(z=noise, y=one_hot_labels)['images']

--npz holds images (float32 in [-1, 1]), images_uint8 (the same, 0 .. 255), z,
labels (cgan) or codes (infogan: the continuous one, then the category one-hot),
and the model, its checkpoint and the seed. Pictures carry their command, epoch
and seed as text inside the file.
"""
ONLY_FOR = {'label': 'cgan', 'digits': 'cgan', 'traversal': 'infogan', 'random_codes': 'infogan'}
NOT_TOGETHER = (
    ('digits', 'label', 'the digits are the labels'),
    ('digits', 'columns', 'each digit is a column'),
    ('digits', 'interpolate', 'choose one'),
    ('interpolate', 'columns', 'each step is a column'),
    ('traversal', 'interpolate', 'choose one'),
    ('traversal', 'random_codes', 'choose one'),
    ('random_codes', 'interpolate', 'choose one'),
    ('beside_real', 'label', 'the labels are random'),
    ('beside_real', 'digits', 'the labels are random'),
    ('beside_real', 'traversal', 'the codes are random'),
    ('beside_real', 'interpolate', 'choose one'),
    ('beside_real', 'animate', 'choose one'),
    ('npz', 'beside_real', 'the file is for generated images'),
    ('npz', 'animate', 'the file is for one grid of images'),
)
# The images to generate, row by row: noise (N, noise_size), and condition (N, 10 or 11) or None.
Inputs = collections.namedtuple('Inputs', 'rows columns z condition')


def parser():
    result = Parser(description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_arguments(result)
    result.add_argument('--seed', type=number(int, 0, high=2**31 - 1), metavar='N',
                        help=f'of everything that is random here (default: {OF_THE_RUN})')

    grid = result.add_argument_group('what to draw')
    size = number(int, 1, high=500)
    grid.add_argument('--rows', type=size, metavar='N', help='rows of images (default: 4; 1 with --digits)')
    grid.add_argument('--columns', type=size, metavar='N', help='columns of images (default: 10)')
    grid.add_argument('--label', type=number(int, 0, high=9), metavar='DIGIT', help='cgan: nothing but this digit')
    grid.add_argument('--digits', type=digits, metavar='NUMBER', help='cgan: this number as one strip')
    grid.add_argument('--traversal', action='store_true',
                      help='infogan, its default: the categories are the columns, in the order of the digits where '
                           'evaluate.py has found them; the continuous code goes from -3 to 3 down the rows; '
                           'the noise is the same everywhere')
    grid.add_argument('--random-codes', action='store_true',
                      help='infogan: noise and codes of each image are random, as in training')
    grid.add_argument('--interpolate', type=number(int, 2, high=500), metavar='STEPS',
                      help='each row goes from one noise vector to another in STEPS images. The noise is uniform in '
                           'a cube, so the straight line between two vectors stays where the training has been')
    grid.add_argument('--animate', action='store_true',
                      help='GIF, or APNG where --out ends in .png: the same noise at all kept epochs; '
                           'with --traversal the continuous code from -3 to 3 and back, another noise in each row')
    grid.add_argument('--beside-real', action='store_true',
                      help='as many real images beside the generated ones, on a random side; the answer is printed. '
                           'This alone needs a data set')
    add_data_arguments_of_run(grid)

    output = result.add_argument_group('where to')
    output.add_argument('--out', metavar='FILE',
                        help='the picture, .png, or .gif with --animate (default: named after what it shows, in the '
                             'samples folder of the run; none where only --npz or --export is given)')
    output.add_argument('--scale', type=number(int, 1, high=32), default=2, metavar='N',
                        help='a pixel of an image becomes N x N pixels (default: %(default)s)')
    output.add_argument('--npz', metavar='FILE', help='the images, and what they were generated from, as NumPy arrays')
    output.add_argument('--export', metavar='DIR',
                        help='the generator as a SavedModel into a new or empty folder')
    return result


def digits(text):
    """An argparse type: 1 to 500 decimal digits."""
    if not text.isascii() or not text.isdigit() or len(text) > 500:
        raise argparse.ArgumentTypeError(f'must be 1 to 500 digits from 0 to 9, not {text!r}')
    return [int(digit) for digit in text]


def parse(argv=None):
    """The arguments, after refusing what makes no sense together."""
    command = parser()
    args = command.parse_args(argv)
    words = ['python', 'sample.py', *(sys.argv[1:] if argv is None else argv)]
    args.command = shlex.join(words).encode('utf-8', 'replace').decode()  # a file name may be no text
    for name, model in ONLY_FOR.items():
        if given(args, name) and args.model != model:
            command.error(f'{option(name)} is for {model} only, not for {args.model}')
    for one, other, why in NOT_TOGETHER:
        if given(args, one) and given(args, other):
            command.error(f'{option(one)} and {option(other)} cannot be combined: {why}')
    if args.animate and args.checkpoint and not args.traversal:
        command.error('--animate goes through all kept epochs: leave out --checkpoint')
    if not args.beside_real and (args.data_dir, args.dataset) != (OF_THE_RUN, OF_THE_RUN):
        command.error('--data-dir and --dataset are for --beside-real only: nothing else here needs data')
    kinds = ('.gif', '.png', '.apng') if args.animate else ('.png',)
    if args.out and not args.out.lower().endswith(kinds):
        command.error(f'--out must end in {" or ".join(kinds)}, not {args.out!r}')
    if args.export and os.path.lexists(args.export) and not (
            os.path.isdir(args.export) and not os.listdir(args.export)):
        command.error(f'{args.export} is there already: --export wants a new or an empty folder')
    if args.model == 'infogan' and not (args.random_codes or args.interpolate or args.animate or args.beside_real):
        args.traversal = True
    return args


def given(args, name):
    value = getattr(args, name)
    return value is not None and value is not False  # the label 0 is given


def option(name):
    return '--' + name.replace('_', '-')


# What to generate

def choose_inputs(args, trained, rng):
    """Noise and labels or codes of all images.

    @param rng: np.random.Generator; the noise is its first draw, as in the training's own grid
    @return: Inputs
    """
    rows = args.rows or (1 if args.digits else 4)
    columns = len(args.digits or ()) or args.interpolate or args.columns or 10
    row, column = np.divmod(np.arange(rows * columns), columns)

    def noise(n):
        return rng.uniform(-1, 1, size=(n, trained.settings['noise_size']))

    if args.interpolate:
        start, end = noise(2 * rows).reshape(2, rows, 1, -1)
        t = np.linspace(0, 1, columns)[:, None]
        z = ((1 - t) * start + t * end).reshape(rows * columns, -1)
    elif args.traversal:
        z = noise(rows)[row] if args.animate else noise(1).repeat(rows * columns, axis=0)
    else:
        z = noise(rows * columns)

    condition = None
    if args.model == 'cgan':
        condition = np.eye(10)[choose_labels(args, row, column, rng)]
    if args.model == 'infogan':
        condition = choose_codes(args, trained, row, column, rng)
    return Inputs(rows, columns, z, condition)


def choose_labels(args, row, column, rng):
    """For CGAN the digit of each image."""
    if args.label is not None:
        return np.full(len(row), args.label)
    if args.digits:
        return np.array(args.digits)[column]
    if args.beside_real:
        return rng.integers(10, size=len(row))
    return (row if args.interpolate else column) % 10


def choose_codes(args, trained, row, column, rng):
    """For InfoGAN the codes of each image, (N, 11): the continuous one, then the category, one-hot."""
    if args.random_codes or args.beside_real:
        return trained.script.gen_condition_variable(
            len(row), trained.script.n_classes, trained.script.n_cont, rng)
    if args.interpolate:
        cont, category = np.zeros(len(row)), category_order(trained)[row % 10]
    else:
        n_rows = row[-1] + 1
        cont = np.linspace(-3, 3, n_rows)[row] if n_rows > 1 else np.zeros(len(row))
        # The training's own grid has the categories as they come.
        category = (category_order(trained) if args.traversal else np.arange(10))[column % 10]
    return np.column_stack((cont, np.eye(10)[category]))


def category_order(trained):
    """InfoGAN's categories in the order of the digits that they stand for, where evaluate.py has found them."""
    path = os.path.join(trained.run_dir, 'evaluation.json')
    if not os.path.lexists(path):
        print('which digit a category stands for is not known before evaluate.py has run: '
              'the categories are drawn as 0 to 9')
        return np.arange(10)
    try:
        with open(path) as file:
            found = json.load(file)['category_to_digit']
        if sorted(found) != list(range(10)):
            raise ValueError('category_to_digit is not a permutation of 0 to 9')
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f'{path} cannot be used ({error}): the categories are drawn as 0 to 9', file=sys.stderr)
        return np.arange(10)
    order = np.argsort(found)
    print('digit = category, from evaluation.json:',
          ', '.join(f'{digit} = {category}' for digit, category in enumerate(order)))
    return order


# What to draw

def animate_epochs(args, newest, inputs):
    """The same images at all kept epochs: their pictures, captions and durations in milliseconds."""
    pictures, captions = [], []
    for epoch in kept_epochs(os.path.join(newest.run_dir, 'checkpoints')):
        try:
            trained = load_trained_model(args.model, args.logdir, epoch)
        except UserError as error:  # damaged, or deleted by a training that goes on
            print(f'epoch {epoch} is left out: {error}', file=sys.stderr)
            continue
        pictures.append(draw(args, trained, inputs))
        captions.append(f'epoch {epoch}')
        trained.close()
    if len(pictures) < 2:
        raise UserError(f'--animate needs at least two kept epochs, {newest.run_dir} has {len(pictures)} usable: '
                        'train with a smaller --keep-every or a larger --keep-last')
    print('frames:', ', '.join(captions))
    return pictures, captions, [500] * (len(pictures) - 1) + [2000]


def animate_codes(args, trained, inputs):
    """The continuous code from -3 to 3 and back: pictures, captions and durations in milliseconds."""
    there = np.linspace(-3, 3, 13)
    values = np.concatenate((there, there[-2:0:-1]))
    pictures = []
    for value in values:
        inputs.condition[:, 0] = value
        pictures.append(draw(args, trained, inputs))
    return pictures, [f'continuous code {value:+.1f}' for value in values], [150] * len(values)


def draw(args, trained, inputs):
    return tile(trained.generate(inputs.z, inputs.condition), inputs.rows, inputs.columns, args.scale)


def draw_beside_real(args, trained, inputs, rng):
    """The picture, and the answer."""
    load = load_dataset_pad if trained.image_size == 32 else load_dataset  # with the frame that the training saw
    data, n = load(*data_of_run(args, trained)), len(inputs.z)
    if n > len(data):
        raise UserError(f'there are {len(data)} real images, not {n}: choose fewer --rows or --columns')
    real = data[rng.choice(len(data), n, replace=False)].reshape(n, trained.image_size, trained.image_size)
    generated = draw(args, trained, inputs)
    real = tile(real, inputs.rows, inputs.columns, args.scale)
    if rng.integers(2):
        return beside(real, generated), 'the left half is real, the right half is generated'
    return beside(generated, real), 'the left half is generated, the right half is real'


# Writing

@contextlib.contextmanager
def complete(path):
    """A name to write to, which becomes `path` when all is written; otherwise `path` is as it was."""
    try:
        folder, name = os.path.split(os.path.abspath(path))
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix='.unfinished-', dir=folder) as unfinished:
            yield os.path.join(unfinished, name)
            os.replace(os.path.join(unfinished, name), path)
    except OSError as error:
        raise UserError(f'cannot write {path} ({reason(error)}): mend that, or choose another file')
    print('wrote', path)


def write_picture(args, trained, seed, rng, inputs):
    when = 'all_epochs' if args.animate and not args.traversal else os.path.basename(trained.checkpoint.path)
    name = f'{what(args)}-{when}.{"gif" if args.animate else "png"}'
    path = args.out or os.path.join(trained.run_dir, 'samples', name)
    notes = {'Software': args.command, 'Comment': f'{args.model}, {when}, seed {seed}'}
    if args.animate:
        pictures, captions, milliseconds = (animate_codes if args.traversal else animate_epochs)(args, trained, inputs)
        with complete(path) as file:
            write_animation(file, pictures, captions, milliseconds, notes,
                            'GIF' if path.lower().endswith('.gif') else 'PNG')
    elif args.beside_real:
        picture, answer = draw_beside_real(args, trained, inputs, rng)
        with complete(path) as file:
            write_png(file, picture, notes)
        print('Look first. The answer:', answer)
    else:
        with complete(path) as file:
            write_png(file, draw(args, trained, inputs), notes)


def what(args):
    """What a picture shows, as the first part of its name."""
    parts = [option(name)[2:] for name in ('digits', 'interpolate', 'traversal', 'random_codes', 'beside_real', 'label')
             if given(args, name)] or ['grid']
    if args.digits:
        parts.append(''.join(map(str, args.digits[:20])))
    if args.label is not None:
        parts.append(str(args.label))
    return '-'.join(parts + ['animated'] * args.animate)


def write_npz(args, trained, seed, inputs):
    images = trained.generate(inputs.z, inputs.condition)
    arrays = {'images': images, 'images_uint8': to_uint8(images), 'z': inputs.z.astype(np.float32)}
    if args.model == 'cgan':
        arrays['labels'] = inputs.condition.argmax(axis=1)
    if args.model == 'infogan':
        arrays['codes'] = inputs.condition.astype(np.float32)
    with complete(args.npz) as path, open(path, 'wb') as file:  # np.savez would add .npz to a name
        np.savez(file, **arrays, model=args.model, checkpoint=os.path.basename(trained.checkpoint.path), seed=seed)


def export(args, trained):
    try:
        trained.export(args.export)
    except (OSError, tf.errors.OpError) as error:
        raise UserError(f'cannot write {args.export} ({reason(error)}): mend that, or choose another folder')
    print('wrote', args.export)


def main(argv=None):
    args = parse(argv)
    trained = load_trained_model(args.model, args.logdir, args.checkpoint)
    seed = trained.settings['seed'] if args.seed is None else args.seed
    print(f'{args.model}, seed {seed}, from {trained.checkpoint.path}')

    rng = random_stream(seed, 'sample')
    picture = args.out or not (args.npz or args.export)
    inputs = choose_inputs(args, trained, rng) if picture or args.npz else None
    if picture:
        write_picture(args, trained, seed, rng, inputs)
    if args.npz:
        write_npz(args, trained, seed, inputs)
    if args.export:
        export(args, trained)
    trained.close()


if __name__ == '__main__':
    run_script(main)
