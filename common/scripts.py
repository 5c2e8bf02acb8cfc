"""The models: one script each."""

import importlib
import inspect
import os

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # the folder of the scripts
SCRIPTS = {'vanilla': 'vanilla_gan',
           'dcgan': 'dcgan',
           'cgan': 'cgan',
           'infogan': 'infogan',
           'conv_cgan': 'conv_cgan'}


def load_script(model):
    """The module of a model in SCRIPTS.

    It has MODEL, parser(), generator(...), build_graph(args) or, with labels, build_graph(args, n_classes), and with
    labels or codes sample_condition(n_sample_display, n_classes).
    """
    return importlib.import_module(SCRIPTS[model])


def generator_inputs(script):
    """What the generator of a script takes, by the chapter's names: ('z',), ('z', 'y') or ('z', 'c')."""
    return tuple(name for name in inspect.signature(script.generator).parameters if name in ('z', 'y', 'c'))
