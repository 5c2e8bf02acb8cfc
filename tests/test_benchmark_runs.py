"""The benchmark as a command: it measures, tells a mistake, and leaves no process behind."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from benchmark.startup import seconds_to_line
from benchmark.turns import Worker, all_closed
from common.errors import UserError
from common.scripts import ROOT


def benchmark(*arguments):
    return subprocess.run([sys.executable, '-m', 'benchmark', *map(str, arguments)], cwd=ROOT, capture_output=True,
                          text=True, timeout=600)


def test_comparison_runs(tmp_path):
    file = tmp_path / 'benchmark.json'
    result = benchmark('--models', 'vanilla', '--steps', 1, '--rounds', 1, '--startups', 0, '--batch-size', 16,
                       '--images', 100, '--json', file)
    assert result.returncode == 0, result.stderr
    report = json.loads(file.read_text())
    assert report['machine']['cores'] >= 1 and report['settings']['batch_size'] == 16
    vanilla = report['models']['vanilla']
    assert set(vanilla['seconds_a_step']) == {'ours', 'listing', 'limit_full', 'limit_needed', 'limit_ours'}
    assert 0 < vanilla['ratios']['limit_needed / ours']['median'] < vanilla['ratios']['limit_full / ours']['median']
    assert vanilla['ratios']['listing / ours']['median'] == pytest.approx(
        vanilla['seconds_a_step']['listing'] / vanilla['seconds_a_step']['ours'])
    assert vanilla['images_a_second'] == pytest.approx(16 / vanilla['seconds_a_step']['ours'])
    if os.path.exists('/proc/self/status'):
        assert all(50 < memory < 5000 for memory in vanilla['peak_memory_mb'].values())
    assert '| this code: times as fast as the listing' in result.stdout and 'PyTorch' not in result.stdout


def test_sweep_and_profile():
    result = benchmark('--models', 'cgan', '--steps', 1, '--rounds', 1, '--images', 60, '--batch-size', 60,
                       '--sweep', '--profile')
    assert result.returncode == 0, result.stderr
    assert re.search(r'\| cgan +\| 32 ', result.stdout) and re.search(r'\| cgan +\| \w*MatMul', result.stdout)


def test_flat_run():
    result = benchmark('--models', 'cgan', '--images', 500, '--batch-size', 500, '--flat', 2)
    assert result.returncode == 0, result.stderr
    assert re.search(r'\| cgan +\| 2 ', result.stdout)


@pytest.mark.parametrize('arguments, mistake', [
    (['--models', 'stylegan'], "invalid choice: 'stylegan'"),
    (['--images', '50', '--batch-size', '51'], 'larger than the data set')])
def test_mistakes_are_told_in_one_sentence(arguments, mistake):
    result = benchmark(*arguments)
    assert result.returncode == 2 and result.stdout == ''
    assert mistake in result.stderr and result.stderr.count('\n') == 1


def test_what_fails_is_told_in_one_sentence(tmp_path):
    with pytest.raises(UserError, match="^the measurement of ours stopped: KeyError: 'stylegan'$"):
        with all_closed([Worker(('model', 'ours', 'stylegan', 8, tmp_path), 1)]):
            pass
    command = [sys.executable, '-c', 'import sys; print("first"); sys.exit("no such place")']
    with pytest.raises(UserError, match='^-c stopped: no such place$'):
        seconds_to_line('second', command)
    assert seconds_to_line('first', command) > 0


def test_workers_end_with_their_parent():
    code = ('from benchmark.turns import Worker; import time\n'
            'worker = Worker(("product", "numpy"), 1); worker.start(1); worker.wait()\n'
            'print(worker._process.pid, flush=True); time.sleep(60)')
    parent = subprocess.Popen([sys.executable, '-c', code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    worker = int(parent.stdout.readline())
    os.kill(worker, 0)  # it is there
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    for _ in range(200):
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail('the worker lives on')
