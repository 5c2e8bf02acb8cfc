"""The four scripts as users start them: what they say, and what they leave in the logdir."""

import os
import re
import subprocess
import sys

import pytest
from plain import SCRIPTS
from runs import ROOT, write_mnist

from common import tf
from common.checkpoints import kept_epochs
from common.curves import read_losses
from common.settings import read_settings

PARTS = {'generator_loss', 'discriminator_loss', 'discriminator_loss_real', 'discriminator_loss_fake'}


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
    return write_mnist(tmp_path_factory.mktemp('data'), images=100)


def run(script, *arguments, cwd):
    return subprocess.run([sys.executable, os.path.join(ROOT, script.__name__ + '.py'), *map(str, arguments)],
                          cwd=cwd, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize('model', sorted(SCRIPTS))
def test_a_script_trains_and_leaves_pictures_curves_and_model(model, data_dir, tmp_path):
    result = run(SCRIPTS[model], '--data-dir', data_dir, '--epochs', 2, '--batch-size', 30, '--seed', 3, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ''  # no deprecation, CUDA or oneDNN notes
    image = '(100, 32, 32, 1)' if model in ('dcgan', 'infogan') else '(100, 784)'
    lines = result.stdout.splitlines()
    assert lines[0] == f'Training dataset shape: {image}'
    assert re.fullmatch(r'Epoch 1/2 - discriminator loss: \d+\.\d{4}, generator Loss: \d+\.\d{4}', lines[1])
    assert re.fullmatch(r'Epoch 2/2 done - \d+ images/s, \S+ left', lines[3])

    folder = tmp_path / 'logdir' / model
    for name in ('samples/real_samples.png', 'samples/epoch_0001.png', 'samples/epoch_0002.png', 'losses.png'):
        assert (folder / name).read_bytes().startswith(b'\x89PNG'), name
    assert sorted(os.listdir(folder / 'checkpoints')) == ['epoch_0001', 'epoch_0002']
    for said in ('samples', 'losses.png', 'checkpoints/epoch_0002'):
        assert os.path.join('logdir', model, said) in ''.join(lines[-6:])
    assert 'tensorboard --logdir=' in lines[-1]
    settings = read_settings(folder)
    assert settings['model'] == model and settings['settings']['seed'] == 3 and settings['data']['images'] == 100

    losses = read_losses(folder)
    parts = PARTS | ({'categorical_loss', 'continuous_loss'} if model == 'infogan' else set())
    assert set(losses) == parts
    assert all(steps == [0] for steps, _ in losses.values())
    printed = [float(number) for number in re.findall(r'\d+\.\d{4}', lines[1])]
    assert [losses['discriminator_loss'][1][0], losses['generator_loss'][1][0]] == pytest.approx(printed, abs=1e-4)
    events = [event for path in folder.glob('events.*') for event in tf.train.summary_iterator(str(path))]
    pictures = [(event.step, value.image) for event in events for value in event.summary.value
                if value.HasField('image')]
    steps_per_epoch = 3 if model == 'cgan' else 4
    assert [step for step, _ in pictures] == [steps_per_epoch - 1, 2 * steps_per_epoch - 1]
    assert pictures[1][1].encoded_image_string == (folder / 'samples/epoch_0002.png').read_bytes()
    graph = tf.GraphDef.FromString(next(event.graph_def for event in events if event.graph_def))
    scopes = {node.name.split('/')[0] for node in graph.node}
    assert {'generator', 'discriminator', 'losses', 'optimizers'} <= scopes
    assert len(scopes) < 40  # boxes in TensorBoard's picture, not a cloud of operations


def test_help_names_the_defaults_of_the_chapter(capsys):
    with pytest.raises(SystemExit) as exit:
        SCRIPTS['infogan'].main(['--help'])
    assert exit.value.code == 0
    text = ' '.join(capsys.readouterr().out.split())
    for default in ('default: 50', 'default: 128', 'default: 100', 'default: 0.0002', 'default: 0.5',
                    'default: 2)', '--cont-loss', '--resume-from EPOCH', '--deterministic'):
        assert default in text, default


def test_other_epochs_and_rates_reach_the_graph(data_dir, tmp_path, capsys):
    """The learning rate of each network is its own: with a rate of (almost) nothing it stays as it was."""
    arguments = ['--data-dir', data_dir, '--epochs', '1', '--batch-size', '50', '--logdir', str(tmp_path)]
    SCRIPTS['vanilla'].main(arguments + ['--d-learning-rate', '1e-20', '--generator-updates', '1'])
    reader = tf.train.load_checkpoint(kept_epochs(tmp_path / 'vanilla' / 'checkpoints')[1].path + '/model.ckpt')
    assert not reader.get_tensor('discriminator/dense/bias').round(12).any()
    assert reader.get_tensor('generator/dense/bias').any()
    powers = [reader.get_tensor(name) for name in reader.get_variable_to_shape_map() if name.endswith('beta1_power')]
    assert powers == pytest.approx([0.5**3, 0.5**3])  # two steps, one update of each network
