"""evaluate.py: models whose worth is known get the numbers they deserve; what it writes, and what it refuses."""

import argparse
import json
import os
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

import cgan
import conv_cgan
import dcgan
import evaluate
import infogan
import sample
import vanilla_gan
from after_training import evaluation
from after_training.classifier import load_or_train
from after_training.measurement import Measurement, percentage, report, with_error
from common.datasets import load_split
from common.errors import UserError
from common.packed_images import PackedImages
from common.run_folder import RunFolder
from made_runs import MadeRun
from runs import assert_refused, run, write_mnist

SAMPLES = 500


@pytest.fixture(scope='module')
def splits():
    """2,000 digits to train on and 1,000 to test on."""
    (x_train, y_train), test_split = load_split(dataset='mnist_5k')
    return (x_train[::2], y_train[::2]), test_split


@pytest.fixture(scope='module')
def logdir(tmp_path_factory, splits):
    """A logdir with the classifier of `splits` in it."""
    folder = str(tmp_path_factory.mktemp('logdir'))
    load_or_train(folder, *splits, report=lambda line: None)
    return folder


class Model:
    """Takes the place of a TrainedModel: `draw(classes, conditions)` makes its images, uint8 (n, 28, 28)."""

    class_names = list('0123456789')
    epoch, source, run = 1, 'nowhere', SimpleNamespace(saved={'settings': {}})

    def __init__(self, script, draw, recognize=None):
        self.model, self.script, self.draw, self.recognize = script.MODEL, script, draw, recognize
        self.args = script.parser().parse_args([])
        self.n_cont = 1 if script is infogan else 0
        self.image_shape = (784,) if script in (vanilla_gan, cgan) else (32, 32, 1)

    def generate(self, z, condition=None):
        classes = np.arange(len(z)) % 10 if condition is None else condition[:, -10:].argmax(axis=1)
        return as_made(self, self.draw(classes, condition))


def as_made(model, images):
    """Images uint8 (n, 28, 28) as the model makes them."""
    size = int(np.prod(model.image_shape)**0.5)
    return PackedImages(images, model.image_shape)[:].reshape(-1, size, size)


def real_digits(split):
    """A generator that draws real images of the digits it is asked for."""
    images, labels = split
    rng = np.random.default_rng(0)
    kinds = [np.flatnonzero(labels == digit) for digit in range(10)]
    return lambda digits, _: images[[rng.choice(kinds[digit]) for digit in digits]]


def measure(model, splits, logdir):
    """Lookup of a Measurement by the beginning of its name, and all of the result."""
    args = argparse.Namespace(logdir=logdir, samples=SAMPLES, seed=0)
    result = evaluation.evaluate(model, args, *splits)

    def find(beginning):
        [line] = [line for line in result['measurements'] if line.name.startswith(beginning)]
        return line
    return find, result


def test_perfect_generator_is_as_good_as_real_images(splits, logdir):
    lines, result = measure(Model(dcgan, real_digits(splits[1])), splits, logdir)
    for name in ('classifier score', 'total variation of the classes from uniform'):
        assert abs(lines(name).value - lines(name).real) < 5 * (lines(name).error + lines(name).real_error)
    distance = lines('Fréchet distance, features')
    assert distance.value < distance.real + 3 * (distance.error + distance.real_error)
    # The digits are sorted by class: the first of them alone would not do.
    assert lines('precision').value > 80 and lines('recall').value > 60
    assert lines('classes that occur').value == 10
    assert lines('nearer to a training image').value == pytest.approx(50, abs=10)
    np.testing.assert_allclose(result['class_shares'], 0.1, atol=0.03)
    likelihood = lines('Parzen')
    assert likelihood.value > likelihood.real  # the test images themselves are centres of the window
    assert result['test_images_seen']


def test_a_generator_of_training_images_is_found_out(splits, logdir):
    lines, _ = measure(Model(vanilla_gan, real_digits(splits[0])), splits, logdir)
    assert lines('nearer to a training image').value > 99
    assert lines('precision').value > 50  # nothing else would tell


