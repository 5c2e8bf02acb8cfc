"""The picture files in a folder and below it, and the classes that its folders are."""

import os
import stat
from typing import NamedTuple

from common.errors import UserError, one_line

_ENDINGS = ('.png', '.jpg', '.jpeg', '.bmp', '.gif', '.webp')
_TRAINING, _TEST = {'train', 'training', 'val', 'valid', 'validation'}, {'test', 'testing'}


class PictureFile(NamedTuple):
    """
    @param path: relative to the folder
    @param size: in bytes; -1 for a link to nothing
    @param mtime_ns: time of change in nanoseconds
    """

    path: str
    size: int
    mtime_ns: int


def is_picture(name):
    return name.lower().endswith(_ENDINGS) and not name.startswith('.')


def holds_pictures(folder):
    """Whether there are pictures in the folder or in a folder in it."""
    for _, folders, names in os.walk(folder, followlinks=True):
        if any(map(is_picture, names)):
            return True
        for name in folders:
            try:
                if any(map(is_picture, os.listdir(os.path.join(folder, name)))):
                    return True
            except OSError:
                continue
        break
    return False


def list_pictures(folder):
    """
    All picture files, those that links lead to as well; what begins with a dot is left out
    @return: list of PictureFile in the order of their paths
    @raise UserError: where a folder cannot be read
    """
    found, visited, folders = [], set(), ['']
    itself = os.stat(folder)
    while folders:
        relative = folders.pop()
        try:
            entries = list(os.scandir(os.path.join(folder, relative)))
        except OSError as error:
            raise UserError(f'the folder {os.path.join(folder, relative)} cannot be read ({one_line(error)}): '
                            'change its permissions or move it elsewhere') from error
        for entry in entries:
            path = os.path.join(relative, entry.name)
            if entry.name.startswith('.') or entry.name == '__MACOSX':
                continue
            try:
                status = entry.stat()
            except OSError:  # a link to nothing, or to itself
                if is_picture(entry.name):
                    found.append(PictureFile(path, -1, 0))
                continue
            if stat.S_ISDIR(status.st_mode):
                # Links may lead back to where we are. Each class may have a folder once.
                place = path.split(os.sep)[0], status.st_dev, status.st_ino
                if place not in visited and not os.path.samestat(status, itself):
                    visited.add(place)
                    folders.append(path)
            elif stat.S_ISREG(status.st_mode) and is_picture(entry.name):
                found.append(PictureFile(path, status.st_size, status.st_mtime_ns))
    return sorted(found)


def classes_of(paths):
    """
    @param paths: relative to the folder
    @return: list of the class name of each, and list of whether it is for testing; None where the folder has no such
    division. Where pictures lie beside the folders, or there are no folders, no picture has a class
    """
    parts = [path.split(os.sep)[:-1] for path in paths]
    outer = {folders[0].lower() if folders else '' for folders in parts}
    divided = (outer & _TRAINING and outer & _TEST and outer <= _TRAINING | _TEST
               and all(len(folders) > 1 for folders in parts))
    tested = [folders[0].lower() in _TEST for folders in parts] if divided else None
    if '' in outer:
        return None, None
    return [folders[1 if divided else 0] for folders in parts], tested


def in_order(class_names):
    """Names in the order of their labels: by number where all are numbers, otherwise by name."""
    numbers = all(name.isascii() and name.isdigit() for name in class_names)
    return sorted(class_names, key=lambda name: (int(name), name) if numbers else name)
