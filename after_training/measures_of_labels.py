"""Measures of a model that takes labels: does it draw what it is asked for, and can one learn the classes from it?"""

import numpy as np

from after_training import classifier, metrics
from after_training.inputs import random_inputs
from after_training.measurement import percentage
from common.errors import UserError


def measure_labels(trained, judge, logits, asked, train_split, test_split, rng, report):
    """
    @param judge: Classifier, trained on real images
    @param logits: (N, n_classes), its of generated images
    @param asked: labels that these were generated with, (N,)
    @param train_split, test_split: real (images, labels), as from `load_split`
    @param rng: for ten times as many images
    @param report: is called with a line of text about the progress
    @return: list of Measurement
    @raise UserError: where the data have other classes than the model
    """
    if judge.n_classes != trained.args.n_classes:
        raise UserError(f'the model was trained on {trained.args.n_classes} classes, these data have '
                        f'{judge.n_classes}: give those of the training with --dataset and --data-dir')
    n = len(logits)
    report(f'{10 * n:,} generated images')
    z, condition = random_inputs(trained, 10 * n, rng)
    generated, labels = metrics.as_ink(trained.generate(z, condition)), condition.argmax(axis=1)
    return [percentage('images of the label asked for, %', metrics.accuracy(logits.argmax(axis=1), asked),
                       judge.test_accuracy, samples=n),
            *measure_nearest(generated, labels, train_split, test_split, (n, 5 * n, 10 * n), report),
            measure_learning(generated, labels, judge, train_split, test_split, report)]


def measure_nearest(generated, labels, train_split, test_split, counts, report):
    """Test images classified by the nearest generated one."""
    (train, train_labels), (test, test_labels) = ((np.float32(images) / 255, labels)
                                                  for images, labels in (train_split, test_split))
    measured = []
    for n in counts:
        report(f'nearest of {n:,} generated images for each test image')
        found, real = (
            metrics.nearest_neighbour_error(images[:n], their_labels[:n], test, test_labels)
            if n <= len(images) else None
            for images, their_labels in ((generated, labels), (train, train_labels)))
        measured.append(percentage(
            f'nearest neighbour, {n:,} samples: error on test images, %', found, real, samples=n,
            paper='that of real images, by a convolutional one (Radford et al. 2015, 8.1)'))
    return measured


def measure_learning(generated, labels, judge, train_split, test_split, report):
    """The classification accuracy score of Ravuri & Vinyals 2019, "Classification accuracy score for conditional
    generative models": a classifier that has seen generated images only, on real test images.

    It is trained as the judge is, on as many images as there are real ones to train on, where so many are generated.
    """
    n = min(len(generated), len(train_split[0]))
    report(f'training a classifier on {n:,} generated images')
    weights = classifier.train(generated[:n], labels[:n], judge.n_classes, report=report)
    return percentage('classifier trained on generated images: accuracy on test images, %',
                      classifier.Classifier(weights).accuracy(*test_split), judge.test_accuracy, samples=n)
