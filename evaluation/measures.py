"""The measures of a trained model, with the same real images and reference classifier as for every other model."""

import numpy as np
from sklearn.metrics import confusion_matrix

from common.errors import UserError
from common.random_streams import random_stream
from common.scripts import generator_inputs
from evaluation import classifier, metrics
from evaluation.classifier import logits_and_features, progress
from evaluation.results import FID
from sampling.trained_model import random_inputs

N_VALIDATION = 1000  # training images, known to model and classifier, that choose the bandwidth of the Parzen window
BANDWIDTHS = np.round(np.logspace(-1, 0, 21), 3)
MIN_IMAGES = 128  # the batch of the classifier, and what InfoGAN's discriminator needs for its batch statistics


class Evaluation:
    """Measures models; `real` has the measures of real images, {name: (value, standard error)}.

    train_split, test_split: (images, labels) as from `load_split`; with one class there is no classifier. cache_dir:
    where it is kept. seed: of noise and codes. score: the name of its score. Raises UserError for too few images.
    """

    def __init__(self, train_split, test_split, cache_dir, n_samples=10000, seed=0, score='MNIST score'):
        if min(len(train_split[0]), len(test_split[0])) < MIN_IMAGES:
            raise UserError(f'at least {MIN_IMAGES} training and {MIN_IMAGES} test images are needed, not '
                            f'{len(train_split[0])} and {len(test_split[0])}')
        self.n_samples, self.seed, self.score = n_samples, seed, score
        # Some measures take the first images only, and data may be sorted by class.
        (self.train, self.train_labels), (self.test, self.test_labels) = map(_shuffled, (train_split, test_split))
        n_validation = min(N_VALIDATION, len(self.train) // 10)
        self.validation, self.centres = self.train[-n_validation:], self.train[:-n_validation][:n_samples]
        self.real = self.likelihood(self.centres)

        self.n_classes = 1 + int(max(train_split[1].max(), test_split[1].max()))
        if self.n_classes > 1:
            self.weights = classifier.load_or_train(cache_dir, *train_split, self.n_classes)
            test_logits, self.test_features = logits_and_features(self.weights, self.test)
            self.accuracy = metrics.percentage(test_logits.argmax(axis=1) == self.test_labels)
            self.real |= self.appearance(test_logits, logits_and_features(self.weights, self.centres)[1])
            self.real |= dict.fromkeys(('requested labels, %', 'classifier accuracy score, %'), self.accuracy)

    def measure(self, trained):
        """All that is measured of a TrainedModel, a dict as in evaluation.json.

        'error' is the standard error of a 'value', 'real' and 'real_error' are those of real images, or None. Raises
        UserError where the model was trained on other classes.
        """
        takes_labels = 'y' in generator_inputs(trained.script)
        if takes_labels and trained.n_classes != self.n_classes:
            raise UserError(f'the model was trained on {trained.n_classes} classes, these data have {self.n_classes}: '
                            'give those of the training with --dataset and --data-dir')
        progress(f'{self.n_samples:,} images of {trained.source}')
        z, condition = random_inputs(trained, self.n_samples, random_stream(self.seed, 'evaluation'))
        drawn, more = trained.generate(z, condition), random_stream(self.seed, 'evaluation', 1)
        images = metrics.to_unit_range(drawn)
        names = trained.class_names
        result = {'model': trained.model, 'epoch': trained.epoch, 'checkpoint': trained.source,
                  'training': trained.saved['settings'], 'test_images_seen': trained.args.split == 'all',
                  'seed': self.seed,
                  'class_names': names if len(names) == self.n_classes else list(map(str, range(self.n_classes)))}
        values = {}
        if self.n_classes > 1:
            logits, features = logits_and_features(self.weights, images)
            result |= {'classifier': classifier.fingerprint(self.weights), 'classifier_accuracy': self.accuracy,
                       'class_shares': metrics.class_shares(logits).tolist()}
            values |= self.appearance(logits, features)
        values |= self.likelihood(images)
        if takes_labels:
            correct = logits.argmax(axis=1) == condition.argmax(axis=1)
            values |= {'requested labels, %': metrics.percentage(correct), **self.learning(trained, more)}
        if trained.n_cont:
            recognizes = trained.name != 'pretrained'  # which has no discriminator that recognizes codes
            if recognizes and self.n_classes > 1:
                classes, purity, values['category error, %'] = self.categories(trained)
                result |= {'category_to_class': classes.tolist(), 'category_purity': purity.tolist()}
            values |= codes(trained, drawn, condition, more, recognizes)
        keys = 'measure', 'value', 'error', 'real', 'real_error'
        result['measures'] = [dict(zip(keys, (name, *found, *self.real.get(name, (None, None)))))
                              for name, found in values.items()]
        return result

    def appearance(self, logits, features):
        """Quality and variety, as the classifier sees them: {name: (value, standard error)}."""
        n = min(len(features), len(self.centres), len(self.test))
        precision, recall = metrics.precision_and_recall(features[:n], self.test_features[:n])
        return {self.score: metrics.jackknife(metrics.classifier_score, logits),
                FID: metrics.jackknife(metrics.frechet_distance, features, self.test_features),
                'precision, %': precision, 'recall, %': recall,
                'total variation of the classes': metrics.jackknife(metrics.total_variation, logits)}

    def likelihood(self, centres):
        """Gaussian Parzen window on images (N, 28, 28), its bandwidth chosen on validation images."""
        densities = metrics.parzen_log_densities(centres, self.validation, BANDWIDTHS).mean(axis=1)
        [densities] = metrics.parzen_log_densities(centres, self.test, [BANDWIDTHS[densities.argmax()]])
        return {'Parzen log-likelihood, nats': metrics.mean_and_error(densities)}

    def learning(self, trained, rng):
        """How well the classes can be learned from a model that takes labels."""
        z, condition = random_inputs(trained, 10 * self.n_samples, rng)
        images, labels = metrics.to_unit_range(trained.generate(z, condition)), condition.argmax(axis=1)

        n, test_split = 5 * self.n_samples, (self.test, self.test_labels)
        name = f'nearest-neighbour error ({n:,} samples), %'
        neighbours = metrics.nearest_neighbour_error(images[:n], labels[:n], *test_split)
        if name not in self.real and n <= len(self.train):
            self.real[name] = metrics.nearest_neighbour_error(self.train[:n], self.train_labels[:n], *test_split)

        n = min(len(images), len(self.train))
        progress(f'training a classifier on {n:,} generated images')
        test_logits, _ = logits_and_features(classifier.train(images[:n], labels[:n], self.n_classes), self.test)
        accuracy = metrics.percentage(test_logits.argmax(axis=1) == self.test_labels)
        return {name: neighbours, 'classifier accuracy score, %': accuracy}

    def categories(self, trained):
        """InfoGAN's categories: the class of each and its share there, on training images; the error on test images."""
        n = len(self.test)
        categories, test_categories = (trained.recognize(_as_drawn(images, trained.image_size))[1].argmax(axis=1)
                                       for images in (self.train[:n], self.test))
        labels = range(max(trained.n_classes, self.n_classes))
        counts = confusion_matrix(categories, self.train_labels[:n], labels=labels)[:trained.n_classes, :self.n_classes]
        classes = metrics.best_assignment(counts)
        purity = counts[range(len(classes)), classes] / np.maximum(counts.sum(axis=1), 1)
        return classes, purity, metrics.percentage(classes[test_categories] != self.test_labels)


def codes(trained, drawn, condition, rng, recognizes):
    """What InfoGAN's codes do to images as `generate` draws them, and what its discriminator reads of them."""
    values, images = {}, metrics.to_unit_range(drawn)
    if recognizes:
        means, logits = trained.recognize(drawn)
        category = condition[:, trained.n_cont:].argmax(axis=1)
        values['information of the category, nats'] = metrics.categorical_information(logits, category)
    for i, code in enumerate(condition[:, :trained.n_cont].T):
        name = f'continuous code {i + 1}' if trained.n_cont > 1 else 'the continuous code'
        if recognizes:
            values |= {f'information of {name}, nats': metrics.gaussian_information(means[:, i], code),
                       f'correlation of {name} and the posterior mean': metrics.correlation(means[:, i], code)}
        # Pairs of images that differ in this code alone.
        z, low = random_inputs(trained, max(len(images) // 10, 10), rng)
        low[:, i] = -2
        high = low.copy()
        high[:, i] = 2
        low, high = (metrics.to_unit_range(trained.generate(z, both)) for both in (low, high))
        for what, unit, function in (('slant', 'degrees', metrics.slants),
                                     ('stroke width', 'pixels', metrics.stroke_widths)):
            change = function(high) - function(low)
            values |= {f'correlation of {name} and the {what}': metrics.correlation(function(images), code),
                       f'change of {what} with {name} from -2 to 2, {unit}':
                           metrics.mean_and_error(change[np.isfinite(change)])}
    return values


def _shuffled(split):
    """Images as float32 in [0, 1] and their labels, in random order, always the same."""
    images, labels = split
    order = np.random.default_rng(0).permutation(len(images))
    return np.float32(images[order]) / 255, labels[order]


def _as_drawn(images, image_size):
    """Real images, (N, 28, 28) in [0, 1], as the model draws its own: in [-1, 1], padded with 0."""
    border = (image_size - 28) // 2
    return np.pad(images * 2 - 1, ((0, 0), (border, border), (border, border)))
