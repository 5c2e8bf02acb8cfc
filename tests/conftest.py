"""Read by each of the two test processes before anything imports numpy."""

import os

# numpy's matrix products on one core each: threads of two processes that wait for each other cost a tenth of the time.
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
