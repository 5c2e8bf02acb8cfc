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
import statistics
from typing import NamedTuple, Optional

from common.arguments import Parser, path, run_script
from common.errors import UserError, one_line
from common.files import atomic_file
from common.images import new_figure
from common.scripts import SCRIPTS

FID = 'FID on this classifier\'s features'
SCORE = 'Inception Score with the reference classifier, 1 to the number of classes: clear images of all classes'
# Which way the measures whose names begin like this are better, and what they are.
EXPLANATIONS = {
    'MNIST score': ('higher', SCORE),
    'classifier score': ('higher', SCORE),
    'FID': ('lower', 'Fréchet distance from the test images in features of the reference classifier, not of Inception'),
    'precision': ('higher', 'quality: generated images that lie among real ones; smooth images can beat real ones'),
    'recall': ('higher', 'variety: real images that lie among generated ones'),
    'total variation': ('lower', 'distance of the class shares from uniform, 0 to 1'),
    'Parzen': ('higher', 'of test images under Gaussians around the generated ones; smooth images can beat real ones'),
    'requested labels': ('higher', 'generated images in which the reference classifier sees the requested label'),
    'nearest': ('lower', 'of test images that get the label of the nearest generated one (Radford et al. 2015)'),
    'classifier accuracy': ('higher', 'on test images, trained on generated images only (Ravuri & Vinyals 2019)'),
    'category error': ('lower', 'InfoGAN\'s category as a classifier of test images (Chen et al. 2016)'),
    'information': ('higher', 'lower bound of the mutual information of code and images (Chen et al. 2016)'),
    'correlation': ('', '1 or -1 where the one can be read off the other; its sign may be a matter of chance'),
    'change': ('', 'positive: to the right, or wider')}
# The measures that are drawn over the epochs, and the names of their pictures.
PICTURES = {'MNIST score': 'mnist_score', FID: 'fid', 'precision, %': 'precision', 'recall, %': 'recall',
            'total variation of the classes': 'total_variation', 'Parzen log-likelihood, nats': 'parzen_log_likelihood',
            'requested labels, %': 'requested_labels', 'category error, %': 'category_error',
            'nearest-neighbour error (50,000 samples), %': 'nearest_neighbour_error'}


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
    """Which way a measure is better ('' where neither is), and what it is."""
    return next((found for beginning, found in EXPLANATIONS.items() if name.startswith(beginning)), ('', ''))


def report(results):
    """What evaluate.py prints of the checkpoints of a model; results: from `Evaluation.measure`."""
    first, measured = results[0], {}
    for result in results:
        for measure in result['measures']:
            measured.setdefault((result['model'], measure.measure), {})[result['epoch']] = {0: measure}
    lines = [table(measured, [(result['model'], result['epoch']) for result in results]), '',
             *(f'{measure.measure}: {explanation(measure.measure)[1]}' for measure in first['measures']),
             '±: the standard error of the measure on one model', '']
    if 'classifier' in first:
        lines.append(f'reference classifier: {first["classifier"]}, {formatted(first["classifier_accuracy"])} % of the '
                     'test images correct; do not compare what another one has measured')
    for result in results:
        names, epoch = result['class_names'], f'epoch {result["epoch"]}'
        if 'class_shares' in result:
            lines.append(f'{epoch}, class shares: ' + ', '.join(map('{} {:.3f}'.format, names, result['class_shares'])))
        if 'category_to_class' in result:
            lines.append(f'{epoch}, class of each category: ' + ', '.join(
                f'{category} = {names[label]}' for category, label in enumerate(result['category_to_class'])))
    seen = 'among' if first['test_images_seen'] else 'not among'
    return '\n'.join([*lines, f'the test images were {seen} those of the training'])


