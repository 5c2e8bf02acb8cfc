"""Event files: what TensorBoard reads from them, and what is left of them after damage."""

import os

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from common import tf
from common.event_files import SummaryWriter, cut_events, event_files, image_summary, read_events
from common.images import images_as_png
from runs import flip_a_bit

STEPS = 5


@pytest.fixture
def path(tmp_path):
    """An event file with a loss at each of five steps."""
    writer = SummaryWriter(str(tmp_path))
    for step in range(STEPS):
        writer.add_summary(tf.Summary(value=[tf.Summary.Value(tag='loss', simple_value=step / 2)]), step)
    writer.close()
    return event_files(str(tmp_path))[0]


def begins(path):
    """Where in the file each record begins, and its end."""
    ends = [0]
    for record in tf.python_io.tf_record_iterator(path):
        ends.append(ends[-1] + 12 + len(record) + 4)
    return ends


def losses(events):
    return [(event.step, event.summary.value[0].simple_value) for event in events if event.HasField('summary')]


def test_tensorboard_reads_what_is_written(path):
    events = list(EventFileLoader(path).Load())
    assert [event.file_version for event in events[:1]] == ['brain.Event:2']
    assert [(event.step, event.summary.value[0].tensor.float_val[0]) for event in events[1:]] == [
        (step, step / 2) for step in range(STEPS)]


def test_a_picture_has_its_size():
    image, = image_summary('samples', images_as_png(np.zeros((40, 784)), 28)).value
    assert image.tag == 'samples' and (image.image.width, image.image.height) == (1000, 400)


def test_an_intact_file_has_lost_nothing(path):
    events, lost = read_events(path)
    assert losses(events) == [(step, step / 2) for step in range(STEPS)] and lost == 0


@pytest.mark.parametrize('record', range(1, STEPS + 1))
@pytest.mark.parametrize('offset', [0, 2, 8, 12, 20, -1])  # length, its checksum, content, the content's checksum
def test_one_flipped_bit_costs_one_event(path, record, offset):
    start, end = begins(path)[record:record + 2]
    flip_a_bit(path, end - 1 if offset == -1 else start + offset)
    events, lost = read_events(path)
    assert losses(events) == [(step, step / 2) for step in range(STEPS) if step != record - 1]
    assert lost == end - start


def test_two_damaged_places(path):
    starts = begins(path)
    flip_a_bit(path, starts[2] + 14)
    flip_a_bit(path, starts[4])
    events, lost = read_events(path)
    assert [step for step, _ in losses(events)] == [0, 2, 4]
    assert lost == starts[3] - starts[2] + starts[5] - starts[4]


@pytest.mark.parametrize('cut', [1, 5, 20, 30])
def test_half_an_event_at_the_end_is_no_damage(path, cut):
    assert begins(path)[-1] - begins(path)[-2] > cut
    os.truncate(path, os.path.getsize(path) - cut)
    events, lost = read_events(path)
    assert [step for step, _ in losses(events)] == [0, 1, 2, 3] and lost == 0


def test_cutting_keeps_what_comes_before_a_step_and_tells_damage(path, tmp_path, capsys):
    flip_a_bit(path, begins(path)[2] + 14)
    cut_events(str(tmp_path), 4)
    said = capsys.readouterr().err
    assert os.path.basename(path) in said and 'is damaged' in said and said.count('\n') == 1
    events, lost = read_events(path)
    assert [step for step, _ in losses(events)] == [0, 2, 3] and lost == 0
    cut_events(str(tmp_path), 3)
    assert capsys.readouterr().err == ''
    assert [step for step, _ in losses(read_events(path)[0])] == [0, 2]
