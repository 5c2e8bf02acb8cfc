"""Draw what a trained model generates, from a checkpoint, without any training data.

MODEL is vanilla, dcgan, cgan, infogan or conv_cgan. Without further options it
draws a grid: random images (vanilla, dcgan), the classes in turn (cgan,
conv_cgan), or a traversal of the codes (infogan). The noise is that of the
training's own pictures unless --seed asks for another.
"""

import argparse
import os
import shlex
import sys

from after_training import pretrained, writing
from after_training.arguments import add_data_arguments_of_run, add_model_arguments
from after_training.inputs import choose_inputs, find_labels
from after_training.trained_model import load
from after_training.trained_run import find_run
from common import number, random_stream, run_script
from common.arguments import Parser, path
from common.scripts import load_script

EXAMPLES = """
examples:
  python sample.py cgan --pretrained                  a ready-made model: no training needed
  python sample.py cgan                               a grid, ten columns for ten digits
  python sample.py cgan --digits 31415926             a number as one strip
  python sample.py infogan --traversal --animate      the continuous code moves
  python sample.py dcgan --animate --out dcgan.gif    the same noise, epoch after epoch
  python sample.py vanilla --interpolate 12           from one image to another in 12 steps
  python sample.py dcgan --beside-real                can you tell which is which?
  python sample.py cgan --count 10000 --files digits  10,000 PNG files: 00000_0.png, 00001_1.png, ...
  python sample.py dcgan --count 10000 --npz dcgan.npz
  python sample.py cgan --export models/cgan/1        for TensorFlow Serving, or:
      f = tf.saved_model.load('models/cgan/1').signatures['serving_default']
      f(z=noise, y=one_hot_labels)['images']

--npz holds images (float32 in [-1, 1]), images_uint8 (the same, 0 .. 255), z,
labels and class_names (cgan, conv_cgan) or codes (infogan: the continuous ones,
then the category one-hot), and the model, its checkpoint and the seed. Pictures
carry their command, epoch and seed as text inside the file.
"""
# Options that ask for an input of the generator: y labels, c codes.
NEEDS = {'label': 'y', 'digits': 'y', 'traversal': 'c', 'random_codes': 'c'}
NAMES = {'y': 'labels', 'c': 'codes'}
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
    ('files', 'beside_real', 'the files are for generated images'),
    ('files', 'animate', 'the files are for one grid of images'),
    ('count', 'rows', 'choose one'),
    ('count', 'digits', 'the digits are counted already'),
    ('count', 'interpolate', 'choose --rows'),
    ('count', 'traversal', 'choose --rows'),
    ('count', 'out', 'a picture has rows and columns'),
    ('pretrained', 'checkpoint', 'choose one'),
)


