"""Measure how good a trained model is, in numbers that the literature also gives.

Generated images are compared with the real test images of the data set, whether or not the model was trained on them,
too: the report says which (--split of the training). Beside each value stands that of real images, below the table what
it means. Quality and variety need a small classifier, which is trained the first time and then kept in the logdir.

With 10,000 images and two cores it takes about a minute; for models that take labels three, one of which trains a
classifier on generated images; and two minutes more where the reference classifier has to be trained.
"""

import argparse
import os

from common.arguments import Parser, number, path, run_script
from common.checkpoints import list_checkpoints
from common.datasets import load_split
from common.errors import UserError, one_line
from common.files import write_json
from evaluation.measures import Evaluation
from evaluation.results import add_results, report
from sampling.pretrained import load_pretrained
from sampling.trained_model import add_data_arguments_of_run, add_model_arguments, data_of_run, load_trained_model


def parser():
    result = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    weights = add_model_arguments(result)
    weights.add_argument('--all', action='store_true',
                         help='measure every kept checkpoint: a column of the table for each epoch')
    weights.add_argument('--pretrained', action='store_true', help='measure the pretrained generator')
    result.add_argument('--samples', type=number(int, 200), default=10000, metavar='N',
                        help='images to generate; 10 times as many to learn from (default: %(default)s)')
    result.add_argument('--seed', type=number(int, 0, high=2**31 - 1), default=0, metavar='N',
                        help='of the noise and the codes (default: %(default)s)')
    add_data_arguments_of_run(result)
    result.add_argument('--json', type=path, metavar='FILE',
                        help='default: evaluation.json in the folder of each checkpoint, where sample.py looks for it')
    result.add_argument('--add-to', type=path, metavar='FILE',
                        help='also add the measures to this CSV file, for python -m evaluation.results')
    result.add_argument('--training', metavar='NAME', help='name of the training in that file (default: MODEL)')
    return result


def main(argv=None):
    args = parser().parse_args(argv)
    for file in (args.json, args.add_to):  # what cannot be written is refused before the work of minutes
        if file and not (os.path.isdir(os.path.dirname(os.path.abspath(file)))
                         and (os.path.isfile(file) or not os.path.lexists(file))):
            raise UserError(f'cannot write {file}: choose another file, in a folder that is there')
    trained = load_pretrained(args.model) if args.pretrained else load_trained_model(
        args.model, args.logdir, args.checkpoint)
    kept = list_checkpoints(os.path.join(trained.run_dir, 'checkpoints')) if args.all else []
    epochs = [checkpoint.epoch for checkpoint in kept if checkpoint.step_in_epoch == 0]
    if args.all and not epochs:
        raise UserError(f'{trained.run_dir} has no checkpoint of the end of an epoch: leave out --all')
    data = data_of_run(args, trained)
    score = 'MNIST score' if data['dataset'] in ('mnist', 'mnist_5k') else 'classifier score'
    evaluation = Evaluation(*load_split(**data), args.logdir, args.samples, args.seed, score)
    results = []
    for epoch in epochs or [trained.epoch]:
        if args.all:
            trained = load_trained_model(args.model, args.logdir, epoch)
        results.append(evaluation.measure(trained))
    print(report(results))

    content = [{**result, 'measures': [measure._asdict() for measure in result['measures']]} for result in results]
    if args.json:
        write(args.json, write_json, content if args.all else content[0])
    elif not args.pretrained:
        for result in content:
            write(os.path.join(result['checkpoint'], 'evaluation.json'), write_json, result)
    if args.add_to:
        write(args.add_to, add_results, args.training or args.model, trained.args.seed, results)


def write(file, writer, *content):
    try:
        writer(file, *content)
    except OSError as error:
        raise UserError(f'cannot write {file} ({one_line(error)}): choose another file', exit_status=1)
    print('wrote', file)


if __name__ == '__main__':
    run_script(main)
