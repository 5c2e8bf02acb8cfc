"""The learning curves of a run: for TensorBoard, as text in losses.csv, and as the picture losses.png."""

import contextlib
import csv
import math
import os
import socket
import time

import tensorflow.compat.v1 as tf
from tensorboard.plugins.text.summary import pb as text_summary
from tensorboard.summary.writer.record_writer import RecordWriter

from common.files import atomic_file
from common.images import new_figure

# Below each other in losses.png: the curves, the unit, and what a discriminator that always says 0.5 gives, if there
# is one number for it: cross-entropies of ln 2 (to which InfoGAN adds the loss of its codes).
_PANELS = (
    (('discriminator_loss', 'parts/discriminator_loss_real', 'parts/discriminator_loss_fake'), 'nats',
     2 * math.log(2), '2 ln 2'),
    (('generator_loss',), 'nats', math.log(2), 'ln 2'),
    (('parts/categorical_loss',), 'nats', None, None),
    (('parts/continuous_loss',), 'squared error', None, None),
    (('parts/D_real', 'parts/D_generated'), 'mean of D', 0.5, 'undecided'))


class SummaryWriter:
    """As the chapter's `tf.summary.FileWriter`, but also adds the scalars of each summary to losses.csv.

    What cannot be written raises OSError, not a traceback in a thread of TensorFlow's. resumed_at: the step at which an
    interrupted run continues; TensorBoard drops what it has read of later ones.
    """

    def __init__(self, run_dir, steps_per_epoch, resumed_at=0):
        self._steps_per_epoch, self._csv = steps_per_epoch, os.path.join(run_dir, 'losses.csv')
        name = f'events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}'
        self._file = open(os.path.join(run_dir, name), 'ab')
        self.add_event(file_version='brain.Event:2')
        self.add_event(session_log=tf.SessionLog(status=tf.SessionLog.START), step=resumed_at)

    def add_event(self, **content):
        """Add a `tf.Event` with this content."""
        RecordWriter(self._file).write(tf.Event(wall_time=time.time(), **content).SerializeToString())
        self._file.flush()

    def add_summary(self, summary, global_step):
        """Add a `tf.Summary`, or the bytes of one."""
        summary = tf.Summary.FromString(summary) if isinstance(summary, bytes) else summary
        self.add_event(summary=summary, step=global_step)
        scalars = {value.tag: f'{value.simple_value:.9g}'  # 9 digits hold a float32
                   for value in summary.value if value.HasField('simple_value')}
        if scalars:
            row = {'step': global_step, 'epoch': global_step // self._steps_per_epoch + 1, **scalars}
            with open(self._csv, 'a+', newline='', encoding='utf-8') as file:
                file.seek(0)
                head = next(csv.reader(file), None)  # has other names if the script was edited before --resume
                rows = csv.DictWriter(file, head or row, restval='nan', extrasaction='ignore', lineterminator='\n')
                if not head:
                    rows.writeheader()
                rows.writerow(row)

    def add_settings(self, settings):
        """Show the settings of the run as a table of text; settings: {name: value}."""
        lines = [f'{name} | {value}' for name, value in settings.items()]
        self.add_summary(text_summary('settings', '\n'.join(['setting | value', '--- | ---', *lines])), 0)

    def add_picture(self, tag, png, global_step):
        """Show a picture; png: the bytes of the file."""
        image = tf.Summary.Image(encoded_image_string=png)
        self.add_summary(tf.Summary(value=[tf.Summary.Value(tag=tag, image=image)]), global_step)

    def close(self):
        """Close the event file; a full disk has been reported by then."""
        with contextlib.suppress(OSError):
            self._file.close()


def read_losses(run_dir):
    """The rows of losses.csv, [{'step': float, 'epoch': float, name of each scalar: float}], in their order."""
    file = os.path.join(run_dir, 'losses.csv')
    if not os.path.exists(file):
        return []
    with open(file, encoding='utf-8') as lines:
        return [{name: float(text) for name, text in row.items()} for row in csv.DictReader(lines)]


def cut_losses(run_dir, steps):
    """Drop the rows of step `steps` and later, and half a row that a kill left: a resumed run writes each step once."""
    path = os.path.join(run_dir, 'losses.csv')
    if os.path.exists(path):
        with open(path, encoding='utf-8-sig', errors='replace') as file:  # whatever a crash or an editor made of it
            head, *rows = [line for line in file if line.endswith('\n')] or ['']
        steps_before = set(map(str, range(steps)))
        rows = [row for row in rows if head.startswith('step,') and row.partition(',')[0] in steps_before]
        with atomic_file(path) as unfinished, open(unfinished, 'w', encoding='utf-8') as file:
            file.writelines([head, *rows] if rows else [])


def plot_losses(run_dir, title, steps_per_epoch):
    """Draw losses.csv, where it has something to draw, into losses.png."""
    rows = read_losses(run_dir)
    panels = [panel for panel in _PANELS if rows and panel[0][0] in rows[0]]
    if not panels:
        return
    fig = new_figure(figsize=(10, 1 + 2.5 * len(panels)), layout='constrained')
    axes = fig.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    steps = [row['step'] for row in rows]
    for ax, (names, unit, level, meaning) in zip(axes, panels):
        for name in (name for name in names if name in rows[0]):
            # Short runs have few points, and a line through one point is invisible.
            ax.plot(steps, [row[name] for row in rows], label=name.removeprefix('parts/'), linewidth=1,
                    marker='.' if len(rows) < 50 else None, clip_on=False)
        if level is not None:
            ax.axhline(level, color='grey', linestyle='--', linewidth=1, label=meaning)
        ax.set_ylabel(unit)
        ax.grid(alpha=0.3)
        ax.legend(loc='upper left', bbox_to_anchor=(1, 1), fontsize='small')
    axes[-1].set_xlabel('step')
    axes[-1].set_xlim(0, max([steps_per_epoch, *steps]))
    epochs = axes[0].secondary_xaxis('top', functions=(lambda step: step / steps_per_epoch,
                                                       lambda epoch: epoch * steps_per_epoch))
    epochs.set_xlabel('epoch')
    fig.suptitle(title)
    with atomic_file(os.path.join(run_dir, 'losses.png')) as unfinished:
        fig.savefig(unfinished, format='png', dpi=100)