def test_collapsed_generator_is_found_out(splits, logdir):
    perfect = real_digits(splits[0])  # which the classifier knows well
    lines, result = measure(Model(vanilla_gan, lambda digits, _: perfect(0 * digits + 3, _)), splits, logdir)
    assert lines('classifier score').value < 1.5 < 5 < lines('classifier score').real
    distance = lines('Fréchet distance, features')
    assert distance.value > distance.real + 5 * (distance.error + distance.real_error)
    assert lines('precision').value > 50 and lines('recall').value < 20
    assert result['class_shares'][3] > 0.9
    assert lines('total variation of the classes from uniform').value > 0.8


def test_a_model_of_labels_is_judged_by_its_labels(splits, logdir):
    perfect = real_digits(splits[1])
    obedient, result = measure(Model(cgan, perfect), splits, logdir)
    deaf, _ = measure(Model(conv_cgan, lambda digits, _: perfect((digits + 1) % 10, _)), splits, logdir)
    neighbour, learning = f'nearest neighbour, {SAMPLES:,} samples', 'classifier trained on generated images'
    for name in ('images of the label asked for', learning):
        assert obedient(name).value > 85 and deaf(name).value < 15
    # 39 of 100 test images are among the 500 drawn, most others are nearest to one of their class.
    assert obedient(neighbour).value < 15 and deaf(neighbour).value > 85
    lines = [line for line in result['measurements'] if line.name.startswith('nearest')]
    assert [line.samples for line in lines] == [SAMPLES, 5 * SAMPLES, 10 * SAMPLES]
    assert [line.real is None for line in lines] == [False, True, True]  # there are 2,000 real ones
    assert obedient(learning).samples == 2000


def infogan_model(splits, slant, read_code):
    """Its category k is the digit 9 - k, the continuous code shears by `slant` pixels a row and unit."""
    perfect = real_digits(splits[1])

    def draw(digits, codes):
        images = perfect(9 - digits, None)
        return np.stack([ndimage.affine_transform(image, [[1, 0], [shear, 1]], [0, -13.5 * shear], order=1)
                         for image, shear in zip(images, slant * codes[:, 0])])

    def recognize(asked):
        for labels in map(labels_by_image, splits):
            if asked[0].tobytes() in labels:  # real images
                return np.zeros((len(asked), 1)), 20 * np.eye(10)[[9 - labels[image.tobytes()] for image in asked]]
        return read_code(model.codes[:, :1]), 20 * model.codes[:, 1:]

    def labels_by_image(split):
        return {image.tobytes(): label for image, label in zip(as_made(model, split[0]), split[1])}

    model = Model(infogan, draw, recognize)
    generate = model.generate

    def remember(z, condition):
        if len(z) == SAMPLES:
            model.codes = condition
        return generate(z, condition)
    model.generate = remember
    return model


def test_infogan_whose_codes_mean_something(splits, logdir):
    lines, result = measure(infogan_model(splits, 0.15, lambda code: code + 0.1), splits, logdir)
    assert result['category_to_class'] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert lines('category as a classifier: error on test images').value == 0
    assert lines('information of the category').value == pytest.approx(np.log(10), abs=1e-6)
    assert lines('information of the continuous code').value > 2
    assert lines('correlation of the continuous code and the posterior mean').value == pytest.approx(1)
    slant = lines('correlation of the continuous code and the slant')
    assert slant.value > 0.3 and slant.interval[0] < slant.value < slant.interval[1]
    # Four units of 0.15 pixels a row are a shear of 0.6, arctan(0.6) = 31 degrees where the digit was upright.
    assert lines('change of slant with the continuous code from -2 to 2').value == pytest.approx(31, abs=5)
    # Shearing thins the strokes a little, but not by more than that.
    assert lines('change of stroke width with the continuous code from -2 to 2').value == pytest.approx(0, abs=0.6)


def test_infogan_whose_code_does_nothing(splits, logdir):
    lines, _ = measure(infogan_model(splits, 0, np.zeros_like), splits, logdir)
    assert lines('information of the continuous code').value == pytest.approx(0, abs=0.1)
    low, high = lines('correlation of the continuous code and the slant').interval
    assert low < 0 < high
    change = lines('change of slant with the continuous code from -2 to 2')
    assert abs(change.value) < 5 * change.error


