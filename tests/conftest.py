"""For all tests."""

import os

# Two test processes with two threads each would fight over two cores. Unless someone wants to see the tests with others.
if os.environ.get('PYTEST_XDIST_WORKER'):
    os.environ.setdefault('TF_NUM_INTRAOP_THREADS', '1')
