"""Measures of InfoGAN: what its discriminator reads from images, and what its continuous codes do to them."""

import numpy as np

from after_training import metrics
from after_training.inputs import random_inputs
from after_training.measurement import Measurement, percentage
from common.packed_images import PackedImages


def measure_codes(trained, made, codes, train_split, test_split, rng):
    """
    @param made: generated images as the model makes them, (N, 32, 32) in [-1, 1]
    @param codes: (N, n_cont + n_categories), theirs
    @param train_split, test_split: real (images, labels), as from `load_split`
    @param rng: for pairs of images
    @return: list of Measurement, and the class of each category
    """
    classes, category_error = measure_categories(trained, train_split, test_split)
    cont, cat = trained.recognize(made)
    n_cont, n_categories = cont.shape[1], cat.shape[1]
    measured = [category_error,
                Measurement(f'information of the category, nats (at most {np.log(n_categories):.2f})',
                            *metrics.categorical_information(cat, codes[:, n_cont:].argmax(axis=1)),
                            samples=len(made))]
    images = metrics.as_ink(made)
    properties = (('slant', metrics.slants, 'degrees'), ('stroke width', metrics.stroke_widths, 'pixels'))
    values = {name: function(images) for name, function, _ in properties}
    for i in range(n_cont):
        code = 'the continuous code' if n_cont == 1 else f'continuous code {i + 1}'
        measured += [Measurement(f'information of {code}, nats',
                                 *metrics.gaussian_information(cont[:, i], codes[:, i]), samples=len(made)),
                     measure_correlation(code, 'posterior mean', cont[:, i], codes[:, i])]
        pairs = generate_pairs(trained, i, max(len(made) // 10, 10), rng)
        for name, function, unit in properties:
            change = function(pairs[1]) - function(pairs[0])
            change = change[np.isfinite(change)]
            measured += [measure_correlation(code, name, values[name], codes[:, i]),
                         Measurement(f'change of {name} with {code} from -2 to 2, {unit}',
                                     *metrics.mean_and_error(change), samples=len(change))]
    return measured, classes.tolist()


def measure_categories(trained, train_split, test_split):
    """The category as a classifier: which class each category is, chosen on training images, judged on test images.

    @return: classes of the categories (n_categories,), and the error as a Measurement
    """
    (categories, labels), (test_categories, test_labels) = (
        (trained.recognize(PackedImages(images, trained.image_shape)[:])[1].argmax(axis=1), labels)
        for images, labels in ((train_split[0][:len(test_split[0])], train_split[1][:len(test_split[0])]), test_split))
    n_classes = 1 + max(labels.max(), test_labels.max())
    classes = metrics.best_assignment(
        metrics.confusion_matrix(categories, labels, trained.args.n_classes, n_classes))
    right, error = metrics.accuracy(classes[test_categories], test_labels)
    return classes, percentage('category as a classifier: error on test images, %', (1 - right, error),
                               samples=len(test_labels), paper='5 (Chen et al. 2016)')


def generate_pairs(trained, i, n, rng):
    """Pairs of images with continuous code i at -2 and at 2, and nothing else that differs: 2 arrays (n, 28, 28)."""
    z, low = random_inputs(trained, n, rng)
    low[:, i] = -2
    high = low.copy()
    high[:, i] = 2
    return [metrics.as_ink(trained.generate(z, codes)) for codes in (low, high)]


def measure_correlation(code, name, values, codes):
    r, *interval = metrics.correlation(values, codes)
    return Measurement(f'correlation of {code} and the {name}', r, interval=interval, samples=len(codes))
