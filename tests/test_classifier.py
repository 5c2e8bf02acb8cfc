"""The classifier: that it learns, and that its cache gives back what was trained on these data or nothing."""

import os

import numpy as np
import pytest

from after_training import classifier
from after_training.classifier import Classifier, load_or_train
from common.datasets import load_split
from common.errors import UserError
from common.tensorflow1 import tf


@pytest.fixture(scope='module')
def splits():
    """800 digits to train on and 500 to test on."""
    (x_train, y_train), (x_test, y_test) = load_split(dataset='mnist_5k')
    return (x_train[::5], y_train[::5]), (x_test[::2], y_test[::2])


@pytest.fixture(scope='module')
def trained(splits, tmp_path_factory):
    """The folder with a cached classifier, the classifier, and what was reported."""
    folder, lines = tmp_path_factory.mktemp('cache'), []
    return folder, train(folder, splits, report=lines.append), lines


def train(folder, splits, report=print, epochs=8, **options):
    return load_or_train(folder, *splits, epochs=epochs, report=report, **options)


def cache_file(folder):
    [path] = folder.iterdir()
    return path


@pytest.fixture
def copy(trained, tmp_path):
    """A copy of the cache, to be damaged."""
    original = cache_file(trained[0])
    path = tmp_path / original.name
    path.write_bytes(original.read_bytes())
    return path


@pytest.fixture
def training(monkeypatch, trained):
    """training.calls counts trainings, which take no time: they give the weights of `trained`."""
    calls = []
    with np.load(cache_file(trained[0])) as content:
        weights = {name: content[name] for name in content.files if name.startswith('classifier')}

    def fake(images, labels, n_classes, seed, epochs, report):
        calls.append(len(images))
        return weights

    monkeypatch.setattr(classifier, 'train', fake)
    return calls


def test_it_learns_and_reports(trained, splits):
    _, judge, lines = trained
    share, error = judge.test_accuracy
    assert share > 0.8 and 0 < error < 0.02  # chance is 0.1
    assert judge.accuracy(*splits[1]) == judge.test_accuracy
    assert lines[0] == 'training the classifier on 800 images'
    assert lines[8].startswith('classifier: epoch 8/8, loss 0.')
    assert f'{share:.2%} right on 500 test images' in lines[9]


def test_shapes_and_the_two_kinds_of_images(trained, splits):
    _, judge, _ = trained
    images = splits[1][0]
    logits, features = judge.logits_and_features(images)
    assert logits.shape == (500, 10) and features.shape == (500, 128)
    assert logits.dtype == features.dtype == np.float32
    assert features.min() == 0 and (features > 0).any()
    for same in (images / 255, (images / 255).astype(np.float32)):
        assert judge.logits_and_features(same)[0] == pytest.approx(logits, abs=0.01)


def test_an_image_is_judged_on_its_own(trained, splits):
    _, judge, _ = trained
    images = splits[1][0][:10]
    logits, features = judge.logits_and_features(images)
    for batch_size in (1, 3):
        small = judge.logits_and_features(images, batch_size)
        assert small[0] == pytest.approx(logits, abs=0.01) and small[1] == pytest.approx(features, abs=0.01)


@pytest.mark.parametrize('n_classes', [2, 26])
def test_there_are_as_many_classes_as_in_the_data(splits, tmp_path, n_classes):
    some = tuple((images[:260], np.arange(260) % n_classes) for images, _ in splits)
    for _ in ('trained', 'from the cache'):
        judge = train(tmp_path, some, epochs=1, report=lambda line: None)
        assert judge.n_classes == n_classes and judge.logits_and_features(some[1][0])[0].shape == (260, n_classes)


def test_the_default_graph_stays_empty(trained):
    with tf.Graph().as_default() as graph:
        Classifier(dict(np.load(cache_file(trained[0]))))
        assert not graph.get_operations()


def test_the_cache_gives_identical_logits(trained, splits, training):
    folder, judge, _ = trained
    lines = []
    again = train(folder, splits, lines.append)
    assert again is not judge and not lines and not training
    assert again.test_accuracy == judge.test_accuracy
    for before, after in zip(judge.logits_and_features(splits[1][0]), again.logits_and_features(splits[1][0])):
        assert np.array_equal(before, after)


