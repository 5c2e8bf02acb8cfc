"""Write the generator of a run that evaluate.py has measured to pretrained/MODEL.npz (see pretrained/README.md):

    python -m sampling.pretrained MODEL
"""

import argparse
import json
import os

import numpy as np

from common.arguments import Parser, path, run_script
from common.datasets import DEFAULT_DATA_DIR
from common.errors import UserError
from sampling.pictures import writing
from sampling.trained_model import PRETRAINED, add_model_arguments, load_model


def main(argv=None):
    command = Parser(prog='python -m sampling.pretrained', description=__doc__,
                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_arguments(command)
    command.add_argument('--out', type=path, metavar='FILE', help='default: MODEL.npz in pretrained/')
    args = command.parse_args(argv)
    trained = load_model(args)
    evaluation = trained.evaluation()
    if not evaluation:
        raise UserError(f'{trained.source} has not been measured: '
                        f'run python evaluate.py {args.model} --checkpoint {trained.epoch} first')
    # Not where the data and checkpoints are on this machine; the settings are in the file once already.
    settings = {**trained.saved['settings'], 'data_dir': DEFAULT_DATA_DIR, 'start_from': None}
    evaluation = {name: value for name, value in evaluation.items() if name not in ('checkpoint', 'training')}
    about = {'model': trained.model, 'epoch': trained.epoch, 'settings': settings, 'data': trained.saved['data'],
             'evaluation': evaluation}
    weights = {name: value.astype(np.float16) for name, value in trained.generator_weights().items()}
    out = args.out or os.path.join(PRETRAINED, f'{args.model}.npz')
    with writing(out) as unfinished, open(unfinished, 'wb') as file:
        np.savez(file, about=json.dumps(about), **weights)


if __name__ == '__main__':
    run_script(main)
