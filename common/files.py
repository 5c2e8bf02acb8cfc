"""Files and folders that are written whole or not at all, and deleted where that is possible."""

import contextlib
import errno
import json
import os
import shutil
import sys
import time
import uuid

from common.errors import one_line

UNFINISHED = '.unfinished-'  # how the name of what is being written begins


@contextlib.contextmanager
def atomic_file(path):
    """Gives a name to write to, which becomes `path` when all is written; otherwise `path` stays as it was.

    Raises OSError where it cannot take the place of `path`: a device or a folder is not replaced by a file.
    """
    if os.path.lexists(path) and not os.path.isfile(path):
        raise OSError(errno.EINVAL, 'it already exists and is not a regular file', path)
    # In the same folder, since a rename must stay on one disk. Two processes at once do not meet.
    unfinished = os.path.join(os.path.dirname(os.path.abspath(path)), UNFINISHED + uuid.uuid4().hex[:12])
    try:
        yield unfinished
        for _ in range(30):  # Windows refuses for as long as a virus scanner or a reader has it open
            with contextlib.suppress(PermissionError):
                os.replace(unfinished, path)
                return
            time.sleep(0.1)
        os.replace(unfinished, path)
    except BaseException:
        delete(unfinished)
        raise


@contextlib.contextmanager
def atomic_folder(path):
    """As atomic_file, but gives an empty folder. Raises OSError where `path` is there and is not an empty folder."""
    if os.path.lexists(path):
        os.rmdir(path)
    with atomic_file(path) as unfinished:
        os.mkdir(unfinished)
        yield unfinished


def delete(path):
    """Delete a file or a folder, if it is there; where that fails, a line on stderr says so, and it stays."""
    try:
        if os.path.isdir(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.remove(path)
    except OSError as error:
        print(f'{path} cannot be deleted ({one_line(error)}) and stays', file=sys.stderr, flush=True)


def write_json(path, content):
    """Write `content` to `path` as JSON for people to read."""
    with atomic_file(path) as unfinished, open(unfinished, 'w', encoding='utf-8') as file:
        json.dump(content, file, indent=2)
        file.write('\n')
