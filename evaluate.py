"""Measure how good a trained model is, in numbers that the literature also gives.

Generated images are compared with the real test images of the data set; the report says whether the model was trained
on them, too (--split). Beside each value stands that of real images, below the table what it means. Quality and variety
need a small classifier, which is trained the first time and then kept in the logdir.

With 10,000 images and two cores it takes a minute, three for models that take labels, and two more the first time.
"""

import argparse
import contextlib
import os
import sys

from common.arguments import Parser, number, path, run_script
from common.checkpoints import list_checkpoints
from common.datasets import DATASETS, load_split
from common.errors import UserError
from common.files import write_json
from evaluation.measures import Evaluation
from evaluation.results import add_results, report, rows_of
from sampling.pictures import writing
from sampling.trained_model import add_model_arguments, load_model


def parser():
    result = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_arguments(result).add_argument(
        '--all', action='store_true', help='measure every kept checkpoint: a row of the table for each epoch')
    result.add_argument('--samples', type=number(int, 200), default=10000, metavar='N',
                        help='images to generate; 10 times as many to learn from (default: %(default)s)')
    result.add_argument('--seed', type=number(int, 0, high=2**31 - 1), default=0, metavar='N',
                        help='of the noise and the codes (default: %(default)s)')
    result.add_argument('--data-dir', type=path, metavar='DIR',
                        help='folder of the real images (default: that of the training)')
    result.add_argument('--dataset', choices=DATASETS, help='which real images (default: those of the training)')
    result.add_argument('--json', type=path, metavar='FILE',
                        help='default: evaluation.json in the folder of each checkpoint, where sample.py looks for it')
    result.add_argument('--add-to', type=path, metavar='FILE',
                        help='also add the measures to this CSV file, for python -m evaluation.results')
    result.add_argument('--training', metavar='NAME', help='name of the training in that file (default: MODEL)')
    return result


def main(argv=None):
    args = parser().parse_args(argv)
    for file in (args.json, args.add_to):
        if file and os.path.lexists(file) and not os.path.isfile(file):  # found out before minutes of work
            raise UserError(f'{file} already exists and is not a regular file: choose another')
    trained = load_model(args)
    kept = list_checkpoints(os.path.join(trained.run_dir, 'checkpoints'))
    epochs = [checkpoint.epoch for checkpoint in kept if not checkpoint.step_in_epoch] if args.all else [trained.epoch]
    if args.add_to and not args.all and trained.step_in_epoch:
        raise UserError(f'{trained.source} is not of the end of an epoch: choose one with --checkpoint')
    if not epochs:
        raise UserError(f'{trained.run_dir} has no checkpoint of the end of an epoch: leave out --all')
    dataset, training = args.dataset or trained.args.dataset, args.training or args.model
    splits = load_split(data_dir=args.data_dir or trained.args.data_dir, dataset=dataset,
                        invert=trained.args.invert, transpose=trained.args.transpose)
    score = 'MNIST score' if dataset in ('mnist', 'mnist_5k') else 'classifier score'
    evaluation = Evaluation(*splits, args.logdir, args.samples, args.seed, score)
    results = []
    for epoch in epochs:
        try:
            if args.all:
                trained.restore(epoch)
        except UserError as error:  # a training that goes on has deleted it meanwhile
            print(error, file=sys.stderr)
            continue
        results.append(evaluation.measure(trained))
        if args.json or not args.pretrained:
            with writing(args.json or os.path.join(trained.source, 'evaluation.json')) as unfinished:
                write_json(unfinished, results if args.all and args.json else results[-1])
        if args.add_to:
            with writing(args.add_to, contextlib.nullcontext) as file:
                add_results(file, rows_of(results[-1], training, trained.args.seed))
    if not results:
        raise UserError(f'no checkpoint of {trained.run_dir} could be measured, see above: try again')
    print(report(results, compare=args.all))


if __name__ == '__main__':
    run_script(main)
