"""evaluate.py: models whose quality is known get the numbers they deserve; what it writes, and what it refuses."""

import json
import os
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

import cgan
import dcgan
import evaluate
import infogan
import vanilla_gan
from common.arguments import run_script
from common.datasets import load_split
from common.errors import UserError
from common.scripts import generator_inputs
from evaluation import classifier, measures
from evaluation.measures import Evaluation
from evaluation.results import FID
from fake_runs import FakeRun
from sampling.trained_model import load_trained_model

SAMPLES = 500
TURN = 'change of slant with the continuous code from -2 to 2, degrees'


@pytest.fixture(scope='module')
def splits():
    """2,000 digits to train on and 1,000 to test on."""
    (x_train, y_train), test_split = load_split(dataset='mnist_5k')
    return (x_train[::2], y_train[::2]), test_split


@pytest.fixture(scope='module')
def evaluation(splits, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier, 'EPOCHS', 4)
        yield Evaluation(*splits, str(tmp_path_factory.mktemp('logdir')), n_samples=SAMPLES)


class Model:
    """Takes the place of a TrainedModel: `draw(classes, conditions)` makes its images, uint8 (n, 28, 28)."""

    class_names, epoch, name, source = list('0123456789'), 1, 'epoch_0001', 'nowhere'
    saved = {'settings': {}}

    def __init__(self, script, draw, recognize=None):
        self.model, self.script, self.draw, self.recognize = script.MODEL, script, draw, recognize
        self.args = script.parser().parse_args([])
        self.n_cont = 1 if script is infogan else 0
        self.n_classes = 10 if len(generator_inputs(script)) > 1 else 0
        self.image_size = 28 if script in (vanilla_gan, cgan) else 32

    def generate(self, z, condition=None):
        classes = np.arange(len(z)) % 10 if condition is None else condition[:, -10:].argmax(axis=1)
        return as_drawn(self.draw(classes, condition), self.image_size)


def as_drawn(images, image_size):
    return measures._as_drawn(np.float32(images) / 255, image_size)


def real_digits(split):
    """A generator that draws real images of the requested digits."""
    images, labels = split
    rng = np.random.default_rng(0)
    kinds = [np.flatnonzero(labels == digit) for digit in range(10)]
    return lambda digits, _: images[[rng.choice(kinds[digit]) for digit in digits]]


def measure(evaluation, model):
    """{name: its measure}, and all of the result."""
    result = evaluation.measure(model)
    return {line['measure']: SimpleNamespace(**line) for line in result['measures']}, result


def test_a_perfect_generator_is_as_good_as_real_images(splits, evaluation):
    found, result = measure(evaluation, Model(dcgan, real_digits(splits[1])))
    for name in ('MNIST score', 'total variation of the classes'):
        assert abs(found[name].value - found[name].real) < 5 * (found[name].error + found[name].real_error)
    assert found[FID].value < found[FID].real + 3 * (found[FID].error + found[FID].real_error)
    # The digits are sorted by class: the first of them alone would not do.
    assert found['precision, %'].value > 80 and found['recall, %'].value > 60
    likelihood = found['Parzen log-likelihood, nats']
    assert likelihood.value > likelihood.real  # the test images themselves are centres of the window
    np.testing.assert_allclose(result['class_shares'], 0.1, atol=0.03)
    assert result['test_images_seen'] and result['classifier_accuracy'][0] > 80
    assert 'requested labels, %' not in found


def test_a_collapsed_generator_is_found_out(splits, evaluation):
    perfect = real_digits(splits[0])  # which the classifier knows well
    found, result = measure(evaluation, Model(vanilla_gan, lambda digits, _: perfect(0 * digits + 3, _)))
    assert found['MNIST score'].value < 1.5 < 2.5 < found['MNIST score'].real
    assert found[FID].value > found[FID].real + 5 * (found[FID].error + found[FID].real_error)
    assert found['precision, %'].value > 50 and found['recall, %'].value < 20
    assert result['class_shares'][3] > 0.9 and found['total variation of the classes'].value > 0.8


