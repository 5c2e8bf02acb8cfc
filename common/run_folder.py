"""The folder of a run: its paths, its lock, its settings, what is deleted and what is written into it."""

import contextlib
import glob
import json
import os
import re
import sys
import zlib

import filelock
import tensorflow.compat.v1 as tf

from common import checkpoints, winograd
from common.curves import cut_losses
from common.errors import UserError, one_line
from common.files import atomic_file, delete_unfinished, write_json

# How to run, not what is trained: these may differ from one start to the next.
FREE = {'max_steps', 'logdir', 'show', 'resume', 'resume_from', 'overwrite'}
# Remembered as defaults for --resume, but allowed to change.
_CHANGEABLE = {'epochs', 'data_dir', 'keep_last', 'keep_every', 'save_minutes'}


class RunFolder:
    """The folder of a model in the logdir.

    It holds settings.json, losses.csv, losses.png, events.out.tfevents.*, samples/ and checkpoints/.

    logdir: --logdir; model: name of the model, which is that of the folder.
    """

    def __init__(self, logdir, model):
        self.path = os.path.join(logdir, model)
        self.samples = os.path.join(self.path, 'samples')
        self.checkpoints = os.path.join(self.path, 'checkpoints')
        self.losses = os.path.join(self.path, 'losses.png')

    def check(self, overwrite):
        """Refuse a folder that a new run cannot have.

        Raises UserError where it holds a run and `overwrite` is False, or cannot be written into.
        """
        if set('*?[') & set(self.path):
            raise UserError(f'TensorFlow takes *, ? and [ in {self.path} for a pattern: choose another --logdir')
        if not overwrite and os.path.lexists(settings_file(self.path)):
            raise UserError(f'{self.path} already holds a run: continue it with --resume, replace it with '
                            '--overwrite, or choose another --logdir')
        if not overwrite and checkpoints.list_checkpoints(self.checkpoints):
            raise UserError(_without_settings(self.path))
        folder = os.path.abspath(self.path)
        while not os.path.lexists(folder):
            folder = os.path.dirname(folder)
        if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK):
            raise UserError(f'cannot write into {folder}: choose another --logdir')

    @contextlib.contextmanager
    def locked(self):
        """Keep other processes out for the length of a `with`; the system drops the lock of a process that is killed.

        Raises UserError where another process trains in the folder, or it cannot be written into.
        """
        lock = filelock.FileLock(os.path.join(self.path, '.lock'), timeout=0)
        try:
            os.makedirs(self.path, exist_ok=True)
            lock.acquire()
        except filelock.Timeout:
            raise UserError(f'another process is training in {self.path}: wait for it or choose another --logdir')
        except OSError as error:
            raise UserError(f'cannot write into {self.path} ({error.strerror}): choose another --logdir')
        try:
            yield
        finally:
            lock.release()
            with contextlib.suppress(OSError):  # of a run that did not get under way nothing stays
                if os.listdir(self.path) == ['.lock']:
                    os.remove(os.path.join(self.path, '.lock'))
                    os.rmdir(self.path)

    @contextlib.contextmanager
    def writing(self, then='continue with --resume'):
        """Around all that writes: what fails there, a full disk say, is reported in one sentence."""
        try:
            yield
        except (OSError, tf.errors.OpError) as error:
            raise UserError(f'cannot write into {self.path} ({one_line(error)}); {self.last_checkpoint()}; '
                            f'make room or fix the folder, then {then}', exit_status=1)

    def listing(self):
        """Where the output is, for people."""
        return (f'  pictures: {self.samples}\n  curves:   {self.losses}\n'
                f'  model:    {checkpoints.list_checkpoints(self.checkpoints)[-1].path}')

    def last_checkpoint(self):
        """For a message: 'the last good checkpoint is ...'."""
        good = checkpoints.list_checkpoints(self.checkpoints)
        return f'the last good checkpoint is {good[-1].path}' if good else 'no checkpoint was saved yet'

    @contextlib.contextmanager
    def beginning(self, resuming):
        """Around the first writes of a run that begins, which replaces an older one only now, or continues.

        A new one that fails here leaves nothing.
        """
        try:
            with self.writing(then='continue with --resume' if resuming else 'start again'):
                if not resuming:
                    self.delete_run()
                self._prepare()
                yield
        except BaseException:
            if not resuming:
                self.remove()
            raise

    def _prepare(self):
        """Make the folders, and remove what killed runs have left half written or half deleted."""
        for folder in (self.samples, self.checkpoints):
            os.makedirs(folder, exist_ok=True)
        for folder in (self.path, self.samples, self.checkpoints):
            delete_unfinished(folder)
        checkpoints.delete_incomplete(self.checkpoints)

    def delete_run(self):
        """Delete what a run writes, and nothing else that may be in the folder."""
        for name in ('settings.json', 'losses.csv', 'losses.png', 'events.out.tfevents.*',
                     'samples/real_samples.png', 'samples/epoch_*.png'):
            for path in glob.glob(os.path.join(glob.escape(self.path), name)):
                os.remove(path)
        for checkpoint in checkpoints.list_checkpoints(self.checkpoints):
            checkpoints.delete(checkpoint)

    def remove(self):
        """Delete what there is of a run that did not get under way; what else is in the folder stays."""
        with contextlib.suppress(OSError):
            self.delete_run()
        for path in (self.samples, self.checkpoints):
            with contextlib.suppress(OSError):
                os.rmdir(path)

    def go_back(self, steps, steps_per_epoch):
        """Delete checkpoints, pictures and rows of losses.csv that come after the first `steps` steps."""
        for checkpoint in checkpoints.list_checkpoints(self.checkpoints):
            if checkpoint[1:] > divmod(steps, steps_per_epoch):
                checkpoints.delete(checkpoint)
        for name in os.listdir(self.samples):
            match = re.fullmatch(r'epoch_(\d+)\.png', name)
            if match and int(match[1]) * steps_per_epoch > steps:
                os.remove(os.path.join(self.samples, name))
        cut_losses(self.path, steps)

    def write_picture(self, name, png):
        """Write the bytes of a PNG file as samples/NAME.png."""
        with atomic_file(os.path.join(self.samples, name + '.png')) as unfinished, open(unfinished, 'wb') as file:
            file.write(png)


