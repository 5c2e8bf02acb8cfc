"""How long a script takes to its first step."""

import statistics
import sys
import tempfile
import time

from benchmark.ours import is_convolutional
from benchmark.turns import ENVIRONMENT, STOCK_ENVIRONMENT, ratio, running, stopped
from common.scripts import SCRIPTS, load_script

# A bare import of TensorFlow and the listing's loader.
PLAIN = ('import sys, tensorflow; from benchmark.listing import load_data\n'
         'data = load_data(sys.argv[1], sys.argv[2] == "True"); print("loaded", flush=True)')


def script_command(model, *arguments):
    """The command line of a training script, to be run in the folder of the scripts."""
    return [sys.executable, f'{SCRIPTS[model]}.py', *map(str, arguments)]


def compare_startup(model, args, data_dir):
    """
    From the command to the log line after the first step, against a bare import of TensorFlow and the listing's loader
    @return: dict for the JSON
    """
    convolutional = is_convolutional(load_script(model))
    ours, listing = [], []
    for _ in range(args.startups):
        with tempfile.TemporaryDirectory() as logdir:
            ours.append(seconds_to_line('Epoch 1/', script_command(
                model, '--data-dir', data_dir, '--logdir', logdir, '--max-steps', 1, '--batch-size', args.batch_size)))
        plain = [sys.executable, '-c', PLAIN, data_dir, str(convolutional)]
        listing.append(seconds_to_line('loaded', plain, STOCK_ENVIRONMENT))
    return {'seconds': {'ours': statistics.median(ours), 'listing': statistics.median(listing)},
            'ratio': ratio(ours, listing)}


def seconds_to_line(beginning, command, environment=ENVIRONMENT):
    """Seconds from the start of a command to the first line of its output with this beginning; then it is ended."""
    start = time.perf_counter()
    with running(command, environment) as (process, errors):
        for line in process.stdout:
            if line.startswith(beginning):
                return time.perf_counter() - start
        process.wait()
        raise stopped(command[1], errors)
