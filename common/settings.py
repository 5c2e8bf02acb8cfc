"""The settings of a run, in `settings.json` beside its checkpoints: what may differ on resuming and what may not."""

import json
import os
import sys
import zlib

from common import convolutions
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

    @return: {'model': name, 'settings': {argument: value}, 'data': from `fingerprint`, 'direct_convolution': bool}
    @raise UserError: where there is no readable settings.json
    """
    path = settings_file(run_dir)
    try:
        with open(path, encoding='utf-8') as file:
            saved = json.load(file)
        saved['model'], saved['settings'].items(), saved['data'].items()
        return saved
    except FileNotFoundError:
        above = os.path.dirname(os.path.abspath(run_dir))
        if os.path.lexists(settings_file(above)):
            raise UserError(f'{above} is the folder of a run itself: give the folder above it, '
                            f'--logdir {os.path.relpath(os.path.dirname(above))}')
        raise UserError(f'there is no run in {run_dir} (no settings.json): train one first, '
                        'or name its folder with --logdir')
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f'{path} is not readable as the settings of a run ({error}): '
                        'fix it or start anew with --overwrite')


def write_settings(run_dir, model, args, data_print):
    """Write the settings of a run that begins or continues, see `read_settings`; data_print from `fingerprint`."""
    settings = {name: value for name, value in vars(args).items() if name not in _FREE}
    if os.path.isdir(args.data_dir):  # to be found from another working directory
        settings['data_dir'] = os.path.abspath(args.data_dir)
    write_json(settings_file(run_dir), {'model': model, 'settings': settings, 'data': data_print,
                                        'direct_convolution': convolutions.is_direct()})


def parse_arguments(parser, model, argv=None):
    """Parse the command line; on resuming, what it leaves out is as the run in the logdir has it."""
    typed = sys.argv[1:] if argv is None else list(argv)
    args = parser.parse_args(typed)
    if args.resume or args.resume_from:
        saved = read_settings(os.path.join(args.logdir, model))['settings']
        # In front of what was typed, so that they are checked as if they had been typed, too.
        args = parser.parse_args(_as_options(parser, saved) + typed)
    return args


def arguments_of_run(parser, saved):
    """The arguments of a run that has been trained, checked as if they were typed now.

    @param parser: of the script of its model
    @param saved: from `read_settings`
    @return: argparse.Namespace, as the script's `build_graph` takes it
    @raise SystemExit: where the parser refuses a value; with a sentence on stderr
    """
    return parser.parse_args(_as_options(parser, saved['settings']))


def _as_options(parser, saved):
    return [f'{_option(parser, name)}' + ('' if value is True else f'={value}')
            for name, value in saved.items() if value is not False]


def _option(parser, name):
    for action in parser._actions:
        if action.dest == name and action.option_strings:
            return action.option_strings[-1]
    return f'--{name.replace("_", "-")}'


def check_same_settings(run_dir, model, args, data_print):
    """Refuse to continue a run with other settings or another data set.

    @param data_print: from `fingerprint`
    @return: a sentence about what differs though it is allowed to, or None
    @raise UserError: names each difference
    """
    saved = read_settings(run_dir)
    before, now = {'model': saved['model'], **saved['settings']}, {'model': model, **vars(args)}
    of_settings = _differences(now, before, [name for name in {**before, **now} if name not in _FREE | _CHANGEABLE])
    of_data = _differences(data_print, saved['data'], data_print)
    where = ['say with --data-dir where its data are'] if of_data else []
    if of_settings:
        choices = ['leave these options out', *where, 'or start another run with --logdir or --overwrite']
        raise UserError(f'cannot continue the run in {run_dir} with other settings: '
                        f'{"; ".join(of_settings + of_data)}; {", ".join(choices)}')
    if of_data:
        raise UserError(f'the data in {args.data_dir} are not those that the run in {run_dir} was trained on '
                        f'({"; ".join(of_data)}): {where[0]}')
    if saved.get('direct_convolution') != convolutions.is_direct():
        return ('this run was begun with another GAN_DIRECT_CONVOLUTION: it goes on, but rounding differs from here, '
                'and with it the bits')
    return None


def _differences(now, before, names):
    return [f'{name} is {now.get(name)!r} instead of {before.get(name)!r}' for name in names
            if now.get(name) != before.get(name)]


def fingerprint(images, labels=None):
    """What tells data sets apart.

    @param images: training images
    @param labels: of the training images, where the model is told them
    @return: {'images': number, 'data_crc32': checksum, 'class_names': names of the classes}
    """
    checksum = 0
    for part in (images,) if labels is None else (images, labels):
        for start in range(0, len(part), 1000):  # a part at a time: all of them as float32 are large
            checksum = zlib.crc32(part[start:start + 1000], checksum)
    return {'images': len(images), 'data_crc32': checksum, 'class_names': list(getattr(images, 'class_names', []))}
