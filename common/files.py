"""Files that are written whole or not at all."""

import contextlib
import json
import os


def can_write(path):
    """Whether a file of this name can be made or replaced: to refuse before long work, not after it."""
    folder = os.path.dirname(os.path.abspath(path))
    return os.path.isdir(folder) and os.access(folder, os.W_OK) and not os.path.isdir(path)


@contextlib.contextmanager
def whole_file(path):
    """Gives a name to write to, which becomes `path` when all is written; otherwise `path` stays as it was.

    @raise OSError: where it cannot take the place of `path`
    """
    unfinished = path + '.unfinished'
    try:
        yield unfinished
        os.replace(unfinished, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(unfinished)
        raise


def write_json(path, content):
    """Write `content` to `path` as JSON for people to read."""
    with whole_file(path) as unfinished, open(unfinished, 'w') as file:
        json.dump(content, file, indent=2)
        file.write('\n')
        file.flush()
        os.fsync(file.fileno())
