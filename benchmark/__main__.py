"""How long a training step takes on this machine, in up to three variants:

  ours      this code
  listing   the chapter's own formulation on stock TensorFlow settings
  torch     the same networks and schedule in PyTorch's eager mode, with --torch

A step is one discriminator update and two generator updates. Each variant lives in a process of its own, and the
processes take turns, so that a clock that drifts meets all of them alike. Ratios are taken within each round of turns;
the table gives their median (lowest to highest). The images are random.
"""

import argparse
import contextlib
import importlib.metadata
import importlib.util
import multiprocessing
import os
import platform
import re
import statistics
import sys
import tempfile

import numpy as np

from benchmark.variants import serve
from common.arguments import Parser, positive_int, run_script
from common.batches import count_batches
from common.errors import UserError
from common.scripts import SCRIPTS, load_script
from common.tensorflow1 import bfloat16_missing
from evaluation.results import markdown_table

N_IMAGES = 70000  # as in MNIST


def parser():
    result = Parser(prog='python -m benchmark', description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument('--models', nargs='+', choices=SCRIPTS, default=list(SCRIPTS), metavar='MODEL',
                        help=f'some of {", ".join(SCRIPTS)} (default: all)')
    result.add_argument('--torch', action='store_true', help='also measure PyTorch, where it is installed')
    result.add_argument('--mixed-precision', action='store_true', help='also measure ours and PyTorch in bfloat16')
    result.add_argument('--rounds', type=positive_int, default=7, metavar='N', help='(default: %(default)s)')
    result.add_argument('--steps', type=positive_int, metavar='N', help='in a turn (default: 50, convolutional 5)')
    return result


def print_machine(packages):
    """Print processor, cores and versions, with a warning on stderr where something else computes."""
    processor = [platform.processor()]
    with contextlib.suppress(OSError, TypeError), open('/proc/cpuinfo') as file:
        first_core = file.read().partition('\n\n')[0]
        processor = [re.search(r'model name\s*: (.*)', first_core)[1],
                     *re.findall(r'\b(?:avx2|avx512f|avx512_bf16|amx_bf16)\b', first_core)]
    versions = [f'{package} {importlib.metadata.version(package)}' for package in packages]
    print(', '.join([' '.join(processor), f'{os.cpu_count()} cores', f'Python {platform.python_version()}', *versions]))
    if hasattr(os, 'getloadavg') and os.getloadavg()[0] > 0.5:
        print(f'The machine is busy (load {os.getloadavg()[0]:.1f}): do not trust these times.', file=sys.stderr)


def write_random_mnist(directory, n_images):
    """Write mnist.npz with random images, a fifth of their pixels set, about as many as in MNIST."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (n_images, 28, 28), np.uint8)
    images[images < 205] = 0
    labels = np.uint8(np.arange(n_images) % 10)
    n = n_images * 6 // 7
    np.savez(f'{directory}/mnist.npz', x_train=images[:n], y_train=labels[:n], x_test=images[n:], y_test=labels[n:])


def measure(model, variants, args, data_dir):
    """Let the variants take turns; returns {variant: seconds a step in each round}, {variant: peak memory in MB}."""
    steps = args.steps or (5 if hasattr(load_script(model), 'image_size') else 50)
    spawn = multiprocessing.get_context('spawn')
    workers, times, memory = {}, {variant: [] for variant in variants}, {}
    for variant in variants:
        workers[variant], its_end = spawn.Pipe()
        spawn.Process(target=serve, args=(its_end, variant, model, data_dir), name=variant, daemon=True).start()
        its_end.close()  # so that the end of the process is the end of the connection
    for n_steps in [3] + args.rounds * [steps]:
        for variant, worker in workers.items():
            try:
                worker.send(n_steps)
                seconds, memory[variant] = worker.recv()
            except (EOFError, OSError):
                seconds = 'its process has ended'
            if isinstance(seconds, str):
                raise UserError(f'the measurement of {variant} has stopped: {seconds}', exit_status=1)
            times[variant].append(seconds)
    for worker in workers.values():
        worker.send(0)  # which ends its process
    return {variant: seconds[1:] for variant, seconds in times.items()}, memory  # the first steps are slower


def table(model, times, memory):
    """A Markdown table of a model with one row for each variant."""
    settings = load_script(model).parser().parse_args([])
    epochs, n_batches = settings.epochs, count_batches(N_IMAGES, settings.batch_size)
    head = (model, 'ms a step', 'times that of ours', 'minutes an epoch', f'hours for {epochs} epochs', 'peak, MB')
    rows = []
    for variant, seconds in times.items():
        ratios = [a / b for a, b in zip(seconds, times['ours'])]
        minutes = statistics.median(seconds) * n_batches / 60
        rows.append([variant, f'{1000 * statistics.median(seconds):.1f}',
                     f'{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})',
                     f'{minutes:.1f}', f'{minutes * epochs / 60:.1f}', f'{memory[variant]:,.0f}'])
    return markdown_table(head, *rows)


def main(argv=None):
    args = parser().parse_args(argv)
    if args.torch and not importlib.util.find_spec('torch'):
        raise UserError('PyTorch is not installed: pip install torch, or leave out --torch')
    variants = ['ours', 'listing'] + ['torch'] * args.torch
    if args.mixed_precision:
        if missing := bfloat16_missing():
            raise UserError(missing)
        variants += [f'{variant}_bfloat16' for variant in variants if variant != 'listing']
    print_machine(['tensorflow'] + ['torch'] * args.torch)
    with tempfile.TemporaryDirectory() as data_dir:
        write_random_mnist(data_dir, N_IMAGES)
        for model in args.models:
            print(f'\n{table(model, *measure(model, variants, args, data_dir))}', flush=True)


if __name__ == '__main__':
    run_script(main)
