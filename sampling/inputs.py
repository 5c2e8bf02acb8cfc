"""What a generator is given: the noise of each image, and its label or codes."""

import zipfile
from typing import NamedTuple

import numpy as np

from common.errors import UserError, one_line


class Inputs(NamedTuple):
    """The images to generate, row by row; the last row may be short.

    rows, columns: how they are laid out. z: noise, (N, noise_size). condition: labels or codes as
    `TrainedModel.generate` takes them, or None. z_end: where an animated interpolation takes the noise, or None.
    """

    rows: int
    columns: int
    z: np.ndarray
    condition: np.ndarray = None
    z_end: np.ndarray = None


def choose_inputs(args, trained, rng):
    """Noise and labels or codes of all images, as Inputs.

    args: from sample.py. rng: np.random.Generator; the noise is its first draw, as in the training's own grid.
    """
    requested = requested_classes(args, trained)
    strips = args.interpolate and not args.animate  # the images of an interpolation stand side by side
    columns = args.columns or (len(args.digits) if args.digits else trained.n_classes if args.traversal
                               else args.interpolate if strips else 10)
    n = args.count or (args.rows * columns if args.rows else len(args.digits or '') or 4 * columns)
    if args.z:  # an image of each vector, or an interpolation from each to the next
        own = read_noise(args.z, trained.args.noise_size, at_least=2 if args.interpolate else 1)
        n = (len(own) - 1) * (args.interpolate if strips else 1) if args.interpolate else len(own)
    rows = -(-n // columns)
    row, column = np.divmod(np.arange(n), columns)
    way, step = np.divmod(np.arange(n), args.interpolate if strips else 1)

    def noise(n_vectors):
        return rng.uniform(-1, 1, size=(n_vectors, trained.args.noise_size))

    z_end = None
    if args.interpolate:
        z, z_end = (own[way], own[way + 1]) if args.z else (noise(way[-1] + 1)[way] for _ in range(2))
        if strips:
            z += (step / (args.interpolate - 1))[:, None] * (z_end - z)
    elif args.traversal:
        z = noise(rows)[row] if args.animate else noise(1).repeat(n, axis=0)
    else:
        z = own if args.z else noise(n)

    condition, category = default_condition(trained, n, rng), None
    if requested:
        category = np.resize(requested, n)
    elif trained.n_classes and (args.traversal or args.interpolate):
        order = category_order(trained)[0] if trained.n_cont else np.arange(trained.n_classes)
        category = order[(column if args.traversal else way) % trained.n_classes]
        condition[:, :trained.n_cont] = 0
        if args.traversal and rows > 1:
            condition[:, 0] = np.linspace(-3, 3, rows)[row]
    if category is not None:
        condition[:, trained.n_cont:] = np.eye(trained.n_classes)[category]
    return Inputs(rows, columns, z, condition, z_end)


def read_noise(file, noise_size, at_least):
    """Noise vectors, float64 (N, noise_size), from a file of numpy.save or `z` of one of --npz."""
    try:
        content = np.load(file, allow_pickle=False)
        z = np.asarray(content if isinstance(content, np.ndarray) else content['z'])
        z = z.astype(np.float64, casting='same_kind' if z.dtype.kind == 'c' else 'unsafe')  # complex: a TypeError
        if z.ndim != 2 or z.shape[1] != noise_size or len(z) < at_least or not np.isfinite(z).all():
            raise ValueError(f'shape {z.shape}')
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f'--z {file} cannot be used ({one_line(error)}): save {at_least} or more vectors of '
                        f'{noise_size} finite numbers with numpy.save')
    return z


def default_condition(trained, n, rng):
    """Codes of n images as in training, or labels in turn, all equally frequent; None where it takes neither."""
    if trained.n_cont:
        return trained.script.gen_condition_variable(n, trained.n_classes, trained.n_cont, rng)
    return np.eye(trained.n_classes)[np.arange(n) % trained.n_classes] if trained.n_classes else None


def random_inputs(trained, n, rng):
    """What to measure a model on: noise (n, noise_size), and the condition as `TrainedModel.generate` takes it."""
    z = rng.uniform(-1, 1, size=(n, trained.args.noise_size))
    return z, default_condition(trained, n, rng)


def requested_classes(args, trained):
    """The numbers of the classes that --label or --digits name, a list; [] where neither is given."""
    classes = {str(number): number for number in range(trained.n_classes)}
    if not trained.n_cont:
        classes.update((name, label) for label, name in enumerate(trained.class_names))
    texts = args.digits or ([args.label] if args.label is not None else [])
    for text in texts:
        if text not in classes:
            there = ', '.join(map(repr, classes))  # a folder's name may hold escape sequences
            raise UserError(f'{text!r} is no class of this {trained.model}: choose from {there}')
    return [classes[text] for text in texts]


def category_order(trained):
    """InfoGAN's categories, and what they draw, in the order of the classes where evaluate.py has found these."""
    found = trained.evaluation() or {}
    if 'category_to_class' not in found:  # or the data have no classes
        print('evaluate.py has not found yet which class each category stands for: they are drawn as 0, 1, 2, ...')
        return np.arange(trained.n_classes), [f'category {number}' for number in range(trained.n_classes)]
    classes = found['category_to_class']
    order = np.argsort(classes, kind='stable')
    names = [found['class_names'][classes[category]] for category in order]
    print('class = category, as evaluate.py has found it:', ', '.join(map('{} = {}'.format, names, order)))
    return order, names
