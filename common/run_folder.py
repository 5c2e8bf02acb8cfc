"""The folder of a run: its paths, its lock, its settings, what is deleted and what is written into it."""

import contextlib
import glob
import json
import os
import re
import zlib

import filelock

from common import checkpoints
from common.curves import cut_losses
from common.errors import UserError, one_line
from common.files import UNFINISHED, delete, write_json

# How to run, not what is trained: these may differ from one start to the next.
FREE = {'max_steps', 'logdir', 'show', 'resume', 'resume_from', 'overwrite'}
# Remembered as defaults for --resume, but allowed to change.
_CHANGEABLE = {'epochs', 'data_dir', 'keep_last', 'keep_every', 'save_minutes'}


class RunFolder:
    """LOGDIR/MODEL: settings.json, losses.csv, losses.png, events.out.tfevents.*, samples/ and checkpoints/."""

    def __init__(self, logdir, model):
        self.path = os.path.join(logdir, model)
        self.settings = os.path.join(self.path, 'settings.json')
        self.samples = os.path.join(self.path, 'samples')
        self.checkpoints = os.path.join(self.path, 'checkpoints')

    def check(self, overwrite):
        """Raise UserError where a new run cannot be here: there is one already and `overwrite` is False."""
        if set('*?[\\'.replace(os.sep, '')) & set(self.path):
            raise UserError(f'TensorFlow takes *, ?, [ and \\ in {self.path} for a pattern: choose another --logdir')
        has_settings = os.path.lexists(self.settings)
        if not overwrite and (has_settings or checkpoints.list_checkpoints(self.checkpoints)):
            then = 'continue it with --resume' if has_settings else 'put its settings.json back'
            raise UserError(f'{self.path} already holds a run: {then}, replace it with --overwrite, or choose another '
                            '--logdir')

    def lock(self):
        """Keep other processes out for the length of a `with`; the system drops the lock of one that is killed."""
        try:
            os.makedirs(self.path, exist_ok=True)
            return filelock.FileLock(os.path.join(self.path, '.lock')).acquire(timeout=0)
        except filelock.Timeout:
            raise UserError(f'another process is training in {self.path}: wait for it or choose another --logdir')
        except OSError as error:
            raise UserError(f'cannot write into {self.path} ({one_line(error)}): choose another --logdir')

    @contextlib.contextmanager
    def writing(self):
        """Around a training: that something cannot be written, to a full disk say, is reported in one sentence."""
        try:
            yield
        except OSError as error:
            then = 'continue with --resume' if os.path.exists(self.settings) else 'start again'
            raise UserError(f'cannot write into {self.path} ({one_line(error)}); {self.last_checkpoint()}; '
                            f'make room or fix the folder, then {then}', exit_status=1)

    def last_checkpoint(self):
        """For a message: 'the last good checkpoint is ...'."""
        good = checkpoints.list_checkpoints(self.checkpoints)
        return f'the last good checkpoint is {good[-1].path}' if good else 'no checkpoint was saved yet'

    def begin(self, resuming, steps, steps_per_epoch):
        """Make the folders, and delete what killed runs have left half written or half deleted; checkpoints, pictures
        and rows of later steps than `steps`; and for a new run all that an older one wrote. What no run writes stays.
        """
        for folder in (self.samples, self.checkpoints):
            os.makedirs(folder, exist_ok=True)
        names = [os.path.join(folder, UNFINISHED + '*') for folder in ('', 'samples', 'checkpoints')]
        if not resuming:
            names += ['settings.json', 'losses.csv', 'losses.png', 'samples/real_samples.png']
            names += ['events.out.tfevents.[0-9]*']
        for name in names:
            for path in glob.glob(name, root_dir=self.path):
                delete(os.path.join(self.path, path))
        done = divmod(steps, steps_per_epoch)
        found = checkpoints.list_checkpoints(self.checkpoints) if resuming else []
        checkpoints.prune(self.checkpoints, keep=[checkpoint for checkpoint in found if checkpoint[1:] <= done])
        for name in os.listdir(self.samples):
            match = re.fullmatch(r'epoch_(\d+)\.png', name)
            if match and int(match[1]) > done[0]:
                delete(os.path.join(self.samples, name))
        cut_losses(self.path, steps)
        if not resuming:
            self.check(overwrite=False)  # a checkpoint that could not be deleted would be taken for the new run's


def read_settings(run_dir):
    """{'model': name, 'settings': {argument: value}, 'data': from `fingerprint`}; UserError where there is none."""
    try:
        with open(os.path.join(run_dir, 'settings.json'), encoding='utf-8') as file:
            saved = json.load(file)
        saved['settings'].items(), saved['data'].items()
        return saved
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f'there is no run in {run_dir} (settings.json: {one_line(error)}): name the folder above that '
                        'of the run with --logdir, or train, with --overwrite where settings.json was lost')


def write_settings(run_dir, model, args, data_print):
    """Write what `read_settings` reads; data_print: from `fingerprint`."""
    settings = {name: value for name, value in vars(args).items() if name not in FREE}
    for name in ('data_dir', 'start_from'):
        if settings[name] and os.path.isdir(settings[name]):  # to be found from another working directory
            settings[name] = os.path.abspath(settings[name])
    write_json(os.path.join(run_dir, 'settings.json'), {'model': model, 'settings': settings, 'data': data_print})


def check_same_settings(run_dir, args, data_print):
    """Raise UserError, which names each difference, where a run would continue with other settings or data."""
    saved = read_settings(run_dir)
    before, now = {**saved['settings'], **saved['data']}, {**vars(args), **data_print}
    # What an older version had no option for was off, as it is without the option.
    different = [f'{name} is {now[name]!r} instead of {before.get(name)!r}'
                 for name in now if name not in FREE | _CHANGEABLE | {'class_names'}
                 and (now[name] or None) != (before.get(name) or None)]
    if different:
        raise UserError(f'cannot continue the run in {run_dir} with other settings or data: {"; ".join(different)}; '
                        'leave these options out, say with --data-dir where its data are, or start another run with '
                        '--logdir or --overwrite')


def fingerprint(images, labels, class_names):
    """What tells data sets apart: {'images': number, 'data_crc32': checksum, 'class_names': list}.

    images, labels: what the model is trained on; labels may be None. class_names: [] where the classes are numbers.
    """
    checksum = zlib.crc32(images)
    if labels is not None:
        checksum = zlib.crc32(labels, checksum)
        class_names = class_names or [str(label) for label in range(labels.shape[1])]
    return {'images': len(images), 'data_crc32': checksum, 'class_names': class_names}
