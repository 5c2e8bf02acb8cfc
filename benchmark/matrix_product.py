"""The limit: how fast large matrices are multiplied, by each library that is there, in float32 and in bfloat16."""

import numpy as np

from common.tensorflow1 import tf

SIZE = 2048


def _matrices():
    return np.random.default_rng(0).random((2, SIZE, SIZE), np.float32)


def prepare_tensorflow(bfloat16=False):
    """TensorFlow's matrix product, with the settings of the scripts."""
    dtype = tf.bfloat16 if bfloat16 else tf.float32
    a, b = (tf.get_variable(name, initializer=tf.cast(matrix, dtype)) for name, matrix in zip('ab', _matrices()))
    product = tf.matmul(a, b).op  # the operation, not its output: nothing is copied
    sess = tf.Session()
    sess.run(tf.global_variables_initializer())
    return lambda: sess.run(product)


def prepare_numpy():
    a, b = _matrices()
    out = np.empty_like(a)
    return lambda: np.matmul(a, b, out=out)


def prepare_torch(bfloat16=False):
    import torch
    dtype = torch.bfloat16 if bfloat16 else torch.float32
    a, b = (torch.from_numpy(matrix).to(dtype) for matrix in _matrices())
    out = torch.empty_like(a)
    return lambda: torch.mm(a, b, out=out)
