"""Ready-made generators: pretrained/MODEL.npz, for images within seconds and without any training.

    python -m after_training.pretrained MODEL

makes the file from a run that evaluate.py has measured. It holds the weights
that the images depend on, in half precision and under the names of the
checkpoints, and as JSON in `about` the settings of the run, the epoch and what
evaluate.py found.
"""

import argparse
import json
import os
import zipfile

import numpy as np

from after_training.arguments import add_model_arguments
from after_training.trained_model import load
from after_training.trained_run import TrainedRun, describe, find_run
from common import run_script
from common.arguments import Parser, path
from common.datasets import DEFAULT_DATA_DIR
from common.errors import UserError, one_line
from common.files import whole_file
from common.scripts import ROOT

FOLDER = 'pretrained'
HERE = os.path.join(ROOT, FOLDER)


def find(model, logdir, folder=None):
    """The ready-made generator of a model.

    @param model: a name in SCRIPTS
    @param logdir: its pictures go there, beside those of a run
    @param folder: where the files are, HERE where it is left out
    @return: TrainedRun with weights
    @raise UserError: where there is none, or it is damaged; lists what there is
    """
    folder = folder or HERE
    file = os.path.join(folder, f'{model}.npz')
    if not os.path.lexists(file):
        there = [name[:-4] for name in sorted(os.listdir(folder) if os.path.isdir(folder) else [])
                 if name.endswith('.npz')]
        raise UserError(f'there is no ready-made {model} in {folder} (found: {", ".join(there) or "none"}): '
                        'train one, or get the file')
    try:
        with np.load(file, allow_pickle=False) as content:
            weights = {name: content[name].astype(np.float32) for name in content.files if name != 'about'}
            about = json.loads(str(content['about']))
        if about['model'] != model:
            raise ValueError(f'it holds {about["model"]}')
        saved = {'settings': dict(about['settings']), 'data': dict(about['data'])}
        epoch, evaluation = int(about['epoch']), dict(about['evaluation'])
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f'{file} is damaged ({one_line(error)}): get it again, or train the model')
    return TrainedRun(model, saved, *describe(model, saved, file), run_dir=os.path.join(logdir, model), weights=weights,
                      source=file, epoch=epoch, evaluation=evaluation)


def write(trained, evaluation, file):
    """Write the generator of a trained model, whole or not at all.

    @param trained: TrainedModel
    @param evaluation: what evaluate.py found
    @raise UserError: where a weight does not fit into half precision
    @raise OSError: where the file cannot be written
    """
    with np.errstate(over='ignore'):
        weights = {name: value.astype(np.float16) for name, value in trained.generator_weights().items()}
    for name, value in weights.items():
        if not np.isfinite(value).all():
            raise UserError(f'{name} does not fit into half precision: nothing was written')
    settings = {**trained.run.saved['settings'], 'data_dir': DEFAULT_DATA_DIR}  # not where the data are on this machine
    about = {'model': trained.model, 'epoch': trained.epoch, 'settings': settings, 'data': trained.run.saved['data'],
             'evaluation': evaluation}
    with whole_file(file) as unfinished, open(unfinished, 'wb') as to:
        np.savez(to, about=json.dumps(about), **weights)


def read_evaluation(trained):
    """What evaluate.py found of this checkpoint; @raise UserError: where it has not judged it."""
    file = os.path.join(trained.run_dir, 'evaluation.json')
    try:
        with open(file, encoding='utf-8') as content:
            found = json.load(content)
        if os.path.basename(found.pop('checkpoint')) != trained.name:
            raise ValueError(f'it is of epoch {found["epoch"]}')
        del found['training']  # the settings, which are in the file once already
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f'{file} does not tell what {trained.name} is worth ({one_line(error)}): run '
                        f'python evaluate.py {trained.model} --checkpoint {trained.epoch} first')
    return found


def main(argv=None):
    command = Parser(prog='python -m after_training.pretrained', description=__doc__,
                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_arguments(command)
    command.add_argument('--out', type=path, metavar='FILE', help=f'default: MODEL.npz in {FOLDER}/')
    args = command.parse_args(argv)
    trained = load(find_run(args.model, args.logdir), args.checkpoint)
    file = args.out or os.path.join(HERE, f'{args.model}.npz')
    try:
        os.makedirs(os.path.dirname(os.path.abspath(file)), exist_ok=True)
        write(trained, read_evaluation(trained), file)
    except OSError as error:
        raise UserError(f'cannot write {file} ({one_line(error)}): choose another name')
    print(f'wrote {file} ({os.path.getsize(file) / 1e6:.1f} MB)')


if __name__ == '__main__':
    run_script(main)
