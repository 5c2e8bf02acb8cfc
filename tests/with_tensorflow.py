"""Imported by the server from which tests/runs.py forks: all that takes a run seconds to import."""

import matplotlib.figure  # noqa: F401

from common import tf

_ = tf.Session  # the first use of tf imports TensorFlow
