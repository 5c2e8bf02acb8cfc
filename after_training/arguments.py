"""Arguments that sample.py and evaluate.py share."""

from after_training.trained_run import model_name
from common.arguments import path, positive_int
from common.datasets import DATASETS
from common.scripts import SCRIPTS


def add_model_arguments(parser):
    """MODEL, --logdir and --checkpoint, which say what `load_trained_model` is to load."""
    parser.add_argument('model', metavar='MODEL', type=model_name, choices=tuple(SCRIPTS),
                        help=f'one of {", ".join(SCRIPTS)}')
    parser.add_argument('--logdir', type=path, default='./logdir', metavar='DIR',
                        help='the --logdir of the training (default: %(default)s)')
    parser.add_argument('--checkpoint', type=positive_int, metavar='EPOCH',
                        help='use the kept checkpoint of the end of EPOCH (default: the newest)')


def add_data_arguments_of_run(parser):
    """--data-dir and --dataset, which `data_of_run` completes."""
    parser.add_argument('--data-dir', type=path, metavar='DIR',
                        help='folder of the data (default: that of the training)')
    parser.add_argument('--dataset', choices=DATASETS, help='which images (default: those of the training)')


def data_of_run(args, run):
    """Where real images are: as `args` say or, where they say nothing, as the training had them.

    @param args: from a parser with `add_data_arguments_of_run`
    @param run: TrainedRun
    @return: {argument: value} for `load_split`
    """
    return {'data_dir': args.data_dir or run.args.data_dir, 'dataset': args.dataset or run.args.dataset,
            'invert': run.args.invert}
