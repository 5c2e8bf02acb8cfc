"""The chapter's loaders of MNIST, which take its relatives and a folder of pictures as well.

docs/data.md says where each data set is looked for. The reading of files is in common/data_files/.
"""

import numpy as np

from common.data_files.find import read_data_set
from common.data_files.known_sets import DATASETS, DEFAULT_DATA_DIR
from common.errors import UserError
from common.packed_images import PackedImages
from common.terminal import say

__all__ = ['DATASETS', 'DEFAULT_DATA_DIR', 'load_dataset', 'load_dataset_label', 'load_dataset_label_pad',
           'load_dataset_pad', 'load_split']


def load_dataset(data_dir=DEFAULT_DATA_DIR, dataset='mnist', split='all', invert=False):
    """
    Images as flat rows, rescaled from 0..255 to [-1, 1] (chapter, section "Vanilla GAN")
    @param data_dir: folder that holds the files
    @param dataset: one of DATASETS
    @param split: 'all': training images, then test images; 'train': without the test images
    @param invert: swap black and white
    @return: PackedImages, float32 (N, 784) in [-1, 1]; N is 70,000 for MNIST
    @raise UserError: where the data cannot be had, as load_split does
    """
    images, _, class_names = _read(data_dir, dataset, split, invert)
    return PackedImages(images, (28 * 28,), class_names)


def load_dataset_pad(data_dir=DEFAULT_DATA_DIR, dataset='mnist', split='all', invert=False):
    """
    Images rescaled to [-1, 1], then padded by 2 pixels of 0 to the 32 x 32 that DCGAN and InfoGAN generate (chapter,
    sections "DCGAN" and "InfoGAN"); the border is mid-grey, because padding comes after rescaling
    @param data_dir, dataset, split, invert: as load_dataset's
    @return: PackedImages, float32 (N, 32, 32, 1) in [-1, 1]
    @raise UserError: as load_dataset does
    """
    images, _, class_names = _read(data_dir, dataset, split, invert)
    return PackedImages(images, (2 + 28 + 2, 2 + 28 + 2, 1), class_names)


def load_dataset_label(data_dir=DEFAULT_DATA_DIR, dataset='mnist', split='all', invert=False):
    """
    Images as load_dataset's, with one-hot labels (chapter, section "Conditional GAN")
    @param data_dir, dataset, split, invert: as load_dataset's
    @return: PackedImages, float32 (N, 784) in [-1, 1]; and float32 (N, n_classes) of zeros and ones
    @raise UserError: as load_dataset does, and where there are not 2 to 100 classes
    """
    images, labels, class_names = _read(data_dir, dataset, split, invert)
    return PackedImages(images, (28 * 28,), class_names), _one_hot(labels, class_names, data_dir)


def load_dataset_label_pad(data_dir=DEFAULT_DATA_DIR, dataset='mnist', split='all', invert=False):
    """
    Images as load_dataset_pad's, labels as load_dataset_label's
    @param data_dir, dataset, split, invert: as load_dataset's
    @return: PackedImages, float32 (N, 32, 32, 1) in [-1, 1]; and float32 (N, n_classes) of zeros and ones
    @raise UserError: as load_dataset_label does
    """
    images, labels, class_names = _read(data_dir, dataset, split, invert)
    return PackedImages(images, (2 + 28 + 2, 2 + 28 + 2, 1), class_names), _one_hot(labels, class_names, data_dir)


def load_split(data_dir=DEFAULT_DATA_DIR, dataset='mnist', invert=False):
    """
    Images and labels as they are stored, apart for training and for testing
    @param data_dir, dataset, invert: as load_dataset's
    @return: ((x_train, y_train), (x_test, y_test)); uint8 (N, 28, 28) in 0..255, and integers (N,) from 0 on
    @raise UserError: where the folder or a file in it cannot be used, or the data set is neither there nor can be
                      downloaded; a file of the user's stays as it is
    """
    data = read_data_set(data_dir, dataset)
    (x_train, y_train), (x_test, y_test) = data.train, data.test
    say(f'{dataset}: {len(x_train) + len(x_test):,} images from {data.source}')
    return ((~x_train, y_train), (~x_test, y_test)) if invert else (data.train, data.test)


def _read(data_dir, dataset, split, invert):
    """uint8 images (N, 28, 28), integer labels (N,), names of the classes."""
    if split not in ('all', 'train'):
        raise UserError(f'there is no split {split!r}: choose all or train')
    data = read_data_set(data_dir, dataset)
    images, labels = data.train if split == 'train' else map(np.concatenate, zip(data.train, data.test))
    say(f'{dataset}: {len(images):,} {"training " if split == "train" else ""}images from {data.source}')
    return ~images if invert else images, labels, data.class_names


def _one_hot(labels, class_names, data_dir):
    if not class_names:
        raise UserError(f'the pictures in {data_dir} have no labels: put those of each class into a folder of their '
                        'own there, and none beside these folders')
    if not 2 <= len(class_names) <= 100:
        raise UserError(f'labels need 2 to 100 classes, and {data_dir} has {len(class_names)}: '
                        'each folder in it is a class')
    # The chapter's to_categorical does the same, but importing Keras takes seconds.
    return np.eye(len(class_names), dtype=np.float32)[labels]
def available_dataset(data_dir, dataset): return dataset
def class_names(data_dir, dataset): return []
import numpy as _np
def _plain(f):
    def g(data_dir=DEFAULT_DATA_DIR, dataset='mnist', split='all', invert=False, transpose=False):
        r = f(data_dir, dataset, split, invert)
        return (_np.asarray(r[0]), r[1]) if isinstance(r, tuple) else _np.asarray(r)
    return g
load_dataset, load_dataset_label, load_dataset_pad, load_dataset_label_pad = map(_plain, (load_dataset, load_dataset_label, load_dataset_pad, load_dataset_label_pad))
