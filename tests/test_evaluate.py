"""evaluate.py: models whose worth is known get the numbers they deserve; what it writes, and what it refuses."""

import argparse
import json
import os
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

import evaluate
import infogan
from after_training.classifier import load_or_train
from common.datasets import load_split
from runs import assert_refused, run

SAMPLES = 1000


@pytest.fixture(scope='module')
def splits():
    return load_split(dataset='mnist_5k')


@pytest.fixture(scope='module')
def logdir(tmp_path_factory, splits):
    """A logdir with a classifier of the 5,000 digits in it."""
    folder = str(tmp_path_factory.mktemp('logdir'))
    load_or_train(folder, *splits)
    return folder


class Model:
    """Takes the place of a TrainedModel: `draw(digits, conditions)` makes its images, uint8 (n, 28, 28)."""

    def __init__(self, model, draw, recognize=None):
        self.model, self.draw, self.recognize = model, draw, recognize
        self.script, self.settings, self.epoch = infogan, {'noise_size': 100, 'seed': 0}, 1
        self.checkpoint = SimpleNamespace(path='nowhere')

    def generate(self, z, condition=None):
        digits = np.arange(len(z)) % 10 if condition is None else condition[:, -10:].argmax(axis=1)
        images = self.draw(digits, condition)
        return evaluate.as_padded(images) if self.model in ('dcgan', 'infogan') else np.float32(images) / 127.5 - 1


def real_digits(splits):
    """A generator that draws test images of the digits it is asked for."""
    images, labels = splits[1]
    rng = np.random.default_rng(0)
    kinds = [np.flatnonzero(labels == digit) for digit in range(10)]
    return lambda digits, _: images[[rng.choice(kinds[digit]) for digit in digits]]


def measure(model, splits, logdir):
    """Lookup of a Measurement by the beginning of its name, and all of the result."""
    args = argparse.Namespace(logdir=logdir, samples=SAMPLES, seed=0)
    result = evaluate.evaluate(model, args, *splits)

    def find(beginning):
        [line] = [line for line in result['measurements'] if line.name.startswith(beginning)]
        return line
    return find, result


def test_perfect_generator_is_as_good_as_real_images(splits, logdir):
    lines, result = measure(Model('dcgan', real_digits(splits)), splits, logdir)
    for name in ('classifier score', 'total variation of the classes from uniform'):
        assert abs(lines(name).value - lines(name).real) < 5 * (lines(name).error + lines(name).real_error)
    # The generated images are those of the test, so even closer than training images are.
    assert lines('Fréchet distance, features').value < lines('Fréchet distance, features').real
    assert lines('classes that occur').value == 10
    np.testing.assert_allclose(result['class_shares'], 0.1, atol=0.02)
    likelihood = lines('Parzen')
    assert likelihood.value > likelihood.real  # the test images themselves are centres of the window


def test_collapsed_generator_is_found_out(splits, logdir):
    perfect = real_digits(splits)
    lines, result = measure(Model('vanilla', lambda digits, _: perfect(0 * digits + 3, _)), splits, logdir)
    assert lines('classifier score').value < 1.5 < 8 < lines('classifier score').real
    distance = lines('Fréchet distance, features')
    assert distance.value > distance.real + 5 * (distance.error + distance.real_error)
    assert result['class_shares'][3] > 0.85  # the classifier of 5,000 digits misreads one 3 in 20
    assert lines('total variation of the classes from uniform').value > 0.75


def test_cgan_is_judged_by_its_labels(splits, logdir):
    perfect = real_digits(splits)
    obedient, _ = measure(Model('cgan', perfect), splits, logdir)
    deaf, _ = measure(Model('cgan', lambda digits, _: perfect((digits + 1) % 10, _)), splits, logdir)
    neighbour = f'nearest neighbour, {SAMPLES:,} samples'
    assert obedient('images of the label asked for').value > 90
    assert deaf('images of the label asked for').value < 10
    assert obedient(neighbour).value < 5
    assert deaf(neighbour).value > 95


def test_nearest_neighbours_are_asked_three_times(splits, logdir):
    _, result = measure(Model('cgan', real_digits(splits)), splits, logdir)
    lines = [line for line in result['measurements'] if line.name.startswith('nearest')]
    assert [line.samples for line in lines] == [SAMPLES, 5 * SAMPLES, 10 * SAMPLES]
    assert [line.real is None for line in lines] == [False, True, True]  # there are 4,000 real ones


def infogan_model(splits, slant, read_code):
    """Its category k is the digit 9 - k, the continuous code shears by `slant` pixels a row and unit."""
    perfect = real_digits(splits)

    def draw(digits, codes):
        images = perfect(9 - digits, None)
        return np.stack([ndimage.affine_transform(image, [[1, 0], [shear, 1]], [0, -13.5 * shear], order=1)
                         for image, shear in zip(images, slant * codes[:, 0])])

    images, labels = splits[1]

    def recognize(asked):
        if len(asked) == len(images) and np.array_equal(asked, evaluate.as_padded(images)):
            return np.zeros((len(asked), 1)), 20 * np.eye(10)[9 - labels]
        return read_code(model.codes[:, :1]), 20 * model.codes[:, 1:]

    model = Model('infogan', draw, recognize)
    generate = model.generate

    def remember(z, condition):
        if len(z) == SAMPLES:
            model.codes = condition
        return generate(z, condition)
    model.generate = remember
    return model


