"""Measure what a trained model is worth, in numbers that the literature also gives.

MODEL is vanilla, dcgan, cgan or infogan. Generated images are compared with
the real test split of the data set; the same figures for real training images
show how good a value can be. The table goes to the terminal, and as JSON to a
file. The judge is a small classifier, trained the first time (minutes) and then
kept in the logdir.

All models are trained, as in the chapter, on training and test images
together. The papers kept the test images apart.
"""

import argparse
import dataclasses
import os
import sys
from typing import Optional

import numpy as np

from after_training import metrics
from common import random_stream, run_script
from common.arguments import Parser, number
from after_training.classifier import load_or_train
from common.datasets import load_split
from common.errors import UserError, reason
from common.files import can_write, write_json
from common.packed_images import PackedImages
from after_training.tables import markdown_table
from after_training.trained_model import add_data_arguments_of_run, add_model_arguments, data_of_run, load_trained_model

# Part of the training split that chooses the bandwidth of the Parzen window, and nothing else.
N_VALIDATION = 1000
BANDWIDTHS = np.round(np.logspace(-1, 0, 21), 3)
# What the papers report, on MNIST's 10,000 test images.
PAPERS = {('vanilla', 'Parzen'): '225 ± 2 (Goodfellow et al. 2014)',
          ('cgan', 'Parzen'): '132 ± 1.8 (Mirza & Osindero 2014)',
          ('cgan', 'neighbour'): '2.98 % (50,000) and 1.48 % (10 million) by a conditional DCGAN '
                                 '(Radford et al. 2015)',
          ('infogan', 'category error'): 'about 5 % (Chen et al. 2016)'}


@dataclasses.dataclass
class Measurement:
    """A line of the report.

    name: with the unit
    value, error: of the generated images, and its standard error where it has one
    interval: (low, high) with 95 % confidence, instead of the error
    samples: generated images it comes from; for InfoGAN's error the real ones
    real, real_error: the same measure of real images, where that makes sense
    paper: the papers' figure
    """
    name: str
    value: float
    error: Optional[float] = None
    interval: Optional[tuple] = None
    samples: Optional[int] = None
    real: Optional[float] = None
    real_error: Optional[float] = None
    paper: str = ''


def parser():
    result = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_arguments(result)
    result.add_argument('--samples', type=number(int, 200), default=10000, metavar='N',
                        help='images to generate; for the nearest neighbours also 5 and 10 times as many '
                             '(default: %(default)s)')
    result.add_argument('--seed', type=number(int, 0, high=2**31 - 1), default=0, metavar='N',
                        help='of the noise, the codes and the classifier (default: %(default)s)')
    result.add_argument('--json', metavar='FILE', help='default: evaluation.json in the folder of the run, where '
                        'sample.py looks for the digits of InfoGAN\'s categories')
    add_data_arguments_of_run(result)
    return result


# What is compared

def choose_condition(trained, n, rng):
    """What the generator is asked for: CGAN's labels in turn, so all equally often; InfoGAN's codes as in training."""
    if trained.model == 'cgan':
        return np.eye(10)[np.arange(n) % 10]
    if trained.model == 'infogan':
        return trained.script.gen_condition_variable(n, trained.script.n_classes, trained.script.n_cont, rng)
    return None


def generate(trained, n, rng):
    """
    Generated images and what the generator was asked for
    @return: images (n, h, w) in [-1, 1] as the model makes them, and `choose_condition`'s choice
    """
    z = rng.uniform(-1, 1, size=(n, trained.settings['noise_size']))
    condition = choose_condition(trained, n, rng)
    return trained.generate(z, condition), condition


def as_ink(images):
    """Images of a model, (N, 28, 28) or (N, 32, 32) in [-1, 1], -> (N, 28, 28) in [0, 1]."""
    return metrics.to_unit_range(metrics.crop_padding(images[..., None]) if images.shape[1] == 32 else images)


def as_padded(images):
    """Real images, uint8 (N, 28, 28), as DCGAN and InfoGAN were trained on them: (N, 32, 32) in [-1, 1]."""
    return PackedImages(images, (32, 32, 1))[:][..., 0]


# What is measured. Each function returns a list of Measurement.

