"""sample.py and the models it loads: against the graphs that the training builds, and pixel by pixel."""

import functools
import json
import os
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageSequence

import cgan
import conv_cgan
import infogan
import sample
import vanilla_gan
from common.arguments import run_script
from common.checkpoints import list_checkpoints
from common.random_streams import random_stream
from fake_runs import FakeRun
from sampling import pictures, pretrained, trained_model
from sampling.trained_model import load_trained_model

NOISE_SIZE, SEED = 5, 3
EPOCHS = {'vanilla': 3, 'cgan': 1, 'infogan': 1, 'conv_cgan': 1}
CLASSES = ['A', 'B', 'cat', '../x', *'EFGHIJKLM']  # of cgan; conv_cgan has digits
CATEGORIES = [2, 0, 1, *range(3, 12)]  # in the order of the classes, as evaluate.py has found them


@pytest.fixture(scope='module')
def logdir(tmp_path_factory):
    return str(tmp_path_factory.mktemp('logdir'))


@pytest.fixture(scope='module')
def runs(logdir):
    """{model: FakeRun}, in `logdir`; infogan has two continuous codes, and has been evaluated."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(infogan, 'n_cont', 2)
        runs = {}
        for script in (vanilla_gan, cgan, infogan, conv_cgan):
            options = ['--noise-size', str(NOISE_SIZE), '--seed', str(SEED)]
            options += ['--categories', '12', '--start-from', '/home/somebody'] if script is infogan else []
            runs[script.MODEL] = FakeRun(script, logdir, options, CLASSES if script is cgan else '0123456789',
                                         range(1, EPOCHS[script.MODEL] + 1), whole=script is cgan)
        with open(os.path.join(runs['infogan'].run_dir, 'checkpoints', 'epoch_0001', 'evaluation.json'), 'w') as file:
            json.dump({'checkpoint': '/home/somebody', 'training': {'data_dir': '/home/somebody'}, 'epoch': 1,
                       'category_to_class': [1, 2, 0, *range(3, 12)], 'class_names': list('abcdefghijkl')}, file)
        yield runs


@pytest.fixture(scope='module')
def load_once():
    """In the place of `load_trained_model`: a model is loaded the first time only."""
    load = functools.cache(load_trained_model)
    return lambda model, logdir, epoch=None: load(model, logdir, epoch)


@pytest.fixture
def draw(runs, logdir, load_once, tmp_path, monkeypatch):
    """draw('cgan --label 7', out='x.png') runs sample.py in a new folder and returns what it wrote."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trained_model, 'load_trained_model', load_once)

    def run(command, logdir=logdir, **output):
        [(kind, path)] = output.items()
        sample.main([*command.split(), '--logdir', logdir, f'--{kind}', path])
        if kind == 'npz':
            with np.load(path, allow_pickle=False) as content:
                return dict(content)
        return read_frames(path) if kind == 'out' else sorted(os.listdir(path))
    return run


@pytest.fixture
def refused(runs, logdir, capsys, tmp_path, monkeypatch):
    """refused('--rows', 'cgan --rows 0'): exit status 2, and all that stderr has is a line that names --rows."""
    monkeypatch.chdir(tmp_path)

    def check(name, command, logdir=logdir):
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit:
            run_script(lambda: sample.main([*command.split(), '--logdir', logdir]))
        lines = capsys.readouterr().err.splitlines()
        assert exit.value.code == 2 and len(lines) == 1 and name in lines[0], lines
    return check


def read_frames(path):
    with Image.open(path) as image:
        return [np.array(frame.convert('L')) for frame in ImageSequence.Iterator(image)]


def untile(picture, size, rows, columns, scale=1):
    """The images of a picture, cut out one by one."""
    assert picture.shape == (rows * size * scale, columns * size * scale)
    pixels = picture[::scale, ::scale]
    assert (picture == np.kron(pixels, np.ones((scale, scale)))).all()  # each pixel is a square of one grey
    return pixels.reshape(rows, size, columns, size).swapaxes(1, 2).reshape(-1, size, size)


