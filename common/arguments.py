"""The command line of the scripts that train, and how they report a mistake: one sentence, exit status 2."""

import argparse
import contextlib
import os
import sys

from common.datasets import DATASETS, DEFAULT_DATA_DIR
from common.errors import UserError
from common.run_folder import FREE, read_settings


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one sentence, without the usage in front."""

    def error(self, message):
        self.exit(2, f'{self.prog}: {message} (see {self.prog} --help)\n')


def number(convert, low, high=sys.float_info.max):
    """An argparse type: a finite number in [low, high]; convert: int or float."""
    def parse(text):
        value = convert(text)
        if not low <= value <= high:
            limit = f' and at most {high}' if high < sys.float_info.max else ''
            raise argparse.ArgumentTypeError(f'must be at least {low}{limit}, not {text}')
        return value
    parse.__name__ = 'number'
    return parse


def path(text):
    """An argparse type: the name of a file or folder, ~ for the home directory also in --logdir=~/runs."""
    if not text:
        raise argparse.ArgumentTypeError('must not be empty')
    if text.encode('utf-8', 'ignore').decode() != text:  # a name from an old disk, in GBK say
        raise argparse.ArgumentTypeError(f'{ascii(text)} is not UTF-8, and TensorFlow cannot open it: rename it')
    return os.path.expanduser(text)


positive_int = number(int, 1)
nonnegative_float = number(float, 0)


def training_parser(description, epochs):
    """A Parser of the arguments that the training scripts share, to which a script may add; epochs: by default."""
    def add(group, option, type, default, metavar, text):
        group.add_argument(option, type=type, default=default, metavar=metavar, help=f'{text} (default: %(default)s)')

    parser = Parser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    group = parser.add_argument_group('training (the defaults are the chapter\'s)')
    add(group, '--epochs', positive_int, epochs, 'N', 'passes over the data')
    add(group, '--batch-size', positive_int, 128, 'N', 'batch size')
    add(group, '--noise-size', positive_int, 100, 'N', 'length of the noise vector z, uniform in [-1, 1]')
    add(group, '--d-learning-rate', nonnegative_float, 0.0002, 'RATE', 'Adam\'s learning rate for the discriminator')
    add(group, '--g-learning-rate', nonnegative_float, 0.0002, 'RATE',
        'Adam\'s learning rate for the generator; the chapter suggests 0.001 as an alternative')
    add(group, '--beta1', number(float, 0, 0.999), 0.5, 'BETA', 'Adam\'s beta1, the decay rate of the first moment')
    add(group, '--generator-updates', positive_int, 2, 'N', 'generator updates after each discriminator update')
    add(group, '--seed', number(int, 0, 2**31 - 1), 0, 'N', 'seed of the weights, the noise and the shuffling')
    group.add_argument('--mixed-precision', action='store_true',
                       help='multiply and convolve in bfloat16: faster on processors that have it')
    group.add_argument('--max-steps', type=positive_int, metavar='N',
                       help='stop after N steps, counted from the start of the training')

    group = parser.add_argument_group('data')
    add(group, '--data-dir', path, DEFAULT_DATA_DIR, 'DIR',
        'folder of the data; MNIST and Fashion-MNIST are downloaded into it where it is missing or empty')
    group.add_argument('--dataset', choices=DATASETS, default='mnist',
                       help='which images; docs/data.md says where each is looked for (default: %(default)s)')
    group.add_argument('--split', choices=('all', 'train'), default='all',
                       help='train: leave out the test images, on which the chapter trains, too (default: %(default)s)')
    group.add_argument('--invert', action='store_true', help='swap black and white: for dark-on-light images')
    group.add_argument('--transpose', action='store_true', help='swap rows and columns: for EMNIST')

    group = parser.add_argument_group('output')
    add(group, '--logdir', path, './logdir', 'DIR',
        'pictures, curves and checkpoints go into a folder in DIR named after the model')
    group.add_argument('--show', action='store_true',
                       help='also open the pictures in a window, as the chapter does, and wait until it is closed')

    group = parser.add_argument_group('stopping, resuming and going back')
    add(group, '--keep-last', positive_int, 3, 'N', 'checkpoints to keep, besides those of --keep-every')
    add(group, '--keep-every', positive_int, 10, 'N', 'also keep the checkpoint of every Nth epoch')
    add(group, '--save-minutes', nonnegative_float, 5, 'MIN',
        'save a checkpoint every MIN minutes, besides the one at the end of each epoch')
    choice = group.add_mutually_exclusive_group()
    choice.add_argument('--resume', action='store_true',
                        help='continue the run in the logdir with its settings, exactly where the newest checkpoint is')
    choice.add_argument('--resume-from', type=positive_int, metavar='EPOCH',
                        help='go back to the kept checkpoint of EPOCH and continue there; later ones are deleted')
    choice.add_argument('--overwrite', action='store_true',
                        help='replace the run in the logdir: it is deleted when the new one begins to train')
    choice.add_argument('--start-from', type=path, metavar='RUN',
                        help='begin a new run, say with other settings or data, with the newest weights in the run '
                             'folder RUN: --start-from logdir/dcgan --logdir slower')
    return parser


def parse_arguments(parser, model, argv=None):
    """Parse the command line; on resuming, what it leaves out is as the run in the logdir has it."""
    args = parser.parse_args(argv)
    if args.resume or args.resume_from:
        args = arguments_of_run(parser, read_settings(os.path.join(args.logdir, model)), argv)
    return args


def arguments_of_run(parser, saved, argv=()):
    """The arguments of a run, from `read_settings`, except where `argv` has others."""
    known = vars(parser.parse_args([])).keys() - FREE  # an older version may have had more
    parser.set_defaults(**{name: value for name, value in saved['settings'].items() if name in known})
    return parser.parse_args(argv)


def run_script(main):
    """Call `main()`; a UserError becomes one sentence on stderr and the exit status it names."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # None, or replaced by a notebook
            stream.reconfigure(errors='backslashreplace')  # for a terminal whose encoding lacks some characters
    try:
        main()
    except UserError as error:
        print(f'{os.path.basename(sys.argv[0])}: {error}', file=sys.stderr)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        print('\ninterrupted', file=sys.stderr)
        sys.exit(130)
