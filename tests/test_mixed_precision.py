"""--mixed-precision: refused where the processor cannot, and as reproducible as float32 where it can."""

import os
import subprocess
import sys

import numpy as np
import pytest
from runs import write_mnist

from common import tf
from common.errors import UserError
from common.mixed_precision import bfloat16_missing
from common.scripts import ROOT, load_script

NEW = 'processor\t: 0\nflags\t\t: fpu sse4_1 avx2 avx512f avx512_vnni avx512_bf16\nbogomips\t: 4000\n'
TILES = 'flags : avx2 avx512f amx_bf16 amx_tile\n'
OLD = 'flags : avx2 avx512f avx512_vnni\n'
ARM = 'processor\t: 0\nFeatures\t: fp asimd bf16\n'


@pytest.mark.parametrize('cpuinfo, environment', [
    (NEW, {}), (TILES, {}), (NEW, {'ONEDNN_MAX_CPU_ISA': 'AVX512_CORE_BF16'}),
    (NEW, {'ONEDNN_MAX_CPU_ISA': 'DEFAULT', 'TF_ENABLE_ONEDNN_OPTS': '1'}),
    (NEW, {'ONEDNN_MAX_CPU_ISA': 'ALL', 'DNNL_MAX_CPU_ISA': 'AVX2'})])  # oneDNN reads the second in place of the first
def test_processors_that_can(cpuinfo, environment):
    assert bfloat16_missing(cpuinfo, environment) is None


@pytest.mark.parametrize('cpuinfo, environment, word', [
    (OLD, {}, 'this processor'), (ARM, {}, 'this processor'), ('', {}, 'this processor'),
    (NEW, {'ONEDNN_MAX_CPU_ISA': 'AVX2'}, 'ONEDNN_MAX_CPU_ISA=AVX2'),
    (NEW, {'ONEDNN_MAX_CPU_ISA': 'avx512_core'}, 'ONEDNN_MAX_CPU_ISA=avx512_core'),
    (NEW, {'ONEDNN_MAX_CPU_ISA': 'AVX512_CORE_VNNI'}, 'ONEDNN_MAX_CPU_ISA=AVX512_CORE_VNNI'),
    (NEW, {'ONEDNN_MAX_CPU_ISA': '', 'DNNL_MAX_CPU_ISA': 'SSE41'}, 'DNNL_MAX_CPU_ISA=SSE41'),
    (NEW, {'TF_ENABLE_ONEDNN_OPTS': '0'}, 'TF_ENABLE_ONEDNN_OPTS=0'),
    (TILES, {'TF_ENABLE_ONEDNN_OPTS': 'False'}, 'TF_ENABLE_ONEDNN_OPTS=False')])
def test_processors_and_settings_that_cannot(cpuinfo, environment, word):
    assert word in bfloat16_missing(cpuinfo, environment)


def test_a_processor_of_which_nothing_is_known_cannot(monkeypatch):
    def unreadable(path):
        raise FileNotFoundError(path)
    monkeypatch.setattr('builtins.open', unreadable)
    assert 'not known' in bfloat16_missing(environment={})


def test_without_bfloat16_a_script_says_so_and_writes_nothing(tmp_path):
    result = subprocess.run([sys.executable, os.path.join(ROOT, 'conv_cgan.py'), '--mixed-precision'], cwd=tmp_path,
                            capture_output=True, text=True, env={**os.environ, 'ONEDNN_MAX_CPU_ISA': 'AVX2'})
    assert result.returncode == 2
    assert result.stderr.startswith('conv_cgan.py: ') and 'bfloat16' in result.stderr
    assert result.stderr.count('\n') == 1 and not result.stdout
    assert os.listdir(tmp_path) == []


with_bfloat16 = pytest.mark.skipif(bool(bfloat16_missing()), reason=str(bfloat16_missing()))


@pytest.fixture(scope='module')
def train(tmp_path_factory):
    """Trains DCGAN and returns all variables of the newest checkpoint, {name: array}."""
    data_dir = write_mnist(tmp_path_factory.mktemp('data'), images=64)

    def train(logdir, *arguments):
        load_script('dcgan').main(['--data-dir', data_dir, '--batch-size', '32', '--logdir', str(logdir), *arguments])
        checkpoints = logdir / 'dcgan' / 'checkpoints'
        reader = tf.train.load_checkpoint(str(checkpoints / sorted(os.listdir(checkpoints))[-1] / 'model.ckpt'))
        return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    return train


@pytest.fixture(scope='module')
def in_one_go(train, tmp_path_factory):
    return train(tmp_path_factory.mktemp('one_go'), '--epochs', '1', '--mixed-precision')


@with_bfloat16
def test_an_interrupted_run_goes_on_in_bfloat16_to_the_same_bits(train, in_one_go, tmp_path):
    halfway = train(tmp_path, '--epochs', '1', '--mixed-precision', '--max-steps', '1')
    resumed = train(tmp_path, '--resume')
    assert resumed.keys() == in_one_go.keys()
    for name, value in in_one_go.items():
        assert value.dtype == np.float32
        np.testing.assert_array_equal(resumed[name], value, name)
    name = 'discriminator/conv2d_1/kernel'
    assert (halfway[name] != resumed[name]).any()


@with_bfloat16
def test_a_run_in_float32_differs_and_is_not_continued_in_bfloat16(train, in_one_go, tmp_path):
    alike = train(tmp_path, '--epochs', '1')
    name = 'discriminator/conv2d_1/kernel'
    assert (alike[name] != in_one_go[name]).any()
    with pytest.raises(UserError, match='mixed_precision is True instead of False'):
        train(tmp_path, '--resume', '--epochs', '2', '--mixed-precision')
