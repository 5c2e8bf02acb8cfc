"""MNIST in every usual form, its relatives, and where they are looked for."""

import gzip
import os
import zipfile

import numpy as np
import pytest
from made_data import (IDX_NAMES, arrays, assert_equal_splits, idx_bytes, npz_bytes, packed, shield, tree, write_idx)

from common.data_files import known_sets
from common.datasets import load_dataset, load_dataset_label, load_split
from common.errors import UserError


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path_factory):
    return shield(monkeypatch, tmp_path_factory)


def refuse(data_dir, dataset='mnist'):
    """The sentence that refuses; nothing in the folder is changed by it."""
    before = tree(data_dir)
    with pytest.raises(UserError) as caught:
        load_split(data_dir, dataset)
    assert tree(data_dir) == before
    message = str(caught.value)
    assert '\n' not in message and 'delete' not in message
    return message


# MNIST's own forms.

DOTTED = tuple(name.replace('-idx', '.idx') for name in IDX_NAMES)


@pytest.mark.parametrize('names', [IDX_NAMES, packed(), DOTTED, packed(DOTTED)])
@pytest.mark.parametrize('place', ['', 'MNIST/raw', 'mnist', 'raw'])
def test_mnist_as_idx_files(tmp_path, capsys, names, place):
    write_idx(tmp_path / place, names)
    assert_equal_splits(load_split(tmp_path), arrays())
    assert capsys.readouterr().out == (
        f'mnist: 10 images from {tmp_path / place / names[0]} and the three beside it\n')


def test_idx_files_are_read_by_content_not_by_the_end_of_their_name(tmp_path):
    write_idx(tmp_path)
    content = tmp_path / IDX_NAMES[0]
    (tmp_path / f'{IDX_NAMES[1]}.gz').write_bytes((tmp_path / IDX_NAMES[1]).read_bytes())  # unpacked by a browser
    (tmp_path / IDX_NAMES[1]).unlink()
    content.write_bytes(gzip.compress(content.read_bytes()))
    assert_equal_splits(load_split(tmp_path), arrays())


def test_packed_and_unpacked_beside_each_other_as_torchvision_leaves_them(tmp_path):
    write_idx(tmp_path / 'MNIST' / 'raw')
    write_idx(tmp_path / 'MNIST' / 'raw', packed())
    write_idx(tmp_path / 'FashionMNIST' / 'raw', content=arrays(seed=1))
    (tmp_path / IDX_NAMES[0]).mkdir()  # a folder of a file's name, as some archives unpack
    assert_equal_splits(load_split(tmp_path), arrays())
    assert_equal_splits(load_split(tmp_path, 'fashion_mnist'), arrays(seed=1))


