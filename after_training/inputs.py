"""What to generate: the noise of each image, and its label or codes."""

import json
import os
import sys
from dataclasses import dataclass

import numpy as np

from common.errors import UserError


@dataclass
class Inputs:
    """The images to generate, row by row.

    rows, columns: how they are laid out
    z: noise, (N, noise_size)
    condition: labels or codes as `TrainedModel.generate` takes them, or None
    """
    rows: int
    columns: int
    z: np.ndarray
    condition: np.ndarray = None


def find_label(text, class_names):
    """The label of a class that is asked for by its name or its number.

    @raise UserError: where there is none; lists those that there are
    """
    if text in class_names:
        return class_names.index(text)
    if text.isascii() and text.isdigit() and int(text) < len(class_names):
        return int(text)
    raise UserError(f'there is no class {text!r} among those of the training: choose from {", ".join(class_names)}')


def find_labels(args, run):
    """What --label or --digits ask for, as a list of labels; None where they are not given.

    @raise UserError: where the model has no such classes
    """
    if args.label is not None:
        return [find_label(args.label, run.class_names)]
    if args.digits is not None:
        missing = [letter for letter in args.digits if letter not in run.class_names]
        if missing:
            raise UserError(f'--digits takes letters that are names of classes, {missing[0]!r} is none: choose from '
                            f'{", ".join(run.class_names)}')
        return [run.class_names.index(letter) for letter in args.digits]
    return None


def choose_inputs(args, trained, labels, rng):
    """Noise and labels or codes of all images.

    @param labels: from `find_labels`
    @param rng: np.random.Generator; the noise is its first draw, as in the training's own grid
    @return: Inputs
    """
    rows, columns = layout(args, trained)
    row, column = np.divmod(np.arange(args.count or rows * columns), columns)

    def noise(n):
        return rng.uniform(-1, 1, size=(n, trained.args.noise_size))

    if args.interpolate:
        start, end = noise(2 * rows).reshape(2, rows, 1, -1)
        t = np.linspace(0, 1, columns)[:, None]
        z = ((1 - t) * start + t * end).reshape(rows * columns, -1)
    elif args.traversal:
        z = noise(rows)[row] if args.animate else noise(1).repeat(len(row), axis=0)
    else:
        z = noise(len(row))
    return Inputs(rows, columns, z, choose_condition(args, trained, labels, row, column, rng))


def layout(args, trained):
    """Rows and columns of the grid; with --count the last row may be short."""
    columns = (len(args.digits or ()) or args.interpolate or args.columns
               or (trained.args.n_classes if args.traversal else 10))
    rows = -(-args.count // columns) if args.count else args.rows or (1 if args.digits else 4)
    return rows, columns


def choose_condition(args, trained, labels, row, column, rng):
    """Labels (N, n_classes) or codes (N, n_cont + n_classes) of the images in these rows and columns, or None."""
    if len(trained.script.INPUTS) == 1:
        return None
    if args.random_codes or args.beside_real:
        return trained.script.random_condition(trained.args, len(row), rng)
    n_classes = trained.args.n_classes
    if labels:
        category = np.array(labels)[column % len(labels)]
    elif args.traversal or args.interpolate:
        order = category_order(trained) if trained.n_cont else np.arange(n_classes)
        category = order[(row if args.interpolate else column) % n_classes]
    else:
        category = np.arange(len(row)) % n_classes  # in turn, as in the training's own grid
    condition = np.zeros((len(row), trained.n_cont + n_classes))
    condition[np.arange(len(row)), trained.n_cont + category] = 1
    if trained.n_cont and not args.interpolate and row[-1]:
        condition[:, 0] = np.linspace(-3, 3, row[-1] + 1)[row]
    return condition


def random_inputs(trained, n, rng):
    """
    What to measure a model on: noise and codes as in training; labels in turn, so that all are equally frequent
    @return: z (n, noise_size), condition
    """
    z = rng.uniform(-1, 1, size=(n, trained.args.noise_size))
    if len(trained.script.INPUTS) == 1:
        return z, None
    if trained.n_cont:
        return z, trained.script.random_condition(trained.args, n, rng)
    return z, np.eye(trained.args.n_classes)[np.arange(n) % trained.args.n_classes]


def category_order(trained):
    """InfoGAN's categories in the order of the classes that they stand for, where evaluate.py has found them."""
    n_categories = trained.args.n_classes
    found, source = trained.run.evaluation, f'the ready-made {trained.model}'
    if found is None:
        source = os.path.join(trained.run_dir, 'evaluation.json')
        if not os.path.lexists(source):
            print('which class a category stands for is not known before evaluate.py has run: '
                  f'the categories are drawn as 0 to {n_categories - 1}')
            return np.arange(n_categories)
    try:
        if found is None:
            with open(source, encoding='utf-8') as file:
                found = json.load(file)
        classes, names = found['category_to_class'], found['class_names']
        meaning = [names[label] for label in classes]
        if len(classes) != n_categories:
            raise ValueError(f'it has {len(classes)} categories instead of {n_categories}')
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        print(f'{source} cannot be used ({error}): the categories are drawn as 0 to {n_categories - 1}',
              file=sys.stderr)
        return np.arange(n_categories)
    order = np.argsort(classes, kind='stable')
    print(f'class = category, from {os.path.basename(source)}:',
          ', '.join(f'{meaning[category]} = {category}' for category in order))
    return order


def name_of_each(trained, condition):
    """What each image shows, for the name of its file: its class, or 'category3' where it has codes; [] if neither."""
    if condition is None:
        return []
    categories = condition[:, trained.n_cont:].argmax(axis=1)
    return [f'category{category}' if trained.n_cont else trained.class_names[category] for category in categories]
