"""The models: one script each."""

import importlib
import os

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # the folder of the scripts
SCRIPTS = {'vanilla': 'vanilla_gan',
           'dcgan': 'dcgan',
           'cgan': 'cgan',
           'infogan': 'infogan',
           'conv_cgan': 'conv_cgan'}


def load_script(model):
    """The module of a model in SCRIPTS.

    It describes its model: MODEL and INPUTS (what its generator takes, by the
    chapter's names: z noise, y labels, c codes), parser() with all defaults,
    build_graph(args), and, where there are labels or codes,
    sample_condition(args, n) and random_condition(args, n, rng); image_size
    (height, width, channels), where its networks take images and not flat rows.
    """
    return importlib.import_module(SCRIPTS[model])