@pytest.mark.parametrize('compression', [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_another_container_and_label_type_will_do(tmp_path, compression):
    content = arrays(y_test=arrays()['y_test'].astype('>i8'), extra=np.ones(3))
    with zipfile.ZipFile(tmp_path / 'mnist.npz', 'w', compression) as archive:
        for name, array in content.items():
            with archive.open(f'{name}.npy', 'w') as member:
                np.save(member, array)
    assert_equal_splits(load_split(tmp_path), arrays())


def test_some_of_the_four_files_are_missing(tmp_path):
    write_idx(tmp_path)
    (tmp_path / IDX_NAMES[2]).unlink()
    assert 'only 3 of the four files' in refuse(tmp_path)


def test_keras_cache_comes_after_the_folder(tmp_path, home, monkeypatch, capsys):
    cache = home / '.keras' / 'datasets'
    cache.mkdir(parents=True)
    (cache / 'mnist.npz').write_bytes(npz_bytes())
    assert_equal_splits(load_split(tmp_path), arrays())
    assert capsys.readouterr().out == f'mnist: 10 images from {cache}/mnist.npz\n'
    monkeypatch.setenv('KERAS_HOME', str(tmp_path / 'keras'))
    (tmp_path / 'keras' / 'datasets').mkdir(parents=True)
    (tmp_path / 'keras' / 'datasets' / 'mnist.npz').write_bytes(npz_bytes(seed=1))
    assert_equal_splits(load_split(tmp_path), arrays(seed=1))
    (tmp_path / 'mnist.npz').write_bytes(npz_bytes(seed=2))
    assert_equal_splits(load_split(tmp_path), arrays(seed=2))


def test_fashion_mnist_in_keras_cache(tmp_path, home):
    write_idx(home / '.keras' / 'datasets' / 'fashion-mnist', packed())
    assert_equal_splits(load_split(tmp_path, 'fashion_mnist'), arrays())


def test_damaged_file_in_keras_cache_is_passed_over(tmp_path, home, capsys):
    cache = home / '.keras' / 'datasets'
    cache.mkdir(parents=True)
    (cache / 'mnist.npz').write_bytes(npz_bytes()[:-200])
    (tmp_path / 'notes.txt').write_text('')
    assert 'mnist.npz' in refuse(tmp_path)
    assert f'passed over: {cache}/mnist.npz cannot be used' in capsys.readouterr().err


# Its relatives.

@pytest.mark.parametrize('place', ['', 'FashionMNIST/raw', 'fashion-mnist'])
def test_fashion_mnist(tmp_path, place):
    write_idx(tmp_path / place, packed())
    assert_equal_splits(load_split(tmp_path, 'fashion_mnist'), arrays())


@pytest.mark.parametrize('place', ['', 'KMNIST/raw', 'kmnist'])
def test_kmnist(tmp_path, place):
    write_idx(tmp_path / place, packed())
    assert_equal_splits(load_split(tmp_path, 'kmnist'), arrays())


def test_kmnist_as_its_four_archives(tmp_path):
    names = 'kmnist-train-imgs', 'kmnist-train-labels', 'kmnist-test-imgs', 'kmnist-test-labels'
    for name, array in zip(names, arrays().values()):
        np.savez_compressed(tmp_path / f'{name}.npz', array)
    assert_equal_splits(load_split(tmp_path, 'kmnist'), arrays())


def emnist(kind, names=IDX_NAMES):
    return [f'emnist-{kind}-{name.replace("t10k", "test")}' for name in names]


@pytest.mark.parametrize('place, names', [('', IDX_NAMES), ('EMNIST/raw', IDX_NAMES), ('gzip', packed())])
def test_emnist_is_brought_upright(tmp_path, place, names):
    upright = arrays()
    stored = upright | {name: upright[name].transpose(0, 2, 1) for name in ('x_train', 'x_test')}
    write_idx(tmp_path / place, emnist('digits', names), stored)
    write_idx(tmp_path / place, emnist('balanced', names), arrays(seed=1))
    assert_equal_splits(load_split(tmp_path, 'emnist_digits'), upright)


def test_emnist_letters_have_26_classes_from_a_to_z(tmp_path):
    letters = {'y_train': np.array([1, 26, 3, 3, 2, 1], np.uint8), 'y_test': np.array([26, 1, 2, 3], np.uint8)}
    write_idx(tmp_path, emnist('letters'), arrays(**letters))
    images, labels = load_dataset_label(tmp_path, 'emnist_letters')
    assert labels.shape == (10, 26)
    assert [images.class_names[label] for label in labels.argmax(axis=1)] == list('AZCCBAZABC')
    with pytest.raises(UserError, match=r'1\.\.26'):
        write_idx(tmp_path, emnist('letters'), arrays(**letters | {'y_test': np.array([0, 1, 2, 3], np.uint8)}))
        load_split(tmp_path, 'emnist_letters')


@pytest.mark.parametrize('dataset, place', [('kmnist', 'codh.rois.ac.jp'), ('emnist_digits', 'nist.gov'),
                                            ('emnist_letters', 'nist.gov')])
def test_what_is_not_downloaded_is_refused_with_where_to_get_it(tmp_path, dataset, place):
    assert place in refuse(tmp_path, dataset)


# Sets whose files have the same names.

@pytest.fixture
def known_labels(monkeypatch):
    """Lets the made MNIST, Fashion-MNIST and KMNIST be recognized as the true ones are."""
    import hashlib
    for seed, name in enumerate(('mnist', 'fashion_mnist', 'kmnist')):
        labels = arrays(seed=seed)['y_train']
        change = ({'packed_labels_md5': hashlib.md5(gzip.compress(idx_bytes(labels), mtime=0)).hexdigest()}
                  if name == 'kmnist' else {'labels_sha256': hashlib.sha256(labels.tobytes()).hexdigest()})
        monkeypatch.setitem(known_sets.KNOWN_SETS, name, known_sets.KNOWN_SETS[name]._replace(**change))
    return [arrays(seed=seed) for seed in range(3)]


def write_kmnist(folder, content):
    write_idx(folder, packed(), content)
    path = folder / packed()[1]
    path.write_bytes(gzip.compress(idx_bytes(content['y_train']), mtime=0))


def test_another_set_under_the_same_names_is_refused_by_its_labels(tmp_path, known_labels):
    mnist, fashion, kmnist = known_labels
    write_idx(tmp_path, content=mnist)
    assert 'is MNIST, not Fashion-MNIST: use --dataset mnist' in refuse(tmp_path, 'fashion_mnist')
    assert 'is MNIST, not KMNIST' in refuse(tmp_path, 'kmnist')
    write_idx(tmp_path, content=fashion)
    assert 'is Fashion-MNIST, not MNIST: use --dataset fashion_mnist' in refuse(tmp_path)
    (tmp_path / 'mnist.npz').write_bytes(npz_bytes(**fashion))
    assert 'mnist.npz is Fashion-MNIST, not MNIST' in refuse(tmp_path)
    other = tmp_path / 'other'
    write_kmnist(other, kmnist)
    assert 'is KMNIST, not MNIST' in refuse(other)
    assert_equal_splits(load_split(other, 'kmnist'), kmnist)


def test_another_set_is_told_by_the_folders_name_where_the_labels_are_unknown(tmp_path):
    write_idx(tmp_path / 'KMNIST' / 'raw')
    assert 'is KMNIST, not MNIST: use --dataset kmnist' in refuse(tmp_path / 'KMNIST')
    assert 'is KMNIST, not MNIST' in refuse(tmp_path / 'KMNIST' / 'raw')
    assert 'is KMNIST, not Fashion-MNIST' in refuse(tmp_path / 'KMNIST' / 'raw', 'fashion_mnist')
    write_idx(tmp_path / 'fashion-mnist')
    assert 'is Fashion-MNIST, not KMNIST' in refuse(tmp_path / 'fashion-mnist', 'kmnist')


def test_a_recognized_set_is_read_whatever_its_folder_is_called(tmp_path, known_labels):
    write_idx(tmp_path / 'kmnist', content=known_labels[0])
    assert_equal_splits(load_split(tmp_path / 'kmnist'), known_labels[0])


def test_the_right_set_beside_another_is_found(tmp_path, known_labels):
    write_idx(tmp_path, content=known_labels[1])
    write_idx(tmp_path / 'mnist', content=known_labels[0])
    assert_equal_splits(load_split(tmp_path), known_labels[0])


# The folder.

def test_missing_directory_is_not_created(tmp_path):
    with pytest.raises(UserError, match='does not exist'):
        load_split(tmp_path / 'absent')
    assert not (tmp_path / 'absent').exists()


def test_directory_that_is_a_file(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='is not a directory'):
        load_split(tmp_path / 'file')


def test_unreadable_directory(tmp_path, monkeypatch):
    monkeypatch.setattr(os, 'access', lambda path, mode: False)  # root may read everything
    with pytest.raises(UserError, match='cannot be read'):
        load_split(tmp_path)


@pytest.mark.parametrize('place', ['', 'cats'])
def test_a_folder_of_pictures_is_not_taken_for_mnist(tmp_path, home, place):
    (home / '.keras' / 'datasets').mkdir(parents=True)
    (home / '.keras' / 'datasets' / 'mnist.npz').write_bytes(npz_bytes())
    (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / place / 'a.PNG').write_bytes(b'')
    assert 'add --dataset pictures' in refuse(tmp_path)


@pytest.mark.parametrize('dataset', ['mnist', 'fashion_mnist'])
def test_nothing_is_downloaded_into_a_folder_that_holds_other_files(tmp_path, dataset):
    (tmp_path / 'thesis.tex').write_text('')
    assert 'nothing is downloaded into a folder that holds other files' in refuse(tmp_path, dataset)


def test_a_line_that_cannot_be_printed_ends_nothing(tmp_path, monkeypatch):
    (tmp_path / 'mnist.npz').write_bytes(npz_bytes())
    monkeypatch.setattr('sys.stdout', None)
    assert len(load_dataset(tmp_path)) == 10
