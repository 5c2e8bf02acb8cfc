"""What the programs say: whatever stdout and stderr are, a line that cannot be printed never ends a training."""

import contextlib
import os
import shlex
import shutil
import sys


def say(line, file=None):
    """Print a line at once, also into a file or a pipe; `file` is sys.stdout where it is left out."""
    # OSError: a full disk or a closed pipe under the log; ValueError: a closed file, or letters that it cannot encode.
    with contextlib.suppress(OSError, ValueError):
        print(line, file=file, flush=True)


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
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return shlex.join([_python(), _from_here(os.path.join(root, script)), *arguments])


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
