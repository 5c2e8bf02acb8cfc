"""TensorBoard's event files: written in the thread that asks for it, cut on resuming, read in spite of damage."""

import contextlib
import glob
import os
import socket
import struct
import sys
import time

from common.files import whole_file
from common.terminal import say
from common.tensorflow1 import tf

# A record is the length of its content, the length's checksum, the content, and the content's checksum.
_HEADER, _FOOTER = struct.Struct('<QI'), struct.Struct('<I')


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


def image_summary(tag, png):
    """A summary that shows a PNG in TensorBoard.

    @param tag: name under which TensorBoard shows it
    @param png: bytes of the file
    @return: tf.Summary for `SummaryWriter.add_summary`
    """
    width, height = struct.unpack('>II', png[16:24])  # the place in every PNG's header
    image = tf.Summary.Image(encoded_image_string=png, width=width, height=height, colorspace=4)
    return tf.Summary(value=[tf.Summary.Value(tag=tag, image=image)])


def event_files(run_dir):
    """The paths of the event files of a run, oldest first."""
    return sorted(glob.glob(os.path.join(glob.escape(run_dir), 'events.out.tfevents.*')))


def cut_events(run_dir, steps):
    """Drop all summaries of step `steps` and later, so that a resumed run writes each step once.

    What is damaged is told on stderr; what can be read before and after it is kept.

    @param run_dir: folder of the event files
    @param steps: the step at which the run continues
    """
    for path in event_files(run_dir):
        events, lost = read_events(path)
        if lost:
            say(f'{path} is damaged: {lost} bytes of the curves are lost, what comes before and after them is kept',
                sys.stderr)
        with whole_file(path) as shorter, tf.python_io.TFRecordWriter(shorter) as writer:
            for event in events:
                if not event.HasField('summary') or event.step < steps:
                    writer.write(event.SerializeToString())


def read_events(path):
    """All events of a file that can be read.

    @return: list of tf.Event, and the number of damaged bytes; half an event at the end, as a kill leaves it, is none
    """
    records, end, lost = [], 0, 0
    with contextlib.suppress(tf.errors.DataLossError):
        for record in tf.python_io.tf_record_iterator(path):
            records.append(record)
            end += _size(record)
    if end < os.path.getsize(path):
        with open(path, 'rb') as file:
            file.seek(end)
            found, lost = _search(file.read())
        records += found
    return [tf.Event.FromString(record) for record in records], lost


def _search(content):
    """The records that can be found in the bytes `content`, and the number of bytes that belong to none."""
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c  # slow: for damaged files only
    records, lost, good, at = [], 0, 0, 0  # good: where the last good record ends
    while at + _HEADER.size <= len(content):
        length, checksum = _HEADER.unpack_from(content, at)
        if masked_crc32c(content[at:at + 8]) != checksum:
            at += 1  # whatever the length was: the next record begins where a length fits its checksum
            continue
        start, end = at + _HEADER.size, at + _HEADER.size + length
        if end + _FOOTER.size > len(content):
            return records, lost + at - good  # half a record
        if masked_crc32c(content[start:end]) == _FOOTER.unpack_from(content, end)[0]:
            records.append(content[start:end])
            lost += at - good
            good = end + _FOOTER.size
        at = end + _FOOTER.size
    rest = len(content) - good
    return records, lost + (rest if rest >= _HEADER.size else 0)


def _size(record):
    return _HEADER.size + len(record) + _FOOTER.size
