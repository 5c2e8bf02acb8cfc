"""Where the time of our step goes."""

import re

from benchmark import ours
from benchmark.multiply_adds import layer_costs
from benchmark.steps import steps_in_turn
from common.tensorflow1 import tf

PROFILE_HEAD = ['model', 'operation', 'calls a step', 'ms a step', 'share', 'GFLOP/s']


def profile(model, args, data_dir):
    """Measure a model; returns a list of dicts, one a kind of operation, for the JSON."""
    steps = steps_in_turn(model, args)
    step, sess = ours.prepare_with_session(model, args.batch_size, data_dir, args.mixed_precision)
    operations = {op.name: op for op in tf.get_default_graph().get_operations()}
    costs = layer_costs(operations.values(), args.batch_size)
    totals = {}

    def traced_run(fetches, feed_dict):
        trace = tf.RunMetadata()
        values = sess.run(fetches, feed_dict, options=tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE),
                          run_metadata=trace)
        for node in (node for device in trace.step_stats.dev_stats for node in device.node_stats):
            kind = re.match(r'(?:.* = (\w+)\()?', node.timeline_label)[1] or node.node_name
            total = totals.setdefault(kind, {'calls': 0, 'seconds': 0, 'multiply_adds': 0})
            total['calls'] += 1
            total['seconds'] += node.all_end_rel_micros / 1e6
            if 'MatMul' in kind or 'Conv' in kind:
                op = operations.get(node.node_name)
                while op and op not in costs:  # a fused operation bears the name of its last part
                    op = op.inputs[0].op if op.inputs else None
                total['multiply_adds'] += costs.get(op, 0) * args.batch_size
        return values

    for _ in range(3):
        step()
    for _ in range(steps):
        step(traced_run)
    seconds = sum(total['seconds'] for total in totals.values())
    return [{'operation': kind, 'calls': total['calls'] / steps, 'seconds_a_step': total['seconds'] / steps,
             'share': total['seconds'] / seconds, 'gflops': 2 * total['multiply_adds'] / total['seconds'] / 1e9}
            for kind, total in sorted(totals.items(), key=lambda item: -item[1]['seconds'])]


def profile_rows(results):
    return [[model, line['operation'], f'{line["calls"]:.0f}', f'{1000 * line["seconds_a_step"]:.2f}',
             f'{100 * line["share"]:.1f} %', f'{line["gflops"]:.0f}' if line['gflops'] else '']
            for model, lines in results.items() for line in lines if line['share'] >= 0.002]