def table(results, columns):
    """A Markdown table; results: as from `read_results`; columns: pairs of a training and its epoch."""
    rows = []
    for name in dict.fromkeys(name for _, name in results):
        cells = [results.get((training, name), {}).get(epoch, {}).values() for training, epoch in columns]
        real = [measure[3:] for cell in cells for measure in cell if measure.real is not None]
        if any(cells):
            rows.append((name, *(formatted(*(measure[1:3] for measure in cell)) for cell in cells),
                         formatted(*real[:1]), explanation(name)[0]))
    return markdown_table(('', *map('{0[0]}, epoch {0[1]}'.format, columns), 'real images', 'better'), rows)


def formatted(*measured):
    """A value ± its standard error, or the mean and the range of several seeds, to two digits of the error.

    measured: pairs of value and standard error; '' without any.
    """
    if not measured:
        return ''
    values, errors = zip(*measured)
    digits = '.4g'  # where a value has no error
    if max(errors) > 1e-9 * abs(values[0]):
        digits = f'.{max(0, 1 - math.floor(math.log10(max(errors))))}f'
    mean, low, high = (format(value, digits) for value in (statistics.fmean(values), min(values), max(values)))
    if len(values) == 1:
        return f'{mean} ± {errors[0]:{digits}}'
    # Of a correlation, whose sign a training chooses by chance, the mean would say nothing.
    return f'{low} to {high}' if min(values) < 0 < max(values) else f'{mean} ({low} to {high})'


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
            writer.writerow(('training', 'seed', 'epoch', *Measure._fields))
        for result in results:
            for name, *numbers in result['measures']:
                writer.writerow([training, seed, result['epoch'], name,
                                 *('' if number is None else f'{number:.6g}' for number in numbers)])


def read_results(file):
    """The content of results.csv, {(training, measure): {epoch: {seed: Measure}}}; of each the last row counts."""
    found = {}
    try:
        with open(file, encoding='utf-8', newline='') as content:
            for training, seed, epoch, name, *numbers in list(csv.reader(content))[1:]:
                numbers = [float(number) if number else None for number in numbers]
                found.setdefault((training, name), {}).setdefault(int(epoch), {})[int(seed)] = Measure(name, *numbers)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f'{file} cannot be read as results ({one_line(error)})')
    return found


def draw(results, name, trainings, file):
    """Draw a measure over the epochs: of each training the mean of its seeds, with a bar from lowest to highest."""
    fig = new_figure(figsize=(7.5, 4), layout='constrained')
    ax = fig.subplots()
    others = [training for training in trainings if training not in SCRIPTS]
    for i, training in enumerate([*SCRIPTS, *others]):  # so that a model has the same colour in all pictures
        seeds = results.get((training, name), {}) if training in trainings else {}
        epochs = sorted(seeds)
        values = [[measure.value for measure in seeds[epoch].values()] for epoch in epochs]
        if epochs:
            ax.plot(epochs, list(map(statistics.fmean, values)), 'o-', color=f'C{i}', markersize=4, label=training)
            ax.vlines(epochs, list(map(min, values)), list(map(max, values)), color=f'C{i}', linewidth=6, alpha=0.35)
    real = [measure.real for (_, other), epochs in results.items() if other == name
            for seeds in epochs.values() for measure in seeds.values()]
    if None not in real:
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
    last = {}
    for (training, _), epochs in results.items():
        last[training] = max(last.get(training, 0), *epochs)
    columns = [(training, int(epoch or last.get(training, 0)))
               for training, _, epoch in (text.partition(':') for text in args.trainings or sorted(last))]
    trainings = [training for training, _ in columns]
    print(table(results, columns))
    try:
        for name, picture in PICTURES.items() if args.figures else ():
            if any((training, name) in results for training in trainings):
                file = os.path.join(args.figures, f'over_epochs_{picture}.png')
                draw(results, name, trainings, file)
                print('wrote', file)
    except OSError as error:
        raise UserError(f'cannot write {file} ({one_line(error)}): choose another folder with --figures')


if __name__ == '__main__':
    run_script(main)
