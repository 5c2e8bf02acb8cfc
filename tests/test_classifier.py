"""The reference classifier: that it learns, and that its cache gives back what was trained on these data or nothing."""

import functools

import numpy as np
import pytest

from common.datasets import load_split
from evaluation import classifier
from evaluation.classifier import load_or_train, logits_and_features

import tensorflow.compat.v1 as tf


@pytest.fixture(scope='module')
def splits():
    """800 digits to train on and 500 to test on."""
    (x_train, y_train), (x_test, y_test) = load_split(dataset='mnist_5k')
    return (x_train[::5], y_train[::5]), (x_test[::2], y_test[::2])


@pytest.fixture(scope='module')
def trained(splits):
    return classifier.train(*splits[0], 10)


@pytest.fixture
def trainings(monkeypatch, trained):
    """A list of the trainings; they take no time, since they give the weights of `trained`."""
    calls = []
    monkeypatch.setattr(classifier, 'train', lambda images, labels, n_classes: calls.append(len(images)) or trained)
    return calls


def test_it_learns(trained, splits):
    images, labels = splits[1]
    logits, features = logits_and_features(trained, images)
    assert np.mean(logits.argmax(axis=1) == labels) > 0.8  # chance is 0.1
    assert logits.shape == (500, 10) and features.shape == (500, 128)
    assert features.min() == 0 and (features > 0).any()
    # Images are classified one by one, and in either range.
    for same in (logits_and_features(trained, images[:10]), logits_and_features(trained, images[:10] / 255)):
        assert same[0] == pytest.approx(logits[:10], abs=0.01) and same[1] == pytest.approx(features[:10], abs=0.01)


def test_training_depends_neither_on_the_number_of_threads_nor_on_the_default_graph(splits, monkeypatch):
    monkeypatch.setattr(classifier, 'EPOCHS', 1)
    found = []
    for threads in (1, 3):
        config = functools.partial(tf.ConfigProto, intra_op_parallelism_threads=threads)
        monkeypatch.setattr(classifier, 'session_config', config)
        with tf.Graph().as_default() as graph:
            tf.set_random_seed(threads)
            found.append(classifier.fingerprint(classifier.train(*splits[0], 10)))
            assert not graph.get_operations()
    assert found[0] == found[1]


def test_the_cache_gives_the_same_classifier_for_the_same_data(splits, trained, trainings, tmp_path):
    images, labels = splits[0]
    cache = tmp_path / 'new'
    load_or_train(cache, images, labels, 10)
    again = load_or_train(cache, images, labels, 10)
    assert trainings == [800] and classifier.fingerprint(again) == classifier.fingerprint(trained)

    other_images, other_labels = images.copy(), labels.copy()
    other_images[0, 0, 0] += 1
    other_labels[-1] = (labels[-1] + 1) % 10
    for data in ((other_images, labels, 10), (images, other_labels, 10), (images, labels, 11)):
        load_or_train(cache, *data)
    assert trainings == 4 * [800] and len(list(cache.iterdir())) == 4  # each has a file of its own


def test_a_damaged_cache_is_replaced(splits, trainings, tmp_path):
    load_or_train(tmp_path, *splits[0], 10)
    [file] = tmp_path.iterdir()
    content = file.read_bytes()
    for damaged in (content[:len(content) // 2],
                    content[:100_000] + bytes([content[100_000] ^ 1]) + content[100_001:]):
        file.write_bytes(damaged)
        load_or_train(tmp_path, *splits[0], 10)
        assert file.read_bytes() == content and list(tmp_path.iterdir()) == [file]
    assert trainings == 3 * [800]