def test_the_classes_of_the_categories_are_chosen_on_training_images(splits, logdir):
    model = infogan_model(splits, 0, np.zeros_like)
    recognize = model.recognize

    def recognize_test_images_turned(asked):
        cont, cat = recognize(asked)
        is_test = asked[0].tobytes() in {image.tobytes() for image in as_made(model, splits[1][0])}
        return cont, np.roll(cat, 1, axis=1) if is_test else cat
    model.recognize = recognize_test_images_turned
    lines, _ = measure(model, splits, logdir)
    assert lines('category as a classifier: error on test images').value == 100


def test_data_of_other_classes_than_the_models_are_refused(splits, logdir):
    model = Model(cgan, real_digits(splits[1]))
    model.args.n_classes = 26
    with pytest.raises(UserError, match='trained on 26 classes, these data have 10'):
        measure(model, splits, logdir)


def test_too_few_images_are_refused(splits, logdir):
    (train, labels), test_split = splits
    with pytest.raises(UserError, match='only 100 training and 1000 test images: at least 128'):
        measure(Model(vanilla_gan, None), ((train[:100], labels[:100]), test_split), logdir)


def test_pictures_without_classes_are_refused(splits, logdir):
    train, test = ((images, np.zeros_like(labels)) for images, labels in splits)
    with pytest.raises(UserError, match='all of one class'):
        measure(Model(vanilla_gan, None), (train, test), logdir)


# The report

@pytest.mark.parametrize('args, text', [((12.3456, 0.123), '12.35 ± 0.12'), ((3.14159, None), '3.142'),
                                        ((1234.5, 56.), '1234 ± 56'), ((0., 0.), '0'), ((0.9, 1e-16), '0.9'),
                                        ((0.5, None, (0.4, 0.6)), '0.500 (95 %: 0.400 to 0.600)')])
def test_digits_of_the_table(args, text):
    assert with_error(*args) == text


def test_the_report_says_all_that_was_found():
    lines = [percentage('a share, %', (0.25, 0.01), (0.5, None), samples=1000, paper='5 (Someone)'),
             Measurement('a distance', 3, samples=10)]
    text = report({'model': 'infogan', 'epoch': 7, 'measurements': lines, 'class_names': ['cat', 'dog'],
                   'class_shares': [0.25, 0.75], 'test_images_seen': False, 'category_to_class': [1, 0]})
    assert '| infogan, epoch 7 |' in text and '| a distance       |' in text
    assert [cell.strip() for cell in text.splitlines()[2].split('|')] == [
        '', 'a share, %', '25.0 ± 1.0', '1,000', '50', '5 (Someone)', '']
    assert 'cat 0.250, dog 0.750' in text and 'not among those of the training' in text and '0 = dog, 1 = cat' in text


# From a run to numbers

@pytest.fixture
def small_data(monkeypatch):
    """evaluate.py reads 500 digits to train on and 200 to test on."""
    (x_train, y_train), (x_test, y_test) = load_split(dataset='mnist_5k')
    small = (x_train[::8], y_train[::8]), (x_test[::5], y_test[::5])
    monkeypatch.setattr(evaluate, 'load_split', lambda data_dir, dataset, invert: small)
    return small


@pytest.fixture
def shared_logdir(tmp_path_factory):
    """A logdir that keeps the classifier of `small_data` from test to test, but no run."""
    logdir = tmp_path_factory.getbasetemp() / 'one_classifier_for_all'
    logdir.mkdir(exist_ok=True)
    yield str(logdir)
    for path in logdir.iterdir():
        if path.is_dir():
            shutil.rmtree(path)


def evaluate_run(model, logdir):
    evaluate.main([model, '--logdir', logdir, '--samples', '200'])
    with open(os.path.join(logdir, model, 'evaluation.json')) as file:
        return json.load(file)


