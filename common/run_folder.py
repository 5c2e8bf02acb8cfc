"""The folder of a run: its paths, its lock, what is deleted and what is written into it."""

import contextlib
import glob
import os
import re

import filelock

from common import checkpoints
from common.errors import UserError, one_line
from common.event_files import cut_events
from common.files import delete_folder, delete_unfinished, whole_file
from common.settings import settings_file
from common.tensorflow1 import tf


class RunFolder:
    """The folder of a model in the logdir: settings.json, events.out.tfevents.*, samples/, checkpoints/, losses.png.

    @param logdir: --logdir
    @param model: name of the model, which is that of the folder
    """

    def __init__(self, logdir, model):
        self.path = os.path.join(logdir, model)
        self.samples = os.path.join(self.path, 'samples')
        self.checkpoints = os.path.join(self.path, 'checkpoints')
        self.losses = os.path.join(self.path, 'losses.png')

    def check(self, overwrite):
        """Refuse a folder that a new run cannot have.

        @raise UserError: where it holds a run and `overwrite` is False, or cannot be written into
        """
        holds_run = os.path.lexists(settings_file(self.path)) or checkpoints.list_checkpoints(self.checkpoints)
        if holds_run and not overwrite:
            raise UserError(f'{self.path} already holds a run: continue it with --resume, replace it with '
                            '--overwrite, or choose another --logdir')
        folder = os.path.abspath(self.path)
        while not os.path.lexists(folder):
            folder = os.path.dirname(folder)
        if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK):
            raise UserError(f'cannot write into {folder}: choose another --logdir')

    @contextlib.contextmanager
    def locked(self):
        """Keep other processes out for the length of a `with`; the system drops the lock of a process that is killed.

        @raise UserError: where another process trains in the folder, or it cannot be written into
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

    @contextlib.contextmanager
    def writing(self):
        """Around all that writes: what fails there, a full disk say, is told in one sentence."""
        try:
            yield
        except (OSError, tf.errors.OpError) as error:
            raise UserError(f'cannot write into {self.path} ({one_line(error)}); {self.last_checkpoint()}; '
                            'make room or fix the folder, then continue with --resume', exit_status=1)

    def prepare(self):
        """Make the folders, and remove what killed runs have left half written."""
        for folder in (self.samples, self.checkpoints):
            os.makedirs(folder, exist_ok=True)
        for folder in (self.path, self.samples, self.checkpoints):
            delete_unfinished(folder)

    def delete_run(self):
        """Delete what a run and its evaluation write, and nothing else that may be in the folder."""
        for name in ('settings.json', 'losses.png', 'evaluation.json', 'events.out.tfevents.*',
                     'samples/real_samples.png', 'samples/epoch_*.png'):
            for path in glob.glob(os.path.join(glob.escape(self.path), name)):
                os.remove(path)
        for checkpoint in checkpoints.list_checkpoints(self.checkpoints):
            delete_folder(checkpoint.path)

    def remove(self):
        """Leave nothing of a run that did not get under way; a folder that holds anything else stays."""
        with contextlib.suppress(OSError):
            self.delete_run()
        for path in (self.samples, self.checkpoints):
            with contextlib.suppress(OSError):
                os.rmdir(path)
        with contextlib.suppress(OSError):
            if os.listdir(self.path) == ['.lock']:
                os.remove(os.path.join(self.path, '.lock'))
                os.rmdir(self.path)

    def go_back(self, steps, steps_per_epoch):
        """Delete checkpoints, pictures and points of the curves that come after the first `steps` steps."""
        for checkpoint in checkpoints.list_checkpoints(self.checkpoints):
            if checkpoint[1:] > divmod(steps, steps_per_epoch):
                delete_folder(checkpoint.path)
        for name in os.listdir(self.samples):
            match = re.fullmatch(r'epoch_(\d+)\.png', name)
            if match and int(match[1]) * steps_per_epoch > steps:
                os.remove(os.path.join(self.samples, name))
        cut_events(self.path, steps)

    def has_picture(self, name):
        return os.path.exists(self._picture(name))

    def write_picture(self, name, png):
        """Write the bytes of a PNG file as samples/NAME.png."""
        with whole_file(self._picture(name)) as unfinished, open(unfinished, 'wb') as file:
            file.write(png)

    def _picture(self, name):
        return os.path.join(self.samples, name + '.png')

    def last_checkpoint(self):
        """For a message: 'the last good checkpoint is ...'."""
        good = checkpoints.list_checkpoints(self.checkpoints)
        return f'the last good checkpoint is {good[-1].path}' if good else 'no checkpoint was saved yet'
