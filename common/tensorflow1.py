"""TensorFlow 1 as the chapter knows it: `tf` with graphs, placeholders and sessions.

The settings below only work when they are made before TensorFlow is imported,
so this module is the one place that imports it. Whatever the user has already
set in the environment is respected.
"""

import contextlib
import os
import shutil
import sys
import tempfile

# oneDNN's matrix and convolution kernels, which TensorFlow leaves off by default
# on CPUs with AVX2 only: with its own convolutions a DCGAN step takes half the time.
os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '1')
# `import tensorflow` also imports Keras, and with it scikit-learn, SciPy and
# pandas where they are installed: seconds and 100 MB that no script here needs.
# Asked for the legacy Keras, which is not installed, it imports neither.
os.environ.setdefault('TF_USE_LEGACY_KERAS', '1')


@contextlib.contextmanager
def _without_greetings():
    """Keep TensorFlow's notes about CUDA and CPU features off the terminal, unless an import fails."""
    sys.stderr.flush()
    terminal = os.dup(2)  # the notes come from C++, past sys.stderr
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        try:
            yield
        except BaseException:
            notes.seek(0)
            with open(terminal, 'wb', closefd=False) as stderr:
                shutil.copyfileobj(notes, stderr)
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


# Who wants to see these notes sets the variable to a lower level.
_level = os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
with _without_greetings() if _level == '3' else contextlib.nullcontext():
    import tensorflow.compat.v1 as tf

tf.logging.set_verbosity(tf.logging.ERROR)
tf.disable_eager_execution()


def has_gpu():
    """Whether TensorFlow computes on a GPU here."""
    return bool(tf.config.experimental.list_physical_devices('GPU'))


def session_config():
    """The `tf.ConfigProto` for a training session.

    On a CPU one operation runs at a time, each on all cores: running two side
    by side makes them fight for the caches (4 % of a DCGAN step with
    TensorFlow's own convolutions), and their order could vary. With a GPU
    everything is TensorFlow's default.
    """
    config = tf.ConfigProto()
    if not has_gpu() and 'TF_NUM_INTEROP_THREADS' not in os.environ:
        config.inter_op_parallelism_threads = 1
    return config


def insist_on_determinism():
    """Let no operation of this process use an algorithm whose bits vary from run to run."""
    from tensorflow.config.experimental import enable_op_determinism
    enable_op_determinism()
