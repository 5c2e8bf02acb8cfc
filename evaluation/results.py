"""What evaluate.py reports, and results.csv, where the measures of many trainings stand.

    python -m evaluation.results docs/results.csv [TRAINING[:EPOCH] ...] [--figures DIR]

prints a Markdown table: a row for each measure, a column for each training, at its last epoch where none is given.
Trainings with several seeds get the mean and, in brackets, the lowest and the highest value; '±' is a standard error.
"""

import argparse
import math
import os
import statistics

import pandas as pd

from common.arguments import Parser, path, run_script
from common.errors import UserError, one_line
from common.images import new_figure
from common.scripts import SCRIPTS
from sampling.pictures import writing

COLUMNS = {'training': str, 'seed': int, 'epoch': int, 'measure': str,
           'value': float, 'error': float, 'real': float, 'real_error': float}
FID = 'FID on this classifier\'s features'
# Which way the measures whose names begin so are better, and what they are.
EXPLANATIONS = {
    ('MNIST score', 'classifier score'):
        ('higher', 'Inception Score with this classifier, 1 to the number of classes: clear images of all classes'),
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


def explanation(name):
    """Which way a measure is better ('' where neither is), and what it is."""
    return next((found for beginning, found in EXPLANATIONS.items() if name.startswith(beginning)), ('', ''))


def rows_of(result, training, seed):
    """What `Evaluation.measure` found, as rows of results.csv: a DataFrame."""
    return pd.DataFrame(result['measures']).assign(training=training, seed=seed, epoch=result['epoch'])[[*COLUMNS]]


def report(results, compare=False):
    """What evaluate.py prints of results of `Evaluation.measure`, all of one model; compare: a row for each epoch."""
    first = results[0]
    rows = pd.concat([rows_of(result, result['model'], 0) for result in results])
    cells = table(rows, [(result['model'], result['epoch']) for result in results], mark_best=compare)
    lines = [markdown_table(*(zip(*cells) if compare else cells)), '',
             *(f'{name}: {explanation(name)[1]}' for name in rows['measure'].unique()),
             '±: the standard error of the measure on one model', *['*: the best of these epochs'] * compare, '']
    if 'classifier' in first:
        accuracy, error = first['classifier_accuracy']
        lines.append(f'reference classifier: {first["classifier"]}, {formatted([accuracy], [error])} % of the test '
                     'images correct; do not compare what another one has measured')
    for result in results:
        names, epoch = result['class_names'], f'epoch {result["epoch"]}'
        if 'class_shares' in result:
            lines.append(f'{epoch}, class shares: ' + ', '.join(map('{} {:.3f}'.format, names, result['class_shares'])))
        if 'category_to_class' in result:
            shares = zip(result['category_to_class'], result['category_purity'])
            lines.append(f'{epoch}, class of each category and its share there: ' + ', '.join(
                f'{category} = {names[label]} ({share:.0%})' for category, (label, share) in enumerate(shares)))
    seen = 'all images' if first['test_images_seen'] else 'the training images'
    return '\n'.join([*lines, f'trained on {seen} of {first["training"]["dataset"]}'])


def table(results, columns, mark_best=False):
    """The cells of a table of rows of results.csv, all strings: a head, and a line for each measure.

    columns: pairs of a training and its epoch. mark_best: add * to the best value.
    """
    lines = [('', *(f'{training}, epoch {epoch}' for training, epoch in columns), 'real images', 'better')]
    for name, rows in results.groupby('measure', sort=False):
        groups = [rows[(rows['training'] == training) & (rows['epoch'] == epoch)] for training, epoch in columns]
        if not any(map(len, groups)):
            continue
        means, better = pd.Series([group['value'].mean() for group in groups]), explanation(name)[0]
        best = {'higher': means.max(), 'lower': means.min()}.get(better) if mark_best else None
        cells = [formatted(group['value'], group['error']) + (' *' if mean == best else '')
                 for group, mean in zip(groups, means)]
        real = pd.concat(groups).dropna(subset='real')[:1]
        lines.append((name, *cells, formatted(real['real'], real['real_error']), better))
    return lines


def formatted(values, errors):
    """A value ± its standard error, or the mean and the range of several seeds, to two digits of the error."""
    values, errors = list(values), list(errors)
    if not values:
        return ''
    digits = '.4g'  # where a value has no error
    if max(errors) > 1e-9 * abs(values[0]):
        digits = f'.{max(0, 1 - math.floor(math.log10(max(errors))))}f'
    mean, low, high = (format(value, digits) for value in (statistics.fmean(values), min(values), max(values)))
    if len(values) == 1:
        return f'{mean} ± {errors[0]:{digits}}'
    # Of a correlation, whose sign a training chooses by chance, the mean would say nothing.
    return f'{low} to {high}' if min(values) < 0 < max(values) else f'{mean} ({low} to {high})'


def markdown_table(*rows):
    """A Markdown table whose columns line up; the first row is the head, all cells are strings."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ['| ' + ' | '.join(map(str.ljust, row, widths)) + ' |' for row in rows]
    return '\n'.join([lines[0], '| ' + ' | '.join('-' * width for width in widths) + ' |', *lines[1:]])


def add_results(file, rows):
    """Add rows to the end of results.csv, numbers with six digits."""
    rows.to_csv(file, mode='a', header=not os.path.exists(file), index=False, float_format='%.6g', lineterminator='\n')


def read_results(file):
    """The content of results.csv, a DataFrame; where a measure was added again, the last row counts."""
    try:
        rows = pd.read_csv(file, usecols=[*COLUMNS], dtype=COLUMNS)
    except (OSError, ValueError) as error:
        raise UserError(f'{file} cannot be read as results ({one_line(error)})')
    return rows.drop_duplicates(['training', 'seed', 'epoch', 'measure'], keep='last')


def draw(rows, trainings, file):
    """Draw a measure over the epochs: of each training the mean of its seeds, with a bar from lowest to highest."""
    fig = new_figure(figsize=(7.5, 4), layout='constrained')
    ax = fig.subplots()
    for i, training in enumerate(dict.fromkeys([*SCRIPTS, *trainings])):  # so that a model keeps its colour
        seeds = rows[rows['training'] == training].groupby('epoch')['value'].agg(['mean', 'min', 'max'])
        if training in trainings and len(seeds):
            ax.plot(seeds.index, seeds['mean'], 'o-', color=f'C{i}', markersize=4, label=training)
            ax.vlines(seeds.index, seeds['min'], seeds['max'], color=f'C{i}', linewidth=6, alpha=0.35)
    if rows['real'].notna().all():
        ax.axhline(rows['real'].mean(), color='black', linestyle='--', linewidth=1, label='real images')
    name = rows['measure'].iloc[0]
    if name == FID:
        ax.set_yscale('log')
        ax.yaxis.set_major_formatter('{x:g}')
    ax.margins(y=0.08)
    ax.set(xlim=(0, None), xlabel='epoch')
    ax.set_title(name, fontsize='medium')  # beside the axis, a long name would be cut off
    ax.grid(alpha=0.3)
    fig.legend(loc='outside right upper', frameon=False)
    with writing(file) as unfinished:
        fig.savefig(unfinished, format='png', dpi=100)


def main(argv=None):
    parser = Parser(prog='python -m evaluation.results', description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('file', type=path, metavar='FILE', help='results.csv')
    parser.add_argument('trainings', nargs='*', metavar='TRAINING[:EPOCH]', help='the columns (default: all)')
    parser.add_argument('--figures', type=path, metavar='DIR', help='also draw the measures over the epochs, into DIR')
    args = parser.parse_args(argv)
    results = read_results(args.file)
    last = results.groupby('training')['epoch'].max()
    columns = [(training, int(epoch) if epoch.isdigit() else last.get(training, 0))
               for training, _, epoch in (text.partition(':') for text in args.trainings or last.index)]
    if not set(columns) <= {*zip(results['training'], results['epoch'])}:
        raise UserError(f'{args.file} has no such training or epoch: its trainings are {", ".join(last.index)}')
    print(markdown_table(*table(results, columns)))
    trainings = [training for training, _ in columns]
    for name, picture in PICTURES.items() if args.figures else ():
        rows = results[results['measure'] == name]
        if rows['training'].isin(trainings).any():
            draw(rows, trainings, os.path.join(args.figures, f'over_epochs_{picture}.png'))


if __name__ == '__main__':
    run_script(main)