def assert_same(images, expected, tolerance=1e-3):
    """But for rounding, which is far below what another weight would change."""
    assert images.shape == expected.shape and expected.std() > 0.05
    np.testing.assert_allclose(images, expected, atol=tolerance)


def assert_shows(greys, images):
    assert_same(greys / 127.5 - 1, images, tolerance=1 / 127.5)


def first_noise(*shape):
    return random_stream(SEED, 'sample').uniform(-1, 1, size=(*shape, NOISE_SIZE)).astype(np.float32)


# The models

@pytest.mark.parametrize('model', EPOCHS)
def test_generates_what_the_training_draws(runs, logdir, load_once, model):
    run, trained = runs[model], load_once(model, logdir)
    assert (trained.model, trained.epoch, trained.args.seed) == (model, EPOCHS[model], SEED)
    load_once('vanilla', logdir, 2)
    inputs = [run.z] if run.condition is None else [run.z, run.condition]
    # An image depends neither on its neighbours, nor on a second model, nor on how many there are.
    assert_same(trained.generate(*(values[7:8] for values in inputs))[0], run.images[7])
    images = trained.generate(*(np.tile(values, (2, 1)) for values in inputs))
    assert_same(images, np.tile(run.images, (2, 1, 1)))
    assert images.dtype == np.float32


def test_recognizes_codes_with_batch_statistics(runs, logdir, load_once):
    run, trained = runs['infogan'], load_once('infogan', logdir)
    for found, expected in zip(trained.recognize(run.images), run.codes):
        assert found.shape == expected.shape and abs(found - expected).max() < 0.01 * expected.std()


@pytest.fixture
def copy(runs, logdir, tmp_path):
    """A copy of the vanilla run, to be damaged: its logdir, and its checkpoints."""
    shutil.copytree(os.path.join(logdir, 'vanilla'), tmp_path / 'logs' / 'vanilla')
    return str(tmp_path / 'logs'), tmp_path / 'logs' / 'vanilla' / 'checkpoints'


def damage(checkpoint):
    with open(checkpoint / 'model.ckpt.data-00000-of-00001', 'r+b') as file:
        file.seek(-100, os.SEEK_END)  # in the generator
        file.write(b'damage')


def test_a_damaged_checkpoint_gives_way_to_the_one_before(copy, capsys, refused):
    os.rename(copy[1] / 'epoch_0002', copy[1] / 'epoch_0002-step_000007')
    damage(copy[1] / 'epoch_0003')
    assert load_trained_model('vanilla', copy[0]).name == 'epoch_0002-step_000007'
    assert 'epoch_0003' in capsys.readouterr().err
    refused('epoch_0003', 'vanilla --checkpoint 3', copy[0])
    shutil.rmtree(copy[1])
    refused('vanilla', 'vanilla', copy[0])


def test_checkpoints_that_a_training_prunes_meanwhile(copy, monkeypatch):
    def then_prune(directory):
        found = list_checkpoints(directory)
        if len(found) == 3:
            os.rename(copy[1] / 'epoch_0003', copy[1] / 'epoch_0004')
            shutil.rmtree(copy[1] / 'epoch_0001')
            shutil.rmtree(copy[1] / 'epoch_0002')
        return found
    monkeypatch.setattr(trained_model.checkpoints, 'list_checkpoints', then_prune)
    assert load_trained_model('vanilla', copy[0]).epoch == 4


def test_what_is_not_there_or_of_another_network(copy, refused):
    refused('dcgan', 'dcgan', copy[0])
    refused('epoch_0003', 'vanilla --checkpoint 9', copy[0])
    settings = copy[1].parent / 'settings.json'
    settings.write_text(settings.read_text().replace(f'"noise_size": {NOISE_SIZE}', '"noise_size": 6'))
    refused('epoch_0003', 'vanilla', copy[0])


# The pictures

