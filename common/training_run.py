"""All that a training needs around its loop: session, checkpoints, curves, pictures, signals.

Nothing of the algorithm is here. A script goes

    run = TrainingRun('dcgan', args)
    ...                                        # load the data, build the graph
    with run.session(steps_per_epoch, data) as sess:
        for epoch in run.epochs():
            for batch in ...:                  # leaving out the first `run.step_in_epoch`
                ...                            # update, log every 100 steps
                run.end_step(d_loss_batch, g_loss_batch)
            run.end_epoch(gen_samples, image_size)

and has, after each call, lost nothing if it is killed.
"""

import contextlib
import math
import signal
import sys
import time

from common import checkpoints, event_files
from common.curves import plot_losses
from common.errors import UserError
from common.images import N_COLUMNS, N_ROWS, display_images, images_as_png
from common.mixed_precision import bfloat16_missing
from common.progress import Progress
from common.random_streams import random_stream
from common.run_folder import RunFolder
from common.scripts import SCRIPTS
from common.settings import check_same_settings, fingerprint, write_settings
from common.stopping import StopRequest
from common.terminal import python_command, say, tensorboard_command
from common.tensorflow1 import insist_on_determinism, session_config, tf


class StopTraining(Exception):
    """Ends the loop at a step where everything can be saved."""