def parser():
    result = Parser(description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_arguments(result)
    result.add_argument('--pretrained', action='store_true',
                        help=f'the ready-made generator in {pretrained.FOLDER}/, instead of one that was trained here')
    result.add_argument('--seed', type=number(int, 0, high=2**31 - 1), metavar='N',
                        help='of everything that is random here (default: that of the training)')

    grid = result.add_argument_group('what to draw')
    size = number(int, 1, high=500)
    grid.add_argument('--rows', type=size, metavar='N', help='rows of images (default: 4; 1 with --digits)')
    grid.add_argument('--columns', type=size, metavar='N', help='columns of images (default: 10)')
    grid.add_argument('--count', type=number(int, 1, high=250_000), metavar='N',
                      help='number of images for --files and --npz, instead of rows times columns; '
                           'infogan: with random codes')
    grid.add_argument('--label', metavar='CLASS',
                      help='cgan, conv_cgan: nothing but this class, by its name or its number: --label 7')
    grid.add_argument('--digits', type=digits, metavar='NUMBER',
                      help='cgan, conv_cgan: this number as one strip; any letters that are names of classes')
    grid.add_argument('--traversal', action='store_true',
                      help='infogan, its default: the categories are the columns, in the order of the classes where '
                           'evaluate.py has found them; the first continuous code goes from -3 to 3 down the rows; '
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
    output.add_argument('--out', type=path, metavar='FILE',
                        help='the picture, .png, or .gif with --animate (default: named after what it shows, in the '
                             'samples folder of the run; none where only --files, --npz or --export is given)')
    output.add_argument('--scale', type=number(int, 1, high=32), metavar='N',
                        help='a pixel of an image becomes N x N pixels (default: 2; 1 in --files)')
    output.add_argument('--files', type=path, metavar='FOLDER',
                        help='each image as a PNG of its own, named by number and class, into a new or empty folder')
    output.add_argument('--npz', type=path, metavar='FILE',
                        help='the images, and what they were generated from, as NumPy arrays')
    output.add_argument('--export', type=path, metavar='FOLDER',
                        help='the generator as a SavedModel into a new or empty folder')
    return result


def digits(text):
    """An argparse type: 1 to 500 letters, each the name of a class."""
    if not 1 <= len(text) <= 500:
        raise argparse.ArgumentTypeError(f'must be 1 to 500 letters, not {len(text)}')
    return text


def parse(argv=None):
    """The arguments, after refusing what makes no sense together."""
    command = parser()
    args = command.parse_args(argv)
    words = ['python', 'sample.py', *(sys.argv[1:] if argv is None else argv)]
    args.command = shlex.join(words).encode('utf-8', 'replace').decode()  # a file name may be no text
    inputs = load_script(args.model).INPUTS
    for name, needed in NEEDS.items():
        if is_set(args, name) and needed not in inputs:
            command.error(f'{option(name)} is for models that take {NAMES[needed]}, {args.model} takes none')
    if 'c' in inputs:
        args.random_codes |= bool(args.count) and not args.traversal
        args.traversal |= not (args.random_codes or args.interpolate or args.animate or args.beside_real)
    for one, other, why in NOT_TOGETHER:
        if is_set(args, one) and is_set(args, other):
            command.error(f'{option(one)} and {option(other)} cannot be combined: {why}')
    if args.animate and not args.traversal and (args.checkpoint or args.pretrained):
        command.error(f'--animate goes through all kept epochs: leave out '
                      f'{"--pretrained" if args.pretrained else "--checkpoint"}')
    if args.count and not (args.files or args.npz):
        command.error('--count is for --files and --npz: a picture has --rows and --columns')
    if not args.beside_real and (args.data_dir or args.dataset):
        command.error('--data-dir and --dataset are for --beside-real only: nothing else here needs data')
    kinds = ('.gif', '.png', '.apng') if args.animate else ('.png',)
    if args.out and not args.out.lower().endswith(kinds):
        command.error(f'--out must end in {" or ".join(kinds)}, not {args.out!r}')
    for name in ('files', 'export'):
        folder = getattr(args, name)
        if folder and os.path.lexists(folder) and not (os.path.isdir(folder) and not os.listdir(folder)):
            command.error(f'{folder} is there already: {option(name)} wants a new or an empty folder')
    return args


def is_set(args, name):
    value = getattr(args, name)
    return value is not None and value is not False


def option(name):
    return '--' + name.replace('_', '-')


def main(argv=None):
    args = parse(argv)
    run = pretrained.find(args.model, args.logdir) if args.pretrained else find_run(args.model, args.logdir)
    labels = find_labels(args, run)
    trained = load(run, args.checkpoint)
    seed = run.args.seed if args.seed is None else args.seed
    print(f'{args.model}, seed {seed}, from {trained.source}')

    rng = random_stream(seed, 'sample')
    picture = args.out or not (args.files or args.npz or args.export)
    inputs = choose_inputs(args, trained, labels, rng) if picture or args.files or args.npz else None
    if picture:
        writing.write_picture(args, trained, seed, rng, inputs)
    if args.files:
        writing.write_files(args, trained, seed, inputs)
    if args.npz:
        writing.write_npz(args, trained, seed, inputs)
    if args.export:
        writing.write_export(args, trained)
    trained.close()


if __name__ == '__main__':
    run_script(main)
