"""Measures of any model. Each function returns a list of Measurement."""

import numpy as np

from after_training import metrics
from after_training.measurement import Measurement, percentage

BANDWIDTHS = np.round(np.logspace(-1, 0, 21), 3)


def measure_appearance(generated, train, test):
    """Quality and variety as the classifier sees them.

    @param generated, train, test: its logits (N, n_classes) and features (N, 128) of generated and of real images;
        `train` is of at most as many images as `generated`
    """
    (logits, features), (train_logits, train_features), (test_logits, test_features) = generated, train, test
    shares, test_shares = metrics.class_shares(logits), metrics.class_shares(test_logits)
    n_classes = len(shares)

    def score(name, metric):
        return Measurement(name, metric(logits), metrics.standard_error(metric, logits), samples=len(logits),
                           real=metric(test_logits), real_error=metrics.standard_error(metric, test_logits))

    def distance(name, generated, real, real_test):
        value, floor = ((metrics.frechet_distance(some, real_test),
                         metrics.standard_error(metrics.frechet_distance, some, real_test))
                        for some in (generated, real))
        return Measurement(name, *value, samples=len(logits), real=floor[0], real_error=floor[1])

    n = min(len(features), len(train_features), len(test_features))
    pairs = zip(metrics.precision_and_recall(features[:n], test_features[:n]),
                metrics.precision_and_recall(train_features[:n], test_features[:n]))
    precision, recall = (percentage(name, share, real, samples=n) for name, (share, real) in zip(
        ('precision: generated images among real ones, %', 'recall: real images among generated ones, %'), pairs))
    return [score(f'classifier score, 1 to {n_classes}', metrics.classifier_score),
            distance('Fréchet distance, features', features, train_features, test_features),
            distance('Fréchet distance, logits', logits, train_logits, test_logits),
            precision, recall,
            Measurement(f'classes that occur, of {n_classes}', metrics.mode_coverage(shares), samples=len(logits),
                        real=metrics.mode_coverage(test_shares)),
            score('total variation of the classes from uniform',
                  lambda logits: metrics.total_variation(metrics.class_shares(logits)))]


def measure_copies(images, classes, train, test, test_classes):
    """Whether training images were memorized.

    @param images, train, test: generated images, all training images and test images, (N, 28, 28) in [0, 1]
    @param classes, test_classes: where the classifier puts the generated and the test images, (N,)
    """
    rows = (metrics.nearest_distances(images, train), classes, metrics.nearest_distances(test, train), test_classes)
    share = metrics.share_nearer(*rows), metrics.standard_error(metrics.share_nearer, *rows)
    return [percentage('nearer to a training image than a test image of the class is, %', share, (0.5, None),
                       samples=len(images))]


def measure_likelihood(images, train, validation, test):
    """Gaussian Parzen window, the bandwidth chosen on `validation`; all (N, 28, 28) in [0, 1].

    The value of training images is a reference, no bound: images that are smoother than real ones can exceed it.
    """
    def likelihood(centres):
        bandwidth = float(metrics.choose_bandwidth(centres, validation, BANDWIDTHS))
        return (*metrics.parzen_log_likelihood(centres, test, bandwidth), bandwidth)

    value, error, bandwidth = likelihood(images)
    real, real_error, _ = likelihood(train)
    return [Measurement(f'Parzen-window log-likelihood, nats (bandwidth {bandwidth})', value, error,
                        samples=len(images), real=real, real_error=real_error,
                        paper='225 ± 2 (Goodfellow et al. 2014), with labels 132 ± 1.8 (Mirza & Osindero 2014)')]
