"""`python -m benchmark`."""

import signal
import sys
import tempfile

from after_training.tables import markdown_table
from benchmark.arguments import check, parser
from benchmark.compare import compare, comparison_rows
from benchmark.machine import describe_machine
from benchmark.made_data import write_random_mnist
from benchmark.over_time import FLAT_HEAD, flat, flat_rows
from benchmark.profile import PROFILE_HEAD, profile, profile_rows
from benchmark.sweep import SWEEP_HEAD, sweep, sweep_rows
from common.arguments import run_script
from common.files import write_json


def main(argv=None):
    args = parser().parse_args(argv)
    check(args)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the children are ended too
    machine = describe_machine()
    report = {'machine': machine, 'settings': vars(args)}
    print('{cpu}, {cores} cores ({flags}), Python {python}, TensorFlow {tensorflow}, {date}'.format(
        **{**machine, 'flags': ' '.join(machine['flags'])}))
    if (machine['load_before'] or 0) > 0.5:
        print(f'The machine is busy (load {machine["load_before"]:.1f}): do not trust these times.', file=sys.stderr)

    measurements = [('models', compare, comparison_rows, ['', *args.models])]
    if args.sweep or args.flat or args.profile:
        measurements = [(name, *functions) for name, *functions in (
            ('sweep', sweep, sweep_rows, SWEEP_HEAD), ('flat', flat, flat_rows, FLAT_HEAD),
            ('profile', profile, profile_rows, PROFILE_HEAD)) if getattr(args, name)]
    with tempfile.TemporaryDirectory() as data_dir:
        write_random_mnist(data_dir, args.images)
        for name, measure, rows, head in measurements:
            report[name] = {}
            for model in args.models:
                print(f'measuring {model} ...', file=sys.stderr)
                report[name][model] = measure(model, args, data_dir)
                if args.json:  # after each model: the whole may take an hour
                    write_json(args.json, report)
            measured = [row for row in rows(report[name]) if set(row[1:]) != {'-'}]
            print(f'\n{markdown_table(measured, head)}', flush=True)


if __name__ == '__main__':
    run_script(main)
