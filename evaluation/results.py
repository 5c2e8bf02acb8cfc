"""Results of evaluations: the report of one, and docs/results.csv, where those of many trainings stand.

    python -m evaluation.results docs/results.csv [TRAINING[:EPOCH] ...]

prints a Markdown table: a row for each measure, a column for each training, at its last epoch where none is given.
Trainings with several seeds get the mean and, in brackets, the lowest and the highest value. '±' is the standard
error of a measure on one trained model.
"""

import argparse
import csv
import json
import math
import os
import statistics
from typing import NamedTuple, Optional

from common.arguments import Parser, path, run_script
from common.errors import UserError, one_line
from common.files import whole_file
from common.images import new_figure
from common.scripts import SCRIPTS

# The measures that are drawn over the epochs, and the names of their pictures.
PICTURES = {'MNIST score': 'mnist_score',
            'FID on this classifier\'s features': 'fid',
            'precision, %': 'precision',
            'recall, %': 'recall',
            'total variation of the classes': 'total_variation',
            'Parzen log-likelihood, nats': 'parzen_log_likelihood',
            'requested labels, %': 'requested_labels',
            'nearest-neighbour error (50,000 samples), %': 'nearest_neighbour_error',
            'category error, %': 'category_error'}


class Measure(NamedTuple):
    """A measure of one model.

    name: with the unit. error: the standard error; or low and high: an interval of 95 % confidence. real, real_error:
    the same of real images. better: 'higher' or 'lower', where one can say so. explanation: what it is, in a sentence.
    """

    name: str
    value: float
    error: Optional[float] = None
    low: Optional[float] = None
    high: Optional[float] = None
    real: Optional[float] = None
    real_error: Optional[float] = None
    better: str = ''
    explanation: str = ''


class Result(NamedTuple):
    """A row of results.csv: a measure of one epoch of a training, the fields as those of Measure."""

    training: str
    seed: int
    epoch: int
    measure: str
    value: float
    error: Optional[float]
    low: Optional[float]
    high: Optional[float]
    real: Optional[float]
    real_error: Optional[float]


def report(result):
    """What evaluate.py prints of one checkpoint; result: from `Evaluation.measure`."""
    rows = [(measure.name, with_error(*measure[1:5]), with_error(measure.real, measure.real_error), measure.better)
            for measure in result['measures']]
    names = result['class_names']
    lines = [markdown_table((f'{result["model"]}, epoch {result["epoch"]}', 'generated', 'real images', 'better'), rows),
             '', '± is the standard error of the measure on this one model.',
             *(f'{measure.name}: {measure.explanation}' for measure in result['measures']), '']
    if result['classifier']:
        lines += ['the reference classifier is {} ({:.2%} of the test images correct): compare only what the same one '
                  'has measured'.format(result['classifier']['fingerprint'], result['classifier']['accuracy'][0]),
                  'share of each class: ' + ', '.join(map('{} {:.3f}'.format, names, result['class_shares']))]
    if 'category_to_class' in result:
        lines.append('classes of the categories: ' + ', '.join(
            f'{category} = {names[label]}' for category, label in enumerate(result['category_to_class'])))
    seen = 'among' if result['test_images_seen'] else 'not among'
    return '\n'.join([*lines, f'the test images were {seen} those of the training'])


def report_epochs(results):
    """A table with a row for each of several checkpoints of one model, the best value of each measure marked by *."""
    best = {measure.name: {'higher': max, 'lower': min}[measure.better](
                other.value for result in results for other in result['measures'] if other.name == measure.name)
            for measure in results[0]['measures'] if measure.better}
    return markdown_table(
        ('epoch', *(measure.name for measure in results[0]['measures'])),
        [(str(result['epoch']), *(with_error(measure.value, measure.error)
                                  + (' *' if measure.value == best.get(measure.name) else '')
                                  for measure in result['measures'])) for result in results])


def with_error(value, error=None, low=None, high=None):
    """A value with as many digits as its standard error supports, or with its interval; '' where it is None."""
    if value is None:
        return ''
    if low is not None:
        return f'{value:.3f} (95 %: {low:.3f} to {high:.3f})'
    if not error or error < 1e-9 * abs(value):
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


def read_results(file):
    """The rows of results.csv, a list of Result; UserError where the file is not one."""
    try:
        with open(file, encoding='utf-8', newline='') as content:
            head, *rows = csv.reader(content)
            if tuple(head) != Result._fields:
                raise ValueError(f'its columns are not {", ".join(Result._fields)}')
            return [Result(training, int(seed), int(epoch), measure, float(value),
                           *(float(number) if number else None for number in rest))
                    for training, seed, epoch, measure, value, *rest in rows]
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f'{file} cannot be read as results ({one_line(error)})')


def results_of(file, training=None):
    """The rows of one evaluation.json, under the name of the training, by default that of the model."""
    try:
        with open(file, encoding='utf-8') as content:
            evaluation = json.load(content)
        return [Result(training or evaluation['model'], evaluation['training']['seed'], evaluation['epoch'],
                       *(measure[field] for field in Measure._fields[:7])) for measure in evaluation['measures']]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f'{file} is not what evaluate.py writes ({one_line(error)})')


