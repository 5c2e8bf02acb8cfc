"""What the programs say: whatever stdout and stderr are, a line that cannot be printed never ends a training."""

import contextlib
import os
import shlex
import shutil
import signal
import sys
import threading

from common.scripts import ROOT, SCRIPTS


def say(line, file=None):
    """Print a line at once, also into a file or a pipe; `file` is sys.stdout where it is left out."""
    # OSError: a full disk or a closed pipe under the log; ValueError: a closed file, or letters that it cannot encode.
    with contextlib.suppress(OSError, ValueError):
        print(line, file=file, flush=True)


def quiet_ctrl_c():
    """Ctrl-C while a script of this project still imports what it needs ends it with 'interrupted', not a traceback.

    Until `run_script` takes over. In any other program that imports `common`, a script of the user's own beside them,
    say, Ctrl-C does what it did.
    """
    program = os.path.abspath(getattr(sys.modules['__main__'], '__file__', None) or '')
    ours = [os.path.join(ROOT, f'{name}.py') for name in (*SCRIPTS.values(), 'sample', 'evaluate')]
    if (program in ours and threading.current_thread() is threading.main_thread()  # which alone gets signals
            and signal.getsignal(signal.SIGINT) == signal.default_int_handler):
        signal.signal(signal.SIGINT, _end_interrupted)


def _end_interrupted(number, _):
    """No exception: in the middle of an import one comes out as any of a dozen others."""
    say('\ninterrupted', sys.stderr)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def restore_ctrl_c():
    """Take `quiet_ctrl_c` back: Ctrl-C is a KeyboardInterrupt."""
    if signal.getsignal(signal.SIGINT) == _end_interrupted:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def prepare_standard_streams():
    """For a program that may have been started without a terminal, or with one that knows few letters."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:  # closed: the next file to be opened would take its place, and C++ would write its notes there
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        # AttributeError: None, or not a text file of Python's; the others: closed, or on a full disk.
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.reconfigure(errors='backslashreplace')


def python_command(script, *arguments):
    """A command line that starts a script of this project with this Python, to be pasted into the same terminal.

    @param script: file name in the folder of the scripts, such as 'dcgan.py'
    """
    return shlex.join([_python(), _from_here(os.path.join(ROOT, script)), *arguments])


def tensorboard_command(logdir):
    """A command line that shows the curves in TensorBoard, and every picture (by default it shows ten of a run)."""
    tensorboard = shutil.which('tensorboard')
    beside_python = tensorboard and os.path.dirname(tensorboard) == os.path.dirname(sys.executable)
    start = ['tensorboard'] if beside_python else [_python(), '-m', 'tensorboard.main']
    return shlex.join([*start, f'--logdir={logdir}', '--samples_per_plugin', 'images=1000'])


def _python():
    for name in ('python', 'python3'):
        if shutil.which(name) == sys.executable:
            return name
    return _from_here(sys.executable)


def _from_here(path):
    """A path as one would type it: relative where that is shorter."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(path) else path
