"""A model's step in all variants: what is compared, and the rows of the table."""

import statistics

from benchmark.matrix_product import SIZE
from benchmark.multiply_adds import count_computed, count_multiply_adds
from benchmark.ours import batches_in_epoch
from benchmark.startup import compare_startup
from benchmark.steps import steps_in_turn
from benchmark.turns import Worker, all_closed, ratio, take_turns
from common.scripts import load_script

NAMES = {'ours': 'this code', 'listing': 'the listing', 'torch': 'PyTorch', 'torch_unfrozen': 'PyTorch, D not frozen',
         'ours_mixed': 'this code, bfloat16', 'torch_mixed': 'PyTorch, autocast to bfloat16',
         'limit_full': 'limit, all passes and gradients', 'limit_needed': 'limit, those needed',
         'limit_ours': 'limit, what this code computes', 'limit_mixed': 'limit, what this code computes, bfloat16'}
# Who is compared with whom.
RATIOS = (('listing', 'ours'), ('torch', 'ours'), ('torch_unfrozen', 'ours'), ('ours', 'ours_mixed'),
          ('listing', 'ours_mixed'), ('torch_mixed', 'ours_mixed'))
SHARES = (('limit_full', 'ours'), ('limit_needed', 'ours'), ('limit_ours', 'ours'), ('limit_mixed', 'ours_mixed'))


def compare(model, args, data_dir):
    """Measure a model; returns a dict for the JSON."""
    steps = steps_in_turn(model, args)
    variants = ['ours', 'listing'] + ['torch', 'torch_unfrozen'] * args.torch
    products = ['tensorflow', 'numpy'] + ['torch'] * args.torch
    if args.mixed_precision:
        variants += ['ours_mixed'] + ['torch_mixed'] * args.torch
        products += ['tensorflow_bfloat16'] + ['torch_bfloat16'] * args.torch
    workers = ([Worker(('model', variant, model, args.batch_size, data_dir), steps) for variant in variants]
               + [Worker(('product', product), min(steps, 5)) for product in products])
    with all_closed(workers):
        all_times = take_turns(workers, args.rounds)
        memory = {worker.name: worker.memory_mb for worker in workers if worker.kind == 'model'}
    times = dict(zip(variants, all_times))
    products = dict(zip(products, all_times[len(variants):]))

    multiply_adds = {**count_multiply_adds(model), **count_computed(model, args.batch_size)}
    fastest = {}
    for count, bfloat16 in (('full', False), ('needed', False), ('ours', False), ('mixed', True)):
        candidates = [name for name in products if name.endswith('bfloat16') == bfloat16]
        if candidates:
            by = fastest[bfloat16] = min(candidates, key=lambda name: statistics.median(products[name]))
            work = multiply_adds['ours' if bfloat16 else count] * args.batch_size / SIZE ** 3
            times[f'limit_{count}'] = [seconds * work for seconds in products[by]]
    seconds = statistics.median(times['ours'])
    epochs = load_script(model).parser().get_default('epochs')
    steps_of_training = epochs * batches_in_epoch(model, args.images, args.batch_size)
    return {
        'seconds_a_step': {name: statistics.median(values) for name, values in times.items()},
        'seconds_a_step_by_round': times,
        'ratios': {f'{slow} / {fast}': ratio(times[slow], times[fast]) for slow, fast in RATIOS + SHARES
                   if slow in times and fast in times},
        'images_a_second': args.batch_size / seconds,
        'hours_of_training': seconds * steps_of_training / 3600, 'epochs_of_training': epochs,
        'multiply_adds_an_image': multiply_adds,
        'matrix_product': {('bfloat16' if bfloat16 else 'float32'): {
            'by': by, 'gflops': 2 * SIZE ** 3 / statistics.median(products[by]) / 1e9}
            for bfloat16, by in fastest.items()},
        'peak_memory_mb': memory,
        'startup': compare_startup(model, args, data_dir) if args.startups else None}


def comparison_rows(results):
    """Rows of the table, models as columns; '-' where nothing was measured."""
    def row(label, cell):
        cells = [label]
        for result in results.values():
            try:
                cells.append(cell(result))
            except (KeyError, TypeError):  # not measured here
                cells.append('-')
        return cells

    def ratio_row(label, slow, fast, **style):
        return row(label, lambda result: _spread(result['ratios'][f'{slow} / {fast}'], **style))

    def product_row(kind):
        return row(f'fastest matrix product in {kind}, GFLOP/s', lambda result: '{gflops:.0f} ({by})'.format(
            **result['matrix_product'][kind]))

    def memory_row(variant):
        return row(f'peak memory of {NAMES[variant]}, MB', lambda result: '{:,.0f} ({:.0f} %)'.format(
            result['peak_memory_mb'][variant],
            100 * result['peak_memory_mb'][variant] / result['peak_memory_mb']['listing']))

    return [
        *(row(f'{name}, ms a step', lambda result, key=key: f'{1000 * result["seconds_a_step"][key]:.1f}')
          for key, name in NAMES.items()),
        *(ratio_row(f'{NAMES[fast]}: times as fast as {NAMES[slow]}', slow, fast) for slow, fast in RATIOS),
        *(ratio_row(f'{NAMES[fast]}: share of the {NAMES[slow]}', slow, fast, digits=0, percent=True)
          for slow, fast in SHARES),
        row('million multiply-adds an image: all / needed / by the listing / by this code',
            lambda result: ' / '.join(f'{result["multiply_adds_an_image"][key] / 1e6:.1f}'
                                      for key in ('full', 'needed', 'listing', 'ours'))),
        product_row('float32'), product_row('bfloat16'),
        row('images a second', lambda result: f'{result["images_a_second"]:,.0f}'),
        row('hours of training (epochs)',
            lambda result: f'{result["hours_of_training"]:.1f} ({result["epochs_of_training"]})'),
        memory_row('listing'), memory_row('ours'), memory_row('ours_mixed'), memory_row('torch'),
        row('import tensorflow and load the data, s', lambda result: f'{result["startup"]["seconds"]["listing"]:.2f}'),
        row('start of this code to its first step, s', lambda result: f'{result["startup"]["seconds"]["ours"]:.2f}'),
        row('... times the import and load', lambda result: _spread(result['startup']['ratio']))]


def _spread(value, digits=2, percent=False):
    scale, unit = (100, ' %') if percent else (1, '')
    return '{:.{d}f}{u} ({:.{d}f} to {:.{d}f})'.format(
        *(scale * value[key] for key in ('median', 'min', 'max')), d=digits, u=unit)
