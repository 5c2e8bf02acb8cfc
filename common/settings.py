"""The settings of a run, in `settings.json` beside its checkpoints: what may differ on resuming and what may not."""

import json
import os
import sys
import zlib

from common.errors import UserError
from common.files import write_json

# How to run, not what is trained: these may differ from one start to the next.
_FREE = {'max_steps', 'logdir', 'show', 'resume', 'resume_from', 'overwrite'}
# Remembered as defaults for --resume, but allowed to change.
_CHANGEABLE = {'epochs', 'data_dir', 'keep_last', 'keep_every', 'save_minutes'}


def settings_file(run_dir):
    return os.path.join(run_dir, 'settings.json')


def read_settings(run_dir):
    """What `write_settings` wrote.

    @return: {'model': name, 'settings': {argument: value}, 'data': fingerprint}
    @raise UserError: where there is no readable settings.json
    """
    path = settings_file(run_dir)
    try:
        with open(path) as file:
            saved = json.load(file)
        saved['model'], saved['settings'].items(), saved['data'].items()
        return saved
    except FileNotFoundError:
        raise UserError(f'there is no run in {run_dir} (no settings.json): train one first, '
                        'or name its folder with --logdir')
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f'{path} is not readable as the settings of a run ({error}): '
                        'mend it or start anew with --overwrite')


def write_settings(run_dir, model, args, data_print):
    """Write the settings of a run that begins or continues, see `read_settings`; data_print from `fingerprint`."""
    settings = {name: value for name, value in vars(args).items() if name not in _FREE}
    write_json(settings_file(run_dir), {'model': model, 'settings': settings, 'data': data_print})


def parse_arguments(parser, model, argv=None):
    """Parse the command line; on resuming, what it leaves out is as the run in the logdir has it."""
    args = parser.parse_args(argv)
    if args.resume or args.resume_from:
        saved = read_settings(os.path.join(args.logdir, model))['settings']
        # In front of what was typed, so that they are checked as if they had been typed, too.
        options = [f'--{name.replace("_", "-")}' + ('' if value is True else f'={value}')
                   for name, value in saved.items() if value is not False]
        args = parser.parse_args(options + (sys.argv[1:] if argv is None else list(argv)))
    return args


def check_same_settings(run_dir, model, args, data_print):
    """Refuse to continue a run with other settings or another data set.

    @param data_print: from `fingerprint`
    @raise UserError: names each difference
    """
    saved = read_settings(run_dir)
    before = {'model': saved['model'], **saved['settings'], **saved['data']}
    now = {'model': model, **vars(args), **data_print}
    differences = [f'{name} is {now.get(name)!r} instead of {before.get(name)!r}' for name in {**before, **now}
                   if name not in _FREE | _CHANGEABLE and now.get(name) != before.get(name)]
    if differences:
        raise UserError(f'cannot continue the run in {run_dir} with other settings: {"; ".join(differences)}; '
                        'leave these options out, or start another run with --logdir or --overwrite')


def fingerprint(data):
    """What tells data sets apart: {'images': number, 'data_crc32': checksum}."""
    checksum = 0
    for start in range(0, len(data), 1000):  # a part at a time: all of them as float32 are large
        checksum = zlib.crc32(data[start:start + 1000], checksum)
    return {'images': len(data), 'data_crc32': checksum}
