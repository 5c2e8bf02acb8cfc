"""How many steps make a turn: about as long for each model."""

from benchmark.ours import is_convolutional
from common.scripts import load_script


def steps_in_turn(model, args):
    """--steps, or its default for the kind of model."""
    return args.steps or (5 if is_convolutional(load_script(model)) else 50)
