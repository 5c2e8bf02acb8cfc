"""Atomic writes: files and folders that are written whole or not at all."""

import contextlib
import errno
import json
import os
import shutil
import time
import uuid

UNFINISHED = '.unfinished-'  # how the name of what is being written begins


@contextlib.contextmanager
def atomic_file(path):
    """Gives a name to write to, which becomes `path` when all is written; otherwise `path` stays as it was.

    Raises OSError where it cannot take the place of `path`: a device or a folder is not replaced by a file.
    """
    if os.path.lexists(path) and not os.path.isfile(path):
        raise OSError(errno.EINVAL, 'it is there already and is no regular file', path)
    unfinished = _name_beside(path)
    try:
        yield unfinished
        _patiently(os.replace, unfinished, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(unfinished)
        raise


@contextlib.contextmanager
def atomic_folder(path):
    """Gives an empty folder, which becomes `path` when all is written; otherwise nothing is left of it.

    Raises OSError where it cannot be made, or `path` is there already and is not an empty folder.
    """
    unfinished = _name_beside(path)
    os.mkdir(unfinished)
    try:
        yield unfinished
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(path)  # fails where it is not empty
        _patiently(os.rename, unfinished, path)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def delete_unfinished(folder):
    """Remove what killed processes have left half written in `folder`."""
    for name in os.listdir(folder):
        if name.startswith(UNFINISHED):
            path = os.path.join(folder, name)
            with contextlib.suppress(OSError):
                shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)


def write_json(path, content):
    """Write `content` to `path` as JSON for people to read."""
    with atomic_file(path) as unfinished, open(unfinished, 'w', encoding='utf-8') as file:
        json.dump(content, file, indent=2)
        file.write('\n')


def _name_beside(path):
    # In the same folder, since a rename must stay on one disk. Two processes at once do not meet.
    return os.path.join(os.path.dirname(os.path.abspath(path)), UNFINISHED + uuid.uuid4().hex[:12])


def _patiently(rename, source, target):
    """Windows refuses to rename what a virus scanner or a reader has open: try again for some seconds."""
    for _ in range(30 if os.name == 'nt' else 0):
        try:
            return rename(source, target)
        except PermissionError:
            time.sleep(0.1)
    return rename(source, target)
