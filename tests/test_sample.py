"""sample.py and the models it loads: against the graphs that the training builds, and pixel by pixel."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageSequence

import cgan
import dcgan
import infogan
import sample
import vanilla_gan
from after_training import tiles
from common import checkpoints, random_stream, tf, training_parser
from common.errors import UserError
from common.settings import fingerprint, write_settings
from after_training.trained_model import load_trained_model

NOISE_SIZE, SEED, N = 5, 3, 300
EPOCHS = {'vanilla': (1, 2, 3), 'dcgan': (1,), 'cgan': (1, 2), 'infogan': (1,)}


class Reference:
    """A run with random weights in a logdir, and what the training's own graph makes of them."""

    def __init__(self, script, logdir):
        model = script.MODEL
        self.size = 32 if model in ('dcgan', 'infogan') else 28
        graph = script.build_graph(noise_size=NOISE_SIZE, generator_updates=1, seed=SEED)
        rng = np.random.default_rng(len(model))
        self.z = rng.uniform(-1, 1, size=(N, NOISE_SIZE))
        self.condition, feed = None, {graph.z: self.z}
        one_hot = np.eye(10)[rng.integers(10, size=N)]
        if model == 'cgan':
            feed[graph.y] = self.condition = one_hot
        if model == 'infogan':
            feed[graph.c] = self.condition = np.hstack((rng.normal(size=(N, 1)), one_hot))
            codes = script.discriminator(graph.X_real, 10, 1)[1:]

        directory = os.path.join(logdir, model, 'checkpoints')
        os.makedirs(directory)
        args = training_parser('', 5).parse_args(['--noise-size', str(NOISE_SIZE), '--seed', str(SEED)])
        write_settings(os.path.join(logdir, model), model, args, fingerprint(np.zeros((2, 1), np.float32)))
        # Adam's variables are left out where there are many: they take most of the time.
        variables = [var for var in tf.global_variables() if model == 'dcgan' or 'adam' not in var.op.name]
        saver = tf.train.Saver(variables, max_to_keep=None)
        with tf.Session() as sess:
            sess.run([var.initializer for var in variables])
            for epoch in EPOCHS[model]:
                for var in variables:  # far from the start, so that images differ; variances above 0
                    value = rng.normal(scale=0.08, size=var.shape)
                    var.load(0.2 + abs(value) if 'moving_variance' in var.op.name else value, sess)
                checkpoints.save(saver, sess, directory, 10 * epoch, epoch, 0)
            self.images = sess.run(getattr(graph, 'gen_samples', graph.g_sample), feed).reshape(N, self.size, self.size)
            if model == 'infogan':  # batches as `recognize` documents them: 300 images are two of 150
                batches = [sess.run(codes, {graph.X_real: self.images[i::2, ..., None]}) for i in (0, 1)]
                self.codes = [np.stack(parts, axis=1).reshape(N, -1) for parts in zip(*batches)]


@pytest.fixture(scope='module')
def logdir(tmp_path_factory):
    return str(tmp_path_factory.mktemp('logdir'))


@pytest.fixture(scope='module')
def references(logdir):
    return {script.MODEL: Reference(script, logdir) for script in (vanilla_gan, dcgan, cgan, infogan)}


@pytest.fixture
def draw(references, logdir, tmp_path, monkeypatch):
    """draw('cgan', '--label', '7', out='x.png') runs sample.py and returns what it wrote."""
    monkeypatch.chdir(tmp_path)

    def run(model, *options, **outputs):
        files = [word for name, path in outputs.items() for word in (f'--{name}', path)]
        sample.main([model, '--logdir', logdir, *options, *files])
        [(kind, path)] = outputs.items()
        if kind == 'npz':
            with np.load(path, allow_pickle=False) as content:
                return dict(content)
        return read_frames(path)
    return run


def read_frames(path):
    with Image.open(path) as image:
        return [np.array(frame.convert('L')) for frame in ImageSequence.Iterator(image)]


def untile(picture, size, rows, columns, scale=1):
    """The images of a picture, cut out one by one."""
    side = size * scale
    assert picture.shape == (rows * side, columns * side)
    cells = [picture[r * side:(r + 1) * side, c * side:(c + 1) * side] for r in range(rows) for c in range(columns)]
    for cell in cells:  # each pixel is a square of one grey
        assert (cell == np.kron(cell[::scale, ::scale], np.ones((scale, scale)))).all()
    return np.array([cell[::scale, ::scale] for cell in cells])


