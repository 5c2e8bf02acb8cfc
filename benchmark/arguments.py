"""The command line of the benchmark.

How fast the models train on this machine, against three measures.

  the listing   the chapter's own formulation on stock TensorFlow settings
  PyTorch       the same networks and schedule in eager mode, with --torch
  the limit     the multiply-adds of a training step, convolutions done
                directly, at the speed of a large matrix product

A step is one discriminator update and two generator updates. Each variant
lives in a process of its own; the processes take turns, a few steps each, and
wait without computing in between, so that what else the machine does hits all
of them alike. Ratios are taken within each round of turns; the table gives the
median (lowest to highest). The images are random: nothing is downloaded.
"""

import argparse
import importlib.util

from common.arguments import Parser, number, path, positive_int
from common.batches import count_batches
from common.errors import UserError
from common.files import can_write
from common.mixed_precision import bfloat16_missing
from common.scripts import SCRIPTS

SWEEP = (32, 64, 128, 256, 512)
TORCH = 'pip install torch==2.13.0'


def parser():
    result = Parser(prog='python -m benchmark', description=__doc__.partition('\n\n')[2],
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument('--models', nargs='+', choices=SCRIPTS, default=list(SCRIPTS), metavar='MODEL',
                        help=f'some of {", ".join(SCRIPTS)} (default: all)')
    result.add_argument('--torch', action='store_true', help=f'also measure PyTorch: {TORCH}')
    result.add_argument('--mixed-precision', action='store_true',
                        help='also measure this code with --mixed-precision, and PyTorch with autocast to bfloat16')
    result.add_argument('--rounds', type=positive_int, default=15, metavar='N',
                        help='turns of each variant (default: %(default)s)')
    result.add_argument('--steps', type=positive_int, metavar='N',
                        help='steps in a turn (default: 50; 5 for convolutional models)')
    result.add_argument('--startups', type=number(int, 0), default=5, metavar='N',
                        help='starts of each script to time (default: %(default)s)')
    result.add_argument('--batch-size', type=positive_int, default=128, metavar='N',
                        help='images in a step (default: %(default)s)')
    result.add_argument('--images', type=number(int, 40), default=70000, metavar='N',
                        help='random images in the data set (default: %(default)s, as in MNIST)')
    result.add_argument('--json', type=path, metavar='FILE', help='also write all figures, round by round, to FILE')
    others = result.add_argument_group('other measurements, instead of the comparison')
    others.add_argument('--sweep', action='store_true',
                        help=f'batches of {SWEEP[0]} to {SWEEP[-1]} images, and 1 thread to one a core')
    others.add_argument('--flat', type=positive_int, nargs='?', const=20, metavar='EPOCHS',
                        help='train on 5,000 digits (default: 20 epochs): do step time and memory grow?')
    others.add_argument('--profile', action='store_true', help='the share of each kind of operation in a step')
    return result


def check(args):
    """Refuse what cannot be measured, before anything is.

    @raise UserError: says why
    """
    if args.torch and not importlib.util.find_spec('torch'):
        raise UserError(f'PyTorch is not installed: {TORCH}, or leave out --torch')
    if args.mixed_precision and bfloat16_missing():
        raise UserError(bfloat16_missing())
    count_batches(args.images, args.batch_size)  # raises where the batch is larger than the data
    if args.json and not can_write(args.json):
        raise UserError(f'cannot write {args.json}: choose another --json')