@pytest.mark.parametrize('script', [vanilla_gan, conv_cgan], ids=lambda script: script.MODEL)
def test_the_default_grid_has_the_noise_of_the_trainings_own(draw, load_once, logdir, script):
    trained = load_once(script.MODEL, logdir)
    condition = script.sample_condition(40, 10) if trained.n_classes else None
    [picture] = draw(script.MODEL, out='grid.png')
    assert_shows(untile(picture, trained.image_size, 4, 10, scale=2), trained.generate(first_noise(40), condition))
    with Image.open('grid.png') as image:  # nobody need wonder how it was made
        assert image.info['Software'].endswith('--out grid.png')
        assert image.info['Comment'] == f'{script.MODEL}, {trained.name}, seed {SEED}'
    [other] = draw(f'{script.MODEL} --seed 4', out='grid.png')
    assert (other != picture).any()


def test_any_size_any_epoch(draw, load_once, logdir, refused):
    options = f'--rows 2 --columns 13 --scale 1 --checkpoint epoch_0002 --seed {SEED}'
    sample.main(['vanilla', '--logdir', logdir, *options.split()])
    [picture] = read_frames(os.path.join(logdir, 'vanilla', 'samples', f'grid-seed-{SEED}-epoch_0002.png'))
    images = load_once('vanilla', logdir, 2).generate(first_noise(26))
    assert_shows(untile(picture, 28, 2, 13), images)
    refused('--scale', 'vanilla --rows 100 --scale 32')
    [short] = draw('vanilla --count 23 --columns 13 --scale 1 --checkpoint 2', out='short.png')
    assert_shows(untile(short, 28, 2, 13)[:23], images[:23])
    assert (short[28:, -3 * 28:] == 255).all()  # three images are missing in the last row
    assert pictures.to_uint8(np.array([-1, 0, 1, 1.5])).tolist() == [0, 128, 255, 255]


@pytest.mark.parametrize('options, labels', [
    ('--rows 2 --columns 12', [*range(13), *range(11)]), ('--digits BAH --columns 2', [1, 0, 7]),
    ('--label cat --count 2', [2, 2]), ('--label 0 --rows 1 --columns 3', [0, 0, 0]),
    ('--interpolate 2 --rows 3', [0, 0, 1, 1, 2, 2])])
def test_labels_are_the_requested_ones(draw, load_once, logdir, options, labels):
    content = draw(f'cgan {options}', npz='arrays')  # the name is used as it is
    assert content['labels'].tolist() == labels
    assert_same(content['images'], load_once('cgan', logdir).generate(content['z'], np.eye(13)[labels]))
    np.testing.assert_array_equal(content['images_uint8'], np.rint((content['images'] + 1) * 127.5))
    assert content['images'].dtype == content['z'].dtype == np.float32 and content['images_uint8'].dtype == np.uint8
    assert (content['model'], content['checkpoint'], content['seed']) == ('cgan', 'epoch_0001', SEED)
    assert content['class_names'].tolist() == CLASSES


def test_an_interpolation_is_straight_and_noise_may_be_from_a_file(draw, refused):
    z = draw('vanilla --interpolate 5 --rows 3', npz='z.npz')['z'].reshape(3, 5, NOISE_SIZE)
    np.testing.assert_allclose(z, np.linspace(*first_noise(2, 3), 5, axis=1), atol=1e-6)
    z = z[:, 0]
    np.save('z.npy', z)
    assert (draw('cgan --label 1 --z z.npy', npz='three.npz')['z'] == z).all()
    walk = draw('vanilla --interpolate 3 --z three.npz', npz='walk.npz')['z']
    np.testing.assert_allclose(walk, [z[0], (z[0] + z[1]) / 2, z[1], z[1], (z[1] + z[2]) / 2, z[2]], atol=1e-6)
    np.save('bad.npy', z[:, 1:])
    for file in 'bad.npy', 'none.npy':
        refused(file, f'vanilla --z {file}')


def test_a_traversal_changes_the_codes_only(draw, logdir):
    content = draw('infogan', npz='traversal.npz')
    assert (content['z'] == first_noise(1)).all()
    np.testing.assert_array_equal(content['codes'][:, :2], np.repeat([[-3, 0], [-1, 0], [1, 0], [3, 0]], 12, axis=0))
    np.testing.assert_array_equal(content['codes'][:, 2:], np.eye(12)[CATEGORIES * 4])
    evaluation = os.path.join(logdir, 'infogan', 'checkpoints', 'epoch_0001', 'evaluation.json')
    os.rename(evaluation, evaluation + '.away')
    codes = draw('infogan --rows 3', npz='codes.npz')['codes']
    os.rename(evaluation + '.away', evaluation)
    np.testing.assert_array_equal(codes[:, 2:], np.tile(np.eye(12), (3, 1)))


