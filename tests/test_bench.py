"""bench.py: its counts, that its variants train the same networks the same way, and that it runs and ends."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import bench
import common
from common import convolutions, tf
from common.errors import UserError

MODELS = list(bench.MODELS)
BATCH_SIZE = 8

# Weights of the dense networks, and multiply-adds an image of one pass through the convolutional ones.
VANILLA_G = 100 * 256 + 256 * 512 + 512 * 1024 + 1024 * 784
VANILLA_D = 784 * 1024 + 1024 * 512 + 512 * 256 + 256
CONV = 16 * 16 * 25 * 64, 8 * 8 * 25 * 64 * 128, 4 * 4 * 25 * 128 * 256
DCGAN_G = 100 * 4096 + sum(CONV)
DCGAN_D = sum(CONV) + 4096
INFOGAN_HEAD = 4096 * 1024 + 1024 * 128 + 128


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp('mnist')
    bench.write_random_mnist(folder, 70)
    return str(folder)


@pytest.fixture(scope='module')
def counts():
    return {model: bench.count_multiply_adds(model) for model in MODELS}


def test_counts_are_those_made_by_hand(counts):
    vanilla, dcgan, infogan = (counts[model] for model in ('vanilla', 'dcgan', 'infogan'))

    # D update: generate, then forward and two gradients on real and on fake; G updates: the same for G, without the
    # gradients by D's weights.
    assert vanilla['full'] == VANILLA_G + 6 * VANILLA_D + 2 * (3 * VANILLA_G + 2 * VANILLA_D)
    assert dcgan['full'] == DCGAN_G + 6 * DCGAN_D + 2 * (3 * DCGAN_G + 2 * DCGAN_D)
    assert round(vanilla['full'] / 1e6) == 25 and round(dcgan['full'] / 1e6) == 456
    assert vanilla['needed'] == vanilla['full'] - VANILLA_G - 2 * 784 * 1024 - 2 * 100 * 256
    assert dcgan['needed'] == dcgan['full'] - DCGAN_G - 2 * CONV[0] - 2 * 100 * 4096

    real = sum(CONV) + INFOGAN_HEAD
    g, fake = DCGAN_G + 11 * 4096, real + 128 * 11  # the codes' heads do not look at real images
    assert infogan['full'] == g + 3 * real + 3 * fake + 2 * (3 * g + 2 * fake)


def test_counted_operations_are_those_that_run(data_dir):
    step = bench.setup_ours('vanilla', BATCH_SIZE, data_dir)
    step()
    trace = tf.RunMetadata()
    step(options=tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE), run_metadata=trace)
    labels = [node.timeline_label for device in trace.step_stats.dev_stats for node in device.node_stats]
    # 4 + 4 layers: D forward 4 times and G twice, 14 gradients in the D update, 11 in each G update.
    assert sum('MatMul(' in label for label in labels) == 4 * 4 + 2 * 4 + 14 + 2 * 11


def session():
    # Optimizing a graph takes longer than the two steps of it here.
    config = tf.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    return tf.Session(config=config)


@pytest.mark.parametrize('model', MODELS)
def test_listing_and_script_train_alike(model, counts):
    needed = counts[model]['needed']
    rng = np.random.default_rng(0)
    batches = [(rng.uniform(-1, 1, (BATCH_SIZE,) + bench.MODELS[model].image_shape),
                rng.uniform(-1, 1, (BATCH_SIZE, bench.NOISE_SIZE)),
                np.eye(10)[rng.integers(10, size=BATCH_SIZE)]) for _ in range(2)]
    if model == 'infogan':
        batches = [(x, z, np.c_[rng.normal(size=BATCH_SIZE), y]) for x, z, y in batches]

    gan = bench.listing_graph(model)
    computed = sum(sum(bench.layer_costs(fetches).values()) for fetches in gan.runs)
    # Batch normalization makes the listing's generator updates run the discriminator on real images, but for its end.
    assert computed > needed and (model != 'dcgan' or computed == needed + DCGAN_G + 2 * sum(CONV))
    with session() as sess:
        sess.run(tf.global_variables_initializer())
        weights = {var.op.name: sess.run(var) for var in tf.trainable_variables()}
        listing = [bench.listing_step(sess, gan, *batch) for batch in batches]

    with convolutions.direct():
        gan = bench.importlib.import_module(bench.MODELS[model].script).build_graph()
    fetches = [*gan.updates, gan.d_loss, gan.g_loss]
    assert sum(bench.layer_costs(fetches).values()) == needed
    inputs = [gan.X_real, gan.z] + [getattr(gan, name) for name in ('y', 'c') if hasattr(gan, name)]
    with session() as sess:
        sess.run(tf.global_variables_initializer())
        assert weights.keys() == {var.op.name for var in tf.trainable_variables()}
        for var in tf.trainable_variables():
            value = weights[var.op.name]
            var.load(value if value.shape == var.shape else value.T, sess)
        ours = [sess.run(fetches, dict(zip(inputs, batch)))[-2:] for batch in batches]

    np.testing.assert_allclose(ours, listing, rtol=1e-4)
    assert not np.allclose(listing[0], listing[1], rtol=1e-4)


def test_minimal_filtering_multiplies_less():
    """Of the direct 25 multiplications an output 9 are left, and what the transformations cost, less in large batches."""
    for model in ('dcgan', 'infogan'):
        needed = bench.count_multiply_adds(model)['needed']
        small, large = (bench.count_computed(model, batch_size)['ours'] for batch_size in (16, 128))
        assert 9 / 25 * needed < large < small and large < 0.65 * needed


def test_listing_loads_the_same_data(data_dir):
    flat, one_hot = common.load_dataset_label(data_dir)
    images, labels = bench.listing_data('cgan', data_dir)
    assert images.dtype == labels.dtype == np.float64
    np.testing.assert_allclose(images, flat, atol=1e-6)
    np.testing.assert_array_equal(labels, one_hot)
    np.testing.assert_allclose(bench.listing_data('dcgan', data_dir)[0], common.load_dataset_pad(data_dir), atol=1e-6)


@pytest.mark.parametrize('model', MODELS)
def test_torch_networks_are_as_large(model, data_dir):
    pytest.importorskip('torch')
    X_real, z, code = bench.placeholders(model, tf)
    generator, discriminator = bench.networks(model, bench.importlib.import_module(bench.MODELS[model].script), z, code)
    discriminator(generator())
    for network, scope in zip(bench.torch_networks(model), ('generator', 'discriminator')):
        assert (sum(parameter.numel() for parameter in network.parameters())
                == sum(np.prod(var.shape.as_list()) for var in tf.trainable_variables(scope)))
    assert np.all(np.isfinite(bench.setup_torch(model, BATCH_SIZE, data_dir)()))


def test_comparison_runs(tmp_path):
    file = tmp_path / 'bench.json'
    result = subprocess.run([sys.executable, os.path.join(bench.ROOT, 'bench.py'), '--models', 'vanilla', '--steps', '1',
                             '--rounds', '1', '--startups', '0', '--batch-size', '16', '--images', '100',
                             '--json', str(file)], capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    report = json.loads(file.read_text())
    assert report['machine']['cores'] >= 1 and report['settings']['batch_size'] == 16
    vanilla = report['models']['vanilla']
    assert set(vanilla['seconds_a_step']) >= {'ours', 'listing', 'limit_full', 'limit_needed'}
    assert 0 < vanilla['share_of_limit']['needed']['median'] < vanilla['share_of_limit']['full']['median']
    assert vanilla['times_as_fast_as']['listing']['median'] == pytest.approx(
        vanilla['seconds_a_step']['listing'] / vanilla['seconds_a_step']['ours'])
    assert vanilla['images_a_second'] == pytest.approx(16 / vanilla['seconds_a_step']['ours'])
    if os.path.exists('/proc/self/status'):
        assert all(50 < memory < 5000 for memory in vanilla['peak_memory_mb'].values())
    assert '| times as fast as the listing' in result.stdout and 'PyTorch' not in result.stdout


@pytest.mark.parametrize('arguments, mistake', [
    (['--models', 'stylegan'], "invalid choice: 'stylegan'"),
    (['--images', '50', '--batch-size', '51'], 'larger than the data set')])
def test_mistakes_are_told_in_one_sentence(arguments, mistake, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['bench.py', *arguments])
    with pytest.raises(SystemExit) as exit_:
        common.run_script(bench.main)
    assert exit_.value.code == 2
    message = capsys.readouterr().err
    assert mistake in message and message.count('\n') == 1


def test_what_fails_is_told_in_one_sentence():
    with pytest.raises(UserError, match="matmul_numpy stopped: TypeError: .*'n'"):
        with bench.all_closed([bench.Worker('setup_matmul_numpy', 1, n=1)]):
            pass
    command = [sys.executable, '-c', 'import sys; print("first"); sys.exit("no such place")']
    with pytest.raises(UserError, match='^-c stopped: no such place$'):
        bench.seconds_to_line('second', command)
    assert 0 < bench.seconds_to_line('first', command) < 60


def test_workers_end_with_their_parent():
    code = ('import bench, time; worker = bench.Worker("setup_matmul_numpy", 1); worker.start(1); worker.wait()\n'
            'print(worker._process.pid, flush=True); time.sleep(60)')
    parent = subprocess.Popen([sys.executable, '-c', code], cwd=bench.ROOT, stdout=subprocess.PIPE, text=True)
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