def test_a_model_with_labels_is_measured_by_its_labels(splits, evaluation):
    perfect = real_digits(splits[1])
    obedient, _ = measure(evaluation, Model(cgan, perfect))
    disobedient, _ = measure(evaluation, Model(cgan, lambda digits, _: perfect((digits + 1) % 10, _)))
    neighbour, learned = f'nearest-neighbour error ({5 * SAMPLES:,} samples), %', 'classifier accuracy score, %'
    for name in ('requested labels, %', learned):
        assert obedient[name].value > 85 and disobedient[name].value < 15 and obedient[name].real > 85
    assert obedient[neighbour].value < 10 and disobedient[neighbour].value > 85
    assert obedient[neighbour].real is None  # there are 2,000 real ones only


def infogan_model(splits, slant, read_code):
    """Its category k is the digit 9 - k, the continuous code shears by `slant` pixels a row and unit."""
    perfect = real_digits(splits[1])
    all_codes = []

    def draw(digits, codes):
        all_codes.append(codes)
        return np.stack([ndimage.affine_transform(image, [[1, 0], [shear, 1]], [0, -13.5 * shear], order=1)
                         for image, shear in zip(perfect(9 - digits, None), slant * codes[:, 0])])

    labels = {image.tobytes(): label for part in splits for image, label in zip(as_drawn(part[0], 32), part[1])}

    def recognize(images):
        if len(images) == SAMPLES:  # the generated ones
            return read_code(all_codes[0][:, :1]), 20 * all_codes[0][:, 1:]
        return None, 20 * np.eye(10)[[9 - labels[image.tobytes()] for image in images]]

    return Model(infogan, draw, recognize)


def test_infogan_whose_codes_mean_something(splits, evaluation):
    model = infogan_model(splits, 0.15, lambda code: code + 0.1)
    found, result = measure(evaluation, model)
    assert result['category_to_class'] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0] and result['category_purity'] == [1] * 10
    assert found['category error, %'].value == 0
    assert found['information of the category, nats'].value == pytest.approx(np.log(10), abs=1e-6)
    assert found['information of the continuous code, nats'].value > 2
    assert found['correlation of the continuous code and the posterior mean'].value == pytest.approx(1)
    assert found['correlation of the continuous code and the slant'].value > 0.3
    # Four units of 0.15 pixels a row are a shear of 0.6, arctan(0.6) = 31 degrees where the digit was upright.
    assert found[TURN].value == pytest.approx(31, abs=5)
    # Shearing thins the strokes a little, but not by more than that.
    assert abs(found['change of stroke width with the continuous code from -2 to 2, pixels'].value) < 0.6

    model.name = 'pretrained'  # without a discriminator to be measured
    found, result = measure(evaluation, model)
    assert TURN in found and not [name for name in (*found, *result) if 'information' in name or 'category' in name]


def test_infogan_whose_code_does_nothing_and_whose_categories_are_others_for_test_images(splits, evaluation):
    model = infogan_model(splits, 0, np.zeros_like)
    recognize = model.recognize
    test_images = {image.tobytes() for image in as_drawn(splits[1][0], 32)}

    def recognize_test_images_differently(images):
        cont, cat = recognize(images)
        return cont, np.roll(cat, 1, axis=1) if images[0].tobytes() in test_images else cat

    model.recognize = recognize_test_images_differently
    found, _ = measure(evaluation, model)
    assert found['category error, %'].value == 100  # the classes of the categories are chosen on training images
    assert found['information of the continuous code, nats'].value == pytest.approx(0, abs=0.1)
    for name in ('correlation of the continuous code and the slant', TURN):
        assert abs(found[name].value) < 5 * found[name].error


def test_data_of_other_classes_than_the_models_and_too_few_images_are_refused(splits, evaluation, tmp_path):
    model = Model(cgan, real_digits(splits[1]))
    model.n_classes = 26
    with pytest.raises(UserError, match='26'):
        evaluation.measure(model)
    (images, labels), test_split = splits
    with pytest.raises(UserError, match='100'):
        Evaluation((images[:100], labels[:100]), test_split, str(tmp_path))


# From a run to numbers

@pytest.fixture(scope='module')
def logdir(tmp_path_factory):
    """Runs of random weights, and the classifier from test to test."""
    folder = str(tmp_path_factory.mktemp('runs'))
    FakeRun(vanilla_gan, folder, ['--split', 'train', '--invert', '--data-dir', 'there'], epochs=(1, 2))
    FakeRun(cgan, folder, class_names=['cat', 'dog', 'emu'])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(infogan, 'n_cont', 2)
        FakeRun(infogan, folder, ['--categories', '12'])
    return folder