def measure_appearance(generated, train, test):
    """Quality and variety as the classifier sees them.

    @param generated, train, test: its logits (N, 10) and features (N, 128) of generated and of real images; `train` is
        of at most as many images as `generated`
    """
    (logits, features), (train_logits, train_features), (test_logits, test_features) = generated, train, test
    shares, test_shares = metrics.class_shares(logits), metrics.class_shares(test_logits)

    def score(name, metric):
        return Measurement(name, metric(logits), metrics.standard_error(metric, logits), samples=len(logits),
                           real=metric(test_logits), real_error=metrics.standard_error(metric, test_logits))

    def distance(name, generated, real, real_test):
        value, floor = ((metrics.frechet_distance(some, real_test),
                         metrics.standard_error(metrics.frechet_distance, some, real_test))
                        for some in (generated, real))
        return Measurement(name, *value, samples=len(logits), real=floor[0], real_error=floor[1])

    return [score('classifier score, 1 to 10', metrics.classifier_score),
            distance('Fréchet distance, features', features, train_features, test_features),
            distance('Fréchet distance, logits', logits, train_logits, test_logits),
            Measurement('classes that occur, of 10', metrics.mode_coverage(shares), samples=len(logits),
                        real=metrics.mode_coverage(test_shares)),
            score('total variation of the classes from uniform',
                  lambda logits: metrics.total_variation(metrics.class_shares(logits)))]


def measure_likelihood(images, train, validation, test, paper=''):
    """Gaussian Parzen window, the bandwidth chosen on `validation`; all (N, 28, 28) in [0, 1]."""
    def likelihood(centres):
        bandwidth = float(metrics.choose_bandwidth(centres, validation, BANDWIDTHS))
        return (*metrics.parzen_log_likelihood(centres, test, bandwidth), bandwidth)

    value, error, bandwidth = likelihood(images)
    real, real_error, _ = likelihood(train)
    return [Measurement(f'Parzen-window log-likelihood, nats (bandwidth {bandwidth})', value, error,
                        samples=len(images), real=real, real_error=real_error, paper=paper)]


def measure_labels(trained, args, logits, condition, classifier, train_split, test_split):
    """CGAN: does it draw what it is asked for, and can one learn the digits from its images?

    @param logits: (N, 10), the classifier's of images generated with the labels `condition`, one-hot (N, 10)
    """
    value, error = metrics.accuracy(logits.argmax(axis=1), condition.argmax(axis=1))
    measured = [Measurement('images of the label asked for, %', 100 * value, 100 * error, samples=len(logits),
                            real=100 * classifier.test_accuracy[0], real_error=100 * classifier.test_accuracy[1])]

    train, test = (np.float32(split[0]) / 255 for split in (train_split, test_split))
    generated, asked = generate(trained, 10 * args.samples, random_stream(args.seed, 'evaluation', 1))
    generated, asked = as_ink(generated), asked.argmax(axis=1)
    for n in (args.samples, 5 * args.samples, 10 * args.samples):
        progress(f'nearest of {n:,} generated images for each test image')
        value, error = metrics.nearest_neighbour_error(generated[:n], asked[:n], test, test_split[1])
        line = Measurement(f'nearest neighbour, {n:,} samples: error on test images, %', 100 * value, 100 * error,
                           samples=n, paper=PAPERS['cgan', 'neighbour'])
        if n <= len(train):
            real, real_error = metrics.nearest_neighbour_error(train[:n], train_split[1][:n], test, test_split[1])
            line.real, line.real_error = 100 * real, 100 * real_error
        measured.append(line)
    return measured


