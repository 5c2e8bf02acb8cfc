"""All that surrounds a training loop, see `train` in each script: session, checkpoints, curves, pictures, signals."""

import contextlib
import functools
import math
import os
import shlex
import signal
import sys
import threading
import time

import tensorflow.compat.v1 as tf
from tqdm import tqdm

from common import checkpoints
from common.batches import count_batches
from common.curves import SummaryWriter, plot_losses
from common.datasets import available_dataset, class_names
from common.errors import UserError
from common.files import atomic_file
from common.images import display_images, examples
from common.random_streams import random_stream
from common.run_folder import RunFolder, check_same_settings, fingerprint, write_settings
from common.scripts import SCRIPTS
from common.tensorflow1 import bfloat16_missing, has_gpu, session_config

# Ctrl-C; a terminal that is closed; and what batch queues send before the time is up.
SIGNALS = [number for number in signal.Signals if number.name in ('SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGXCPU')]


def catch_signals(until, caught):
    """Add the first signal of each kind to the list `caught`, until an ExitStack is closed; a second stops at once."""
    def note(number, _):
        caught.append(number)
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    if threading.current_thread() is threading.main_thread():  # others may not
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
                until.callback(signal.signal, number, signal.signal(number, note))


class _StopTraining(Exception):
    """Ends the loop at a step where everything can be saved."""