class TrainingRun:
    """A training that is about to begin or to continue.

    @param model: name of the model and of its folder in args.logdir
    @param args: from `training_parser`
    @raise UserError: where the folder holds a run and args do not say what to
        do with it, where there is none to resume, where it cannot be written,
        or where this processor cannot do what args ask for

    `steps` counts the steps done since the start of the training, also over
    interruptions.
    """

    def __init__(self, model, args):
        self.model, self.args = model, args
        self.folder = RunFolder(args.logdir, model)
        self.steps, self.steps_per_epoch = 0, 1
        self.train_writer = None
        self._resuming = args.resume or args.resume_from is not None
        self._stop_request = StopRequest()
        self._saved_steps, self._saved_at = None, time.monotonic()
        self._saver = self._all_finite = self._sess = self._progress = None
        if args.mixed_precision and bfloat16_missing():
            raise UserError(bfloat16_missing())
        if not self._resuming:  # otherwise parse_arguments has read the settings of the run
            self.folder.check(args.overwrite)
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

    def rng(self, purpose):
        """The random numbers for one purpose at this step, see `random_stream`.

        @param purpose: 'noise' and 'code' are others in each step, 'shuffle' in each epoch, 'sample' is always the same
        @return: np.random.Generator
        """
        index = {'noise': self.steps, 'code': self.steps, 'shuffle': self.epoch, 'sample': 0}[purpose]
        return random_stream(self.args.seed, purpose, index)

    def epochs(self):
        """The numbers, from 0, of the epochs that are left; the first may be half done."""
        for epoch in range(self.epoch, self.args.epochs):
            self._stop_if_asked()
            yield epoch

    @contextlib.contextmanager
    def session(self, steps_per_epoch, images, labels=None):
        """A `tf.Session` with initialized or restored variables, for a `with` around the training loop.

        The graph must be complete. At the end of the `with`, and on Ctrl-C,
        SIGTERM or SIGHUP, the run is saved, losses.png drawn, and the user told
        where things are.

        @param steps_per_epoch: see `count_batches`
        @param images: training images; a run continues with the same ones only
        @param labels: their labels, where the model is told them
        @raise UserError: as TrainingRun; also where there are fewer images than
            the grid shows, another process trains in this folder, nothing can
            be written any more, or a loss is not finite (exit status 1)
        """
        self.steps_per_epoch = steps_per_epoch
        if len(images) < N_ROWS * N_COLUMNS:
            raise UserError(f'there are only {len(images)} images: the sample grid alone shows {N_ROWS * N_COLUMNS}')
        with self.folder.locked(), contextlib.ExitStack() as at_end:
            if not self._resuming:
                self.folder.check(self.args.overwrite)
            with self._nothing_left_of_a_failed_start():
                sess = self._start(images, labels, at_end)
            try:
                yield sess
            except StopTraining:
                if self._saved_steps != self.steps:
                    self._save()
            except tf.errors.OpError as error:
                if error.node_def is not None:  # an operation of the graph failed, not the writing of its summary
                    raise
                with self.folder.writing():
                    raise
            self._finish()
        if self._stop_request.number:
            sys.exit(128 + self._stop_request.number)

    def print(self, line):
        """Print a line, above the progress bar if there is one."""
        (self._progress.print if self._progress else say)(line)

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
        with self.folder.writing():
            png = self._display(gen_samples, image_size, f'epoch_{self.epoch:04d}')
            self.train_writer.add_summary(event_files.image_summary('samples', png), self.steps - 1)
        self._save()
        self.print(f'Epoch {self.epoch}/{self.args.epochs} done - {self._progress.speed()}')

    # The start

    @contextlib.contextmanager
    def _nothing_left_of_a_failed_start(self):
        try:
            yield
        except BaseException:
            if not self._resuming:
                self.folder.remove()
            raise

    def _start(self, images, labels, at_end):
        data_print = fingerprint(images, labels)
        if self._resuming:
            if warning := check_same_settings(self.folder.path, self.model, self.args, data_print):
                say(warning, sys.stderr)
        else:
            with self.folder.writing():
                self.folder.delete_run()
        with self.folder.writing():
            self.folder.prepare()

        self._saver = tf.train.Saver(max_to_keep=None)
        # Saved variables are checked: a last update may have gone wrong after its losses were computed.
        with tf.name_scope('all_finite'):  # one box in TensorBoard's picture of the graph
            self._all_finite = tf.reduce_all([tf.reduce_all(tf.is_finite(var)) for var in tf.global_variables()])
        initialize = tf.global_variables_initializer()
        config = session_config(self.args.mixed_precision)
        sess = self._sess = at_end.enter_context(tf.Session(config=config))
        sess.graph.finalize()  # an operation added inside the loop would be an error, not a leak
        sess.run(initialize)
        if self._resuming:
            self._restore()
        with self.folder.writing():
            if not self.folder.has_picture('real_samples'):
                image_size = int(math.prod(images.shape[1:]) ** 0.5)
                self._display(images[:N_ROWS * N_COLUMNS], image_size, 'real_samples')
            write_settings(self.folder.path, self.model, self.args, data_print)
            self.train_writer = event_files.SummaryWriter(self.folder.path, None if self._resuming else sess.graph)
            at_end.callback(self._close_writer)
        self._progress = Progress(self.steps, self.args.epochs * self.steps_per_epoch, self.args.batch_size)
        at_end.callback(self._progress.close)
        at_end.enter_context(self._stop_request.caught())
        self._saved_at = time.monotonic()
        return sess

    def _restore(self):
        """Load the checkpoint that was asked for, or else the newest good one, and make the folder agree with it."""
        steps = checkpoints.restore_run(self._saver, self._sess, self.folder.checkpoints, self.steps_per_epoch,
                                        self.args.resume_from)
        if steps is None:
            say('no checkpoint was saved yet: starting from the first step')
        else:
            self.steps = self._saved_steps = steps
        if self.steps > self.args.epochs * self.steps_per_epoch:
            raise UserError(f'the run in {self.folder.path} has already gone beyond {self.args.epochs} epochs: ask for '
                            'more with --epochs, or go back with --resume-from EPOCH')
        with self.folder.writing():
            self.folder.go_back(self.steps, self.steps_per_epoch)

    # Stopping and saving

    def _stop_if_asked(self):
        if self._stop_request.number:
            self.print(f'\n{signal.Signals(self._stop_request.number).name}: saving before the end')
            raise StopTraining
        if self.args.max_steps and self.steps >= self.args.max_steps:
            raise StopTraining

    def _save(self):
        if not self._sess.run(self._all_finite):
            self._not_finite('a variable is not a finite number')
        with self.folder.writing():
            checkpoint = checkpoints.save(self._saver, self._sess, self.folder.checkpoints, self.steps,
                                          self.epoch, self.step_in_epoch)
            checkpoints.delete_old(self.folder.checkpoints, self.args.keep_last, self.args.keep_every)
        self._saved_at, self._saved_steps = time.monotonic(), self.steps
        if self.step_in_epoch:
            self.print(f'saved {checkpoint.path} (step {self.steps})')

    def _not_finite(self, observation):
        raise UserError(f'step {self.steps}: {observation}, stopped at once; {self.folder.last_checkpoint()}; '
                        'continued, it would come to the same: start again with a smaller learning rate, say',
                        exit_status=1)

    def _close_writer(self):
        with contextlib.suppress(OSError, tf.errors.OpError):  # a full disk has been told by then
            self.train_writer.close()

    # Pictures and the end

    def _display(self, images, image_size, name):
        png = images_as_png(images, image_size)
        self.folder.write_picture(name, png)
        if self.args.show:
            display_images(images, image_size)
        return png

    def _finish(self):
        self._progress.close()
        with self.folder.writing():
            plot_losses(self.folder.path, self.folder.losses, f'{self.model}: {self.steps} steps')
        finished = self.steps >= self.args.epochs * self.steps_per_epoch
        logdir = ['--logdir', self.args.logdir] * (self.args.logdir != './logdir')
        train_on = python_command(f'{SCRIPTS[self.model]}.py', '--resume', *logdir, *['--epochs', 'N'] * finished)
        self.print(
            f'{"Finished" if finished else "Stopped"} after {self.epoch} epochs'
            f'{f" and {self.step_in_epoch} steps" * bool(self.step_in_epoch)}.\n'
            f'  pictures: {self.folder.samples}\n'
            f'  curves:   {self.folder.losses}\n'
            f'  model:    {checkpoints.list_checkpoints(self.folder.checkpoints)[-1].path}\n'
            f'To train on:       {train_on}\n'
            f'To see the curves: {tensorboard_command(self.args.logdir)}')
