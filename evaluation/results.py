"""What evaluate.py reports, and results.csv, where the measures of many trainings stand.

    python -m evaluation.results docs/results.csv [TRAINING[:EPOCH] ...] [--figures DIR]

prints a Markdown table: a row for each measure, a column for each training, at its last epoch where none is given.
Trainings with several seeds get the mean and, in brackets, the lowest and the highest value. '±' is the standard error
of a measure on one trained model. `evaluate.py --add-to FILE` adds rows.
"""

import argparse
import csv
import math
import os
import re
import statistics
from typing import NamedTuple, Optional

from common.arguments import Parser, path, run_script
from common.errors import UserError, one_line
from common.files import atomic_file
from common.images import new_figure
from common.scripts import SCRIPTS

FID = 'FID on this classifier\'s features'
_SCORE = 'Inception Score with the reference classifier, 1 to the number of classes: clear images of all classes'
# What each measure is, and which way is better.
EXPLANATIONS = {
    'MNIST score': (_SCORE, 'higher'),
    'classifier score': (_SCORE, 'higher'),
    FID: ('Fréchet distance from the test images, in features of the reference classifier, not of Inception', 'lower'),
    'precision, %': ('quality: generated images that lie among real ones; smooth images can beat real ones', 'higher'),
    'recall, %': ('variety: real images that lie among generated ones', 'higher'),
    'total variation of the classes': ('distance of the class shares from uniform, 0 to 1', 'lower'),
    'Parzen log-likelihood, nats': ('of test images under Gaussians around the generated ones; smooth images can beat '
                                    'real ones. 225 in Goodfellow et al. 2014, 132 in Mirza & Osindero 2014', 'higher'),
    'requested labels, %': ('generated images in which the reference classifier sees the requested label', 'higher'),
    'nearest-neighbour error, %': ('of test images that get the label of the nearest generated one (Radford et al. '
                                   '2015)', 'lower'),
    'classifier accuracy score, %': ('accuracy on test images of the same network trained on generated images only '
                                     '(Ravuri & Vinyals 2019)', 'higher'),
    'category error, %': ('InfoGAN\'s category as a classifier of test images. 5 in Chen et al. 2016', 'lower'),
    'information of the category, nats': ('lower bound of its mutual information with the images, at most the log of '
                                          'the number of categories (Chen et al. 2016)', 'higher'),
    'information of the continuous code, nats': ('the same bound, 0 where the code cannot be read off', 'higher'),
    'correlation of the continuous code and the posterior mean': ('1 where it can be read off exactly', 'higher'),
    'correlation of the continuous code and the slant': ('its sign is a matter of chance', ''),
    'change of slant with the continuous code from -2 to 2, degrees': ('positive: to the right', ''),
    'correlation of the continuous code and the stroke width': ('its sign is a matter of chance', ''),
    'change of stroke width with the continuous code from -2 to 2, pixels': ('positive: wider', '')}
# The measures that are drawn over the epochs, and the names of their pictures.
PICTURES = {'MNIST score': 'mnist_score', FID: 'fid', 'precision, %': 'precision', 'recall, %': 'recall',
            'total variation of the classes': 'total_variation', 'Parzen log-likelihood, nats': 'parzen_log_likelihood',
            'requested labels, %': 'requested_labels', 'category error, %': 'category_error',
            'nearest-neighbour error (50,000 samples), %': 'nearest_neighbour_error'}
KEY = ('training', 'seed', 'epoch')


class Measure(NamedTuple):
    """A number that says something of a model: its name with the unit, its value and its standard error.

    real, real_error: the same of real images, where that makes sense.
    """

    measure: str
    value: float
    error: float
    real: Optional[float] = None
    real_error: Optional[float] = None


def explanation(name):
    """A sentence on a measure, and 'higher' or 'lower' or ''."""
    return EXPLANATIONS[re.sub(r' \(.* samples\)', '', re.sub(r'continuous code \d+', 'the continuous code', name))]