class TrainingRun:
    """A training that is about to begin or to continue.

    model: name of the model and of its folder in args.logdir; args: from `training_parser`. Where MNIST is neither
    there nor can be downloaded, args.dataset becomes 'mnist_5k', so that the run knows what it is trained on. Raises
    UserError where the folder holds a run and args do not say what to do with it, or args ask for what cannot be done.

    graph: the tf.Graph to build the networks in; steps: done since the start of the training, also before an
    interruption; epoch: the epochs done; step_in_epoch: the steps done of the next one
    """

    def __init__(self, model, args):
        self.model, self.args, self.graph = model, args, tf.Graph()
        self.folder = RunFolder(args.logdir, model)
        self.steps, self.steps_per_epoch = 0, 1
        self._resuming = args.resume or args.resume_from is not None
        self._streams, self._signals, self._saved_steps = {}, [], None
        if args.mixed_precision and bfloat16_missing():
            raise UserError(bfloat16_missing())
        self.folder.check(args.overwrite or self._resuming)
        if not self._resuming and args.start_from and not checkpoints.list_checkpoints(
                os.path.join(args.start_from, 'checkpoints')):
            raise UserError(f'--start-from {args.start_from} is not a run with a checkpoint, such as logdir/dcgan')
        args.dataset = available_dataset(args.data_dir, args.dataset)

    @property
    def epoch(self):
        return self.steps // self.steps_per_epoch

    @property
    def step_in_epoch(self):
        return self.steps % self.steps_per_epoch

    def rng(self, purpose):
        """The np.random.Generator for one purpose: a new one in each step for 'noise' and 'code', in each epoch for
        'shuffle', a single one for 'sample'. Asked again at the same step, it goes on where it was.
        """
        index = {'noise': self.steps, 'code': self.steps, 'shuffle': self.epoch, 'sample': 0}[purpose]
        newest, stream = self._streams.get(purpose, (None, None))
        if newest != index:
            stream = random_stream(self.args.seed, purpose, index)
            self._streams[purpose] = index, stream
        return stream

    def epochs(self):
        """The numbers, from 0, of the epochs that are left; the first may be half done."""
        for epoch in range(self.epoch, self.args.epochs):
            self._stop_if_requested()
            yield epoch

    @contextlib.contextmanager
    def session(self, images, labels=None):
        """A `tf.Session` with initialized or restored variables, for a `with` around the training loop.

        The graph must be complete. On Ctrl-C and the other SIGNALS the run is saved before the `with` ends. images:
        a run continues with the same ones only. labels: where the model takes them; a short last batch is then
        dropped. Raises UserError where the run cannot begin, or (exit status 1) nothing can be written any more.
        """
        self.steps_per_epoch = count_batches(len(images), self.args.batch_size, keep_short=labels is None)
        with self.folder.lock(), self.folder.writing(), self.graph.as_default(), contextlib.ExitStack() as at_end:
            if not self._resuming:
                self.folder.check(self.args.overwrite)
            try:
                yield self._start(images, labels, at_end)
            except _StopTraining:
                if self._saved_steps != self.steps:
                    self._save()
            self._finish()
        if self._signals:
            sys.exit(128 + self._signals[0])

    def print(self, line):
        """Print a line, above the progress bar if there is one."""
        with contextlib.suppress(OSError, ValueError):  # a full disk, a closed pipe or file under the log
            tqdm.write(line)
            sys.stdout.flush()

    def end_step(self, d_loss_batch, g_loss_batch):
        """Count a step, and save or stop where it is time to; UserError where a loss is not finite."""
        if not (math.isfinite(d_loss_batch) and math.isfinite(g_loss_batch)):
            self._not_finite(f'discriminator loss {d_loss_batch}, generator loss {g_loss_batch}')
        self._bar.set_postfix_str(f'epoch {self.epoch + 1}/{self.args.epochs}, d_loss {d_loss_batch:.3f}, '
                                  f'g_loss {g_loss_batch:.3f}', refresh=False)
        with contextlib.suppress(OSError):  # the terminal may have been closed
            self._bar.update()
        self.steps += 1
        if self.step_in_epoch:  # the last step of an epoch is saved by end_epoch, with its pictures
            self._stop_if_requested()
            if time.monotonic() - self._saved_at > 60 * self.args.save_minutes:
                self._save()

    def end_epoch(self, gen_samples, image_size=28):
        """Save a picture of `gen_samples`, at least 40 images of image_size x image_size pixels, and a checkpoint."""
        self._display(gen_samples, image_size, f'epoch_{self.epoch:04d}', 'samples', self.steps - 1)
        self._save()
        seconds_per_step = (time.monotonic() - self._began_at[1]) / (self.steps - self._began_at[0])
        left = tqdm.format_interval((self.args.epochs * self.steps_per_epoch - self.steps) * seconds_per_step)
        self.print(f'Epoch {self.epoch}/{self.args.epochs} done - {self.args.batch_size / seconds_per_step:.0f} '
                   f'images/s, {left} left')

    def _start(self, images, labels, at_end):
        data_print = fingerprint(images, labels, class_names(self.args.data_dir, self.args.dataset))
        if self._resuming:
            check_same_settings(self.folder.path, self.args, data_print)

        graph_def = self.graph.as_graph_def(add_shapes=True)  # the chapter's, before what only this module needs
        self._saver = tf.train.Saver(max_to_keep=None)
        # Saved variables are checked: a last update may have gone wrong after its losses were computed.
        self._all_finite = tf.reduce_all([tf.reduce_all(tf.is_finite(var)) for var in tf.global_variables()])
        initialize = tf.global_variables_initializer()
        sess = self._sess = at_end.enter_context(tf.Session(config=session_config(self.args.mixed_precision)))
        self.graph.finalize()  # an operation added inside the loop would be an error, not a leak
        sess.run(initialize)
        self._restore()
        catch_signals(at_end, self._signals)
        self.folder.begin(self._resuming, self.steps, self.steps_per_epoch)
        self.train_writer = SummaryWriter(self.folder.path, self.steps_per_epoch, resumed_at=self.steps)
        at_end.callback(self.train_writer.close)
        if self.steps == 0:
            self.train_writer.add_event(graph_def=graph_def.SerializeToString())
            self.train_writer.add_settings(vars(self.args))
            self._display(examples(images, is_sorted=self.args.dataset in ('mnist_5k', 'pictures')),
                          math.isqrt(math.prod(images.shape[1:])), 'real_samples', 'real_samples', 0)
        # The last of all: a start that fails before leaves nothing that would have to be resumed or replaced.
        write_settings(self.folder.path, self.model, self.args, data_print)
        self.print(f'computing on: {"GPU 0" if has_gpu() else "CPU"}')
        # A bar in a terminal; nothing elsewhere, where the lines of the log are enough (disable=None).
        self._bar = at_end.enter_context(tqdm(
            total=self.args.epochs * self.steps_per_epoch, initial=self.steps, unit=' steps', disable=None,
            dynamic_ncols=True, smoothing=0.05))
        self._saved_at = time.monotonic()
        self._began_at = self.steps, self._saved_at
        return sess

    def _restore(self):
        """Load the requested checkpoint, or else the newest good one, or that of --start-from."""
        load = functools.partial(checkpoints.load, self._saver, self._sess, tf.global_variables())
        if self._resuming and (self.args.resume_from or checkpoints.list_checkpoints(self.folder.checkpoints)):
            loaded = load(self.folder.checkpoints, self.args.resume_from)
            self.steps = self._saved_steps = loaded.epoch * self.steps_per_epoch + loaded.step_in_epoch
            self.print(f'continuing from {loaded.path} (step {self.steps})')
        elif self.args.start_from:
            self.print(f'starting from {load(os.path.join(self.args.start_from, "checkpoints")).path}')
        elif self._resuming:
            self.print('no checkpoint was saved yet: starting from the first step')

    def _stop_if_requested(self):
        if self._signals:
            self.print(f'\n{signal.Signals(self._signals[0]).name}: saving before the end')
        if self._signals or self.args.max_steps and self.steps >= self.args.max_steps:
            raise _StopTraining

    def _save(self):
        if not self._sess.run(self._all_finite):
            self._not_finite('a variable is not a finite number')
        saved = checkpoints.save(self._saver, self._sess, self.folder.checkpoints, self.epoch, self.step_in_epoch)
        found = checkpoints.list_checkpoints(self.folder.checkpoints)
        checkpoints.prune(self.folder.checkpoints, keep=found[-self.args.keep_last:] + [
            kept for kept in found if kept.epoch and not (kept.step_in_epoch or kept.epoch % self.args.keep_every)])
        self._saved_at, self._saved_steps = time.monotonic(), self.steps
        if self.step_in_epoch:
            self.print(f'saved {saved.path} (step {self.steps})')

    def _not_finite(self, observation):
        raise UserError(f'step {self.steps}: {observation}, stopped at once; {self.folder.last_checkpoint()}; '
                        'resuming would diverge again: --overwrite it with a smaller learning rate, say', exit_status=1)

    def _display(self, images, image_size, name, tag, step):
        """Draw the grid as samples/NAME.png, and for TensorBoard."""
        with atomic_file(os.path.join(self.folder.samples, name + '.png')) as unfinished:
            display_images(images, image_size, save_to=unfinished)
            with open(unfinished, 'rb') as file:
                self.train_writer.add_picture(tag, file.read(), step)
        if self.args.show:
            display_images(images, image_size)

    def _finish(self):
        with contextlib.suppress(OSError):
            self._bar.close()
        plot_losses(self.folder.path, f'{self.model}: {self.steps} steps', self.steps_per_epoch)
        finished = self.steps >= self.args.epochs * self.steps_per_epoch
        logdir = shlex.quote(self.args.logdir)
        self.print(f'{"Finished" if finished else "Stopped"} after epoch {self.epoch}'
                   f'{f" and {self.step_in_epoch} steps" if self.step_in_epoch else ""}.\n'
                   f'  pictures: {self.folder.samples}\n'
                   f'  curves:   {os.path.join(self.folder.path, "losses.png")}\n'
                   f'  model:    {checkpoints.list_checkpoints(self.folder.checkpoints)[-1].path}\n'
                   f'To train on:       python {SCRIPTS[self.model]}.py --resume --logdir {logdir}'
                   f'{" --epochs N" if finished else ""}\n'
                   f'To see the curves: tensorboard --logdir={logdir} --samples_per_plugin images=1000')
