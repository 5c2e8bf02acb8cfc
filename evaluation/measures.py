"""The measures of a trained model, on the same real images and with the same reference classifier as of any other."""

import functools
import sys

import numpy as np
from sklearn.metrics import confusion_matrix

from common.errors import UserError
from common.random_streams import random_stream
from common.scripts import generator_inputs
from evaluation import classifier, metrics
from evaluation.results import FID, Measure
from sampling.inputs import random_inputs

N_VALIDATION = 1000  # training images, known to model and classifier, that choose the bandwidth of the Parzen window
BANDWIDTHS = np.round(np.logspace(-1, 0, 21), 3)
MIN_IMAGES = 128  # the batch of the classifier, and what InfoGAN's discriminator needs for its batch statistics


def progress(line):
    print(line, file=sys.stderr, flush=True)


class Evaluation:
    """Measures models.

    train_split, test_split: (images, labels) as from `load_split`. Images of one class only have no reference
    classifier, and get the measures that need none. cache_dir: where the classifier is kept. n_samples: images to
    generate. seed: of noise and codes. score: what to call the classifier score. Raises UserError where there are too
    few images.
    """

    def __init__(self, train_split, test_split, cache_dir, n_samples=10000, seed=0, score='MNIST score'):
        if min(len(train_split[0]), len(test_split[0])) < MIN_IMAGES:
            raise UserError(f'there are only {len(train_split[0])} training and {len(test_split[0])} test images: '
                            f'at least {MIN_IMAGES} of each are needed')
        self.n_samples, self.seed, self.score = n_samples, seed, score
        self.n_classes = 1 + int(max(train_split[1].max(), test_split[1].max()))
        self.classifier = None
        if self.n_classes > 1:
            self.classifier = classifier.load_or_train(cache_dir, *train_split, self.n_classes, report=progress)
        # Some measures take the first images only, and data may be sorted by class.
        (self.train, self.train_labels), (self.test, self.test_labels) = map(_shuffled, (train_split, test_split))
        n_validation = min(N_VALIDATION, len(self.train) // 10)
        self.validation, self.centres = self.train[-n_validation:], self.train[:-n_validation][:n_samples]
        if self.classifier:
            self.test_logits, self.test_features = self.classifier.logits_and_features(self.test)
            self.test_accuracy = self.accuracy(self.test_logits)

    def accuracy(self, test_logits):
        return _percent(metrics.share_and_error(test_logits.argmax(axis=1) == self.test_labels))

    def measure(self, trained):
        """All measures of a TrainedModel: a dict for the JSON, in which 'measures' is a list of Measure.

        Raises UserError where the model was trained on other classes.
        """
        takes_labels = 'y' in generator_inputs(trained.script)
        if takes_labels and trained.n_classes != self.n_classes:
            raise UserError(f'the model was trained on {trained.n_classes} classes, these data have {self.n_classes}: '
                            'give those of the training with --dataset and --data-dir')
        progress(f'{self.n_samples:,} generated images')
        z, condition = random_inputs(trained, self.n_samples, random_stream(self.seed, 'evaluation'))
        drawn = trained.generate(z, condition)
        images, more = metrics.to_unit_range(drawn), random_stream(self.seed, 'evaluation', 1)
        names = trained.class_names
        result = {'model': trained.model, 'epoch': trained.epoch, 'checkpoint': trained.source,
                  'training': trained.saved['settings'], 'test_images_seen': trained.args.split == 'all',
                  'seed': self.seed,
                  'class_names': names if len(names) == self.n_classes else list(map(str, range(self.n_classes)))}
        values = {}
        if self.classifier:
            logits, features = self.classifier.logits_and_features(images)
            result |= {'classifier': self.classifier.fingerprint, 'classifier_accuracy': self.test_accuracy,
                       'class_shares': metrics.class_shares(logits).tolist()}
            progress('quality and variety')
            values |= self.appearance(logits, features)
        progress('Parzen window')
        values |= self.likelihood(images)
        if takes_labels:
            values |= self.labels(trained, logits, condition, more)
        if trained.n_cont:
            progress('what the codes do to the images')
            if trained.name != 'pretrained':  # which is a generator without the discriminator that recognizes codes
                if self.classifier:
                    result['category_to_class'], category_error = self.categories(trained)
                    values |= category_error
                values |= recognition(trained, drawn, condition)
            values |= effects_of_codes(trained, images, condition, more)
        result['measures'] = [Measure(name, *value)._replace(**self.real.get(name, {}))
                              for name, value in values.items()]
        return result

    @functools.cached_property
    def real(self):
        """{name: the fields of Measure for real images}.

        What compares generated with test images compares training images with them here; the rest is of test images.
        """
        values = self.likelihood(self.centres)
        if self.classifier:
            centre_features = self.classifier.logits_and_features(self.centres)[1]
            values |= self.appearance(self.test_logits, centre_features)
            values |= dict.fromkeys(('requested labels, %', 'classifier accuracy score, %'), self.test_accuracy)
        return {name: {'real': value, 'real_error': error} for name, (value, error) in values.items()}

    def appearance(self, logits, features):
        """Quality and variety, as the classifier sees them: {name: (value, standard error)}."""
        both = features, self.test_features
        n = min(len(features), len(self.centres), len(self.test))
        precision, recall = metrics.precision_and_recall(features[:n], self.test_features[:n])
        return {self.score: (metrics.classifier_score(logits),
                             metrics.jackknife_error(metrics.classifier_score, logits)),
                FID: (metrics.frechet_distance(*both), metrics.jackknife_error(metrics.frechet_distance, *both)),
                'precision, %': _percent(precision), 'recall, %': _percent(recall),
                'total variation of the classes': (metrics.total_variation(logits),
                                                   metrics.jackknife_error(metrics.total_variation, logits))}

    def likelihood(self, centres):
        """Gaussian Parzen window on images (N, 28, 28), its bandwidth chosen on validation images."""
        densities = metrics.parzen_log_densities(centres, self.validation, BANDWIDTHS).mean(axis=1)
        [densities] = metrics.parzen_log_densities(centres, self.test, [BANDWIDTHS[densities.argmax()]])
        return {'Parzen log-likelihood, nats': metrics.mean_and_error(densities)}

    def labels(self, trained, logits, condition, rng):
        """Whether a model that takes labels draws what is requested, and whether one can learn the classes from it."""
        correct = logits.argmax(axis=1) == condition.argmax(axis=1)
        progress(f'{10 * self.n_samples:,} generated images, for what can be learned from them')
        z, condition = random_inputs(trained, 10 * self.n_samples, rng)
        images, labels = metrics.to_unit_range(trained.generate(z, condition)), condition.argmax(axis=1)

        n = 5 * self.n_samples
        name = f'nearest-neighbour error ({n:,} samples), %'
        neighbours = _percent(metrics.nearest_neighbour_error(images[:n], labels[:n], self.test, self.test_labels))
        if name not in self.real and n <= len(self.train):
            real, error = _percent(metrics.nearest_neighbour_error(self.train[:n], self.train_labels[:n],
                                                                   self.test, self.test_labels))
            self.real[name] = {'real': real, 'real_error': error}

        n = min(len(images), len(self.train))
        progress(f'training a classifier on {n:,} generated images')
        weights = classifier.train(images[:n], labels[:n], self.n_classes, report=progress)
        test_logits, _ = classifier.Classifier(weights).logits_and_features(self.test)
        return {'requested labels, %': _percent(metrics.share_and_error(correct)), name: neighbours,
                'classifier accuracy score, %': self.accuracy(test_logits)}

    def categories(self, trained):
        """Which class each category of InfoGAN is, chosen on training images, and the error on the test images."""
        n = len(self.test)
        categories, test_categories = (trained.recognize(_as_drawn(images, trained.image_size))[1].argmax(axis=1)
                                       for images in (self.train[:n], self.test))
        counts = confusion_matrix(categories, self.train_labels[:n],
                                  labels=range(max(trained.n_classes, self.n_classes)))
        classes = metrics.best_assignment(counts[:trained.n_classes, :self.n_classes])
        error = metrics.share_and_error(classes[test_categories] != self.test_labels)
        return classes.tolist(), {'category error, %': _percent(error)}


def recognition(trained, drawn, condition):
    """What InfoGAN's discriminator reads of the codes from images as `generate` draws them."""
    means, logits = trained.recognize(drawn)
    values = {'information of the category, nats': metrics.categorical_information(
        logits, condition[:, trained.n_cont:].argmax(axis=1))}
    for i, name in enumerate(code_names(trained)):
        values |= {f'information of {name}, nats': metrics.gaussian_information(means[:, i], condition[:, i]),
                   f'correlation of {name} and the posterior mean': metrics.correlation(means[:, i], condition[:, i])}
    return values


def effects_of_codes(trained, images, condition, rng):
    """What InfoGAN's continuous codes do to its images, (N, 28, 28) in [0, 1]."""
    values = {}
    properties = (('slant', 'degrees', metrics.slants), ('stroke width', 'pixels', metrics.stroke_widths))
    of_images = {what: function(images) for what, _, function in properties}
    for i, name in enumerate(code_names(trained)):
        # Pairs of images that differ in this code alone.
        z, low = random_inputs(trained, max(len(images) // 10, 10), rng)
        low[:, i] = -2
        high = low.copy()
        high[:, i] = 2
        low, high = (metrics.to_unit_range(trained.generate(z, codes)) for codes in (low, high))
        for what, unit, function in properties:
            change = function(high) - function(low)
            values |= {f'correlation of {name} and the {what}': metrics.correlation(of_images[what], condition[:, i]),
                       f'change of {what} with {name} from -2 to 2, {unit}':
                           metrics.mean_and_error(change[np.isfinite(change)])}
    return values


def code_names(trained):
    return ['the continuous code'] if trained.n_cont == 1 else [
        f'continuous code {i + 1}' for i in range(trained.n_cont)]


def _percent(share):
    return 100 * share[0], 100 * share[1]


def _shuffled(split):
    """Images as float32 in [0, 1] and their labels, in random order, always the same."""
    images, labels = split
    order = np.random.default_rng(0).permutation(len(images))
    return np.float32(images[order]) / 255, labels[order]


def _as_drawn(images, image_size):
    """Real images, (N, 28, 28) in [0, 1], as the model draws its own: in [-1, 1], padded with 0."""
    border = (image_size - 28) // 2
    return np.pad(images * 2 - 1, ((0, 0), (border, border), (border, border)))
