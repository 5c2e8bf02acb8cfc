"""TensorFlow 1 as the chapter knows it: `tf` with graphs, placeholders and sessions.

The settings below only work when they are made before TensorFlow is imported,
so this module is the one place that imports it. Whatever the user has already
set in the environment is respected.
"""

import contextlib
import functools
import importlib
import os
import shutil
import signal
import sys
import tempfile
import threading
import types


class _TensorFlow(types.ModuleType):
    """`tensorflow.compat.v1`, imported when it is first used: a mistake in the command line need not wait for it."""

    def __getattr__(self, name):
        return getattr(_import_tensorflow(), name)


tf = _TensorFlow('tf')


@functools.cache
def _import_tensorflow():
    if 'tensorflow' in sys.modules:  # imported by a notebook, say, with its own settings
        module = importlib.import_module('tensorflow.compat.v1')
    else:
        # oneDNN's matrix and convolution kernels, which TensorFlow leaves off by default on CPUs with AVX2 only: with
        # its own convolutions a DCGAN step takes half the time.
        os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '1')
        # Who wants to see TensorFlow's notes about CUDA and CPU features sets the variable to a lower level.
        quiet = os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3') == '3'
        with _without_keras(), _interrupt_afterwards(), _without_greetings() if quiet else contextlib.nullcontext():
            module = importlib.import_module('tensorflow.compat.v1')
    module.logging.set_verbosity(module.logging.ERROR)
    module.disable_eager_execution()
    return module


@contextlib.contextmanager
def _without_keras():
    """`import tensorflow` also imports Keras, which takes seconds and 100 MB that no script here needs.

    Asked for the legacy Keras, which is not installed, it imports neither. Afterwards `tf.keras` is there as usual.
    """
    before = os.environ.get('TF_USE_LEGACY_KERAS')
    os.environ.setdefault('TF_USE_LEGACY_KERAS', '1')
    try:
        yield
    finally:
        if before is None:
            del os.environ['TF_USE_LEGACY_KERAS']


@contextlib.contextmanager
def _interrupt_afterwards():
    """Ctrl-C in the middle of an import comes out as any of a dozen errors: it waits for the end."""
    if threading.current_thread() is not threading.main_thread():  # which alone gets signals
        yield
        return
    interrupts = []
    before = signal.signal(signal.SIGINT, lambda *_: interrupts.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupts and callable(before):
        raise KeyboardInterrupt


@contextlib.contextmanager
def _without_greetings():
    """Keep TensorFlow's notes about CUDA and CPU features off the terminal, unless an import fails."""
    try:
        terminal = os.dup(2)  # the notes come from C++, past sys.stderr
    except OSError:  # started without stderr
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
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


def has_gpu():
    """Whether TensorFlow computes on a GPU here."""
    return bool(tf.config.experimental.list_physical_devices('GPU'))


def session_config(mixed_precision=False):
    """The `tf.ConfigProto` for a session: TensorFlow's defaults but for the precision.

    @param mixed_precision: multiply and convolve in bfloat16; weights, Adam and statistics stay float32. Only where
        `mixed_precision.bfloat16_missing()` is None
    """
    config = tf.ConfigProto()
    if mixed_precision:
        config.graph_options.rewrite_options.auto_mixed_precision_onednn_bfloat16 = 1  # RewriterConfig.ON
    return config


def insist_on_determinism():
    """Let no operation of this process use an algorithm whose bits vary from run to run."""
    tf.config.experimental.enable_op_determinism()
