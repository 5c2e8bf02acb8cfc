"""TensorFlow 1 as the chapter knows it: `tf` with graphs, placeholders and sessions.

The settings below only work when they are made before TensorFlow is imported,
so this module is the one place that imports it. Whatever the user has already
set in the environment is respected.
"""

import os

# oneDNN's matrix and convolution kernels: a DCGAN step takes half the time on
# CPUs (AVX2) where TensorFlow leaves them off by default.
os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '1')
# `import tensorflow` also imports Keras, and with it scikit-learn, SciPy and
# pandas where they are installed: seconds and 100 MB that no script here needs.
# Asked for the legacy Keras, which is not installed, it imports neither.
os.environ.setdefault('TF_USE_LEGACY_KERAS', '1')
# The C++ side greets everyone with notes about CUDA and CPU features.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import tensorflow.compat.v1 as tf  # noqa: E402

tf.logging.set_verbosity(tf.logging.ERROR)
tf.disable_eager_execution()