def measure_codes(trained, args, padded, images, codes, test_split):
    """InfoGAN: what the discriminator reads from images, and what the continuous code does to them.

    @param padded, images: generated images, as the model makes them and `as_ink`
    @param codes: (N, 11), theirs
    @return: list of Measurement, and the digit of each category
    """
    _, cat = trained.recognize(as_padded(test_split[0]))
    categories, labels = cat.argmax(axis=1), test_split[1]
    digits, _ = metrics.best_assignment(metrics.confusion_matrix(categories, labels))
    right, error = metrics.accuracy(digits[categories], labels)

    progress('what the codes do to the images')
    cont, cat = trained.recognize(padded)
    category_information = metrics.categorical_information(cat, codes[:, 1:].argmax(axis=1))
    code_information = metrics.gaussian_information(cont[:, 0], codes[:, 0])
    measured = [
        Measurement('category as a digit classifier: error on test images, %', 100 * (1 - right), 100 * error,
                    samples=len(labels), paper=PAPERS['infogan', 'category error']),
        Measurement(f'information of the category, nats (at most {np.log(10):.2f})', *category_information,
                    samples=len(padded)),
        Measurement('information of the continuous code, nats', *code_information, samples=len(padded)),
        code_correlation('posterior mean', cont[:, 0], codes[:, 0])]

    # Two images differ in the continuous code only, so what else differs between images is out of the comparison.
    n = max(args.samples // 10, 10)
    rng = random_stream(args.seed, 'evaluation', 1)
    low = choose_condition(trained, n, rng)
    low[:, 0] = -2
    high = low.copy()
    high[:, 0] = 2
    z = rng.uniform(-1, 1, size=(n, trained.settings['noise_size']))
    pairs = [as_ink(trained.generate(z, condition)) for condition in (low, high)]
    for name, function, unit in (('slant', metrics.slants, 'degrees'),
                                 ('stroke width', metrics.stroke_widths, 'pixels')):
        measured.append(code_correlation(name, function(images), codes[:, 0]))
        change = function(pairs[1]) - function(pairs[0])
        change = change[np.isfinite(change)]
        measured.append(Measurement(f'change of {name} from code -2 to 2, {unit}', *metrics.mean_and_error(change),
                                    samples=len(change)))
    return measured, digits.tolist()


def code_correlation(name, values, code):
    r, *interval = metrics.correlation(values, code)
    return Measurement(f'correlation of the continuous code and the {name}', r, interval=interval, samples=len(code))


def evaluate(trained, args, train_split, test_split):
    """All measurements of a model.

    @param train_split, test_split: (images, labels) as from `load_split`
    @return: dict for the JSON; 'measurements' is a list of Measurement
    """
    n_validation = min(N_VALIDATION, len(train_split[0]) // 10)
    train, validation, test = (np.float32(images) / 255 for images in (
        train_split[0][:-n_validation][:args.samples], train_split[0][-n_validation:], test_split[0]))
    classifier = load_or_train(args.logdir, train_split, test_split, args.seed, report=progress)

    progress(f'{args.samples:,} generated images')
    made, condition = generate(trained, args.samples, random_stream(args.seed, 'evaluation'))
    images = as_ink(made)
    judged = [classifier.logits_and_features(some) for some in (images, train, test)]
    logits, _ = judged[0]
    measured = measure_appearance(*judged)
    result = {'class_shares': metrics.class_shares(logits).tolist()}
    if trained.model == 'cgan':
        measured += measure_labels(trained, args, logits, condition, classifier, train_split, test_split)
    if trained.model == 'infogan':
        codes_measured, result['category_to_digit'] = measure_codes(trained, args, made, images, condition, test_split)
        measured += codes_measured
    progress('Parzen window')
    measured += measure_likelihood(images, train, validation, test, PAPERS.get((trained.model, 'Parzen'), ''))
    return {'model': trained.model, 'epoch': trained.epoch, 'checkpoint': trained.checkpoint.path,
            'training': trained.settings, 'seed': args.seed,
            'classifier_accuracy': classifier.test_accuracy, **result, 'measurements': measured}


# The report

def progress(line):
    print(line, file=sys.stderr, flush=True)


def report(result):
    """The measurements as a table."""
    rows = [(line.name, with_error(line.value, line.error, line.interval), f'{line.samples:,}',
             '' if line.real is None else with_error(line.real, line.real_error), line.paper)
            for line in result['measurements']]
    return markdown_table(rows, (f'{result["model"]}, epoch {result["epoch"]}', 'generated ± standard error',
                                 'samples', 'real images', 'papers'))


def with_error(value, error=None, interval=None):
    """A value with as many digits as its standard error supports."""
    if interval is not None:
        return '{:.3f} (95 %: {:.3f} to {:.3f})'.format(value, *interval)
    if not error:
        return f'{value:.4g}'
    decimals = max(0, 1 - int(np.floor(np.log10(error))))
    return f'{value:.{decimals}f} ± {error:.{decimals}f}'


def main(argv=None):
    args = parser().parse_args(argv)
    trained = load_trained_model(args.model, args.logdir, args.checkpoint)
    path = args.json or os.path.join(trained.run_dir, 'evaluation.json')
    if not can_write(path):
        raise UserError(f'cannot write {path}: choose another file with --json')
    train_split, test_split = load_split(*data_of_run(args, trained))
    result = evaluate(trained, args, train_split, test_split)
    trained.close()

    print(report(result))
    print('shares of the classes 0 to 9:', ' '.join(f'{share:.3f}' for share in result['class_shares']))
    if 'category_to_digit' in result:
        print('digits of the categories 0 to 9:', *result['category_to_digit'])
    try:
        write_json(path, {**result, 'measurements': [dataclasses.asdict(line) for line in result['measurements']]})
    except OSError as error:
        raise UserError(f'cannot write {path} ({reason(error)}): choose another file with --json', exit_status=1)
    print('wrote', path)


if __name__ == '__main__':
    run_script(main)
