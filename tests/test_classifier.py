"""The reference classifier: that it learns, and that its cache gives back what was trained on these data or nothing."""

import numpy as np
import pytest

from common.datasets import load_split
from common.errors import UserError
from evaluation import classifier
from evaluation.classifier import load_or_train

import tensorflow.compat.v1 as tf


@pytest.fixture(scope='module')
def splits():
    """800 digits to train on and 500 to test on."""
    (x_train, y_train), (x_test, y_test) = load_split(dataset='mnist_5k')
    return (x_train[::5], y_train[::5]), (x_test[::2], y_test[::2])


@pytest.fixture(scope='module')
def trained(splits, tmp_path_factory):
    """The folder with a cached classifier, the classifier, and what was reported."""
    folder, lines = tmp_path_factory.mktemp('cache'), []
    return folder, load_or_train(folder, *splits[0], 10, report=lines.append), lines


@pytest.fixture
def copy(trained, tmp_path):
    """A copy of the cache, to be damaged."""
    [original] = trained[0].iterdir()
    path = tmp_path / original.name
    path.write_bytes(original.read_bytes())
    return path


@pytest.fixture
def trainings(monkeypatch, copy):
    """A list of the trainings; they take no time, since they give the weights of `trained`."""
    calls, weights = [], dict(np.load(copy))

    def fake_train(images, labels, n_classes, epochs, report):
        calls.append(len(images))
        return weights

    monkeypatch.setattr(classifier, 'train', fake_train)
    return calls


def test_it_learns(trained, splits):
    _, reference, lines = trained
    images, labels = splits[1]
    logits, features = reference.logits_and_features(images)
    assert np.mean(logits.argmax(axis=1) == labels) > 0.8  # chance is 0.1
    assert len(lines) == 9  # the start and eight epochs
    assert logits.shape == (500, 10) and features.shape == (500, 128)
    assert features.min() == 0 and (features > 0).any()


def test_images_are_classified_one_by_one_and_in_either_range(trained, splits):
    _, reference, _ = trained
    images = splits[1][0][:10]
    logits, features = reference.logits_and_features(images)
    for same in (reference.logits_and_features(images, batch_size=3), reference.logits_and_features(images / 255)):
        assert same[0] == pytest.approx(logits, abs=0.01) and same[1] == pytest.approx(features, abs=0.01)


def test_training_depends_neither_on_the_number_of_threads_nor_on_the_default_graph(splits, monkeypatch):
    images, labels = splits[0]

    def fingerprint(threads):
        config = tf.ConfigProto(intra_op_parallelism_threads=threads)
        monkeypatch.setattr(classifier, 'session_config', lambda: config)
        weights = classifier.train(images, labels, 10, epochs=2, report=lambda line: None)
        return classifier.Classifier(weights).fingerprint

    first = fingerprint(1)
    with tf.Graph().as_default() as graph:
        tf.set_random_seed(5)
        assert fingerprint(3) == first
        assert not graph.get_operations()


def test_the_cache_gives_the_same_classifier(trained, splits, trainings):
    folder, reference, _ = trained
    again = load_or_train(folder, *splits[0], 10)
    assert not trainings and again.fingerprint == reference.fingerprint
    for before, after in zip(*(some.logits_and_features(splits[1][0]) for some in (reference, again))):
        assert np.array_equal(before, after)


@pytest.mark.parametrize('change', ['image', 'label', 'epochs'])
def test_a_classifier_of_something_else_is_not_taken(splits, trainings, copy, change):
    images, labels = splits[0][0].copy(), splits[0][1].copy()
    if change == 'image':
        images[0, 0, 0] += 1
    elif change == 'label':
        labels[-1] = (labels[-1] + 1) % 10
    load_or_train(copy.parent, images, labels, 10, epochs=4 if change == 'epochs' else classifier.EPOCHS)
    assert trainings == [800]
    assert len(list(copy.parent.iterdir())) == 2  # each has a file of its own


@pytest.mark.parametrize('damage', ['cut', 'one byte', 'other network'])
def test_a_damaged_cache_is_reported_and_replaced(splits, trainings, copy, damage):
    content = copy.read_bytes()
    if damage == 'cut':
        copy.write_bytes(content[:len(content) // 2])
    elif damage == 'one byte':
        copy.write_bytes(content[:100_000] + bytes([content[100_000] ^ 1]) + content[100_001:])
    else:
        np.savez(copy, **{**np.load(copy), 'classifier/dense/kernel': np.zeros((3, 3), np.float32)})
    lines = []
    load_or_train(copy.parent, *splits[0], 10, report=lines.append)
    assert trainings == [800] and str(copy) in lines[0] and '\n' not in lines[0]
    load_or_train(copy.parent, *splits[0], 10)  # now from the new file
    assert trainings == [800] and list(copy.parent.iterdir()) == [copy]


def test_a_cache_that_cannot_be_written_is_reported(splits, trainings, tmp_path):
    (tmp_path / 'file').write_text('')
    lines = []
    reference = load_or_train(tmp_path / 'file', *splits[0], 10, report=lines.append)
    assert reference.n_classes == 10 and str(tmp_path / 'file') in lines[-1]


def test_fewer_images_than_a_batch_are_refused(splits, tmp_path):
    with pytest.raises(UserError):
        load_or_train(tmp_path, splits[0][0][:100], splits[0][1][:100], 10)
