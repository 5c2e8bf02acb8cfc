"""What must be set before TensorFlow is imported, the import, and the settings of a session.

Importing the package `common` makes these settings; every module that needs TensorFlow then says
`import tensorflow.compat.v1 as tf`. What the user has set in the environment is respected, and eager execution stays as
it is: each graph here is a `tf.Graph()` of its own.
"""

import contextlib
import os

# oneDNN's matrix and convolution kernels, which TensorFlow leaves off by default on CPUs with AVX2 only: with its own
# convolutions a DCGAN step takes twice as long.
os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '1')
# For TensorFlow's notes about CUDA and CPU features set the variable to a lower level.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
# TensorFlow's import brings Keras with it, which takes seconds and 100 MB that no script here needs. Asked for the
# legacy Keras, which is not installed, it brings neither. Afterwards `tf.keras` is there as usual.
_keras = os.environ.get('TF_USE_LEGACY_KERAS')
os.environ.setdefault('TF_USE_LEGACY_KERAS', '1')
import tensorflow.compat.v1 as tf  # noqa: E402  after the settings

if _keras is None:
    del os.environ['TF_USE_LEGACY_KERAS']
tf.logging.set_verbosity(tf.logging.ERROR)


def has_gpu():
    """Whether TensorFlow computes on a GPU here."""
    return bool(tf.config.experimental.list_physical_devices('GPU'))


def session_config(mixed_precision=False):
    """The `tf.ConfigProto` of a session; mixed_precision: multiply and convolve in bfloat16, all else in float32."""
    config = tf.ConfigProto()
    config.gpu_options.allow_growth = True  # otherwise sampling beside a training would find the GPU's memory taken
    if mixed_precision:
        config.graph_options.rewrite_options.auto_mixed_precision_onednn_bfloat16 = 1  # RewriterConfig.ON
    return config


def bfloat16_missing(cpuinfo_file='/proc/cpuinfo'):
    """Why --mixed-precision would end the process here, or be slower than float32; None where it is not so."""
    flags = ''
    with contextlib.suppress(OSError), open(cpuinfo_file) as file:
        flags = file.read()
    if {'avx512_bf16', 'amx_bf16'} & set(flags.split()):
        return None
    return 'this processor has no instructions for bfloat16 (AVX-512 BF16 or AMX), which --mixed-precision needs'
