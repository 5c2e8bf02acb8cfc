"""The data sets that are looked for by the names of their files, and what is special about each."""

import hashlib
import re
import string
from typing import NamedTuple

DEFAULT_DATA_DIR = './mnist_data'
DATASETS = ('mnist', 'mnist_5k', 'fashion_mnist', 'kmnist', 'emnist_digits', 'emnist_letters', 'pictures')

_DIGITS = tuple(string.digits)


class KnownSet(NamedTuple):
    """
    @param title: as people call it
    @param folders: how folders that hold it are called, see `plain`
    @param source: where a user gets it
    @param prefix: of the names of its four IDX files
    @param test: what their names have for the test images, beside 'train'
    @param class_names: in the order of the labels
    @param first_label: the label that the files give to the first class
    @param transposed: whether rows and columns of the stored images are exchanged
    @param labels_sha256: of the training labels as bytes; tells sets apart that have the same file names
    @param packed_labels_md5: of the file with the training labels, as it is distributed
    """

    title: str
    folders: tuple
    source: str
    prefix: str = ''
    test: str = 't10k'
    class_names: tuple = _DIGITS
    first_label: int = 0
    transposed: bool = False
    labels_sha256: str = ''
    packed_labels_md5: str = ''


_EMNIST_SOURCE = ('get gzip.zip from https://www.nist.gov/itl/products-and-services/emnist-dataset, unpack it, '
                  'and name its folder with --data-dir')

KNOWN_SETS = {
    'mnist': KnownSet(
        'MNIST', ('mnist',), 'give an empty folder, which is filled by a download, or leave --data-dir out',
        labels_sha256='1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13'),
    'fashion_mnist': KnownSet(
        'Fashion-MNIST', ('fashionmnist', 'fashion'),
        'give an empty folder, which is filled by a download, or leave --data-dir out, or install the Debian package '
        'dataset-fashion-mnist and give /usr/share/datasets/fashion-mnist',
        labels_sha256='657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7'),
    'kmnist': KnownSet(
        'KMNIST', ('kmnist', 'kuzushijimnist'),
        'get the four .gz files from http://codh.rois.ac.jp/kmnist/ and name their folder with --data-dir',
        packed_labels_md5='e144d726b3acfaa3e44228e80efcd344'),
    'emnist_digits': KnownSet(
        'EMNIST Digits', ('emnist',), _EMNIST_SOURCE, 'emnist-digits-', 'test', transposed=True),
    'emnist_letters': KnownSet(
        'EMNIST Letters', ('emnist',), _EMNIST_SOURCE, 'emnist-letters-', 'test', tuple(string.ascii_uppercase),
        first_label=1, transposed=True),
}


def plain(name):
    """A name without what differs from one collection to the next: 'Fashion-MNIST' gives 'fashionmnist'."""
    return re.sub('[^a-z0-9]', '', name.lower())


def recognize(train_labels, labels_file):
    """
    Which of the known sets this is
    @param train_labels: integers in 0..255, (N,)
    @param labels_file: path of the file that they come from
    @return: name, or None where nothing is known for sure
    """
    sha256 = hashlib.sha256(train_labels.astype('uint8').tobytes()).hexdigest()
    with open(labels_file, 'rb') as file:
        md5 = hashlib.md5(file.read(100_000), usedforsecurity=False).hexdigest()
    for name, known in KNOWN_SETS.items():
        if sha256 == known.labels_sha256 or md5 == known.packed_labels_md5:
            return name
    return None