def report(result):
    """What evaluate.py prints of one checkpoint; result: from `Evaluation.measure`."""
    measures, names = result['measures'], result['class_names']
    rows = [(name, with_error(value, error), with_error(*real), explanation(name)[1])
            for name, value, error, *real in measures]
    title = f'{result["model"]}, epoch {result["epoch"]}'
    lines = [markdown_table((title, 'generated', 'real images', 'better'), rows), '',
             *(f'{measure[0]}: {explanation(measure[0])[0]}' for measure in measures),
             '±: the standard error of the measure on this one model', '']
    if 'classifier' in result:
        accuracy = with_error(*result['classifier_accuracy'])
        lines += [f'reference classifier: {result["classifier"]}, {accuracy} % of the test images correct; do not '
                  'compare what another one has measured',
                  'class shares: ' + ', '.join(map('{} {:.3f}'.format, names, result['class_shares']))]
    if 'category_to_class' in result:
        lines.append('class of each category: ' + ', '.join(
            f'{category} = {names[label]}' for category, label in enumerate(result['category_to_class'])))
    seen = 'among' if result['test_images_seen'] else 'not among'
    return '\n'.join([*lines, f'the test images were {seen} those of the training'])


def report_epochs(results):
    """A table with a row for each of several checkpoints of a model, the best value of each measure marked with *."""
    columns = []
    for measures in zip(*(result['measures'] for result in results)):
        values = [measure.value for measure in measures]
        best = {'higher': max(values), 'lower': min(values)}.get(explanation(measures[0].measure)[1])
        columns.append([measures[0].measure] + [with_error(*measure[1:3]) + (' *' if measure.value == best else '')
                                                for measure in measures])
    head, *rows = zip(['epoch', *(str(result['epoch']) for result in results)], *columns)
    return markdown_table(head, rows)


def with_error(value, error=None):
    """A value with as many digits as its standard error supports; '' where it is None."""
    if value is None:
        return ''
    if not error or not error > 1e-9 * abs(value):
        return f'{value:.4g}'
    decimals = decimals_of(error)
    return f'{value:.{decimals}f} ± {error:.{decimals}f}'


def decimals_of(error):
    """Decimals of a value with this standard error: two digits of the error."""
    return max(0, 1 - math.floor(math.log10(error)))


def markdown_table(head, rows):
    """A Markdown table whose columns line up; all cells are strings."""
    rows = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ['| ' + ' | '.join(map(str.ljust, row, widths)) + ' |' for row in rows]
    return '\n'.join([lines[0], '| ' + ' | '.join('-' * width for width in widths) + ' |', *lines[1:]])


def add_results(file, training, seed, results):
    """Add rows to the end of results.csv, numbers with six digits; results: from `Evaluation.measure`."""
    is_new = not os.path.exists(file)
    with open(file, 'a', encoding='utf-8', newline='') as content:
        writer = csv.writer(content, lineterminator='\n')
        if is_new:
            writer.writerow(KEY + Measure._fields)
        for result in results:
            for name, *numbers in result['measures']:
                writer.writerow([training, seed, result['epoch'], name,
                                 *('' if number is None else f'{number:.6g}' for number in numbers)])


def read_results(file):
    """The content of results.csv: {(training, seed, epoch): {name: Measure}}, the last row for each; or UserError."""
    found = {}
    try:
        with open(file, encoding='utf-8', newline='') as content:
            reader = csv.DictReader(content)
            if set(reader.fieldnames or ()) != {*KEY, *Measure._fields}:
                raise ValueError('its columns are others')
            for row in reader:
                training, seed, epoch = (row.pop(name) for name in KEY)
                name, *numbers = (row[field] for field in Measure._fields)
                numbers = [float(number) if number else None for number in numbers]
                found.setdefault((training, int(seed), int(epoch)), {})[name] = Measure(name, *numbers)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f'{file} cannot be read as results ({one_line(error)})')
    return found


def select(results, training, name):
    """A measure of one training: {epoch: [Measure of each seed]}."""
    selected = {}
    for (other, _, epoch), measures in sorted(results.items()):
        if other == training and name in measures:
            selected.setdefault(epoch, []).append(measures[name])
    return selected


