"""Files and folders that are written whole or not at all."""

import contextlib
import json
import os
import shutil
import uuid

UNFINISHED = '.unfinished-'  # how the name of what is being written begins


def can_write(path):
    """Whether a file of this name can be made or replaced: to refuse before long work, not after it."""
    folder = os.path.dirname(os.path.abspath(path))
    return os.path.isdir(folder) and os.access(folder, os.W_OK) and not os.path.isdir(path)


@contextlib.contextmanager
def whole_file(path):
    """Gives a name to write to, which becomes `path` when all is written; otherwise `path` stays as it was.

    @raise OSError: where it cannot take the place of `path`
    """
    unfinished = _name_beside(path)
    try:
        yield unfinished
        os.replace(unfinished, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(unfinished)
        raise


@contextlib.contextmanager
def whole_folder(path):
    """Gives an empty folder, which becomes `path` when all is written; otherwise nothing is left of it.

    @raise OSError: where it cannot be made, or `path` is there already and is not an empty folder
    """
    unfinished = _name_beside(path)
    os.mkdir(unfinished)
    try:
        yield unfinished
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(path)  # fails where it is not empty
        os.rename(unfinished, path)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def delete_unfinished(folder):
    """Remove what killed processes have left half written or half deleted in `folder`."""
    for name in os.listdir(folder):
        if name.startswith(UNFINISHED):
            path = os.path.join(folder, name)
            with contextlib.suppress(OSError):
                shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)


def delete_folder(path):
    """Delete a folder so that no kill leaves half of it under its name."""
    doomed = _name_beside(path)
    os.rename(path, doomed)
    shutil.rmtree(doomed)


def write_json(path, content):
    """Write `content` to `path` as JSON for people to read."""
    with whole_file(path) as unfinished, open(unfinished, 'w', encoding='utf-8') as file:
        json.dump(content, file, indent=2)
        file.write('\n')
        file.flush()
        os.fsync(file.fileno())


def _name_beside(path):
    # In the same folder, since a rename must stay on one disk. Two processes at once do not meet.
    return os.path.join(os.path.dirname(os.path.abspath(path)), UNFINISHED + uuid.uuid4().hex[:12])
