"""Draw what a trained model generates, from a checkpoint, without any training data.

MODEL is vanilla, dcgan, cgan, infogan or conv_cgan. Without further options it
draws a grid: random images (vanilla, dcgan), the classes in turn (cgan,
conv_cgan), or a traversal of the codes (infogan). The noise is that of the
training's own pictures unless --seed or --z says otherwise.
"""

import argparse
import os
import shlex
import sys

from common.arguments import Parser, number, path, run_script
from common.files import atomic_folder
from common.random_streams import random_stream
from common.scripts import generator_inputs, load_script
from sampling import pictures
from sampling.inputs import choose_inputs
from sampling.pretrained import load_pretrained
from sampling.trained_model import add_data_arguments_of_run, add_model_arguments, find_run, load_trained_model

EXAMPLES = """
examples:
  python sample.py cgan --pretrained                  a pretrained model: no training needed
  python sample.py cgan                               a grid, ten columns for ten digits
  python sample.py cgan --digits 31415926             a number as one strip
  python sample.py infogan --traversal --animate      the continuous code moves
  python sample.py dcgan --animate --out dcgan.gif    the same noise, epoch after epoch
  python sample.py vanilla --interpolate 12           from one image to another in 12 steps
  python sample.py dcgan --interpolate 12 --animate   forty images that change into others and back
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
# What to draw, and the input of the generator that it needs: z noise, y labels, c codes.
SUBJECTS = {'label': 'y', 'digits': 'y', 'category': 'c', 'traversal': 'c', 'random_codes': 'c', 'interpolate': 'z',
            'beside_real': 'z'}


def parser():
    result = Parser(description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    weights = add_model_arguments(result)
    weights.add_argument('--pretrained', action='store_true',
                         help='the generator in pretrained/, instead of one that was trained here')

    subject = result.add_argument_group('what to draw (one of these)').add_mutually_exclusive_group()
    subject.add_argument('--label', metavar='CLASS',
                         help='cgan, conv_cgan: nothing but this class, by its name or its number: --label 7')
    subject.add_argument('--digits', metavar='NUMBER',
                         help='cgan, conv_cgan: this number as one strip; any letters that are names of classes')
    subject.add_argument('--category', metavar='N',
                         help='infogan: nothing but this category; noise and continuous codes are random')
    subject.add_argument('--traversal', action='store_true',
                         help='infogan, its default: the categories are the columns, in the order of the classes '
                              'where evaluate.py has found them; the first continuous code goes from -3 to 3 down '
                              'the rows; the noise is the same everywhere')
    subject.add_argument('--random-codes', action='store_true',
                         help='infogan: noise and codes of each image are random, as in training')
    subject.add_argument('--interpolate', type=number(int, 2, high=500), metavar='STEPS',
                         help='each row goes from one noise vector to another in STEPS images. The noise is uniform '
                              'in a cube, so the straight line between two vectors stays where the training has been')
    subject.add_argument('--beside-real', action='store_true',
                         help='as many real images beside the generated ones, on a random side; the answer is '
                              'printed. This alone needs a data set')
    result.add_argument('--animate', action='store_true',
                        help='a GIF: the pictures that the training drew, epoch after epoch; with --traversal the '
                             'continuous code from -3 to 3 and back, another noise in each row; with --interpolate '
                             'each image of a grid becomes another and comes back')
    add_data_arguments_of_run(result)

    size = result.add_argument_group('how many, from which noise')
    size.add_argument('--columns', type=number(int, 1, high=500), metavar='N', help='columns of images (default: 10)')
    many = size.add_mutually_exclusive_group()
    many.add_argument('--rows', type=number(int, 1, high=500), metavar='N',
                      help='rows of images (default: 4; 1 with --digits)')
    many.add_argument('--count', type=number(int, 1, high=250_000), metavar='N',
                      help='number of images, instead of rows times columns; infogan: with random codes')
    many.add_argument('--z', type=path, metavar='FILE',
                      help='noise from a file of numpy.save, (N, noise_size) in [-1, 1]: an image for each vector; '
                           'with --interpolate from each to the next')
    size.add_argument('--seed', type=number(int, 0, high=2**31 - 1), metavar='N',
                      help='of everything that is random here (default: that of the training)')

    output = result.add_argument_group('output')
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


def parse(argv=None):
    """The arguments; each that would have no effect beside the others is refused."""
    command = parser()
    args = command.parse_args(argv)
    given = {name for name, value in vars(args).items() if value is not None and value is not False}
    inputs = generator_inputs(load_script(args.model))
    args.subject = next(iter(given & set(SUBJECTS)), None)
    args.of_epochs = args.animate and not (args.traversal or args.interpolate)
    args.draws = args.out or args.animate or args.beside_real or not given & {'files', 'npz', 'export'}
    of_images = {*SUBJECTS, 'rows', 'columns', 'count', 'z', 'seed'}
    for applies, useless, why in (
            (True, {name for name, needed in SUBJECTS.items() if needed not in inputs}, f'on {args.model}'),
            (args.of_epochs, of_images | {'scale', 'checkpoint', 'pretrained', 'export'},
             'on --animate, unless with --traversal or --interpolate: it shows what the training has drawn'),
            (args.animate, {'count', 'files', 'npz'}, 'on --animate'),
            (args.beside_real, {'count', 'files', 'npz'}, 'on --beside-real'),
            (not args.beside_real, {'data_dir', 'dataset'}, 'without --beside-real'),
            (args.traversal, {'z'}, 'on --traversal, where the noise is the same everywhere'),
            (args.interpolate and not args.animate, {'columns'}, 'on --interpolate, where each step is a column'),
            (not (args.draws or args.files), {'scale'}, 'without a picture or --files'),
            (not (args.draws or args.files or args.npz), of_images, 'on --export')):
        for name in sorted(given & useless if applies else ()):
            command.error(f'--{name.replace("_", "-")} has no effect {why}')

    if args.out and not args.out.lower().endswith('.gif' if args.animate else '.png'):
        command.error(f'--out must end in .png, or in .gif with --animate, not {args.out!r}')
    for folder in args.files, args.export:
        if folder and os.path.lexists(folder) and not (os.path.isdir(folder) and not os.listdir(folder)):
            command.error(f'{folder} is there already: choose a new or an empty folder')
    if 'c' in inputs and not args.subject and not args.of_epochs:
        args.subject = 'random_codes' if args.count or args.z else 'traversal'
        setattr(args, args.subject, True)
    return args


def main(argv=None):
    args = parse(argv)
    words = ['python', 'sample.py', *(sys.argv[1:] if argv is None else argv)]
    command = shlex.join(words).encode('utf-8', 'replace').decode()  # a file name may be no text
    if args.of_epochs:
        trained = inputs = None
        run_dir, saved = find_run(args.model, args.logdir)
        seed, name = saved['settings']['seed'], 'all_epochs'
    else:
        trained = (load_pretrained(args.model, args.logdir) if args.pretrained
                   else load_trained_model(args.model, args.logdir, args.checkpoint))
        run_dir, name = trained.run_dir, trained.name
        seed = trained.args.seed if args.seed is None else args.seed
        print(f'{args.model}, seed {seed}, from {trained.source}')
    notes = {'Software': command, 'Comment': f'{args.model}, {name}, seed {seed}'}
    rng = random_stream(seed, 'sample')
    if trained and (args.draws or args.files or args.npz):
        inputs = choose_inputs(args, trained, rng)
    if args.draws:
        file = args.out or os.path.join(run_dir, 'samples', pictures.default_name(args, name))
        pictures.write_picture(file, args, trained, run_dir, inputs, rng, notes)
    if args.files:
        with pictures.writing(args.files, atomic_folder) as folder:
            pictures.write_files(folder, trained, inputs, args.scale or 1, notes)
    if args.npz:
        with pictures.writing(args.npz) as file:
            pictures.write_npz(file, trained, seed, inputs)
    if args.export:
        with pictures.writing(args.export, atomic_folder) as folder:
            trained.export(folder)


if __name__ == '__main__':
    run_script(main)
