"""Pretrained generators: pretrained/MODEL.npz, for images within seconds and without any training.

    python -m sampling.pretrained MODEL

writes the file from a run that evaluate.py has measured; pretrained/README.md
says what is in it.
"""

import argparse
import json
import os
import zipfile

import numpy as np

from common.arguments import Parser, path, run_script
from common.datasets import DEFAULT_DATA_DIR
from common.errors import UserError, one_line
from common.scripts import ROOT
from sampling.pictures import writing
from sampling.trained_model import TrainedModel, add_model_arguments, load_trained_model

FOLDER = os.path.join(ROOT, 'pretrained')


def load_pretrained(model, logdir='./logdir'):
    """The pretrained generator of a model, a TrainedModel.

    model: a name in SCRIPTS. logdir: its pictures go there, beside those of a run. Raises UserError where there is
    none, or it is damaged or of other networks.
    """
    file = os.path.join(FOLDER, f'{model}.npz')
    try:
        with np.load(file, allow_pickle=False) as content:
            weights = {name: content[name].astype(np.float32) for name in content.files if name != 'about'}
            about = json.loads(str(content['about']))
        trained = TrainedModel(model, about, os.path.join(logdir, model))
        trained.take(weights, file)
    except FileNotFoundError:
        raise UserError(f'there is no pretrained {model} in {FOLDER}: train one, or get the file')
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f'{file} is damaged, or of other networks ({one_line(error)}): get it again, or train one')
    return trained


def main(argv=None):
    command = Parser(prog='python -m sampling.pretrained', description=__doc__,
                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_arguments(command)
    command.add_argument('--out', type=path, metavar='FILE', help='default: MODEL.npz in pretrained/')
    args = command.parse_args(argv)
    trained = load_trained_model(args.model, args.logdir, args.checkpoint)
    evaluation = trained.evaluation()
    if evaluation is None:
        raise UserError(f'{trained.source} has not been measured: '
                        f'run python evaluate.py {args.model} --checkpoint {trained.epoch} first')
    # Not where the data and checkpoints are on this machine; the settings are in the file once already.
    settings = {**trained.saved['settings'], 'data_dir': DEFAULT_DATA_DIR}
    evaluation = {name: value for name, value in evaluation.items() if name not in ('checkpoint', 'training')}
    about = {'model': trained.model, 'epoch': trained.epoch, 'settings': settings, 'data': trained.saved['data'],
             'evaluation': evaluation}
    weights = {name: value.astype(np.float16) for name, value in trained.generator_weights().items()}
    with writing(args.out or os.path.join(FOLDER, f'{args.model}.npz')) as unfinished, open(unfinished, 'wb') as file:
        np.savez(file, about=json.dumps(about), **weights)


if __name__ == '__main__':
    run_script(main)