def grey(images):
    return np.rint((images + 1) * 127.5)


# The models

@pytest.mark.parametrize('model', EPOCHS)
def test_generates_what_the_training_draws(references, logdir, model):
    reference, trained = references[model], load_trained_model(model, logdir)
    assert (trained.model, trained.epoch, trained.settings['seed']) == (model, EPOCHS[model][-1], SEED)
    images = trained.generate(reference.z, reference.condition)
    assert images.dtype == np.float32 and reference.images.std() > 0.01
    np.testing.assert_allclose(images, reference.images, atol=1e-5)
    # An image does not depend on its neighbours, nor on a second model.
    other = load_trained_model('vanilla_gan', logdir, epoch=1)
    alone = trained.generate(reference.z[7:8], None if reference.condition is None else reference.condition[7:8])
    np.testing.assert_allclose(alone[0], reference.images[7], atol=1e-5)
    with pytest.raises(ValueError, match='of one length'):
        trained.generate(reference.z, np.zeros((N - 1, 10)))
    other.close()
    trained.close()


def test_many_images_go_in_batches(references, logdir):
    reference, trained = references['cgan'], load_trained_model('cgan', logdir)
    z, y = np.tile(reference.z, (4, 1)), np.tile(reference.condition, (4, 1))
    np.testing.assert_allclose(trained.generate(z, y), np.tile(reference.images, (4, 1, 1)), atol=1e-5)


def test_recognizes_codes_with_batch_statistics(references, logdir):
    reference, trained = references['infogan'], load_trained_model('infogan', logdir)
    for images in (reference.images, reference.images[..., None]):
        for found, expected in zip(trained.recognize(images), reference.codes):
            assert expected.std() > 1e-3
            np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    with pytest.raises(ValueError, match='at least 128'):
        trained.recognize(reference.images[:127])
    with pytest.raises(ValueError, match='no codes'):
        load_trained_model('dcgan', logdir).recognize(reference.images)


@pytest.fixture
def copy(references, logdir, tmp_path):
    """A copy of the vanilla run, to be damaged: its logdir and its checkpoints."""
    shutil.copytree(os.path.join(logdir, 'vanilla'), tmp_path / 'vanilla')
    return str(tmp_path), tmp_path / 'vanilla' / 'checkpoints'


def damage(checkpoint):
    with open(checkpoint / 'model.ckpt.data-00000-of-00001', 'r+b') as file:
        file.write(b'damage')


def test_a_damaged_newest_checkpoint_gives_way_to_the_one_before(copy, capsys):
    damage(copy[1] / 'epoch_0003')
    assert load_trained_model('vanilla', copy[0]).epoch == 2
    assert 'epoch_0003 is damaged (model.ckpt.data-00000-of-00001 is not as it was saved)' in capsys.readouterr().err
    with pytest.raises(UserError, match='epoch_0003 is damaged .*choose another of the epochs 1, 2, 3'):
        load_trained_model('vanilla', copy[0], epoch=3)
    damage(copy[1] / 'epoch_0002')
    with pytest.raises(UserError, match='has 1 usable: train with a smaller --keep-every'):
        sample.main(['vanilla', '--logdir', copy[0], '--animate'])
    assert 'epoch 2 is left out' in capsys.readouterr().err
    damage(copy[1] / 'epoch_0001')
    with pytest.raises(UserError, match='no usable checkpoint in .*3 damaged'):
        load_trained_model('vanilla', copy[0])


def test_a_checkpoint_within_an_epoch_is_the_newest(copy):
    os.rename(copy[1] / 'epoch_0002', copy[1] / 'epoch_0003-step_000007')
    trained = load_trained_model('vanilla', copy[0])
    assert (trained.epoch, trained.checkpoint.step_in_epoch) == (3, 7)


def test_weights_of_another_network_are_refused(copy):
    settings = copy[1].parent / 'settings.json'
    settings.write_text(settings.read_text().replace(f'"noise_size": {NOISE_SIZE}', '"noise_size": 6'))
    with pytest.raises(UserError, match='does not hold the weights of this network'):
        load_trained_model('vanilla', copy[0], epoch=1)
    settings.write_text(settings.read_text().replace('"noise_size"', '"noisesize"'))
    with pytest.raises(UserError, match='does not give the noise_size'):
        load_trained_model('vanilla', copy[0])


