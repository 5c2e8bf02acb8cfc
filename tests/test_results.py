"""results.csv: tables, the mean over seeds, pictures."""

import itertools
import os

import numpy as np
import pytest
from matplotlib import image

from common.errors import UserError
from common.images import new_figure
from common.scripts import ROOT
from evaluation import results
from evaluation.results import FID, add_results, formatted, read_results, report, rows_of


def result(epoch, *measures):
    """What `Evaluation.measure` returns."""
    keys = ('measure', 'value', 'error', 'real', 'real_error')
    return {'model': 'vanilla', 'training': {'dataset': 'mnist'}, 'epoch': epoch, 'class_names': [],
            'test_images_seen': True, 'measures': [dict(itertools.zip_longest(keys, measure)) for measure in measures]}


def score(value):
    return 'MNIST score', value, 0.01, 9.9, 0.02


@pytest.fixture
def file(tmp_path):
    """Two seeds of one training, and another."""
    path = str(tmp_path / 'results.csv')
    for training, seed, epoch, *measures in (
            ('vanilla', 0, 5, score(5.), ('precision, %', 70, 1.)),
            ('vanilla', 0, 10, score(6.), ('precision, %', 80.123456789, 1.)),
            ('vanilla', 1, 10, score(8.)),
            ('vanilla_float32', 0, 100, score(9.), (FID, 2., 0.5))):
        add_results(path, rows_of(result(epoch, *measures), training, seed))
    return path


def rows(text):
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in text.splitlines()]


@pytest.mark.parametrize('measured, text', [
    ([(12.3456, 0.123)], '12.35 ± 0.12'), ([(1234.5, 56.)], '1234 ± 56'), ([(0., 0.)], '0 ± 0'),
    ([(0.9, 1e-16)], '0.9 ± 1e-16'), ([(np.nan, np.nan)], 'nan ± nan'), ([], ''),
    ([(-0.8, 0.01), (0.6, 0.01)], '-0.800 to 0.600')])  # opposite signs have no mean
def test_digits_of_the_table(measured, text):
    assert formatted(*(zip(*measured) if measured else ([], []))) == text


def test_what_is_added_is_read_and_the_later_row_counts(file):
    head, first, _, _, fourth, *_ = open(file).read().splitlines()
    assert head == 'training,seed,epoch,measure,value,error,real,real_error'
    assert (first, fourth) == ('vanilla,0,5,MNIST score,5,0.01,9.9,0.02', 'vanilla,0,10,"precision, %",80.1235,1,,')
    add_results(file, rows_of(result(10, ('precision, %', 81., 1.)), 'vanilla', 0))
    found = read_results(file).query('training == "vanilla" and epoch == 10').set_index(['measure', 'seed'])['value']
    assert found.to_dict() == {('MNIST score', 0): 6, ('MNIST score', 1): 8, ('precision, %', 0): 81}


def test_the_table_of_epochs_marks_the_best_of_each_measure():
    epochs = [result(epoch, score(value), (FID, fid, 0.5), ('change of slant', slant, 1.))
              for epoch, value, fid, slant in ((1, 5., 2., 9.), (2, 7., 4., 8.), (10, 6., np.nan, 7.))]
    head, _, *lines = rows(report(epochs, compare=True).partition('\n\n')[0])
    assert head == ['', 'MNIST score', FID, 'change of slant']
    assert lines == [['vanilla, epoch 1', '5.000 ± 0.010', '2.00 ± 0.50 *', '9.0 ± 1.0'],
                     ['vanilla, epoch 2', '7.000 ± 0.010 *', '4.00 ± 0.50', '8.0 ± 1.0'],
                     ['vanilla, epoch 10', '6.000 ± 0.010', 'nan ± 0.5', '7.0 ± 1.0'],
                     ['real images', '9.900 ± 0.020', '', ''], ['better', 'higher', 'lower', '']]
    assert '*' not in report(epochs[:1])


def test_the_table_shows_the_mean_over_seeds_and_the_epoch_that_is_wanted(file, capsys):
    results.main([file])
    head, _, *lines = rows(capsys.readouterr().out)
    assert head == ['', 'vanilla, epoch 10', 'vanilla_float32, epoch 100', 'real images', 'better']
    assert lines == [['MNIST score', '7.000 (6.000 to 8.000)', '9.000 ± 0.010', '9.900 ± 0.020', 'higher'],
                     ['precision, %', '80.1 ± 1.0', '', '', 'higher'], [FID, '', '2.00 ± 0.50', '', 'lower']]
    results.main([file, 'vanilla:5'])
    assert rows(capsys.readouterr().out)[2][:3] == ['MNIST score', '5.000 ± 0.010', '9.900 ± 0.020']


def test_the_pictures_show_the_epochs(file, tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(results, 'new_figure', lambda **size: figures.append(new_figure(**size)) or figures[-1])
    results.main([file, '--figures', str(tmp_path)])
    assert np.ptp(image.imread(tmp_path / 'over_epochs_mnist_score.png')) > 0.5
    drawn = sorted(name for name in os.listdir(tmp_path) if name.endswith('.png'))  # what nobody has is not drawn
    assert drawn == ['over_epochs_fid.png', 'over_epochs_mnist_score.png', 'over_epochs_precision.png']
    score, fid, precision = (figure.axes[0] for figure in figures)
    vanilla, float32, real = (line.get_xydata().tolist() for line in score.lines)
    assert vanilla == [[5, 5], [10, 7]] and float32 == [[100, 9]] and [y for _, y in real] == [9.9, 9.9]
    bars = [bar.tolist() for bar in score.collections[0].get_segments()]
    assert bars == [[[5, 5], [5, 5]], [[10, 6], [10, 8]]]
    assert fid.get_yscale() == 'log' and score.get_yscale() == 'linear'
    assert score.lines[0].get_color() == precision.lines[0].get_color()  # vanilla
    assert score.lines[1].get_color() == fid.lines[0].get_color() != score.lines[0].get_color()


def test_every_measure_of_the_project_is_explained():
    names = set(read_results(os.path.join(ROOT, 'docs', 'results.csv'))['measure'])
    assert names and all(results.explanation(name)[1] for name in names)
    assert results.explanation('information of continuous code 2, nats')[0] == 'higher'


def test_other_files_are_refused(tmp_path):
    file = tmp_path / 'results.csv'
    for content in (None, 'measure\nMNIST score', 'training,seed,epoch,measure,value,error\nvanilla,0,ten,x,1,2'):
        if content:
            file.write_text(content)
        with pytest.raises(UserError, match='results.csv'):
            results.main([str(file)])
