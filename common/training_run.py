"""All that a training needs around its loop: folder, session, checkpoints, curves, pictures, signals.

Nothing of the algorithm is here. A script goes

    run = TrainingRun('dcgan', args)
    ...                                        # load the data, build the graph
    with run.session(data, steps_per_epoch) as sess:
        for epoch in run.epochs():
            for batch in ...:                  # leaving out the first `run.step_in_epoch`
                ...                            # update, log every 100 steps
                run.end_step(d_loss_batch, g_loss_batch)
            run.end_epoch(gen_samples, image_size)

and has, after each call, lost nothing if it is killed.
"""

import contextlib
import glob
import math
import os
import re
import signal
import sys
import time

import filelock

from common import checkpoints, curves
from common.errors import UserError, reason
from common.files import whole_file
from common.images import N_COLUMNS, N_ROWS, display_images, images_as_png
from common.progress import Progress
from common.settings import check_same_settings, fingerprint, settings_file, write_settings
from common.tensorflow1 import insist_on_determinism, session_config, tf


class StopTraining(Exception):
    """Ends the loop at a step where everything can be saved."""


class TrainingRun:
    """A training that is about to begin or to continue.

    @param model: name of the model and of its folder in args.logdir
    @param args: from `training_parser`
    @raise UserError: where the folder holds a run and args do not say what to
        do with it, where there is none to resume, or where it cannot be written

    `steps` counts the steps done since the start of the training, also over
    interruptions. Files, all in args.logdir/model: settings.json,
    events.out.tfevents.*, samples/, checkpoints/, losses.png.
    """

    def __init__(self, model, args):
        self.model, self.args = model, args
        self.dir = os.path.join(args.logdir, model)
        self.steps = 0
        self.steps_per_epoch = None
        self._samples_dir = os.path.join(self.dir, 'samples')
        self._checkpoints_dir = os.path.join(self.dir, 'checkpoints')
        self._resuming = args.resume or args.resume_from is not None
        self._signal = None
        self._saved_steps = None
        self._check_folder()
        if args.deterministic:
            insist_on_determinism()

    @property
    def epoch(self):
        """Epochs already completed."""
        return self.steps // self.steps_per_epoch

    @property
    def step_in_epoch(self):
        """Steps already done in the current epoch."""
        return self.steps % self.steps_per_epoch

    def epochs(self):
        """The numbers, from 0, of the epochs that are left; the first may be half done."""
        for epoch in range(self.epoch, self.args.epochs):
            self._stop_if_asked()
            yield epoch

    @contextlib.contextmanager
    def session(self, data, steps_per_epoch):
        """A `tf.Session` with initialized or restored variables, for a `with` around the training loop.

        The graph must be complete. At the end of the `with`, and on Ctrl-C or
        SIGTERM, the run is saved, losses.png drawn, and the user told where
        things are.

        @param data: training images; a run continues with the same ones only
        @param steps_per_epoch: see `count_batches`
        @raise UserError: as TrainingRun; also where another process trains in
            this folder, nothing can be written any more, or a loss is not
            finite (exit status 1)
        """
        self.steps_per_epoch = steps_per_epoch
        with self._locked_folder(), contextlib.ExitStack() as at_end:
            self._check_folder()
            data_print = fingerprint(data)
            if self._resuming:
                check_same_settings(self.dir, self.model, self.args, data_print)
            else:
                self._delete_run()
            with self._writing():
                os.makedirs(self._samples_dir, exist_ok=True)
                os.makedirs(self._checkpoints_dir, exist_ok=True)
                checkpoints.delete_unfinished(self._checkpoints_dir)

            self._saver = tf.train.Saver(max_to_keep=None)
            # Saved variables are checked: a last update may have gone wrong after its losses were computed.
            with tf.name_scope('all_finite'):  # one box in TensorBoard's picture of the graph
                self._all_finite = tf.reduce_all(
                    [tf.reduce_all(tf.is_finite(var)) for var in tf.global_variables()])
            initialize = tf.global_variables_initializer()
            sess = self._sess = at_end.enter_context(tf.Session(config=session_config()))
            sess.graph.finalize()  # an operation added inside the loop would be an error, not a leak
            sess.run(initialize)
            if self._resuming:
                self._restore()
            with self._writing():
                write_settings(self.dir, self.model, self.args, data_print)
                self.train_writer = curves.SummaryWriter(self.dir, None if self._resuming else sess.graph)
                at_end.callback(self._close_writer)
                if not os.path.exists(os.path.join(self._samples_dir, 'real_samples.png')):
                    image_size = int(math.prod(data.shape[1:]) ** 0.5)
                    self._display(data[:N_ROWS * N_COLUMNS], image_size, 'real_samples')

            self._progress = Progress(self.steps, self.args.epochs * steps_per_epoch, self.args.batch_size)
            at_end.callback(self._progress.close)
            self._catch_signals(at_end)
            self._saved_at = time.monotonic()
            try:
                yield sess
            except StopTraining:
                if self._saved_steps != self.steps:
                    self._save()
            except tf.errors.OpError as error:
                if error.node_def is not None:  # an operation of the graph failed, not the writing of its summary
                    raise
                with self._writing():
                    raise
            self._finish()
        if self._signal:
            sys.exit(128 + self._signal)

    def print(self, line):
        """Print a line, above the progress bar if there is one."""
        self._progress.print(line)

    def end_step(self, d_loss_batch, g_loss_batch):
        """Count a step, and save or stop where it is time to.

        @param d_loss_batch: the discriminator's loss in this step
        @param g_loss_batch: the generator's loss in this step
        @raise UserError: where a loss is not finite
        """
        if not (math.isfinite(d_loss_batch) and math.isfinite(g_loss_batch)):
            self._not_finite(f'discriminator loss {d_loss_batch}, generator loss {g_loss_batch}')
        epoch = self.epoch + 1
        self.steps += 1
        self._progress.step(epoch, self.args.epochs, d_loss_batch, g_loss_batch)
        if self.step_in_epoch:  # the last step of an epoch is saved by end_epoch, with its pictures
            self._stop_if_asked()
            if time.monotonic() - self._saved_at > 60 * self.args.save_minutes:
                self._save()

    def end_epoch(self, gen_samples, image_size=28):
        """Save the pictures of an epoch and a checkpoint.

        @param gen_samples: at least 40 generated images
        @param image_size: their height and width in pixels
        """
        with self._writing():
            png = self._display(gen_samples, image_size, f'epoch_{self.epoch:04d}')
            self.train_writer.add_summary(curves.image_summary('samples', png), self.steps - 1)
        self._save()
        self.print(f'Epoch {self.epoch}/{self.args.epochs} done - {self._progress.speed()}')

    def _stop_if_asked(self):
        if self._signal:
            self.print(f'\n{signal.Signals(self._signal).name}: saving before the end')
            raise StopTraining
        if self.args.max_steps and self.steps >= self.args.max_steps:
            raise StopTraining

    def _catch_signals(self, at_end):
        def note(number, _):
            self._signal = number  # the step is finished first; a second signal stops at once
            signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.default_int_handler)
        for number in (signal.SIGINT, signal.SIGTERM):
            at_end.callback(signal.signal, number, signal.signal(number, note))

    # What is in the folder

    def _check_folder(self):
        if self._resuming:
            return  # parse_arguments has read the settings of the run
        run = os.path.lexists(settings_file(self.dir)) or checkpoints.list_checkpoints(self._checkpoints_dir)
        if run and not self.args.overwrite:
            raise UserError(f'{self.dir} already holds a run: continue it with --resume, replace it with '
                            '--overwrite, or choose another --logdir')
        folder = os.path.abspath(self.dir)
        while not os.path.lexists(folder):
            folder = os.path.dirname(folder)
        if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK):
            raise UserError(f'cannot write into {folder}: choose another --logdir')

    @contextlib.contextmanager
    def _locked_folder(self):
        # The system drops the lock when the process ends, however it ends.
        lock = filelock.FileLock(os.path.join(self.dir, '.lock'), timeout=0)
        try:
            os.makedirs(self.dir, exist_ok=True)
            lock.acquire()
        except filelock.Timeout:
            raise UserError(f'another process is training in {self.dir}: wait for it or choose another --logdir')
        except OSError as error:
            raise UserError(f'cannot write into {self.dir} ({error.strerror}): choose another --logdir')
        try:
            yield
        finally:
            lock.release()

    def _delete_run(self):
        """Delete what a run and its evaluation write, and nothing else that may be in the folder."""
        with self._writing():
            for name in ('settings.json', 'losses.png', 'evaluation.json', 'events.out.tfevents.*',
                         'samples/real_samples.png', 'samples/epoch_*.png'):
                for path in glob.glob(os.path.join(glob.escape(self.dir), name)):
                    os.remove(path)
            for checkpoint in checkpoints.list_checkpoints(self._checkpoints_dir):
                checkpoints.delete(checkpoint.path)

    # Saving and restoring

    def _save(self):
        if not self._sess.run(self._all_finite):
            self._not_finite('a variable is not a finite number')
        with self._writing():
            checkpoint = checkpoints.save(self._saver, self._sess, self._checkpoints_dir, self.steps,
                                          self.epoch, self.step_in_epoch)
            checkpoints.delete_old(self._checkpoints_dir, self.args.keep_last, self.args.keep_every)
        self._saved_at, self._saved_steps = time.monotonic(), self.steps
        if self.step_in_epoch:
            self.print(f'saved {checkpoint.path} (step {self.steps})')

    def _restore(self):
        """Load the checkpoint that was asked for, or else the newest good one, and make the folder agree with it."""
        if self.args.resume_from:
            candidates = [checkpoints.find_epoch(self._checkpoints_dir, self.args.resume_from)]
        else:
            candidates = checkpoints.list_checkpoints(self._checkpoints_dir)[::-1]
        for checkpoint in candidates:
            try:
                self.steps = checkpoint.epoch * self.steps_per_epoch + checkpoint.step_in_epoch
                if checkpoints.restore(self._saver, self._sess, checkpoint)['steps'] != self.steps:
                    raise checkpoints.DamagedCheckpoint('state.json has the step of another')
                self._saved_steps = self.steps
                print(f'continuing from {checkpoint.path} (step {self.steps})', flush=True)
                break
            except checkpoints.DamagedCheckpoint as error:
                next_one = '' if self.args.resume_from else ': trying the one before'
                print(f'{checkpoint.path} is damaged ({error}){next_one}', file=sys.stderr, flush=True)
        else:
            if candidates:
                raise UserError(f'no usable checkpoint in {self._checkpoints_dir}: choose one with --resume-from, '
                                'or start anew with --overwrite')
            print('no checkpoint was saved yet: starting from the first step', flush=True)
        if self.steps > self.args.epochs * self.steps_per_epoch:
            raise UserError(f'the run in {self.dir} has already gone beyond {self.args.epochs} epochs: ask for more '
                            'with --epochs, or go back with --resume-from EPOCH')
        with self._writing():
            for checkpoint in checkpoints.list_checkpoints(self._checkpoints_dir):
                if checkpoint[1:] > (self.epoch, self.step_in_epoch):
                    checkpoints.delete(checkpoint.path)
            for name in os.listdir(self._samples_dir):
                match = re.fullmatch(r'epoch_(\d+)\.png', name)
                if match and int(match[1]) * self.steps_per_epoch > self.steps:
                    os.remove(os.path.join(self._samples_dir, name))
            curves.cut_events(self.dir, self.steps)

    @contextlib.contextmanager
    def _writing(self):
        """Around all that writes: what fails there, a full disk say, is told in one sentence."""
        try:
            yield
        except (OSError, tf.errors.OpError) as error:
            raise UserError(f'cannot write into {self.dir} ({reason(error)}); {self._last_checkpoint()}; '
                            'make room or mend the folder, then continue with --resume', exit_status=1)

    def _not_finite(self, what):
        raise UserError(f'step {self.steps}: {what}, stopped at once; {self._last_checkpoint()}; continued, it '
                        'would come to the same: start again with a smaller learning rate, say', exit_status=1)

    def _last_checkpoint(self):
        good = checkpoints.list_checkpoints(self._checkpoints_dir)
        return f'the last good checkpoint is {good[-1].path}' if good else 'no checkpoint was saved yet'

    def _close_writer(self):
        with contextlib.suppress(OSError, tf.errors.OpError):  # a full disk has been told by then
            self.train_writer.close()

    # Pictures and the end

    def _display(self, data, image_size, name):
        png = images_as_png(data, image_size)
        path = os.path.join(self._samples_dir, name + '.png')
        with whole_file(path) as unfinished, open(unfinished, 'wb') as file:
            file.write(png)
        if self.args.show:
            display_images(data, image_size)
        return png

    def _finish(self):
        self._progress.close()
        losses = os.path.join(self.dir, 'losses.png')
        with self._writing():
            curves.plot_losses(self.dir, losses, f'{self.model}: {self.steps} steps')
        finished = self.steps >= self.args.epochs * self.steps_per_epoch
        logdir = '' if os.path.normpath(self.args.logdir) == 'logdir' else f' --logdir {self.args.logdir}'
        self.print(
            f'{"Finished" if finished else "Stopped"} after {self.epoch} epochs'
            f'{f" and {self.step_in_epoch} steps" * bool(self.step_in_epoch)}.\n'
            f'  pictures: {self._samples_dir}\n'
            f'  curves:   {losses}\n'
            f'  model:    {checkpoints.list_checkpoints(self._checkpoints_dir)[-1].path}\n'
            f'To train on:       python {os.path.basename(sys.argv[0])} --resume{logdir}{" --epochs N" * finished}\n'
            f'To see the curves: tensorboard --logdir={self.args.logdir}')