def table(results, columns):
    """A Markdown table; columns: pairs of a training and its epoch."""
    rows = []
    for name in dict.fromkeys(name for measures in results.values() for name in measures):
        cells = [select(results, training, name).get(epoch, []) for training, epoch in columns]
        real = [measure for cell in cells for measure in cell if measure.real is not None]
        if any(cells):
            rows.append((name, *map(mean_and_range, cells), with_error(*real[0][3:]) if real else ''))
    return markdown_table(('', *map('{0[0]}, epoch {0[1]}'.format, columns), 'real images'), rows)


def mean_and_range(measures):
    """One training with its standard error, or several seeds: the mean and the range."""
    if len(measures) < 2:
        return with_error(*measures[0][1:3]) if measures else ''
    values = [measure.value for measure in measures]
    decimals = decimals_of(max(measure.error for measure in measures) or 0.01)
    mean, low, high = (f'{value:.{decimals}f}' for value in (statistics.fmean(values), min(values), max(values)))
    # Of a correlation, whose sign a training chooses by chance, the mean would say nothing.
    return f'{low} to {high}' if min(values) < 0 < max(values) else f'{mean} ({low} to {high})'


def draw(results, name, trainings, file):
    """Draw a measure over the epochs: of each training the mean of its seeds, with a bar from lowest to highest."""
    fig = new_figure(figsize=(7.5, 4), layout='constrained')
    ax = fig.subplots()
    others = [training for training in trainings if training not in SCRIPTS]
    for i, training in enumerate([*SCRIPTS, *others]):  # so that a model has the same colour in all pictures
        seeds = select(results, training, name) if training in trainings else {}
        if seeds:
            values = {epoch: [measure.value for measure in measures] for epoch, measures in seeds.items()}
            ax.plot(list(values), list(map(statistics.fmean, values.values())), 'o-', color=f'C{i}', markersize=4,
                    label=training)
            ax.vlines(list(values), list(map(min, values.values())), list(map(max, values.values())), color=f'C{i}',
                      linewidth=6, alpha=0.35)
    real = [measures[name].real for measures in results.values() if name in measures]
    if real and None not in real:
        ax.axhline(statistics.fmean(real), color='black', linestyle='--', linewidth=1, label='real images')
    if name == FID:
        ax.set_yscale('log')
        ax.yaxis.set_major_formatter('{x:g}')
    ax.margins(y=0.08)
    ax.set_xlim(left=0)
    ax.set_title(name, fontsize='medium')  # beside the axis, a long name would be cut off
    ax.set_xlabel('epoch')
    ax.grid(alpha=0.3)
    fig.legend(loc='outside right upper', frameon=False)
    with atomic_file(file) as unfinished:
        fig.savefig(unfinished, format='png', dpi=100)


def main(argv=None):
    parser = Parser(prog='python -m evaluation.results', description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('file', type=path, metavar='FILE', help='results.csv')
    parser.add_argument('trainings', nargs='*', metavar='TRAINING[:EPOCH]', help='the columns (default: all)')
    parser.add_argument('--figures', type=path, metavar='DIR', help='also draw the measures over the epochs, into DIR')
    args = parser.parse_args(argv)
    results = read_results(args.file)
    last = {training: epoch for training, _, epoch in sorted(results, key=lambda key: key[2])}
    columns = [(training, int(epoch or last.get(training, 0)))
               for training, _, epoch in (text.partition(':') for text in args.trainings or sorted(last))]
    trainings = [training for training, _ in columns]
    print(table(results, columns))
    try:
        for name, picture in PICTURES.items() if args.figures else ():
            if any(select(results, training, name) for training in trainings):
                file = os.path.join(args.figures, f'over_epochs_{picture}.png')
                draw(results, name, trainings, file)
                print('wrote', file)
    except OSError as error:
        raise UserError(f'cannot write {file} ({one_line(error)}): choose another folder with --figures')


if __name__ == '__main__':
    run_script(main)
