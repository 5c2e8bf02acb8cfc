"""The learning curves: TensorBoard's event files, and the picture losses.png drawn from them."""

import contextlib
import glob
import os
import socket
import struct
import time

from common.files import whole_file
from common.images import new_figure
from common.tensorflow1 import tf


def _event_files(run_dir):
    return sorted(glob.glob(os.path.join(glob.escape(run_dir), 'events.out.tfevents.*')))


def _events(path):
    # A killed run leaves half an event at the end: what comes before it is good.
    with contextlib.suppress(tf.errors.DataLossError):
        yield from (tf.Event.FromString(record) for record in tf.python_io.tf_record_iterator(path))


class SummaryWriter:
    """Writes an event file as `tf.summary.FileWriter` does, but in the thread that asks for it.

    The other writes in a thread of its own, which tells a full disk in a traceback or not at all.

    @param run_dir: folder of the event files
    @param graph: tf.Graph to show in TensorBoard, or None
    @raise tf.errors.OpError: here and in each method, where the file cannot be written
    """

    def __init__(self, run_dir, graph=None):
        path = os.path.join(run_dir, f'events.out.tfevents.{time.time():.6f}.{socket.gethostname()}')
        self._writer = tf.python_io.TFRecordWriter(path)
        self._add(file_version='brain.Event:2')
        if graph is not None:
            self._add(graph_def=graph.as_graph_def(add_shapes=True).SerializeToString())

    def add_summary(self, summary, global_step):
        """Add a tf.Summary, or the bytes of one."""
        self._add(summary=tf.Summary.FromString(summary) if isinstance(summary, bytes) else summary, step=global_step)

    def close(self):
        self._writer.close()

    def _add(self, **content):
        self._writer.write(tf.Event(wall_time=time.time(), **content).SerializeToString())
        self._writer.flush()


def cut_events(run_dir, steps):
    """Drop all summaries of step `steps` and later, so that a resumed run writes each step once.

    @param run_dir: folder of the event files
    @param steps: the step at which the run continues
    """
    for path in _event_files(run_dir):
        with whole_file(path) as shorter, tf.python_io.TFRecordWriter(shorter) as writer:
            for event in _events(path):
                if not event.HasField('summary') or event.step < steps:
                    writer.write(event.SerializeToString())


def read_losses(run_dir):
    """The scalars of a run.

    @return: {name: (steps, values)}, two lists of equal length in the order of the steps
    """
    curves = {}
    for path in _event_files(run_dir):
        for event in _events(path):
            for value in event.summary.value:
                if value.HasField('simple_value'):
                    curves.setdefault(value.tag, []).append((event.step, value.simple_value))
    return {name: tuple(map(list, zip(*sorted(points)))) for name, points in curves.items()}


def image_summary(tag, png):
    """A summary that shows a PNG in TensorBoard.

    @param tag: name under which TensorBoard shows it
    @param png: bytes of the file
    @return: tf.Summary for `FileWriter.add_summary`
    """
    width, height = struct.unpack('>II', png[16:24])  # the place in every PNG's header
    image = tf.Summary.Image(encoded_image_string=png, width=width, height=height, colorspace=4)
    return tf.Summary(value=[tf.Summary.Value(tag=tag, image=image)])


def plot_losses(run_dir, path, title):
    """Draw the losses of a run into the PNG file `path`."""
    curves = read_losses(run_dir)
    parts = [name for name in curves if name not in ('generator_loss', 'discriminator_loss')]
    fig = new_figure(figsize=(10, 7), layout='constrained')
    for ax, names in zip(fig.subplots(2, 1, sharex=True), (['discriminator_loss', 'generator_loss'], parts)):
        for name in names:
            if name in curves:
                ax.plot(*curves[name], label=name, linewidth=1)
        ax.set_ylabel('loss (nats)')
        ax.grid(alpha=0.3)
        if ax.lines:
            ax.legend()
    ax.set_xlabel('step')
    fig.suptitle(title)
    with whole_file(path) as unfinished:
        fig.savefig(unfinished, format='png', dpi=100)
