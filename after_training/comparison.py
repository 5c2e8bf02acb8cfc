"""Evaluations beside each other: as a table, and each measure over the epochs as a picture.

    python -m after_training.comparison docs/evaluations/*.json --pictures docs/figures

Each file is what `evaluate.py --json` wrote, named TRAINING_epoch_NNNN.json. Trainings whose names differ by _seed_N
alone are put together: the mean, and in brackets the lowest and the highest. Real images are measured anew in each
evaluation; the table shows the first.
"""

import argparse
import collections
import json
import os
import re
import statistics
import unicodedata

from after_training.measurement import with_error
from after_training.tables import markdown_table
from common import run_script
from common.arguments import Parser, path
from common.errors import UserError, one_line
from common.files import whole_file
from common.images import new_figure


def read(files):
    """The measurements of evaluations.

    @param files: names of JSON files
    @return: {measure: {training: {epoch: [measurement of each seed]}}}, in the order of the files
    @raise UserError: where a file is not an evaluation, or not named like one
    """
    found = collections.defaultdict(lambda: collections.defaultdict(lambda: collections.defaultdict(list)))
    for file in files:
        name = re.fullmatch(r'(.+?)(?:_seed_\d+)?_epoch_0*(\d+)\.json', os.path.basename(file))
        if not name:
            raise UserError(f'{file} is not named TRAINING_epoch_NNNN.json')
        try:
            with open(file, encoding='utf-8') as content:
                for line in json.load(content)['measurements']:
                    measure = re.sub(r' \(bandwidth .*\)', '', line['name'])
                    line['value'] + 0
                    found[measure][name[1]][int(name[2])].append(line)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f'{file} is not an evaluation ({one_line(error)})')
    return found


def table(found):
    """A Markdown table of the last epoch of each training, a row for each measure."""
    last = {}
    for trainings in found.values():
        for training, epochs in trainings.items():
            last[training] = max(epochs)
    rows = []
    for measure, trainings in found.items():
        lines = [trainings.get(training, {}).get(epoch, []) for training, epoch in last.items()]
        real = next((line for seeds in lines for line in seeds if line.get('real') is not None), None)
        rows.append((measure, *map(cell, lines), with_error(real['real'], real['real_error']) if real else ''))
    return markdown_table(rows, ('', *map('{0[0]}, epoch {0[1]}'.format, last.items()), 'real images'))


def cell(lines):
    """One training with its standard error, or several: the mean and the range."""
    if len(lines) < 2:
        return with_error(*(lines[0].get(part) for part in ('value', 'error', 'interval'))) if lines else ''
    values = [line['value'] for line in lines]
    low, high = min(values), max(values)
    if low == high:
        return f'{low:.4g}'
    if low < 0 < high:  # as a correlation, whose sign a training chooses by chance: a mean would say nothing
        return f'{low:.4g} to {high:.4g}'
    return f'{statistics.fmean(values):.4g} ({low:.4g} to {high:.4g})'


def draw(measure, trainings, folder):
    """A measure over the epochs, a curve for each training: the mean over the seeds, and their range.

    @param trainings: {training: {epoch: [measurement of each seed]}}
    @return: name of the PNG file in `folder`
    """
    fig = new_figure(figsize=(7, 4), layout='constrained')
    ax = fig.subplots()
    for training, lines in trainings.items():
        epochs = sorted(lines)
        values = [[line['value'] for line in lines[epoch]] for epoch in epochs]
        curve, = ax.plot(epochs, list(map(statistics.fmean, values)), marker='.', label=training)
        ax.fill_between(epochs, list(map(min, values)), list(map(max, values)), alpha=0.2, color=curve.get_color())
    real = [line['real'] for lines in trainings.values() for seeds in lines.values() for line in seeds
            if line.get('real') is not None]
    if real:
        ax.axhline(statistics.fmean(real), color='grey', linestyle='--', label='real images')
    ax.set_title(measure, fontsize='medium')  # beside the axis, a long name would be cut off
    ax.set_xlabel('epoch')
    ax.grid(alpha=0.3)
    ax.legend()
    name = unicodedata.normalize('NFKD', measure).encode('ascii', 'ignore').decode()
    file = os.path.join(folder, 'over_epochs_' + re.sub(r'\W+', '_', name).strip('_') + '.png')
    with whole_file(file) as unfinished:
        fig.savefig(unfinished, format='png', dpi=100)
    return file


def main(argv=None):
    parser = Parser(prog='python -m after_training.comparison', description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('files', nargs='+', type=path, metavar='FILE', help='JSON files of evaluate.py')
    parser.add_argument('--pictures', type=path, metavar='FOLDER', help='also draw each measure into this folder')
    args = parser.parse_args(argv)
    found = read(args.files)
    print(table(found))
    try:
        for measure, trainings in found.items() if args.pictures else ():
            if any(len(epochs) > 1 for epochs in trainings.values()):
                print('wrote', draw(measure, trainings, args.pictures))
    except OSError as error:
        raise UserError(f'cannot write into {args.pictures} ({one_line(error)})')


if __name__ == '__main__':
    run_script(main)
