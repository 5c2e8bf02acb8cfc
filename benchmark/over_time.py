"""Do step time and memory grow over the epochs of a training?"""

import re
import tempfile
import time

from benchmark.machine import memory_mb
from benchmark.ours import batches_in_epoch
from benchmark.startup import script_command
from benchmark.turns import running, stopped

FLAT_HEAD = ['model', 'epoch', 'ms a step, with pictures and checkpoint', 'memory at its end, MB']


def flat(model, args, data_dir):
    """
    Train the script on 5,000 digits and watch it; the made data in data_dir are not used
    @return: list for the JSON, one dict an epoch: seconds a step, with the epoch's pictures and checkpoint in them,
             and the memory at its end
    """
    steps = batches_in_epoch(model, 5000, args.batch_size)
    epochs, before = [], 0
    with tempfile.TemporaryDirectory() as logdir:
        command = script_command(model, '--dataset', 'mnist_5k', '--epochs', args.flat, '--logdir', logdir,
                                 '--batch-size', args.batch_size, *['--mixed-precision'] * args.mixed_precision)
        with running(command) as (process, errors):
            for line in process.stdout:
                now = time.perf_counter()
                if line.startswith('Epoch 1/') and not before:
                    before = now  # the start of the process is not part of an epoch
                if re.match(r'Epoch \d+/\d+ done', line):
                    epochs.append({'seconds_a_step': (now - before) / steps,
                                   'memory_mb': memory_mb(False, process.pid)})
                    before = now
            if process.wait():
                raise stopped(command[1], errors)
    return epochs


def flat_rows(results):
    rows = []
    for model, epochs in results.items():
        for number in sorted({1, 2, (len(epochs) + 1) // 2, len(epochs)}):
            if number <= len(epochs):
                epoch = epochs[number - 1]
                memory = '-' if epoch['memory_mb'] is None else f'{epoch["memory_mb"]:,.0f}'
                rows.append([model, str(number), f'{1000 * epoch["seconds_a_step"]:.1f}', memory])
    return rows