@pytest.mark.parametrize('script', [vanilla_gan, dcgan, cgan, infogan, conv_cgan], ids=lambda script: script.MODEL)
def test_from_a_run_to_numbers(script, small_data, shared_logdir, capsys):
    MadeRun(script, shared_logdir, ['--split', 'train'])
    found = evaluate_run(script.MODEL, shared_logdir)
    printed = capsys.readouterr().out
    assert found['model'] == script.MODEL and found['epoch'] == 1 and found['training']['split'] == 'train'
    assert not found['test_images_seen'] and 'not among those of the training' in printed
    assert sum(found['class_shares']) == pytest.approx(1)
    for line in found['measurements']:
        assert f'| {line["name"]} ' in printed and (np.isfinite(line['value']) or line['interval'])
    names = ' '.join(line['name'] for line in found['measurements'])
    assert ('nearest neighbour' in names) == ('trained on generated' in names) == ('y' in script.INPUTS)
    assert ('information' in names) == ('category_to_class' in found) == ('c' in script.INPUTS)


def test_two_continuous_codes_and_twelve_categories(small_data, shared_logdir, monkeypatch, capsys):
    monkeypatch.setattr(infogan, 'n_cont', 2)
    MadeRun(infogan, shared_logdir, ['--categories', '12'])
    found = evaluate_run('infogan', shared_logdir)
    assert len(found['category_to_class']) == 12 and set(found['category_to_class']) == set(range(10))
    names = [line['name'] for line in found['measurements']]
    for expected in ('information of continuous code 2, nats', 'correlation of continuous code 1 and the slant',
                     'change of stroke width with continuous code 2 from -2 to 2, pixels',
                     'information of the category, nats (at most 2.48)'):
        assert expected in names
    sample.main(['infogan', '--logdir', shared_logdir, '--rows', '1'])
    assert 'class = category, from evaluation.json' in capsys.readouterr().out


def test_three_classes(small_data, tmp_path, monkeypatch):
    splits = tuple((images[labels < 3], labels[labels < 3]) for images, labels in small_data)
    monkeypatch.setattr(evaluation, 'MIN_IMAGES', 50)
    monkeypatch.setattr(evaluate, 'load_split', lambda data_dir, dataset, invert: splits)
    MadeRun(cgan, str(tmp_path), class_names=['cat', 'dog', 'emu'])
    found = evaluate_run('cgan', str(tmp_path))
    assert found['class_names'] == ['cat', 'dog', 'emu'] and len(found['class_shares']) == 3
    assert {'classifier score, 1 to 3', 'classes that occur, of 3'} <= {line['name'] for line in found['measurements']}


def test_the_same_command_gives_the_same_numbers(tmp_path):
    MadeRun(vanilla_gan, str(tmp_path), ['--data-dir', write_mnist(tmp_path / 'data', images=1100)])
    files = [tmp_path / name for name in ('first.json', 'again.json')]
    for file in files:
        result = run('evaluate.py', 'vanilla', '--logdir', tmp_path, '--samples', 200, '--json', file)
        assert result.status == 0, result.err
        assert f'wrote {file}' in result.out
    assert 'training the classifier' not in result.err  # the second time
    assert files[0].read_text() == files[1].read_text()


def test_a_new_run_forgets_the_evaluation(tmp_path):
    MadeRun(vanilla_gan, str(tmp_path))
    evaluation_file = tmp_path / 'vanilla' / 'evaluation.json'
    evaluation_file.write_text('{}')
    RunFolder(str(tmp_path), 'vanilla').delete_run()
    assert not evaluation_file.exists()


@pytest.mark.parametrize('args, words', [
    (['gan'], ['gan', 'vanilla', 'dcgan', 'cgan', 'infogan']), (['vanilla'], ['no run of vanilla', 'vanilla_gan.py']),
    (['vanilla', '--samples', '20'], ['--samples', 'at least 200'])])
def test_refuses(args, words, tmp_path):
    assert_refused(run('evaluate.py', *args, '--logdir', tmp_path), *words)


def test_refuses_before_measuring_what_it_cannot_write(tmp_path, monkeypatch):
    MadeRun(vanilla_gan, str(tmp_path))
    monkeypatch.setattr(evaluate, 'load', None)
    with pytest.raises(UserError, match='cannot write .*missing/file.json'):
        evaluate.main(['vanilla', '--logdir', str(tmp_path), '--json', str(tmp_path / 'missing' / 'file.json')])
