"""Processes that take turns."""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile

from benchmark.listing import TENSORFLOW_SETTINGS
from common.errors import UserError
from common.scripts import ROOT

# The user's environment, before common.tensorflow1 adds to it.
ENVIRONMENT = dict(os.environ)
STOCK_ENVIRONMENT = {name: value for name, value in ENVIRONMENT.items() if name not in TENSORFLOW_SETTINGS}
if ENVIRONMENT.get('ONEDNN_MAX_CPU_ISA') == 'AVX2':
    STOCK_ENVIRONMENT['TF_ENABLE_ONEDNN_OPTS'] = '0'  # which TensorFlow chooses by itself on a CPU that has no more
THREAD_SETTINGS = ('TF_NUM_INTRAOP_THREADS', 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS')


class Worker:
    """
    A process that prepares one variant and then waits for its turns
    @param arguments: of benchmark.worker: 'model', variant, model, batch size, data_dir; or 'product', variant
    @param steps: steps in a turn
    @param threads: threads to compute with; None: the library's choice
    """

    def __init__(self, arguments, steps, threads=None):
        self.kind, self.name = arguments[:2]
        self.steps, self.memory_mb = steps, None
        environment = dict(STOCK_ENVIRONMENT if self.name == 'listing' else ENVIRONMENT)
        if threads:
            environment.update(dict.fromkeys(THREAD_SETTINGS, str(threads)))
        self._errors = tempfile.TemporaryFile('w+')
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'benchmark.worker', *map(str, arguments)], cwd=ROOT, env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True)

    def start(self, steps):
        """Ask for some steps."""
        with contextlib.suppress(BrokenPipeError):  # wait() says why
            print(steps, file=self._process.stdin, flush=True)

    def wait(self):
        """Seconds a step of what `start` has asked for."""
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()  # it may still be writing why
            raise stopped(f'the measurement of {self.name}', self._errors)
        answer = json.loads(line)
        self.memory_mb = answer['memory_mb']
        return answer['seconds']

    def close(self):
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._errors.close()


def stopped(name, errors):
    """The error of a process that has ended too early, with the last line of its stderr."""
    errors.seek(0)
    lines = [line.strip() for line in errors.read().split('\n') if line.strip()]
    return UserError(f'{name} stopped: {lines[-1][:300] if lines else "it did not say why"}', exit_status=1)


@contextlib.contextmanager
def all_closed(workers):
    """Start the workers, all at once, and end them with the `with`."""
    try:
        for worker in workers:
            worker.start(3)
        for worker in workers:
            worker.wait()
        yield
    finally:
        for worker in workers:
            worker.close()


def take_turns(workers, rounds):
    """Seconds a step of each worker in each round, one list a worker."""
    times = [[] for _ in workers]
    for _ in range(rounds):
        for worker, seconds in zip(workers, times):
            worker.start(worker.steps)
            seconds.append(worker.wait())
    return times


def ratio(numerators, denominators):
    """Median, lowest and highest of the ratios of two lists, round by round."""
    ratios = [a / b for a, b in zip(numerators, denominators)]
    return {'median': statistics.median(ratios), 'min': min(ratios), 'max': max(ratios)}


@contextlib.contextmanager
def running(command, environment=ENVIRONMENT):
    """Run a command for the length of a `with`, which gets its Popen and the file of its stderr."""
    with tempfile.TemporaryFile('w+') as errors:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
        with process.stdout:
            try:
                yield process, errors
            finally:
                process.kill()
                process.wait()