@pytest.fixture
def data(monkeypatch):
    """A function that lets evaluate.py read 800 images of so many classes to train on, and 200 to test on."""
    def read(n_classes):
        monkeypatch.setattr(evaluate, 'load_split', lambda **which: asked.append(which) or [
            (digits[::5], np.minimum(labels[::5], n_classes - 1)) for digits, labels in load_split(dataset='mnist_5k')])
    asked = read.asked = []
    monkeypatch.setattr(classifier, 'EPOCHS', 1)
    monkeypatch.setattr(infogan, 'n_cont', 2)  # as the run in `logdir`
    read(10)
    return read


def evaluate_run(logdir, model, *args):
    """The content of the newest checkpoint's evaluation.json, after evaluate.py."""
    evaluate.main([model, *args, '--logdir', logdir, '--samples', '200'])
    return load_trained_model(model, logdir).evaluation()


def test_every_checkpoint_gets_its_own_file_and_a_row(data, logdir, tmp_path, capsys, monkeypatch):
    measure = Evaluation.measure

    def measure_after_writing(evaluation, trained):  # so that nothing is lost where it is interrupted
        assert trained.epoch == 1 or load_trained_model('vanilla', logdir, 1).evaluation()
        return measure(evaluation, trained)
    monkeypatch.setattr(Evaluation, 'measure', measure_after_writing)

    file = tmp_path / 'results.csv'
    second = evaluate_run(logdir, 'vanilla', '--all', '--add-to', str(file), '--training', 'other')
    first = load_trained_model('vanilla', logdir, 1).evaluation()
    assert (first['epoch'], second['epoch']) == (1, 2) and first['measures'] != second['measures']
    assert not first['test_images_seen'] and sum(first['class_shares']) == pytest.approx(1)
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith('| vanilla, epoch ')]
    assert len(table) == 2 and all(line.count('|') == 2 + len(first['measures']) for line in table)
    rows = file.read_text().splitlines()
    assert len(rows) == 1 + 2 * len(first['measures']) and rows[1].startswith('other,0,1,MNIST score,')

    copy = shutil.copytree(os.path.join(logdir, 'vanilla'), tmp_path / 'vanilla') / 'checkpoints'
    os.rename(copy / 'epoch_0002', copy / 'epoch_0001-step_000003')
    with pytest.raises(UserError, match='step_000003'):  # it would count as epoch 1
        evaluate_run(str(tmp_path), 'vanilla', '--add-to', str(file))

    again = tmp_path / 'again.json'
    evaluate_run(logdir, 'vanilla', '--checkpoint', 'epoch_0001', '--json', str(again), '--dataset', 'mnist_5k')
    assert json.loads(again.read_text()) == first  # the same numbers
    assert data.asked == [{'data_dir': 'there', 'dataset': dataset, 'invert': True, 'transpose': False}
                          for dataset in ('mnist', 'mnist_5k')]


def test_three_classes_and_two_continuous_codes_with_twelve_categories(data, logdir):
    found = evaluate_run(logdir, 'infogan')
    assert len(found['category_to_class']) == 12 and set(found['category_to_class']) == set(range(10))
    assert {'information of continuous code 2, nats', 'correlation of continuous code 1 and the slant',
            'change of stroke width with continuous code 2 from -2 to 2, pixels'} <= {
                line['measure'] for line in found['measures']}
    data(3)
    found = evaluate_run(logdir, 'cgan')
    assert found['class_names'] == ['cat', 'dog', 'emu'] and len(found['class_shares']) == 3
    assert 'requested labels, %' in [line['measure'] for line in found['measures']]


def test_images_without_classes_get_the_measures_that_need_none(data, logdir):
    data(1)
    names = {line['measure'] for line in evaluate_run(logdir, 'infogan')['measures']}
    assert {'Parzen log-likelihood, nats', 'information of the category, nats'} <= names
    assert not {FID, 'MNIST score', 'precision, %', 'category error, %'} & names


@pytest.mark.parametrize('args, word', [
    (['gan'], 'gan'), (['vanilla', '--samples', '20'], '--samples'), (['vanilla', '--all', '--pretrained'], '--all'),
    (['vanilla', '--json', os.devnull], os.devnull), (['vanilla', '--add-to', os.curdir], os.curdir)])
def test_refuses(args, word, capsys):
    """Also what cannot be written, before the work."""
    with pytest.raises(SystemExit, match='2'):
        run_script(lambda: evaluate.main(args))
    err = capsys.readouterr().err
    assert word in err and err.count('\n') == 1
