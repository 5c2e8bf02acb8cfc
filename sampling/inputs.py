"""What a generator is given: the noise of each image, and its label or codes."""

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
    """Noise and labels or codes of all images.

    args: from sample.py. rng: np.random.Generator; the noise is its first draw, as in the training's own grid.
    Returns Inputs. Raises UserError where there is no such class, or the file of --z cannot be used.
    """
    requested = requested_classes(args, trained)
    own_noise = read_noise(args.z, trained.args.noise_size, 2 if args.interpolate else 1) if args.z else None
    strips = args.interpolate and not args.animate  # each row is an interpolation
    columns = args.interpolate if strips else (
        args.columns or len(args.digits or ()) or (trained.n_classes if args.traversal else 10))
    if own_noise is not None:
        n = (len(own_noise) - 1 if args.interpolate else len(own_noise)) * (columns if strips else 1)
    else:
        n = args.count or (len(args.digits) if args.digits and not args.rows else (args.rows or 4) * columns)
    rows = -(-n // columns)
    row, column = np.divmod(np.arange(n), columns)

    def noise(n_vectors):
        return rng.uniform(-1, 1, size=(n_vectors, trained.args.noise_size))

    z_end = None
    if args.interpolate:
        n_ways = rows if strips else n
        z, z_end = noise(2 * n_ways).reshape(2, n_ways, -1) if own_noise is None else (own_noise[:-1], own_noise[1:])
        if strips:
            t = np.linspace(0, 1, columns)[:, None]
            z = ((1 - t) * z[:, None] + t * z_end[:, None]).reshape(rows * columns, -1)[:n]
    elif args.traversal:
        z = noise(rows)[row] if args.animate else noise(1).repeat(n, axis=0)
    else:
        z = noise(n) if own_noise is None else own_noise

    if not trained.n_classes:
        return Inputs(rows, columns, z, None, z_end)
    condition = random_condition(trained, n, rng)
    if not (args.random_codes or args.beside_real):
        if requested:
            category = np.array(requested)[np.arange(n) % len(requested)]
        else:
            order = category_order(trained) if trained.n_cont else np.arange(trained.n_classes)
            category = order[(row if strips else column if args.traversal else np.arange(n)) % trained.n_classes]
            condition[:, :trained.n_cont] = 0
            if args.traversal and rows > 1:
                condition[:, 0] = np.linspace(-3, 3, rows)[row]
        condition[:, trained.n_cont:] = np.eye(trained.n_classes)[category]
    return Inputs(rows, columns, z, condition, z_end)


def random_condition(trained, n, rng):
    """Labels or codes of n images as in training, any class as likely as any other; None where it takes neither."""
    if not trained.n_classes:
        return None
    if trained.n_cont:
        return trained.script.gen_condition_variable(n, trained.n_classes, trained.n_cont, rng)
    return np.eye(trained.n_classes)[rng.integers(trained.n_classes, size=n)]


def random_inputs(trained, n, rng):
    """What to measure a model on: noise and codes as in training; labels in turn, so that all are equally frequent.

    Returns z (n, noise_size) and the condition, as `TrainedModel.generate` takes them.
    """
    z = rng.uniform(-1, 1, size=(n, trained.args.noise_size))
    if trained.n_cont or not trained.n_classes:
        return z, random_condition(trained, n, rng)
    return z, np.eye(trained.n_classes)[np.arange(n) % trained.n_classes]


def requested_classes(args, trained):
    """The labels or categories that --label, --digits or --category name, a list; [] where none is given.

    Raises UserError where there are no such classes; lists those that there are.
    """
    classes = {str(number): number for number in range(trained.n_classes)}
    if not trained.n_cont:
        classes.update((name, label) for label, name in enumerate(trained.class_names))
    texts = args.digits or [text for text in (args.label, args.category) if text is not None]
    for text in texts:
        if text not in classes:
            there = ', '.join(map(repr, classes))  # a folder's name may hold escape sequences
            raise UserError(f'{text!r} is no class of this {trained.model}: choose from {there}')
    return [classes[text] for text in texts]


def read_noise(file, noise_size, at_least):
    """The noise vectors in a NumPy file, float32 (N, noise_size); UserError where they cannot be used."""
    try:
        noise = np.load(file, allow_pickle=False).astype(np.float32)
        if noise.ndim != 2 or noise.shape[1] != noise_size or len(noise) < at_least or not np.isfinite(noise).all():
            raise ValueError(f'its shape is {noise.shape}')
    except (OSError, ValueError, TypeError, AttributeError, EOFError) as error:
        raise UserError(f'--z {file} does not hold noise vectors ({one_line(error)}): save finite numbers of shape '
                        f'(N, {noise_size}), N at least {at_least}, with numpy.save')
    return noise


def category_order(trained):
    """InfoGAN's categories in the order of the classes that they stand for, where evaluate.py has found them."""
    found = trained.evaluation()
    if found is None:
        print('which class a category stands for is not known before evaluate.py has measured this checkpoint: '
              f'the categories are drawn as 0 to {trained.n_classes - 1}')
        return np.arange(trained.n_classes)
    classes = found['category_to_class']
    order = np.argsort(classes, kind='stable')
    print('class = category, as evaluate.py has found it:',
          ', '.join(f'{found["class_names"][classes[category]]} = {category}' for category in order))
    return order
