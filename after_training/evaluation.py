"""All measurements of a model."""

import sys

import numpy as np

from after_training import metrics
from after_training.classifier import load_or_train
from after_training.inputs import random_inputs
from after_training.measures import measure_appearance, measure_copies, measure_likelihood
from after_training.measures_of_codes import measure_codes
from after_training.measures_of_labels import measure_labels
from common.errors import UserError
from common.random_streams import random_stream

# Part of the training split that chooses the bandwidth of the Parzen window. The models and the classifier have been
# trained on it, too.
N_VALIDATION = 1000
# As the batch statistics of InfoGAN's discriminator need.
MIN_IMAGES = 128


def progress(line):
    print(line, file=sys.stderr, flush=True)


def evaluate(trained, args, train_split, test_split):
    """All measurements of a model.

    @param trained: TrainedModel
    @param args: with logdir, where the classifier is kept, samples, the number of images to generate, and seed
    @param train_split, test_split: (images, labels) as from `load_split`
    @return: dict for the JSON; 'measurements' is a list of Measurement
    @raise UserError: where there are too few images, all of one class, or of other classes than the model's
    """
    if min(len(train_split[0]), len(test_split[0])) < MIN_IMAGES:
        raise UserError(f'there are only {len(train_split[0])} training and {len(test_split[0])} test images: '
                        f'at least {MIN_IMAGES} of each are needed')
    if len(np.unique(train_split[1])) < 2:
        raise UserError('the images are all of one class: what judges generated images is a classifier, so that there '
                        'must be two classes or more, in a folder of pictures each in a folder of its own')
    judge = load_or_train(args.logdir, train_split, test_split, args.seed, report=progress)
    # Some measures take the first images only, and data may be sorted by class.
    train_split, test_split = shuffled(*train_split), shuffled(*test_split)
    n_validation = min(N_VALIDATION, len(train_split[0]) // 10)
    train, test = (np.float32(images) / 255 for images in (train_split[0], test_split[0]))
    validation, centres = train[-n_validation:], train[:-n_validation][:args.samples]

    progress(f'{args.samples:,} generated images')
    z, condition = random_inputs(trained, args.samples, random_stream(args.seed, 'evaluation'))
    more = random_stream(args.seed, 'evaluation', 1)
    made = trained.generate(z, condition)
    images = metrics.as_ink(made)
    judged = [judge.logits_and_features(some) for some in (images, centres, test)]
    logits, test_logits = judged[0][0], judged[2][0]
    progress('quality and variety')
    measured = measure_appearance(*judged)
    progress('nearest training images')
    measured += measure_copies(images, logits.argmax(axis=1), train, test, test_logits.argmax(axis=1))

    result = {'class_shares': metrics.class_shares(logits).tolist(),
              'class_names': class_names(trained, judge.n_classes)}
    if 'y' in trained.script.INPUTS:
        measured += measure_labels(trained, judge, logits, condition.argmax(axis=1), train_split, test_split, more,
                                   progress)
    if 'c' in trained.script.INPUTS:
        progress('what the codes do to the images')
        codes_measured, result['category_to_class'] = measure_codes(trained, made, condition, train_split, test_split,
                                                                    more)
        measured += codes_measured
    progress('Parzen window')
    measured += measure_likelihood(images, centres, validation, test)
    return {'model': trained.model, 'epoch': trained.epoch, 'checkpoint': trained.source,
            'training': trained.run.saved['settings'], 'test_images_seen': trained.args.split == 'all',
            'seed': args.seed, 'classifier_accuracy': judge.test_accuracy, **result, 'measurements': measured}


def shuffled(images, labels):
    """In random order, always the same."""
    order = np.random.default_rng(0).permutation(len(images))
    return images[order], labels[order]


def class_names(trained, n_classes):
    """Names of the data's classes: those of the training, where it had as many."""
    return trained.class_names if len(trained.class_names) == n_classes else [str(label) for label in range(n_classes)]
