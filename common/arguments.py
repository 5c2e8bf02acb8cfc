"""The command line of the scripts that train, and how they report a mistake: one sentence, exit status 2."""

import argparse
import os
import sys

from common.datasets import DATASETS, DEFAULT_DATA_DIR
from common.errors import UserError
from common.terminal import prepare_standard_streams, restore_ctrl_c, say


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one sentence, without the usage in front."""

    def error(self, message):
        self.exit(2, f'{self.prog}: {message} (see {self.prog} --help)\n')


def number(convert, low, low_allowed=True, high=float('inf')):
    """An argparse type: a number in [low, high], or in (low, high] where `low_allowed` is False."""
    def parse(text):
        value = convert(text)
        if not (low <= value <= high) or (value == low and not low_allowed) or value == float('inf'):
            above = f'at least {low}' if low_allowed else f'above {low}'
            limit = '' if high == float('inf') else f' and at most {high}'
            raise argparse.ArgumentTypeError(f'must be {above}{limit}, not {text}')
        return value
    parse.__name__ = {int: 'whole number', float: 'number'}[convert]
    return parse


def path(text):
    """An argparse type: the name of a file or folder, ~ for the home directory also in --logdir=~/runs."""
    return os.path.expanduser(text)


positive_int = number(int, 1)
positive_float = number(float, 0, low_allowed=False)
nonnegative_float = number(float, 0)


def add_data_arguments(parser):
    """What `load_dataset` is to read, which every program that reads images shares."""
    parser.add_argument('--data-dir', type=path, default=DEFAULT_DATA_DIR, metavar='DIR',
                        help='folder of the data; MNIST and Fashion-MNIST are downloaded into it where it is missing '
                             'or empty (default: %(default)s)')
    parser.add_argument('--dataset', choices=DATASETS, default='mnist',
                        help='which images; docs/data.md says what each looks for (default: %(default)s)')
    parser.add_argument('--split', choices=('all', 'train'), default='all',
                        help='all: the test images are trained on, too, as in the chapter; train: they are left out '
                             '(default: %(default)s)')
    parser.add_argument('--invert', action='store_true', help='swap black and white: for ink on paper')


def training_parser(description, epochs, labels=False):
    """The arguments that the training scripts share.

    @param description: first sentences of the script's --help
    @param epochs: default of --epochs: the chapter's number for its models
    @param labels: whether the model is told labels, so that args have `n_classes`, 10 until the data are loaded
    @return: Parser; a script may add arguments of its own
    """
    parser = Parser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    training = parser.add_argument_group('training (what the chapter gives is the default)')
    training.add_argument('--epochs', type=positive_int, default=epochs, metavar='N',
                          help='how often to go through the data (default: %(default)s)')
    training.add_argument('--batch-size', type=positive_int, default=128, metavar='N',
                          help='images in a step (default: %(default)s)')
    training.add_argument('--noise-size', type=positive_int, default=100, metavar='N',
                          help='length of the noise vector z, uniform in [-1, 1] (default: %(default)s)')
    training.add_argument('--d-learning-rate', type=positive_float, default=0.0002, metavar='RATE',
                          help='Adam\'s learning rate for the discriminator (default: %(default)s)')
    training.add_argument('--g-learning-rate', type=positive_float, default=0.0002, metavar='RATE',
                          help='Adam\'s learning rate for the generator; the chapter suggests '
                               '0.001 as an alternative (default: %(default)s)')
    training.add_argument('--beta1', type=number(float, 0, high=0.999), default=0.5, metavar='RATE',
                          help='Adam\'s decay rate of the first moment (default: %(default)s)')
    training.add_argument('--generator-updates', type=positive_int, default=2, metavar='N',
                          help='generator updates after each discriminator update (default: %(default)s)')
    training.add_argument('--seed', type=number(int, 0, high=2**31 - 1), default=0, metavar='N',
                          help='of the weights, the noise and the shuffling: the same seed on the same '
                               'machine gives the same bits (default: %(default)s)')
    training.add_argument('--mixed-precision', action='store_true',
                          help='multiply and convolve in bfloat16: faster on processors that have it')
    training.add_argument('--max-steps', type=positive_int, metavar='N',
                          help='stop after N steps, counted from the start of the training')

    data = parser.add_argument_group('data')
    add_data_arguments(data)

    output = parser.add_argument_group('output')
    output.add_argument('--logdir', type=path, default='./logdir', metavar='DIR',
                        help='pictures, curves and checkpoints go into a folder in DIR named like the '
                             'model (default: %(default)s)')
    output.add_argument('--show', action='store_true',
                        help='also open the pictures in a window, as the chapter does; '
                             'the training waits until you close it')

    saving = parser.add_argument_group('stopping, continuing and going back')
    choice = saving.add_mutually_exclusive_group()
    choice.add_argument('--resume', action='store_true',
                        help='continue the run in the logdir exactly where its newest checkpoint is; '
                             'settings that you leave out are those of the run')
    choice.add_argument('--resume-from', type=positive_int, metavar='EPOCH',
                        help='go back to the kept checkpoint of the end of EPOCH and continue there; '
                             'what came after it is deleted')
    choice.add_argument('--overwrite', action='store_true',
                        help='delete the run in the logdir and start anew')
    saving.add_argument('--keep-last', type=positive_int, default=3, metavar='N',
                        help='checkpoints to keep, besides those of --keep-every (default: %(default)s)')
    saving.add_argument('--keep-every', type=positive_int, default=10, metavar='N',
                        help='also keep the checkpoint of every Nth epoch (default: %(default)s)')
    saving.add_argument('--save-minutes', type=positive_float, default=5, metavar='MIN',
                        help='besides the end of each epoch, save a checkpoint every MIN minutes '
                             '(default: %(default)s)')
    saving.add_argument('--deterministic', action='store_true',
                        help='insist on operations that give the same bits each time; on a CPU all of '
                             'them do already, on a GPU this is slower')
    if labels:  # hidden, but an option, so that --resume and sample.py find it in settings.json
        parser.add_argument('--n-classes', type=int, default=10, help=argparse.SUPPRESS)
    return parser


def run_script(main):
    """Call `main()`; a UserError becomes one sentence on stderr and the exit status it names."""
    prepare_standard_streams()
    try:
        restore_ctrl_c()
        main()
    except UserError as error:
        say(f'{os.path.basename(sys.argv[0])}: {error}', sys.stderr)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        say('\ninterrupted', sys.stderr)
        sys.exit(130)
