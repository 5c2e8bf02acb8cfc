"""Our step with other batch sizes and numbers of threads."""

import statistics

from benchmark.arguments import SWEEP
from benchmark.machine import count_cores
from benchmark.steps import steps_in_turn
from benchmark.turns import Worker, all_closed, take_turns

SWEEP_HEAD = ['model', 'batch', 'threads', 'ms a step', 'images a second']


def sweep(model, args, data_dir):
    """Measure a model; returns a list for the JSON."""
    cores = count_cores()
    settings = [(batch_size, cores) for batch_size in SWEEP if batch_size <= args.images]
    settings += [(args.batch_size, threads) for threads in range(1, cores)]
    variant = 'ours_mixed' if args.mixed_precision else 'ours'
    steps = steps_in_turn(model, args)
    workers = [Worker(('model', variant, model, batch_size, data_dir), steps, threads)
               for batch_size, threads in settings]
    with all_closed(workers):
        times = take_turns(workers, args.rounds)
    return [{'batch_size': batch_size, 'threads': threads, 'seconds_a_step': statistics.median(seconds),
             'images_a_second': batch_size / statistics.median(seconds)}
            for (batch_size, threads), seconds in zip(settings, times)]


def sweep_rows(results):
    return [[model, str(line['batch_size']), str(line['threads']), f'{1000 * line["seconds_a_step"]:.1f}',
             f'{line["images_a_second"]:,.0f}'] for model, lines in results.items() for line in lines]
