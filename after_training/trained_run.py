"""What a training left of itself, but for the weights: to know it needs no TensorFlow."""

import os
from argparse import Namespace
from dataclasses import dataclass
from types import ModuleType

from common.errors import UserError
from common.scripts import SCRIPTS, load_script
from common.settings import arguments_of_run, read_settings, settings_file


def model_name(text):
    """A name in SCRIPTS; a model also goes by that of its script."""
    return {script: model for model, script in SCRIPTS.items()}.get(text, text)


@dataclass
class TrainedRun:
    """A run of a training script.

    model: its name in SCRIPTS
    saved: its settings and data, from `read_settings`
    script: the module of its training script
    args: Namespace of the training's arguments, complete
    class_names: of its data, in the order of their labels; a model that takes labels has as many
    run_dir: folder of the run
    weights: {name: array} of the generator where it is a ready-made one; otherwise they are in the run's checkpoints
    source, epoch, evaluation: the file of a ready-made one, its epoch, and what evaluate.py found
    """
    model: str
    saved: dict
    script: ModuleType
    args: Namespace
    class_names: list
    run_dir: str
    weights: dict = None
    source: str = None
    epoch: int = None
    evaluation: dict = None


def find_run(model, logdir='./logdir'):
    """The run of a model.

    @param model: a name in SCRIPTS, or that of its script
    @param logdir: the --logdir of the training
    @return: TrainedRun
    @raise UserError: where there is none; lists what there is
    """
    model = model_name(model)
    if model not in SCRIPTS:
        raise UserError(f'there is no model {model!r}: choose from {", ".join(SCRIPTS)}')
    run_dir = os.path.join(logdir, model)
    if not os.path.lexists(settings_file(run_dir)):
        there = ', '.join(name for name in SCRIPTS if os.path.lexists(settings_file(os.path.join(logdir, name))))
        raise UserError(f'there is no run of {model} in {logdir} (found: {there or "none of any model"}): '
                        f'train one with python {SCRIPTS[model]}.py, or name another folder with --logdir')
    saved = read_settings(run_dir)
    if saved['model'] != model:
        raise UserError(f'{run_dir} holds a run of {saved["model"]}, not of {model}: move it or ask for that model')
    return TrainedRun(model, saved, *describe(model, saved, settings_file(run_dir)), run_dir)


def describe(model, saved, path):
    """Script, arguments and class names of a run.

    @param saved: from `read_settings`
    @param path: where it is from
    @raise UserError: where it holds what no run has
    """
    script = load_script(model)
    args = arguments_of_run(script.parser(), saved)
    n_classes = getattr(args, 'n_classes', 2)
    names = saved['data'].get('class_names', [])
    if not (2 <= n_classes <= 100 and isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise UserError(f'{path} is not readable as the settings of a run ({n_classes} classes, named {names}): '
                        'fix it or train the model again')
    if 'y' in script.INPUTS and len(names) != n_classes:  # an older run
        names = [str(label) for label in range(n_classes)]
    return script, args, names
