"""Read by each of the test processes first of all."""

import os

# numpy's matrix products on one core each: threads of two processes that wait for each other cost a tenth of the time.
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')

import common  # noqa: E402, F401  makes its settings before a test imports TensorFlow
