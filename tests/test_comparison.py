"""Evaluations beside each other: the table, the mean over seeds, the pictures."""

import json
import os

import numpy as np
import pytest
from matplotlib import image

from after_training import comparison
from after_training.measurement import Measurement
from common.errors import UserError
from common.images import new_figure


def write(folder, name, *measurements):
    file = folder / f'{name}.json'
    file.write_text(json.dumps({'measurements': [vars(line) for line in measurements]}))
    return str(file)


@pytest.fixture
def files(tmp_path):
    """Two seeds of one training, and another."""
    def score(value):
        return Measurement('score', value, 0.01, real=9.9, real_error=0.02)
    return [write(tmp_path, 'vanilla_epoch_0005', score(5.), Measurement('likelihood (bandwidth 0.2)', 100.)),
            write(tmp_path, 'vanilla_epoch_0010', score(6.), Measurement('likelihood (bandwidth 0.178)', 200.)),
            write(tmp_path, 'vanilla_seed_1_epoch_0010', score(8.)), write(tmp_path, 'cgan_epoch_0100', score(9.))]


def rows(text):
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in text.splitlines()]


def test_the_table_shows_the_last_epoch_and_the_mean_over_seeds(files, capsys):
    comparison.main(files)
    head, _, *lines = rows(capsys.readouterr().out)
    assert head == ['', 'vanilla, epoch 10', 'cgan, epoch 100', 'real images']
    assert lines == [['score', '7 (6 to 8)', '9.000 ± 0.010', '9.900 ± 0.020'], ['likelihood', '200', '', '']]


def test_opposite_signs_have_no_mean():
    assert comparison.cell([{'value': -0.8}, {'value': 0.6}]) == '-0.8 to 0.6'


def test_equal_values_have_no_range():
    assert comparison.cell([{'value': 10}, {'value': 10}]) == '10'


def test_the_pictures_show_the_epochs(files, tmp_path, capsys, monkeypatch):
    figures = []
    monkeypatch.setattr(comparison, 'new_figure', lambda **size: figures.append(new_figure(**size)) or figures[-1])
    (tmp_path / 'pictures').mkdir()
    comparison.main([*files, '--pictures', str(tmp_path / 'pictures')])
    assert sorted(os.listdir(tmp_path / 'pictures')) == ['over_epochs_likelihood.png', 'over_epochs_score.png']
    assert np.ptp(image.imread(tmp_path / 'pictures' / 'over_epochs_score.png')) > 0.5
    score = figures[0].axes[0]
    vanilla, cgan, real = (line.get_xydata().tolist() for line in score.lines)
    assert vanilla == [[5, 5], [10, 7]] and cgan == [[100, 9]] and [y for _, y in real] == [9.9, 9.9]
    assert [text.get_text() for text in score.get_legend().get_texts()] == ['vanilla', 'cgan', 'real images']


@pytest.mark.parametrize('name, content, words', [
    ('vanilla.json', '{}', 'not named'), ('vanilla_epoch_0001.json', '{}', 'not an evaluation'),
    ('vanilla_epoch_0001.json', '{"measurements": [{"name": "score", "value": "high"}]}', 'not an evaluation'),
    ('vanilla_epoch_0001.json', '\x00', 'not an evaluation')])
def test_other_files_are_refused(tmp_path, name, content, words):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=words):
        comparison.main([str(tmp_path / name)])