def test_what_is_not_there_is_told_with_what_is(copy):
    with pytest.raises(UserError, match=r'no run of dcgan in .* \(found: vanilla\): train one with python dcgan.py'):
        sample.main(['dcgan', '--logdir', copy[0]])
    with pytest.raises(UserError, match='none of any model'):
        load_trained_model('cgan', copy[0] + '/nowhere')
    with pytest.raises(UserError, match='no checkpoint of epoch 9 .*kept are epochs 1, 2, 3'):
        sample.main(['vanilla', '--logdir', copy[0], '--checkpoint', '9'])
    os.rename(copy[1].parent, os.path.join(copy[0], 'dcgan'))
    with pytest.raises(UserError, match='holds a run of vanilla, not of dcgan'):
        load_trained_model('dcgan', copy[0])
    with pytest.raises(UserError, match="no model 'gan': choose from vanilla, dcgan, cgan, infogan"):
        load_trained_model('gan', copy[0])


def test_a_run_without_checkpoint(copy):
    shutil.rmtree(copy[1])
    with pytest.raises(UserError, match='no usable checkpoint in'):
        load_trained_model('vanilla', copy[0])


# The pictures

def test_tiles_are_exact():
    images = np.random.default_rng(0).uniform(-1, 1, size=(6, 3, 4))
    np.testing.assert_array_equal(tiles.tile(images, 2, 3)[3:, 4:8], grey(images[4]))
    assert tiles.to_uint8(np.array([-1, 0, 1, 1.5])).tolist() == [0, 128, 255, 255]
    with pytest.raises(UserError, match='6000 x 30000 pixels'):
        tiles.tile(np.zeros((2, 150, 60)), 2, 1, scale=100)


def test_the_default_grid_is_the_trainings_own(draw, references, logdir):
    z = random_stream(SEED, 'sample').uniform(-1, 1, size=(40, NOISE_SIZE))
    expected = load_trained_model('cgan', logdir).generate(z, np.eye(10)[np.arange(40) % 10])
    [picture] = draw('cgan', out='grid.png')
    np.testing.assert_array_equal(untile(picture, 28, 4, 10, scale=2), grey(expected))
    with Image.open('grid.png') as image:  # nobody need wonder how it was made
        assert image.info['Software'].endswith('--out grid.png')
        assert image.info['Comment'] == f'cgan, epoch_0002, seed {SEED}'
    [other] = draw('cgan', '--seed', '4', out='grid.png')
    assert (other != picture).any()


def test_any_size_any_epoch(draw, logdir, capsys):
    sample.main(['vanilla', '--logdir', logdir, '--rows', '2', '--columns', '13', '--scale', '1',
                 '--checkpoint', '2'])
    path = os.path.join(logdir, 'vanilla', 'samples', 'grid-epoch_0002.png')
    assert f'wrote {path}\n' in capsys.readouterr().out
    [picture] = read_frames(path)
    z = random_stream(SEED, 'sample').uniform(-1, 1, size=(26, NOISE_SIZE))
    np.testing.assert_array_equal(untile(picture, 28, 2, 13),
                                  grey(load_trained_model('vanilla', logdir, 2).generate(z)))


@pytest.mark.parametrize('options, labels', [
    (['--rows', '2', '--columns', '12'], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1] * 2),
    (['--label', '0', '--rows', '1', '--columns', '3'], [0, 0, 0]),
    (['--digits', '0314'], [0, 3, 1, 4]),
    (['--interpolate', '2', '--rows', '3'], [0, 0, 1, 1, 2, 2]),
    (['--interpolate', '2', '--rows', '3', '--label', '7'], [7] * 6),
])
def test_cgan_draws_what_it_is_asked_for(draw, logdir, options, labels):
    content = draw('cgan', *options, npz='arrays')  # the name is used as it is
    assert content['labels'].tolist() == labels
    expected = load_trained_model('cgan', logdir).generate(content['z'], np.eye(10)[labels])
    np.testing.assert_allclose(content['images'], expected, atol=1e-6)
    np.testing.assert_array_equal(content['images_uint8'], grey(content['images']))
    assert content['images'].dtype == content['z'].dtype == np.float32 and content['images_uint8'].dtype == np.uint8
    assert (content['model'], content['checkpoint'], content['seed']) == ('cgan', 'epoch_0002', SEED)


