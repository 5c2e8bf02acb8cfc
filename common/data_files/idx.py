"""IDX files, the format in which MNIST and its relatives are distributed, packed by gzip or not."""

import gzip
import struct

import numpy as np

from common.data_files.arrays import BadFile, as_images, as_labels, check_header, check_pair, read_file


def read_idx(paths, known):
    """
    @param paths: of training images, training labels, test images, test labels
    @param known: KnownSet that they should be
    @return: ((x_train, y_train), (x_test, y_test)), uint8 (N, 28, 28) and int64 (N,)
    @raise UserError: names the file that cannot be used
    """
    def read_pair(images_path, labels_path):
        images = read_file(images_path, lambda file: as_images('the array', parse_idx(file, images=True)))
        return read_file(labels_path, lambda file: check_pair(
            images, as_labels('the array', parse_idx(file, images=False)), known))

    return read_pair(*paths[:2]), read_pair(*paths[2:])


def parse_idx(file, images):
    """
    @param file: open IDX file: magic number, sizes, bytes; its numbers are big-endian
    @param images: whether it should hold images, otherwise labels
    @return: uint8 array as it is stored
    @raise: whatever damage leads to
    """
    packed = file.read(2) == b'\x1f\x8b'  # whatever its name says: browsers unpack, and some rename
    file.seek(0)
    with gzip.open(file) if packed else file as data:
        magic = data.read(4)
        if len(magic) < 4 or magic[:3] != b'\0\0\x08' or not 1 <= magic[3] <= 4:  # 8 stands for uint8
            raise BadFile(f'its magic number is {magic.hex()!r}, not 0000080{3 if images else 1}')
        axes = magic[3]
        shape = struct.unpack(f'>{axes}i', data.read(4 * axes))
        check_header('the array', shape, np.dtype(np.uint8), images)
        array = np.empty(shape, np.uint8)
        # Reading on to the end also makes gzip check the CRC.
        if data.readinto(array) != array.size or data.read(1):
            raise BadFile('its data are not as long as its header says')
        return array