def test_random_codes_and_one_category(draw):
    for option, n_categories in ('', 12), ('--category 0', 1):
        codes = draw(f'infogan --count 200 {option}', npz='codes.npz')['codes']
        assert abs(codes[:, :2].mean()) < 0.3 and 0.8 < codes[:, :2].std() < 1.2  # N(0, 1), at four standard errors
        assert (codes[:, 2:].sum(axis=1) == 1).all() and (codes[:, 2:].sum(axis=0) > 0).sum() == n_categories
    assert codes[:, 2].all()


def test_animations(draw, load_once, logdir):
    frames = draw('infogan --traversal --animate --rows 2 --scale 1', out='codes.gif')
    trained, z = load_once('infogan', logdir), first_noise(2).repeat(12, axis=0)
    assert len(frames) == 24
    for frame, code in ((0, -3), (6, 0), (12, 3), (23, -2.5)):
        codes = np.hstack((np.full((24, 1), code), np.zeros((24, 1)), np.eye(12)[CATEGORIES * 2]))
        assert_shows(untile(frames[frame][-64:], 32, 2, 12), trained.generate(z, codes))
    assert frames[0][:-64].min() < 100 and (frames[0][:-64] != frames[1][:-64]).any()  # the captions
    frames = draw('vanilla --interpolate 5 --animate --rows 1 --scale 1', out='noise.gif')
    start, end = first_noise(2, 10)
    assert len(frames) == 8
    for frame, z in ((0, start), (4, end), (6, (start + end) / 2)):
        assert_shows(untile(frames[frame][-28:], 28, 1, 10), load_once('vanilla', logdir).generate(z))


def test_an_animation_over_the_epochs_is_made_of_the_trainings_pictures(draw, copy, refused):
    samples = os.path.join(copy[0], 'vanilla', 'samples')
    os.makedirs(samples, exist_ok=True)
    for epoch, grey in ((2, 50), (9, 100), (10, 200)):
        if epoch < 10:  # one picture does not move
            refused('vanilla', 'vanilla --animate', copy[0])
        Image.new('L', (200, 80), grey).save(os.path.join(samples, f'epoch_{epoch:04d}.png'))
    frames = draw('vanilla --animate', logdir=copy[0], out='epochs.gif')
    assert [np.unique(frame[-80:]).tolist() for frame in frames] == [[50], [100], [200]]
    with Image.open('epochs.gif') as image:
        assert image.info['loop'] == 0 and b'sample.py' in image.info['comment']


# Single images, exports, and what a failure leaves

def test_each_image_is_a_file_named_by_its_number_and_class(draw):
    same = draw('cgan --count 502', npz='same.npz')
    names = draw('cgan --count 502', files='new/digits')
    assert len(names) == 502 and sorted(os.listdir()) == ['new', 'same.npz']
    assert names[:5] == ['00000_A.png', '00001_B.png', '00002_cat.png', '00003_.._x.png', '00004_E.png']
    for i in (0, 501):
        np.testing.assert_array_equal(read_frames(f'new/digits/{names[i]}')[0], same['images_uint8'][i])
    assert draw('infogan --rows 1 --scale 3', files='codes')[1] == '00001_category0.png'
    assert read_frames('codes/00001_category0.png')[0].shape == (3 * 32, 3 * 32)


def test_a_failed_write_leaves_what_was_there(draw, refused, tmp_path, monkeypatch):
    (tmp_path / 'old.png').write_bytes(b'old')
    os.makedirs(tmp_path / 'folder.png' / 'full')
    os.symlink(os.devnull, tmp_path / 'device')
    for option, name in ('--out', 'folder.png'), ('--files', 'folder.png'), ('--npz', 'device'):
        refused(name, f'vanilla {option} {name}')

    def full(path, *_):
        with open(path, 'wb') as file:
            file.write(b'half')
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(pictures, 'write_png', full)
    for option, name in ('--out', 'old.png'), ('--files', 'digits'):
        refused(name, f'vanilla {option} {name}')
    assert (tmp_path / 'old.png').read_bytes() == b'old'
    assert sorted(os.listdir(tmp_path)) == ['device', 'folder.png', 'old.png']


