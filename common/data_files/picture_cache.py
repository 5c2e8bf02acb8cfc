"""What was read of a folder of pictures, kept outside it, so that the next start need not read them again."""

import contextlib
import hashlib
import json
import os

import numpy as np

from common.files import whole_file

# To be raised when the same files would give other images.
_VERSION = 1


def cache_path(folder):
    """One file for each folder: what is read of it next takes its place."""
    parent = os.environ.get('XDG_CACHE_HOME', '')
    if not os.path.isabs(parent):
        parent = os.path.join(os.path.expanduser('~'), '.cache')
    name = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:16]
    return os.path.join(parent, 'gans-on-mnist', f'pictures-{name}.npz')


def load(folder, files):
    """
    @param files: list of PictureFile that the folder holds now
    @return: images and broken as `save` had them; None where the files are others, or the cache is missing or damaged
    """
    try:
        with np.load(cache_path(folder), allow_pickle=False) as cache:
            if cache['files'].tobytes() != _digest(files):
                return None
            images, broken = cache['images'], json.loads(cache['broken'].tobytes())
        broken = {int(i): str(why) for i, why in broken.items()}
    except Exception:  # damage shows as any of a dozen types
        return None
    good = images.dtype == np.uint8 and images.shape == (len(files) - len(broken), 28, 28)
    return (images, broken) if good and all(0 <= i < len(files) for i in broken) else None


def save(folder, files, images, broken):
    """
    Keep what was read, if there is a place to keep it
    @param files: list of PictureFile
    @param images: uint8 (N, 28, 28), of those that are not broken
    @param broken: {index in files: what is wrong}
    """
    path = cache_path(folder)
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with whole_file(path) as unfinished, open(unfinished, 'wb') as file:
            np.savez(file, images=images, files=np.frombuffer(_digest(files), np.uint8),
                     broken=np.frombuffer(json.dumps(broken).encode(), np.uint8))


def _digest(files):
    return hashlib.sha256(repr((_VERSION, [tuple(file) for file in files])).encode('utf-8', 'surrogateescape')).digest()
