"""Files that are written whole or not at all."""

import contextlib
import json
import os


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
