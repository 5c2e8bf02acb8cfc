"""Random numbers that depend on the seed and the step only.

Each epoch's shuffling and each step's noise comes from a stream of its own. So nothing has to be saved to continue a
run exactly: step 12,345 draws the same noise whether or not the run was interrupted before it.
"""

import numpy as np

# Their places are part of every run: the list may only grow at its end.
PURPOSES = ('shuffle', 'noise', 'code', 'sample', 'evaluation')


def random_stream(seed, purpose, index=0):
    """A np.random.Generator for one of PURPOSES; index: the epoch for 'shuffle', the step for 'noise' and 'code'."""
    return np.random.default_rng([seed, PURPOSES.index(purpose), index])