# Settings


def settings_file(run_dir):
    return os.path.join(run_dir, 'settings.json')


def _without_settings(run_dir):
    return (f'{run_dir} holds checkpoints but no settings.json, without which they cannot be continued: put it back, '
            'replace the run with --overwrite, or choose another --logdir')


def read_settings(run_dir):
    """What `write_settings` wrote.

    Returns {'model': name, 'settings': {argument: value}, 'data': from `fingerprint`, 'direct_convolution': bool}.
    Raises UserError where there is no readable settings.json.
    """
    path = settings_file(run_dir)
    try:
        with open(path, encoding='utf-8') as file:
            saved = json.load(file)
        saved['model'], saved['settings'].items(), saved['data'].items()
        return saved
    except FileNotFoundError:
        if checkpoints.list_checkpoints(os.path.join(run_dir, 'checkpoints')):
            raise UserError(_without_settings(run_dir))
        above = os.path.dirname(os.path.abspath(run_dir))
        if os.path.lexists(settings_file(above)):
            raise UserError(f'{above} is the folder of a run itself: give the folder above it, '
                            f'--logdir {os.path.relpath(os.path.dirname(above))}')
        raise UserError(f'there is no run in {run_dir} (no settings.json): train one first, '
                        'or name its folder with --logdir')
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f'{path} is not readable as the settings of a run ({one_line(error)}): '
                        'fix it or start again with --overwrite')


def write_settings(run_dir, model, args, data_print):
    """Write the settings of a run that begins or continues, see `read_settings`; data_print: from `fingerprint`."""
    settings = {name: value for name, value in vars(args).items() if name not in FREE}
    for name in ('data_dir', 'start_from'):
        if settings[name] and os.path.isdir(settings[name]):  # to be found from another working directory
            settings[name] = os.path.abspath(settings[name])
    write_json(settings_file(run_dir), {'model': model, 'settings': settings, 'data': data_print,
                                        'direct_convolution': winograd.is_direct()})


def check_same_settings(run_dir, model, args, data_print):
    """Refuse to continue a run with other settings or another data set.

    data_print: from `fingerprint`. Raises UserError, which names each difference. What differs though it is allowed
    to is reported on stderr.
    """
    saved = read_settings(run_dir)
    before, now = {'model': saved['model'], **saved['settings']}, {'model': model, **vars(args)}
    names = [name for name in now if name not in FREE | _CHANGEABLE]
    of_settings = _differences(now, before, [name for name in names if name in before or now[name]])
    of_data = _differences(data_print, saved['data'], ['images', 'data_crc32'])
    where = ['say with --data-dir where its data are'] if of_data else []
    if of_settings:
        choices = ['leave these options out', *where, 'or start another run with --logdir or --overwrite']
        raise UserError(f'cannot continue the run in {run_dir} with other settings: '
                        f'{"; ".join(of_settings + of_data)}; {", ".join(choices)}')
    if of_data:
        raise UserError(f'the data in {args.data_dir} are not those that the run in {run_dir} was trained on '
                        f'({"; ".join(of_data)}): {where[0]}')
    if saved.get('direct_convolution') != winograd.is_direct():
        print('this run was begun with another GAN_DIRECT_CONVOLUTION: it goes on, but rounding differs from here, '
              'and with it the bits', file=sys.stderr, flush=True)


def _differences(now, before, names):
    return [f'{name} is {now.get(name)!r} instead of {before.get(name)!r}' for name in names
            if now.get(name) != before.get(name)]


def fingerprint(images, labels, class_names):
    """What tells data sets apart.

    images, labels: what the model is trained on; labels may be None. class_names: [] where the classes are numbers.
    Returns {'images': number, 'data_crc32': checksum, 'class_names': names of the classes}.
    """
    if labels is not None and not class_names:
        class_names = [str(label) for label in range(labels.shape[1])]
    checksum = 0
    for part in (images,) if labels is None else (images, labels):
        for start in range(0, len(part), 1000):  # a part at a time: their bytes are a copy
            checksum = zlib.crc32(part[start:start + 1000], checksum)
    return {'images': len(images), 'data_crc32': checksum, 'class_names': class_names}