def test_the_same_seed_gives_the_same_weights(splits):
    images, labels = splits[0]

    def weights(seed):
        return classifier.train(images[:256], labels[:256], 10, seed, epochs=1, report=lambda line: None)

    first, again, other = weights(1), weights(1), weights(2)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first['classifier/dense/kernel'], other['classifier/dense/kernel'])


@pytest.mark.parametrize('change', ['image', 'label', 'test set', 'seed', 'epochs'])
def test_a_classifier_of_something_else_is_not_taken(trained, splits, training, copy, change):
    (x_train, y_train), (x_test, y_test) = splits
    options = {}
    if change == 'image':
        x_train = x_train.copy()
        x_train[0, 0, 0] += 1
    elif change == 'label':
        y_train = np.append(y_train[:-1], (y_train[-1] + 1) % 10)
    elif change == 'test set':
        x_test, y_test = x_test[:-1], y_test[:-1]
    else:
        options = {change: 4}
    train(copy.parent, ((x_train, y_train), (x_test, y_test)), **options)
    assert training == [800]
    assert len(list(copy.parent.iterdir())) == 2  # each has a file of its own


def damage(path, kind):
    content = path.read_bytes()
    if kind == 'empty':
        path.write_bytes(b'')
    elif kind == 'cut':
        path.write_bytes(content[:len(content) // 2])
    elif kind == 'one byte':
        path.write_bytes(content[:100_000] + bytes([content[100_000] ^ 1]) + content[100_001:])
    elif kind == 'no archive':
        path.write_text('hello\n' * 100)
    elif kind == 'single array':
        with open(path, 'wb') as file:
            np.save(file, np.zeros(3))
    else:
        arrays = dict(np.load(path))
        if kind == 'other data':
            arrays['fingerprint'] = 'f' * 64
        elif kind == 'other network':
            arrays['classifier/dense/kernel'] = np.zeros((3, 3), np.float32)
        elif kind == 'pickle':
            arrays['classifier/dense/kernel'] = np.array([{}], object)
        elif kind == 'missing array':
            del arrays['classifier/dense/kernel']
        np.savez(path, **arrays)


@pytest.mark.parametrize('kind', ['empty', 'cut', 'one byte', 'no archive', 'single array', 'other data',
                                  'other network', 'pickle', 'missing array'])
def test_a_damaged_cache_is_reported_and_replaced(splits, training, copy, kind):
    good = copy.read_bytes()
    damage(copy, kind)
    assert copy.read_bytes() != good
    lines = []
    train(copy.parent, splits, lines.append)
    assert training == [800]
    assert lines[0].startswith(f'{copy} cannot be used (') and '\n' not in lines[0]
    assert lines[0].endswith('): training the classifier again')
    lines.clear()
    train(copy.parent, splits, lines.append)  # now from the new file
    assert training == [800] and not lines
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def test_a_failed_write_is_reported_and_leaves_nothing(splits, training, tmp_path, monkeypatch):
    def full(file, **arrays):
        file.write(b'half')
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(np, 'savez', full)
    lines = []
    judge = train(tmp_path / 'new', splits, lines.append)
    assert judge.test_accuracy[0] > 0.8
    assert 'cannot be written (No space left on device): the classifier will be trained again' in lines[-1]
    assert os.listdir(tmp_path / 'new') == []


def test_a_cache_folder_that_is_a_file_is_reported(splits, training, tmp_path):
    (tmp_path / 'file').write_text('')
    lines = []
    train(tmp_path / 'file', splits, lines.append)
    assert 'cannot be written' in lines[-1]


def test_too_few_images_are_refused(splits, tmp_path):
    (x_train, y_train), test_split = splits
    with pytest.raises(UserError, match='larger than the data set of 100 images'):
        train(tmp_path, ((x_train[:100], y_train[:100]), test_split))
    assert not list(tmp_path.iterdir())