def test_interpolation_is_straight(draw):
    z = draw('vanilla', '--interpolate', '5', '--rows', '2', npz='z.npz')['z'].reshape(2, 5, NOISE_SIZE)
    ends = random_stream(SEED, 'sample').uniform(-1, 1, size=(2, 2, NOISE_SIZE)).astype(np.float32)
    np.testing.assert_array_equal(z[:, [0, -1]].swapaxes(0, 1), ends)
    np.testing.assert_allclose(np.diff(z, axis=1), np.repeat(z[:, -1:] - z[:, :1], 4, axis=1) / 4, atol=1e-6)


def test_a_traversal_changes_the_codes_only(draw, logdir, capsys):
    mapping = os.path.join(logdir, 'infogan', 'evaluation.json')
    cont = np.repeat([-3, -1, 1, 3], 10)

    def traversal():
        content = draw('infogan', npz='traversal.npz')
        assert (content['z'] == content['z'][0]).all()
        np.testing.assert_array_equal(content['codes'][:, 0], cont)
        assert (content['codes'][:, 1:].sum(axis=1) == 1).all()
        return content['codes'][:, 1:].argmax(axis=1).tolist(), capsys.readouterr()

    categories, printed = traversal()
    assert categories == list(range(10)) * 4 and 'not known' in printed.out
    try:
        with open(mapping, 'w') as file:
            json.dump({'category_to_digit': [1, 2, 0, 3, 4, 5, 6, 7, 8, 9]}, file)
        categories, printed = traversal()
        assert categories == [2, 0, 1, 3, 4, 5, 6, 7, 8, 9] * 4 and '0 = 2, 1 = 0, 2 = 1, 3 = 3' in printed.out
        with open(mapping, 'w') as file:
            json.dump({'category_to_digit': [0] * 10}, file)
        categories, printed = traversal()
        assert categories == list(range(10)) * 4 and 'not a permutation' in printed.err
    finally:
        os.remove(mapping)


def test_random_codes(draw):
    codes = draw('infogan', '--random-codes', '--rows', '20', npz='codes.npz')['codes']
    assert codes.shape == (200, 11)
    assert abs(codes[:, 0].mean()) < 0.3 and 0.8 < codes[:, 0].std() < 1.2  # N(0, 1), at four standard errors
    assert (codes[:, 1:].sum(axis=1) == 1).all() and (codes[:, 1:].sum(axis=0) > 0).all()


@pytest.mark.parametrize('name', ['epochs.gif', 'epochs.png'])
def test_an_animation_over_the_epochs(draw, logdir, capsys, name):
    frames = draw('vanilla', '--animate', out=name)
    z = random_stream(SEED, 'sample').uniform(-1, 1, size=(40, NOISE_SIZE))
    assert len(frames) == 3 and 'epoch 1, epoch 2, epoch 3' in capsys.readouterr().out
    for epoch, frame in enumerate(frames, 1):
        expected = load_trained_model('vanilla', logdir, epoch).generate(z)
        np.testing.assert_array_equal(untile(frame[-8 * 28:], 28, 4, 10, scale=2), grey(expected))
    captions = [frame[:-8 * 28] for frame in frames]
    assert captions[0].min() < 100 and (captions[0] != captions[1]).any()
    with Image.open(name) as image:
        assert image.n_frames == 3 and image.info['loop'] == 0
        assert b'sample.py' in open(name, 'rb').read()


def test_an_animated_traversal(draw, logdir):
    frames = draw('infogan', '--traversal', '--animate', '--rows', '2', '--scale', '1', out='codes.gif')
    z = random_stream(SEED, 'sample').uniform(-1, 1, size=(2, NOISE_SIZE)).repeat(10, axis=0)
    trained = load_trained_model('infogan', logdir)
    assert len(frames) == 24
    for frame, cont in ((0, -3), (6, 0), (12, 3), (23, -2.5)):
        codes = np.hstack((np.full((20, 1), cont), np.tile(np.eye(10), (2, 1))))
        np.testing.assert_array_equal(untile(frames[frame][-64:], 32, 2, 10), grey(trained.generate(z, codes)))


