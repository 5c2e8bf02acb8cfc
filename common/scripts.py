"""The models: one script each."""

import importlib
import inspect
import os

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # the folder of the scripts
SCRIPTS = {'vanilla': 'vanilla_gan', 'dcgan': 'dcgan', 'cgan': 'cgan', 'infogan': 'infogan', 'conv_cgan': 'conv_cgan'}


def load_script(model):
    """The module of a model in SCRIPTS; CONTRIBUTING.md says what it has. With labels: build_graph(args, n_classes)."""
    return importlib.import_module(SCRIPTS[model])


def generator_inputs(script):
    """What the generator of a script takes, by the chapter's names: ('z',), ('z', 'y') or ('z', 'c')."""
    return tuple(name for name in inspect.signature(script.generator).parameters if name in ('z', 'y', 'c'))
