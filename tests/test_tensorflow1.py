"""TensorFlow comes late, quietly, and changes nothing for others in the process."""

import os
import signal
import subprocess
import sys

import pytest

from common import tensorflow1
from common.scripts import ROOT, SCRIPTS


def python(code, **environment):
    """What Python code prints on stdout and stderr, in a process of its own that has imported nothing."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith('TF')}
    result = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, timeout=300,
                            env={**clean, **environment})
    assert result.returncode == 0, result.stderr
    return result.stdout, result.stderr


def test_help_and_mistakes_in_the_command_line_need_no_tensorflow():
    code = f'''
import contextlib, io, runpy, sys
for script in {[f'{name}.py' for name in SCRIPTS.values()]}:
    for arguments, status in ((['--help'], 0), (['--epochs', '0'], 2), (['--logdir', 'nowhere', '--resume'], 2)):
        sys.argv = [script, *arguments]
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as err:
                runpy.run_path(script, run_name='__main__')
        except SystemExit as end:
            assert (end.code or 0) == status, (script, arguments, end.code)
            assert status == 0 or err.getvalue().count(chr(10)) == 1, err.getvalue()
        else:
            raise AssertionError(script)
print('tensorflow' in sys.modules)
'''
    assert python(code) == ('False\n', '')


def test_keras_is_there_as_usual_after_a_graph_and_the_environment_as_before():
    code = '''
import os
before = dict(os.environ)
import common
assert dict(os.environ) == before
common.tf.reset_default_graph()
assert 'TF_USE_LEGACY_KERAS' not in os.environ
from tensorflow import keras
import tensorflow
model = tensorflow.keras.Sequential([keras.layers.Dense(1)])
print(model(keras.ops.ones((1, 2))).shape)
'''
    assert python(code) == ('(1, 1)\n', '')


def test_graphs_work_in_a_process_that_uses_tensorflow_1_in_its_own_way():
    code = '''
import tensorflow.compat.v1 as tf
tf.disable_v2_behavior()
import dcgan
import numpy as np
args = dcgan.parser().parse_args([])
gan = dcgan.build_graph(args)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    feed = {gan.X_real: np.zeros((2, 32, 32, 1)), gan.z: np.ones((2, 100))}
    sess.run(gan.d_opt, feed)
    sess.run(gan.g_opt, {gan.z: feed[gan.z]})
    print(sess.run(gan.samples, feed).shape)
'''
    out, _ = python(code, TF_USE_LEGACY_KERAS='1')  # without Keras, which takes seconds to import
    assert out == '(2, 32, 32, 1)\n'


def test_what_the_user_has_set_stays_set():
    code = '''
import os
from common import tf
tf.constant(1)
print(*(os.environ[f'TF_{name}'] for name in ('ENABLE_ONEDNN_OPTS', 'USE_LEGACY_KERAS', 'CPP_MIN_LOG_LEVEL')))
'''
    out, err = python(code, TF_ENABLE_ONEDNN_OPTS='0', TF_USE_LEGACY_KERAS='1', TF_CPP_MIN_LOG_LEVEL='0')
    assert out == '0 1 0\n'
    assert err  # TensorFlow's notes were asked for


def test_ctrl_c_during_the_import_waits_for_its_end():
    before, done = signal.signal(signal.SIGINT, signal.default_int_handler), []
    try:
        with pytest.raises(KeyboardInterrupt), tensorflow1._interrupt_afterwards():
            os.kill(os.getpid(), signal.SIGINT)
            done.append('import')
        assert done and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_notes_of_the_import_are_shown_only_if_it_fails(capfd):
    with tensorflow1._without_greetings():
        os.write(2, b'a greeting\n')
    assert capfd.readouterr().err == ''
    with pytest.raises(ImportError), tensorflow1._without_greetings():
        os.write(2, b'a complaint\n')
        raise ImportError
    assert capfd.readouterr().err == 'a complaint\n'