def write_results(file, results):
    """Write results.csv, each number with six digits; of two rows for the same measure the later one counts."""
    def text(value):
        return '' if value is None else f'{value:.6g}' if isinstance(value, float) else value

    latest = {result[:4]: result for result in results}
    with whole_file(file) as unfinished, open(unfinished, 'w', encoding='utf-8', newline='') as content:
        writer = csv.writer(content, lineterminator='\n')
        writer.writerow(Result._fields)
        writer.writerows(map(text, result) for result in latest.values())


def table(results, columns):
    """A Markdown table of the measures; columns: pairs of a training and its epoch."""
    rows = []
    for measure in dict.fromkeys(result.measure for result in results):
        cells = [[result for result in results if (result.training, result.epoch, result.measure) == (*column, measure)]
                 for column in columns]
        if any(cells):
            real = next((result for cell in cells for result in cell if result.real is not None), None)
            rows.append((measure, *map(mean_and_range, cells), with_error(real.real, real.real_error) if real else ''))
    return markdown_table(('', *map('{0[0]}, epoch {0[1]}'.format, columns), 'real images'), rows)


def mean_and_range(results):
    """One training with its standard error, or several seeds: the mean and the range."""
    if len(results) < 2:
        return with_error(*results[0][4:8]) if results else ''
    values, errors = [result.value for result in results], [result.error for result in results if result.error]
    decimals = decimals_of(max(errors)) if errors else 3
    low, high = (f'{value:.{decimals}f}' for value in (min(values), max(values)))
    if min(values) < 0 < max(values):  # as a correlation, whose sign a training chooses by chance: no mean
        return f'{low} to {high}'
    return f'{statistics.fmean(values):.{decimals}f} ({low} to {high})'


def draw(measure, results, colours, file):
    """Draw a measure over the epochs: a curve for each training, the mean over its seeds, a bar over their range."""
    fig = new_figure(figsize=(7.5, 4), layout='constrained')
    ax = fig.subplots()
    for training, colour in colours.items():
        values = {}
        for result in results:
            if (result.training, result.measure) == (training, measure):
                values.setdefault(result.epoch, []).append(result.value)
        if values:
            epochs = sorted(values)
            n_seeds = max(map(len, values.values()))
            ax.plot(epochs, [statistics.fmean(values[epoch]) for epoch in epochs], marker='o', markersize=4,
                    color=colour, label=training + (f'\n({n_seeds} seeds: mean, range)' if n_seeds > 1 else ''))
            several = [epoch for epoch in epochs if len(values[epoch]) > 1]
            ax.vlines(several, [min(values[epoch]) for epoch in several], [max(values[epoch]) for epoch in several],
                      color=colour, linewidth=6, alpha=0.35)
    real = [result.real for result in results if result.measure == measure and result.real is not None]
    if real:
        ax.axhline(statistics.fmean(real), color='black', linestyle='--', linewidth=1, label='real images')
    if measure.startswith('FID'):
        ax.set_yscale('log')
        ax.yaxis.set_major_formatter('{x:g}')
    ax.set_xlim(left=0)
    ax.set_title(measure, fontsize='medium')  # beside the axis, a long name would be cut off
    ax.set_xlabel('epoch')
    ax.grid(alpha=0.3)
    fig.legend(loc='outside right upper', frameon=False)
    with whole_file(file) as unfinished:
        fig.savefig(unfinished, format='png', dpi=100)
    print('wrote', file)


def main(argv=None):
    parser = Parser(prog='python -m evaluation.results', description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('file', type=path, metavar='FILE', help='results.csv')
    parser.add_argument('trainings', nargs='*', metavar='TRAINING[:EPOCH]', help='which columns (default: all)')
    parser.add_argument('--figures', type=path, metavar='DIR', help='also draw the measures over the epochs, into DIR')
    parser.add_argument('--add', type=path, nargs='+', metavar='JSON', default=[],
                        help='first add these files of evaluate.py to FILE')
    parser.add_argument('--training', metavar='NAME', help='the training of --add (default: the name of its model)')
    args = parser.parse_args(argv)
    try:
        results = read_results(args.file) if os.path.exists(args.file) or not args.add else []
        if args.add:
            results += [result for file in args.add for result in results_of(file, args.training)]
            write_results(args.file, results)
            results = read_results(args.file)
        last = {}
        for result in results:
            last[result.training] = max(result.epoch, last.get(result.training, 0))
        columns = [(name, int(epoch or last.get(name, 0))) for name, _, epoch in
                   (text.partition(':') for text in args.trainings or last)]
        print(table(results, columns))
        if args.figures:
            names = dict.fromkeys(name for name, _ in columns)
            order = [*SCRIPTS, *(name for name in names if name not in SCRIPTS)]
            colours = {name: f'C{order.index(name)}' for name in names}  # a model has the same one everywhere
            for measure, picture in PICTURES.items():
                chosen = [result for result in results if result.measure == measure and result.training in names]
                if chosen:
                    draw(measure, chosen, colours, os.path.join(args.figures, f'over_epochs_{picture}.png'))
    except OSError as error:
        raise UserError(f'cannot write into {error.filename or args.figures} ({one_line(error)})')


if __name__ == '__main__':
    run_script(main)
