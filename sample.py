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

import numpy as np

from common.arguments import Parser, number, path, run_script
from common.errors import UserError
from common.files import atomic_folder
from common.random_streams import random_stream
from common.scripts import generator_inputs, load_script
from sampling import pictures
from sampling.trained_model import add_model_arguments, default_condition, load_model

EXAMPLES = """
examples:
  python sample.py cgan --pretrained                  a pretrained model: no training needed
  python sample.py cgan                               a grid, ten columns for ten digits
  python sample.py cgan --digits 31415926             a number as one strip
  python sample.py infogan --traversal --animate      the continuous code moves
  python sample.py dcgan --animate --out dcgan.gif    the same noise, epoch after epoch
  python sample.py vanilla --interpolate 12           from one image to another in 12 steps
  python sample.py dcgan --interpolate 12 --animate   forty images that change into others and back
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


def parser():
    result = Parser(description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_arguments(result)
    subject = result.add_argument_group('what to draw (one of these)').add_mutually_exclusive_group()
    subject.add_argument('--label', '--category', metavar='CLASS',
                         help='cgan, conv_cgan: nothing but this class, by its name or its number: --label 7; '
                              'infogan: nothing but this category, with random continuous codes')
    subject.add_argument('--digits', metavar='NUMBER',
                         help='cgan, conv_cgan: this number as one strip; any letters that are names of classes')
    subject.add_argument('--traversal', action='store_true',
                         help='infogan, its default: the categories are the columns, in the order of the classes that '
                              'evaluate.py found; down the rows the first continuous code goes from -3 to 3')
    subject.add_argument('--interpolate', type=number(int, 2, high=500), metavar='STEPS',
                         help='each row goes from one noise vector to another in STEPS images, on a straight line')
    result.add_argument('--animate', action='store_true',
                        help='a GIF: the pictures of the training, epoch after epoch; with --traversal the continuous '
                             'code from -3 to 3 and back; with --interpolate each image becomes another and comes back')

    size = result.add_argument_group('how many, how large, from which noise')
    size.add_argument('--columns', type=number(int, 1, high=500), metavar='N', help='columns of images (default: 10)')
    many = size.add_mutually_exclusive_group()
    many.add_argument('--rows', type=number(int, 1, high=500), metavar='N',
                      help='rows of images (default: 4; 1 with --digits)')
    many.add_argument('--count', type=number(int, 1, high=250_000), metavar='N',
                      help='number of images, instead of rows times columns; infogan: with random codes')
    many.add_argument('--z', type=path, metavar='FILE',
                      help='an image from each noise vector in a file of numpy.save, (N, noise_size) in [-1, 1], or in '
                           'one of --npz; with --interpolate from each to the next')
    size.add_argument('--seed', type=number(int, 0, high=2**31 - 1), metavar='N',
                      help='of everything that is random here (default: that of the training)')
    size.add_argument('--scale', type=number(int, 1, high=32), metavar='N',
                      help='a pixel of an image becomes N x N pixels (default: 2; 1 in --files)')

    output = result.add_argument_group('output (one of these)').add_mutually_exclusive_group()
    output.add_argument('--out', type=path, metavar='FILE',
                        help='a picture, .png, or .gif with --animate (default: named after what it shows, in the '
                             'samples folder of the run)')
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
    inputs = generator_inputs(load_script(args.model))
    args.of_epochs = args.animate and not (args.traversal or args.interpolate)
    for applies, useless in (
            ('c' not in inputs, ['traversal']),
            (inputs == ('z',), ['label', 'digits']),
            (args.npz, ['scale']),
            (args.traversal, ['z']),
            (args.z and 'c' not in inputs, ['seed']),
            (args.files or args.npz or args.export, ['animate']),
            (args.of_epochs, ['checkpoint', 'pretrained']),
            (args.of_epochs or args.export, ['label', 'digits', 'traversal', 'interpolate', 'rows', 'columns', 'count',
                                             'z', 'seed', 'scale'])):
        for name in useless if applies else ():
            if getattr(args, name) != command.get_default(name):
                command.error(f'--{name} has no effect with {args.model}, or together with the other options')
    if args.out and not args.out.lower().endswith('.gif' if args.animate else '.png'):
        command.error(f'--out must end in .png, or in .gif with --animate, not {args.out!r}')
    if 'c' in inputs and not (args.label or args.digits or args.interpolate or args.count or args.z or args.of_epochs):
        args.traversal = True
    return args


def requested_classes(args, trained):
    """The numbers of the classes that --label or --digits name, a list; [] where neither is given."""
    classes = {str(number): number for number in range(trained.n_classes)}
    if not trained.n_cont:
        classes.update((name, label) for label, name in enumerate(trained.class_names))
    texts = args.digits or ([args.label] if args.label is not None else [])
    for text in texts:
        if text not in classes:
            raise UserError(f'{text!r} is not a class of this {trained.model}: choose from {[*classes]}')
    return [classes[text] for text in texts]


def choose_inputs(args, trained, rng):
    """The Inputs of all images; their noise is the first draw of `rng`, as in the training's own grid."""
    requested = requested_classes(args, trained)
    steps = args.interpolate if args.interpolate and not args.animate else 1  # images side by side
    columns = args.columns or len(args.digits or '') or (
        trained.n_classes if args.traversal else steps if steps > 1 else 10)
    n = args.count or (args.rows * columns if args.rows else len(args.digits or '') or 4 * columns)
    if args.z:  # an image of each vector, or an interpolation from each to the next
        own = pictures.read_noise(args.z, trained.args.noise_size, at_least=2 if args.interpolate else 1)
        n = (len(own) - 1) * steps if args.interpolate else len(own)
    rows = -(-n // columns)
    row, column = np.divmod(np.arange(n), columns)
    way, step = np.divmod(np.arange(n), steps)

    def noise(n_vectors):
        return rng.uniform(-1, 1, size=(n_vectors, trained.args.noise_size))

    z_end = None
    if args.interpolate:
        z, z_end = (own[way], own[way + 1]) if args.z else (noise(way[-1] + 1)[way] for _ in range(2))
        if steps > 1:
            z += (step / (steps - 1))[:, None] * (z_end - z)
    elif args.traversal:
        z = noise(rows)[row] if args.animate else noise(1).repeat(n, axis=0)
    else:
        z = own if args.z else noise(n)

    condition, category = default_condition(trained, n, rng), None
    if requested:
        category = np.resize(requested, n)
    elif trained.n_classes and (args.traversal or args.interpolate):
        category = trained.class_order()[0][(column if args.traversal else way) % trained.n_classes]
        condition[:, :trained.n_cont] = 0
        if args.traversal and rows > 1:
            condition[:, 0] = np.linspace(-3, 3, rows)[row]
    if category is not None:
        condition[:, trained.n_cont:] = np.eye(trained.n_classes)[category]
    return pictures.Inputs(rows, columns, z, condition, z_end)


def default_name(args, weights):
    """A file in the samples folder of the run, whose name says what is shown, and which weights drew it."""
    shows = 'traversal' if args.traversal else 'grid'
    for option in 'label', 'digits', 'interpolate':
        if value := getattr(args, option):
            shows = f'{option}-{pictures.in_a_file_name(str(value)[:20])}'
    shows += f'-seed-{args.seed}' if args.seed is not None else ''
    return os.path.join(args.logdir, args.model, 'samples', f'{shows}-{weights}.{"gif" if args.animate else "png"}')


def main(argv=None):
    args = parse(argv)
    notes = {'Software': shlex.join(['python', 'sample.py', *(sys.argv[1:] if argv is None else argv)])}
    if args.of_epochs:
        with pictures.writing(args.out or default_name(args, 'all_epochs')) as file:
            pictures.write_gif(file, pictures.animate_epochs(os.path.join(args.logdir, args.model)), notes)
        return
    trained = load_model(args)
    seed = trained.args.seed if args.seed is None else args.seed
    print(f'{args.model}, seed {seed}, from {trained.source}')
    if args.export:
        with pictures.writing(args.export, atomic_folder) as folder:
            trained.export(folder)
        return

    scale = args.scale or (1 if args.files else 2)
    notes['Comment'] = f'{args.model}, {trained.name}, seed {seed}'
    inputs = choose_inputs(args, trained, random_stream(seed, 'sample'))
    if args.files:
        with pictures.writing(args.files, atomic_folder) as folder:
            pictures.write_files(folder, trained, inputs, scale, notes)
    elif args.npz:
        with pictures.writing(args.npz) as file:
            pictures.write_npz(file, trained, seed, inputs)
    else:
        with pictures.writing(args.out or default_name(args, trained.name)) as file:
            if args.animate:
                pictures.write_gif(file, pictures.animate_inputs(args, trained, inputs, scale), notes)
            else:
                pictures.write_png(file, pictures.draw(trained, inputs, scale), notes)


if __name__ == '__main__':
    run_script(main)
