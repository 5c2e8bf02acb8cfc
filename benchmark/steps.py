"""How many steps make a turn: about as long for each model."""

from common import convolutions
from common.scripts import load_script

from benchmark.ours import is_convolutional


def steps_in_turn(model, args):
    """--steps, or its default for the kind of model."""
    if args.steps:
        return args.steps
    script = load_script(model)
    with convolutions.direct():
        return 5 if is_convolutional(script.build_graph(script.parser().parse_args([]))) else 50