@pytest.mark.parametrize('model, loader', [('cgan', 'load_dataset'), ('dcgan', 'load_dataset_pad')])
def test_beside_real_tells_the_right_side(draw, monkeypatch, capsys, model, loader):
    shape = (28 * 28,) if model == 'cgan' else (32, 32, 1)
    data = np.linspace(-1, 1, 30, dtype=np.float32).reshape((30,) + (1,) * len(shape)) * np.ones(shape, np.float32)
    monkeypatch.setattr(sample, loader, lambda data_dir, dataset: data)
    answers = set()
    for seed in range(4):
        [picture] = draw(model, '--beside-real', '--seed', str(seed), '--rows', '2', '--columns', '7', '--scale', '1',
                         out='both.png')
        side = shape[0] if model == 'dcgan' else 28
        halves = {'left': picture[:, :7 * side], 'right': picture[:, -7 * side:]}
        real = [name for name, half in halves.items()
                if all(len(np.unique(image)) == 1 for image in untile(half, side, 2, 7))]
        assert len(real) == 1 and f'the {real[0]} half is real' in capsys.readouterr().out
        assert len({image[0, 0] for image in untile(halves[real[0]], side, 2, 7)}) == 14  # no real image twice
        answers.add(real[0])
    assert len(answers) == 2
    with pytest.raises(UserError, match='there are 30 real images, not 40'):
        draw(model, '--beside-real', out='both.png')


# Exports, refusals, and what a failure leaves

def test_a_saved_model_gives_the_same_in_a_process_that_knows_only_tensorflow(references, logdir, tmp_path):
    inputs = {'dcgan': {}, 'cgan': 'y', 'infogan': 'c'}
    for model, condition in inputs.items():
        reference = references[model]
        sample.main([model, '--logdir', logdir, '--export', str(tmp_path / 'models' / model)])
        arrays = {'z': reference.z, **({condition: reference.condition} if condition else {})}
        np.savez(tmp_path / f'{model}.npz', **arrays)
    assert sorted(os.listdir(tmp_path / 'models')) == sorted(inputs)  # nothing unfinished
    program = """
import sys, numpy as np, tensorflow as tf
for model in sys.argv[1:]:
    serve = tf.saved_model.load('models/' + model).signatures['serving_default']
    arrays = {name: tf.constant(array, tf.float32) for name, array in np.load(model + '.npz').items()}
    np.save(model + '.npy', serve(**arrays)['images'].numpy())
"""
    subprocess.run([sys.executable, '-c', program, *inputs], cwd=tmp_path, check=True, capture_output=True, text=True)
    for model in inputs:
        np.testing.assert_allclose(np.load(tmp_path / f'{model}.npy'), references[model].images, atol=1e-5)


@pytest.mark.parametrize('command, sentence', [
    ('gan', "argument MODEL: invalid choice: 'gan'"),
    ('vanilla --label 0', '--label is for cgan only, not for vanilla'),
    ('cgan --traversal', '--traversal is for infogan only'),
    ('cgan --digits 12a', 'must be 1 to 500 digits'),
    ('cgan --label 10', 'at most 9'),
    ('cgan --label 0 --digits 12', '--digits and --label cannot be combined: the digits are the labels'),
    ('vanilla --interpolate 5 --columns 4', 'each step is a column'),
    ('vanilla --animate --checkpoint 3', 'leave out --checkpoint'),
    ('vanilla --animate --npz a.npz', '--npz and --animate cannot be combined'),
    ('vanilla --dataset mnist_5k', 'for --beside-real only'),
    ('vanilla --out a.jpg', "--out must end in .png, not 'a.jpg'"),
    ('vanilla --rows 0', 'must be at least 1'),
    ('vanilla --export full', 'full is there already'),
])
def test_what_makes_no_sense_is_refused_in_one_sentence(tmp_path, monkeypatch, capsys, command, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'full').mkdir()
    (tmp_path / 'full' / 'file').touch()
    with pytest.raises(SystemExit) as exit:
        sample.main(command.split())
    printed = capsys.readouterr()
    assert exit.value.code == 2 and sentence in printed.err and printed.err.count('\n') == 1 and not printed.out


def test_a_failed_write_leaves_what_was_there(draw, logdir, tmp_path, monkeypatch):
    (tmp_path / 'old.png').write_bytes(b'old')
    (tmp_path / 'folder.png').mkdir()
    with pytest.raises(UserError, match='cannot write folder.png'):
        draw('vanilla', out='folder.png')

    def full(path, *_):
        with open(path, 'wb') as file:
            file.write(b'half')
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(sample, 'write_png', full)
    with pytest.raises(UserError, match='cannot write old.png .No space left on device'):
        draw('vanilla', out='old.png')
    monkeypatch.setattr('after_training.trained_model._Network.export', lambda network, path, name: full(path))
    with pytest.raises(UserError, match='cannot write model .No space left on device'):
        draw('vanilla', export='model')
    assert (tmp_path / 'old.png').read_bytes() == b'old'
    assert sorted(os.listdir(tmp_path)) == ['folder.png', 'old.png']