@pytest.mark.parametrize('model, condition', [('cgan', 'y'), ('infogan', 'c')])
def test_a_saved_model_gives_the_same_images(runs, logdir, load_once, draw, model, condition):
    assert draw(model, export=f'models/{model}') == ['saved_model.pb', 'variables']
    assert os.listdir('models') == [model]  # nothing unfinished
    size = sum(path.stat().st_size for path in pathlib.Path('models', model).rglob('*'))
    weights = load_once(model, logdir).generator_weights().values()
    assert size < 1.05 * sum(array.nbytes for array in weights) + 100_000  # nothing of Adam or the discriminator
    # This process, in which models have been loaded, is still one of eager TensorFlow 2.
    serve = tf.saved_model.load(f'models/{model}').signatures['serving_default']
    inputs = {'z': runs[model].z, condition: runs[model].condition}
    images = serve(**{name: tf.constant(array, tf.float32) for name, array in inputs.items()})['images']
    assert_same(images.numpy(), runs[model].images)


# Pretrained generators

def test_a_pretrained_generator_needs_no_run(runs, logdir, draw, load_once, tmp_path, monkeypatch):
    pretrained.main(['infogan', '--logdir', logdir, '--out', 'infogan.npz'])
    monkeypatch.setattr(trained_model, 'PRETRAINED', str(tmp_path))
    run, trained = runs['infogan'], trained_model.load_pretrained('infogan')
    assert (trained.epoch, trained.name) == (1, 'pretrained')
    assert_same(trained.generate(run.z, run.condition), run.images, tolerance=0.05)  # half precision
    codes = draw('infogan --pretrained', npz='codes.npz', logdir=str(tmp_path / 'nowhere'))['codes']
    np.testing.assert_array_equal(codes[:, 2:], np.eye(12)[CATEGORIES * 4])
    with np.load('infogan.npz') as content:
        assert all(content[name].dtype == np.float16 and name.startswith('generator/')
                   for name in content.files if name != 'about')
        assert 'somebody' not in str(content['about'])


def test_a_missing_or_damaged_pretrained_generator(refused, tmp_path, monkeypatch):
    with np.load(os.path.join(trained_model.PRETRAINED, 'vanilla.npz')) as content:
        weights = dict(content)
    monkeypatch.setattr(trained_model, 'PRETRAINED', str(tmp_path))
    refused('vanilla', 'vanilla --pretrained')
    weights['generator/dense/kernel'] = weights['generator/dense/kernel'][:-1]  # of another network
    np.savez('vanilla.npz', **weights)
    refused('vanilla.npz', 'vanilla --pretrained')
    os.truncate('vanilla.npz', 100_000)
    refused('vanilla.npz', 'vanilla --pretrained')


# The command line

@pytest.mark.parametrize('command', [
    '[gan]', 'vanilla [--label] 0', 'cgan [--traversal]', 'vanilla [--rows] 0', 'vanilla --animate [--checkpoint] 3',
    'cgan --animate [--label] 3', 'vanilla [--animate] --export a', 'infogan --traversal [--animate] --files a',
    'vanilla --pretrained [--checkpoint] 3', 'vanilla [--out] a.jpg', 'vanilla --export a [--rows] 3',
    'vanilla --npz a [--scale] 2', 'infogan --traversal [--z] a', 'cgan --z a [--seed] 1',
    'vanilla --checkpoint [x]', 'cgan --label [13]', 'cgan --digits A[?]'])
def test_refuses_what_is_wrong_or_would_have_no_effect(draw, refused, tmp_path, command):
    refused(command[command.index('[') + 1:command.index(']')], command.replace('[', '').replace(']', ''))
    assert os.listdir(tmp_path) == []
