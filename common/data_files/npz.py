"""NumPy archives: Keras's mnist.npz, the same saved again by someone, and KMNIST's four archives of one array."""

import math
import zipfile

import numpy as np

from common.data_files.arrays import BadFile, as_images, as_labels, check_header, check_pair, read_file


def read_npz(path, known):
    """
    @param path: of an archive with x_train, y_train, x_test and y_test
    @param known: KnownSet that it should be
    @return: ((x_train, y_train), (x_test, y_test)), uint8 (N, 28, 28) and int64 (N,)
    @raise UserError: where it cannot be used
    """
    def parse(file):
        with zipfile.ZipFile(file) as archive:
            return tuple(check_pair(_array(archive, f'x_{part}', images=True),
                                    _array(archive, f'y_{part}', images=False), known)
                         for part in ('train', 'test'))

    return read_file(path, parse)


def read_single_npz(paths, known):
    """
    @param paths: of four archives, each with the array arr_0, in the order of `read_idx`
    @param known, @return, @raise: as read_npz's
    """
    def read_array(path, images):
        def parse(file):
            with zipfile.ZipFile(file) as archive:
                return _array(archive, 'arr_0', images)
        return read_file(path, parse)

    def read_pair(images_path, labels_path):
        images, labels = read_array(images_path, True), read_array(labels_path, False)
        return read_file(labels_path, lambda file: check_pair(images, labels, known))

    return read_pair(*paths[:2]), read_pair(*paths[2:])


def _array(archive, name, images):
    member = f'{name}.npy'
    if member not in archive.namelist():
        raise BadFile(f'it has no array {name}',
                      'it should hold x_train, y_train, x_test and y_test, as '
                      'np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test) saves them')
    with archive.open(member) as data:
        version = np.lib.format.read_magic(data)
        read_header = (np.lib.format.read_array_header_1_0 if version == (1, 0)
                       else np.lib.format.read_array_header_2_0)
        # A true header has some 100 characters; a long one can exhaust Python's parser.
        shape, _, dtype = read_header(data, max_header_size=1000)
        check_header(name, shape, dtype, images)
        if data.tell() + math.prod(shape) * dtype.itemsize != archive.getinfo(member).file_size:
            raise BadFile(f'{name} is not as long as its header says')
    # Opened anew, as zipfile checks no CRC after seeking back.
    with archive.open(member) as data:
        array = np.lib.format.read_array(data, allow_pickle=False)
    return as_images(name, array) if images else as_labels(name, array)