def test_infogan_whose_codes_mean_something(splits, logdir):
    lines, result = measure(infogan_model(splits, 0.15, lambda code: code + 0.1), splits, logdir)
    assert result['category_to_digit'] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert lines('category as a digit classifier: error on test images').value == 0
    assert lines('information of the category').value == pytest.approx(np.log(10), abs=1e-6)
    assert lines('information of the continuous code').value > 2
    assert lines('correlation of the continuous code and the posterior mean').value == pytest.approx(1)
    slant = lines('correlation of the continuous code and the slant')
    assert slant.value > 0.3 and slant.interval[0] < slant.value < slant.interval[1]
    # Four units of 0.15 pixels a row are a shear of 0.6, arctan(0.6) = 31 degrees where the digit was upright.
    assert lines('change of slant from code -2 to 2').value == pytest.approx(31, abs=5)
    # Shearing thins the strokes a little, but not by more than that.
    assert lines('change of stroke width from code -2 to 2').value == pytest.approx(0, abs=0.6)


def test_infogan_whose_code_does_nothing(splits, logdir):
    lines, _ = measure(infogan_model(splits, 0, np.zeros_like), splits, logdir)
    assert lines('information of the continuous code').value == pytest.approx(0, abs=0.1)
    low, high = lines('correlation of the continuous code and the slant').interval
    assert low < 0 < high
    change = lines('change of slant from code -2 to 2')
    assert abs(change.value) < 5 * change.error


@pytest.mark.parametrize('args, text', [((12.3456, 0.123), '12.35 ± 0.12'), ((3.14159, None), '3.142'),
                                        ((1234.5, 56.), '1234 ± 56'), ((0., 0.), '0'),
                                        ((0.5, None, (0.4, 0.6)), '0.500 (95 %: 0.400 to 0.600)')])
def test_digits_of_the_table(args, text):
    assert evaluate.with_error(*args) == text


@pytest.mark.parametrize('model, script', [('vanilla', 'vanilla_gan.py'), ('dcgan', 'dcgan.py'), ('cgan', 'cgan.py'),
                                           ('infogan', 'infogan.py')])
def test_from_training_to_numbers(model, script, logdir):
    trained = run(script, '--dataset', 'mnist_5k', '--logdir', logdir, '--max-steps', 1)
    assert trained.status == 0, trained.err
    result = run('evaluate.py', model, '--logdir', logdir, '--samples', 200)
    assert result.status == 0, result.err
    assert 'training the classifier' not in result.err  # the one in the logdir is of these data
    path = os.path.join(logdir, model, 'evaluation.json')
    assert f'wrote {path}' in result.out
    with open(path) as file:
        found = json.load(file)
    assert found['model'] == model and found['epoch'] == 0 and found['training']['dataset'] == 'mnist_5k'
    assert sum(found['class_shares']) == pytest.approx(1)
    for line in found['measurements']:
        assert f'| {line["name"]} ' in result.out
        assert np.isfinite(line['value']) or line['interval']  # no correlation where all images are alike
    names = ' '.join(line['name'] for line in found['measurements'])
    assert ('nearest' in names) == (model == 'cgan')
    assert ('information' in names) == ('category_to_digit' in found) == (model == 'infogan')

    if model == 'cgan':
        again = os.path.join(logdir, 'again.json')
        assert run('evaluate.py', model, '--logdir', logdir, '--samples', 200, '--json', again).status == 0
        with open(again) as file:
            np.testing.assert_equal(json.load(file), found)
    if model == 'infogan':
        drawn = run('sample.py', model, '--logdir', logdir)
        assert 'digit = category, from evaluation.json' in drawn.out


def test_a_new_run_forgets_the_evaluation(tmp_path):
    options = '--dataset', 'mnist_5k', '--logdir', tmp_path, '--max-steps', 1
    assert run('vanilla_gan.py', *options).status == 0
    evaluation = tmp_path / 'vanilla' / 'evaluation.json'
    evaluation.write_text('{}')
    assert run('vanilla_gan.py', *options, '--overwrite').status == 0
    assert not evaluation.exists()


@pytest.mark.parametrize('args, words', [
    (['gan'], ['gan', 'vanilla', 'dcgan', 'cgan', 'infogan']), (['vanilla'], ['no run of vanilla', 'vanilla_gan.py']),
    (['vanilla', '--samples', '20'], ['--samples', 'at least 200'])])
def test_refuses(args, words, tmp_path):
    assert_refused(run('evaluate.py', *args, '--logdir', tmp_path), *words)


def test_refuses_before_measuring_what_it_cannot_write(logdir, tmp_path):
    run('vanilla_gan.py', '--dataset', 'mnist_5k', '--logdir', tmp_path, '--max-steps', 1)
    result = run('evaluate.py', 'vanilla', '--logdir', tmp_path, '--json', tmp_path / 'missing' / 'file.json')
    assert_refused(result, 'cannot write', 'file.json')
