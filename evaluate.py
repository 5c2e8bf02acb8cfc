"""Measure what a trained model is worth, in numbers that the literature also gives.

MODEL is vanilla, dcgan, cgan, infogan or conv_cgan. Generated images are compared
with the real test split of the data set, whether or not the model was trained
on it, too: the report says which (--split of the training). Beside each value
stands that of real images, training images or, where these are compared with
nothing, test images. The table goes to the terminal, and as JSON to a file. The
judge is a small classifier, trained the first time and then kept in the logdir.

With 10,000 images and two cores it takes about a minute; for models that take
labels three, one of which trains a classifier on generated images; and a minute
more where the judge has to be trained.
"""

import argparse
import dataclasses
import os

from after_training.arguments import add_data_arguments_of_run, add_model_arguments, data_of_run
from after_training.evaluation import evaluate
from after_training.measurement import report
from after_training.trained_model import load
from after_training.trained_run import find_run
from common import number, run_script
from common.arguments import Parser, path
from common.datasets import load_split
from common.errors import UserError, one_line
from common.files import can_write, write_json


def parser():
    result = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_arguments(result)
    result.add_argument('--samples', type=number(int, 200), default=10000, metavar='N',
                        help='images to generate; for what can be learned from labelled images 10 times as many '
                             '(default: %(default)s)')
    result.add_argument('--seed', type=number(int, 0, high=2**31 - 1), default=0, metavar='N',
                        help='of the noise, the codes and the classifier (default: %(default)s)')
    result.add_argument('--json', type=path, metavar='FILE',
                        help='default: evaluation.json in the folder of the run, where sample.py looks for the classes '
                             'of InfoGAN\'s categories')
    add_data_arguments_of_run(result)
    return result


def main(argv=None):
    args = parser().parse_args(argv)
    run = find_run(args.model, args.logdir)
    file = args.json or os.path.join(run.run_dir, 'evaluation.json')
    if not can_write(file):
        raise UserError(f'cannot write {file}: choose another file with --json')
    trained = load(run, args.checkpoint)
    train_split, test_split = load_split(**data_of_run(args, run))
    result = evaluate(trained, args, train_split, test_split)
    trained.close()

    print(report(result))
    try:
        write_json(file, {**result, 'measurements': [dataclasses.asdict(line) for line in result['measurements']]})
    except OSError as error:
        raise UserError(f'cannot write {file} ({one_line(error)}): choose another file with --json', exit_status=1)
    print('wrote', file)


if __name__ == '__main__':
    run_script(main)
