"""sample.py and the models it loads: against the graphs that the training builds, and pixel by pixel."""

import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageSequence

import cgan
import conv_cgan
import dcgan
import infogan
import sample
import vanilla_gan
from after_training import drawing, pretrained, tiles
from after_training.inputs import category_order
from after_training.trained_model import load, load_trained_model
from common import random_stream, tf
from common.errors import UserError
from common.packed_images import PackedImages
from common.scripts import ROOT
from made_runs import MadeRun, N

NOISE_SIZE, SEED = 5, 3
OPTIONS = ['--noise-size', str(NOISE_SIZE), '--seed', str(SEED)]
EPOCHS = {'vanilla': (1, 2, 3), 'dcgan': (1,), 'cgan': (1, 2), 'infogan': (1,), 'conv_cgan': (1,)}


@pytest.fixture(scope='module')
def logdir(tmp_path_factory):
    return str(tmp_path_factory.mktemp('logdir'))


@pytest.fixture(scope='module')
def runs(logdir):
    """{model: MadeRun} of all models, in `logdir`."""
    return {script.MODEL: MadeRun(script, logdir, OPTIONS, epochs=EPOCHS[script.MODEL], whole=script is dcgan)
            for script in (vanilla_gan, dcgan, cgan, infogan, conv_cgan)}


@pytest.fixture(scope='module')
def other_logdir(tmp_path_factory):
    """Runs of other sizes: labels with names, and more codes than the chapter has."""
    folder = str(tmp_path_factory.mktemp('other_logdir'))
    MadeRun(cgan, folder, OPTIONS, class_names=['A', 'B', 'cat', '../x'] + list('EFGHIJKLM'))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(infogan, 'n_cont', 2)
        MadeRun(infogan, folder, OPTIONS + ['--categories', '12'])
    return folder


@pytest.fixture(scope='module')
def load_once():
    """In the place of `load`: a model is loaded the first time only."""
    loaded = {}

    def once(run, epoch):
        key = run.run_dir, epoch
        if key not in loaded:
            loaded[key] = load(run, epoch)
            loaded[key].close = lambda: None
        return loaded[key]
    return once


@pytest.fixture
def draw(runs, logdir, load_once, tmp_path, monkeypatch):
    """draw('cgan', '--label', '7', out='x.png') runs sample.py and returns what it wrote."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sample, 'load', load_once)

    def run(model, *options, logdir=logdir, **outputs):
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


def assert_same_greys(picture, images):
    """The greys are those of images in [-1, 1], but for rounding."""
    assert picture.shape == images.shape and images.std() > 0.05
    assert abs(picture - grey(images)).max() <= 1


def assert_same_images(images, expected):
    """But for rounding, which is far below what another weight would change."""
    assert images.shape == expected.shape and expected.std() > 0.05
    np.testing.assert_allclose(images, expected, atol=1e-3)


# The models

@pytest.mark.parametrize('model', EPOCHS)
def test_generates_what_the_training_draws(runs, logdir, model):
    run, trained = runs[model], load_trained_model(model, logdir)
    assert (trained.model, trained.epoch, trained.args.seed) == (model, EPOCHS[model][-1], SEED)
    images = trained.generate(run.z, run.condition)
    assert images.dtype == np.float32
    assert_same_images(images, run.images)
    # An image does not depend on its neighbours, nor on a second model.
    other = load_trained_model('vanilla_gan', logdir, epoch=1)
    alone = trained.generate(run.z[7:8], None if run.condition is None else run.condition[7:8])
    assert_same_images(alone[0], run.images[7])
    with pytest.raises(ValueError, match='of one length'):
        trained.generate(run.z, np.zeros((N - 1, 10)))
    other.close()
    trained.close()


def test_many_images_go_in_batches(runs, logdir):
    run, trained = runs['cgan'], load_trained_model('cgan', logdir)
    z, y = np.tile(run.z, (4, 1)), np.tile(run.condition, (4, 1))
    assert_same_images(trained.generate(z, y), np.tile(run.images, (4, 1, 1)))


def test_recognizes_codes_with_batch_statistics(runs, logdir):
    run, trained = runs['infogan'], load_trained_model('infogan', logdir)
    for images in (run.images, run.images[..., None]):
        for found, expected in zip(trained.recognize(images), run.codes):
            assert found.shape == expected.shape
            assert abs(found - expected).max() < 0.01 * expected.std()
    with pytest.raises(ValueError, match='at least 128'):
        trained.recognize(run.images[:127])
    with pytest.raises(ValueError, match='no codes'):
        load_trained_model('dcgan', logdir).recognize(run.images)


@pytest.fixture
def copy(runs, logdir, tmp_path):
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
    assert (trained.epoch, trained.checkpoint.step_in_epoch, trained.name) == (3, 7, 'epoch_0003-step_000007')


def edit_settings(run_dir, before, after):
    path = os.path.join(run_dir, 'settings.json')
    with open(path) as file:
        text = file.read()
    assert before in text
    with open(path, 'w') as file:
        file.write(text.replace(before, after))


def test_weights_of_another_network_are_refused(copy):
    edit_settings(copy[1].parent, f'"noise_size": {NOISE_SIZE}', '"noise_size": 6')
    with pytest.raises(UserError, match='does not hold the weights of this network: generator/dense/kernel is'):
        load_trained_model('vanilla', copy[0], epoch=1)


def test_a_setting_that_nobody_could_have_typed_is_refused(copy, capsys):
    edit_settings(copy[1].parent, f'"noise_size": {NOISE_SIZE}', '"noise_size": 0')
    with pytest.raises(SystemExit) as exit:
        sample.main(['vanilla', '--logdir', copy[0]])
    assert exit.value.code == 2 and '--noise-size: must be at least 1' in capsys.readouterr().err


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
    with pytest.raises(UserError, match="no model 'gan': choose from vanilla, dcgan, cgan, infogan, conv_cgan"):
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


@pytest.mark.parametrize('script', [cgan, conv_cgan], ids=['cgan', 'conv_cgan'])
def test_the_default_grid_is_the_trainings_own(draw, logdir, script):
    trained = load_trained_model(script.MODEL, logdir)
    z = random_stream(SEED, 'sample').uniform(-1, 1, size=(40, NOISE_SIZE))
    expected = trained.generate(z, script.sample_condition(trained.args, 40))
    [picture] = draw(script.MODEL, out='grid.png')
    assert_same_greys(untile(picture, trained.image_size, 4, 10, scale=2), expected)
    with Image.open('grid.png') as image:  # nobody need wonder how it was made
        assert image.info['Software'].endswith('--out grid.png')
        assert image.info['Comment'] == f'{script.MODEL}, {trained.name}, seed {SEED}'
    [other] = draw(script.MODEL, '--seed', '4', out='grid.png')
    assert (other != picture).any()


def test_any_size_any_epoch(draw, logdir, capsys):
    sample.main(['vanilla', '--logdir', logdir, '--rows', '2', '--columns', '13', '--scale', '1',
                 '--checkpoint', '2'])
    path = os.path.join(logdir, 'vanilla', 'samples', 'grid-epoch_0002.png')
    assert f'wrote {path}\n' in capsys.readouterr().out
    [picture] = read_frames(path)
    z = random_stream(SEED, 'sample').uniform(-1, 1, size=(26, NOISE_SIZE))
    assert_same_greys(untile(picture, 28, 2, 13), load_trained_model('vanilla', logdir, 2).generate(z))


@pytest.mark.parametrize('options, labels', [
    (['--rows', '2', '--columns', '12'], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3]),
    (['--label', '0', '--rows', '1', '--columns', '3'], [0, 0, 0]),
    (['--digits', '0314'], [0, 3, 1, 4]),
    (['--interpolate', '2', '--rows', '3'], [0, 0, 1, 1, 2, 2]),
    (['--interpolate', '2', '--rows', '3', '--label', '7'], [7] * 6),
    (['--count', '3'], [0, 1, 2]),
])
def test_labels_are_those_that_were_asked_for(draw, logdir, options, labels):
    content = draw('cgan', *options, npz='arrays')  # the name is used as it is
    assert content['labels'].tolist() == labels
    expected = load_trained_model('cgan', logdir).generate(content['z'], np.eye(10)[labels])
    assert_same_images(content['images'], expected)
    np.testing.assert_array_equal(content['images_uint8'], grey(content['images']))
    assert content['images'].dtype == content['z'].dtype == np.float32 and content['images_uint8'].dtype == np.uint8
    assert (content['model'], content['checkpoint'], content['seed']) == ('cgan', 'epoch_0002', SEED)
    assert content['class_names'].tolist() == list('0123456789')


@pytest.mark.parametrize('options, labels', [
    (['--label', 'cat', '--count', '2'], [2, 2]), (['--label', '2', '--count', '2'], [2, 2]),
    (['--digits', 'BA'], [1, 0]), (['--rows', '2'], list(range(13)) + list(range(7)))])
def test_classes_go_by_the_names_of_the_data(draw, other_logdir, options, labels):
    assert draw('cgan', *options, npz='arrays', logdir=other_logdir)['labels'].tolist() == labels


@pytest.mark.parametrize('options, sentence', [
    (['--label', '13'], "no class '13' among those of the training: choose from A, B, cat"),
    (['--digits', 'Ac'], "'c' is none: choose from A, B, cat")])
def test_a_class_that_is_not_there_is_refused_before_the_model_is_loaded(other_logdir, monkeypatch, options, sentence):
    monkeypatch.setattr(sample, 'load', None)
    with pytest.raises(UserError, match=sentence):
        sample.main(['cgan', '--logdir', other_logdir, *options])


def test_interpolation_is_straight(draw):
    z = draw('vanilla', '--interpolate', '5', '--rows', '2', npz='z.npz')['z'].reshape(2, 5, NOISE_SIZE)
    ends = random_stream(SEED, 'sample').uniform(-1, 1, size=(2, 2, NOISE_SIZE)).astype(np.float32)
    np.testing.assert_array_equal(z[:, [0, -1]].swapaxes(0, 1), ends)
    np.testing.assert_allclose(np.diff(z, axis=1), np.repeat(z[:, -1:] - z[:, :1], 4, axis=1) / 4, atol=1e-6)


def test_a_traversal_changes_the_codes_only(draw, logdir, capsys):
    mapping = os.path.join(logdir, 'infogan', 'evaluation.json')

    def traversal():
        content = draw('infogan', npz='traversal.npz')
        assert (content['z'] == content['z'][0]).all()
        np.testing.assert_array_equal(content['codes'][:, 0], np.repeat([-3, -1, 1, 3], 10))
        assert (content['codes'][:, 1:].sum(axis=1) == 1).all()
        return content['codes'][:, 1:].argmax(axis=1).tolist(), capsys.readouterr()

    categories, printed = traversal()
    assert categories == list(range(10)) * 4 and 'not known' in printed.out
    with open(mapping, 'w') as file:
        json.dump({'category_to_class': [1, 2, 0, 3, 4, 5, 6, 7, 8, 9], 'class_names': list('abcdefghij')}, file)
    try:
        categories, printed = traversal()
        assert categories == [2, 0, 1, 3, 4, 5, 6, 7, 8, 9] * 4 and 'a = 2, b = 0, c = 1, d = 3' in printed.out
    finally:
        os.remove(mapping)


@pytest.mark.parametrize('content', ['{', '[]', '{"category_to_class": [0, 1]}',
                                     '{"category_to_class": [0, 0, 0], "class_names": ["a"]}',
                                     '{"category_to_class": [0, 1], "class_names": ["a"]}'])
def test_an_evaluation_that_cannot_be_used_is_told(tmp_path, capsys, content):
    (tmp_path / 'evaluation.json').write_text(content)
    trained = SimpleNamespace(model='infogan', args=SimpleNamespace(n_classes=2), run_dir=str(tmp_path),
                              run=SimpleNamespace(evaluation=None))
    assert category_order(trained).tolist() == [0, 1]
    assert 'evaluation.json cannot be used' in capsys.readouterr().err


def test_random_codes(draw):
    codes = draw('infogan', '--random-codes', '--rows', '20', npz='codes.npz')['codes']
    assert codes.shape == (200, 11)
    assert abs(codes[:, 0].mean()) < 0.3 and 0.8 < codes[:, 0].std() < 1.2  # N(0, 1), at four standard errors
    assert (codes[:, 1:].sum(axis=1) == 1).all() and (codes[:, 1:].sum(axis=0) > 0).all()


def test_two_continuous_codes_and_twelve_categories(draw, other_logdir, monkeypatch):
    monkeypatch.setattr(infogan, 'n_cont', 2)
    codes = draw('infogan', '--rows', '3', npz='codes.npz', logdir=other_logdir)['codes']
    np.testing.assert_array_equal(codes[:, :2], np.repeat([[-3, 0], [0, 0], [3, 0]], 12, axis=0))
    np.testing.assert_array_equal(codes[:, 2:], np.tile(np.eye(12), (3, 1)))
    [picture] = draw('infogan', '--rows', '3', out='codes.png', logdir=other_logdir)
    assert picture.shape == (3 * 64, 12 * 64)
    codes = draw('infogan', '--count', '50', npz='codes.npz', logdir=other_logdir)['codes']
    assert codes.shape == (50, 14) and codes[:, 1].std() > 0.5
    assert len(draw('infogan', '--traversal', '--animate', '--rows', '1', out='a.gif', logdir=other_logdir)) == 24


@pytest.mark.parametrize('name', ['epochs.gif', 'epochs.png'])
def test_an_animation_over_the_epochs(draw, logdir, capsys, name):
    frames = draw('vanilla', '--animate', '--rows', '1', out=name)
    z = random_stream(SEED, 'sample').uniform(-1, 1, size=(10, NOISE_SIZE))
    assert len(frames) == 3 and 'epoch 1, epoch 2, epoch 3' in capsys.readouterr().out
    for epoch, frame in enumerate(frames, 1):
        expected = load_trained_model('vanilla', logdir, epoch).generate(z)
        assert_same_greys(untile(frame[-2 * 28:], 28, 1, 10, scale=2), expected)
    captions = [frame[:-2 * 28] for frame in frames]
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
        assert_same_greys(untile(frames[frame][-64:], 32, 2, 10), trained.generate(z, codes))


@pytest.mark.parametrize('model, shape', [('cgan', (28 * 28,)), ('dcgan', (32, 32, 1))])
def test_beside_real_tells_the_right_side(draw, monkeypatch, capsys, model, shape):
    greys = np.linspace(0, 255, 30).astype(np.uint8)[:, None, None] * np.ones((28, 28), np.uint8)
    loader = 'load_dataset' if model == 'cgan' else 'load_dataset_pad'
    monkeypatch.setattr(drawing, loader, lambda data_dir, dataset, invert, split: PackedImages(greys, shape))
    side, answers = 28 if model == 'cgan' else 32, set()
    for seed in range(4):
        [picture] = draw(model, '--beside-real', '--seed', str(seed), '--rows', '2', '--columns', '7', '--scale', '1',
                         out='both.png')
        halves = {'left': picture[:, :7 * side], 'right': picture[:, -7 * side:]}
        middles = {name: untile(half, side, 2, 7)[:, 2:26, 2:26] for name, half in halves.items()}
        real = [name for name, images in middles.items() if all(len(np.unique(image)) == 1 for image in images)]
        assert len(real) == 1 and f'the {real[0]} half is real' in capsys.readouterr().out
        assert len({image[0, 0] for image in middles[real[0]]}) == 14  # no real image twice
        answers.add(real[0])
    assert len(answers) == 2
    with pytest.raises(UserError, match='there are 30 real images, not 40'):
        draw(model, '--beside-real', out='both.png')


# Single images

def test_each_image_is_a_file_named_by_its_number_and_class(draw, tmp_path, other_logdir):
    sample.main(['cgan', '--logdir', other_logdir, '--count', '502', '--files', 'digits', '--npz', 'same.npz'])
    names = sorted(os.listdir('digits'))
    assert len(names) == 502 and sorted(os.listdir()) == ['digits', 'same.npz']
    assert names[:5] == ['00000_A.png', '00001_B.png', '00002_cat.png', '00003_.._x.png', '00004_E.png']
    with np.load('same.npz') as content:
        for i in (0, 501):
            [picture] = read_frames(os.path.join('digits', names[i]))
            np.testing.assert_array_equal(picture, content['images_uint8'][i])
    with Image.open(os.path.join('digits', names[1])) as image:
        assert image.info['Comment'] == f'cgan, epoch_0001, seed {SEED}'


@pytest.mark.parametrize('model, name', [('vanilla', '00001.png'), ('infogan', '00001_category1.png')])
def test_a_grid_as_single_files(runs, logdir, tmp_path, model, name):
    folder = tmp_path / 'new' / 'folder'
    sample.main([model, '--logdir', logdir, '--rows', '1', '--files', str(folder), '--scale', '3'])
    assert len(os.listdir(folder)) == 10
    [picture] = read_frames(folder / name)
    assert picture.shape == {'vanilla': (3 * 28, 3 * 28), 'infogan': (3 * 32, 3 * 32)}[model]


def test_a_folder_that_cannot_be_finished_leaves_nothing(draw, logdir, tmp_path, monkeypatch):
    written = []

    def full(path, picture, notes):
        if len(written) == 7:
            raise OSError(28, 'No space left on device')
        written.append(path)
        tiles.write_png(path, picture, notes)
    monkeypatch.setattr('after_training.writing.write_png', full)
    with pytest.raises(UserError, match='cannot write digits .No space left on device'):
        sample.main(['vanilla', '--logdir', logdir, '--files', 'digits'])
    assert len(written) == 7 and not os.listdir(tmp_path)


# Ready-made generators

@pytest.fixture(scope='module')
def ready_made(runs, logdir, tmp_path_factory):
    """A folder with the ready-made generators of infogan and cgan."""
    folder = tmp_path_factory.mktemp('pretrained')
    for model in ('infogan', 'cgan'):
        found = {'model': model, 'epoch': EPOCHS[model][-1], 'checkpoint': f'somewhere/epoch_{EPOCHS[model][-1]:04d}',
                 'training': {'data_dir': '/home/somebody'}, 'class_names': list('0123456789'),
                 'category_to_class': list(range(10))[::-1], 'measurements': [{'name': 'a score', 'value': 9}]}
        file = os.path.join(logdir, model, 'evaluation.json')
        with open(file, 'w') as to:
            json.dump(found, to)
        try:
            pretrained.main([model, '--logdir', logdir, '--out', str(folder / f'{model}.npz')])
        finally:
            os.remove(file)
    return folder


@pytest.fixture
def in_place(ready_made, tmp_path, monkeypatch):
    """A copy of `ready_made` where sample.py looks for it."""
    folder = tmp_path / 'pretrained'
    shutil.copytree(ready_made, folder)
    monkeypatch.setattr(pretrained, 'HERE', str(folder))
    return folder


def test_a_ready_made_generator_needs_no_run(runs, in_place, tmp_path, capsys):
    nowhere = str(tmp_path / 'logdir')
    sample.main(['infogan', '--pretrained', '--logdir', nowhere])
    printed = capsys.readouterr().out
    assert f'seed {SEED}, from {in_place / "infogan.npz"}' in printed and '9 = 0' in printed
    [picture] = read_frames(os.path.join(nowhere, 'infogan', 'samples', 'traversal-pretrained.png'))
    assert picture.shape == (4 * 64, 10 * 64)
    sample.main(['cgan', '--pretrained', '--label', '3', '--count', '9', '--npz', str(tmp_path / 'threes')])
    with np.load(tmp_path / 'threes') as content:
        assert (content['checkpoint'], content['labels'].tolist()) == ('pretrained', [3] * 9)


def test_half_precision_changes_no_grey_that_one_sees(runs, in_place, logdir):
    run = runs['cgan']
    trained = load(pretrained.find('cgan', logdir))
    assert trained.epoch == 2
    assert abs(trained.generate(run.z, run.condition) - run.images).max() < 0.05
    with np.load(in_place / 'cgan.npz') as content:
        assert all(content[name].dtype == np.float16 for name in content.files if name != 'about')
        assert all(name.startswith('generator/') for name in content.files if name != 'about')
        about = json.loads(str(content['about']))
    assert about['evaluation']['measurements'] == [{'name': 'a score', 'value': 9}]
    assert about['settings']['noise_size'] == NOISE_SIZE and '/home' not in str(about) and 'somewhere' not in str(about)


def change_arrays(path, **changes):
    with np.load(path) as content:
        arrays = dict(content)
    for name, change in changes.items():
        arrays[name] = change(arrays[name])
    with open(path, 'wb') as file:
        np.savez(file, **{name: array for name, array in arrays.items() if array is not None})


KERNEL = 'generator/dense/kernel'
DAMAGE = {
    'empty': lambda path: path.write_bytes(b''),
    'cut': lambda path: path.write_bytes(path.read_bytes()[:100_000]),
    'one bit': lambda path: path.write_bytes(b'%b%c%b' % (
        path.read_bytes()[:100_000], path.read_bytes()[100_000] ^ 4, path.read_bytes()[100_001:])),
    'no archive': lambda path: path.write_text('hello\n' * 100),
    'a folder': lambda path: (path.unlink(), path.mkdir()),
    'a weight is missing': lambda path: change_arrays(path, **{KERNEL: lambda _: None}),
    'another network': lambda path: change_arrays(path, **{KERNEL: lambda array: array[:-1]}),
    'a pickle': lambda path: change_arrays(path, **{KERNEL: lambda _: np.array([{}], object)}),
    'no settings': lambda path: change_arrays(path, about=lambda _: None),
    'settings cut': lambda path: change_arrays(path, about=lambda about: np.array(str(about)[:50])),
    'another model': lambda path: change_arrays(path, about=lambda about: np.array(
        str(about).replace('"model": "cgan"', '"model": "dcgan"'))),
    'nonsense': lambda path: change_arrays(path, about=lambda about: np.array('{"model": "cgan", "settings": 3}')),
}


@pytest.mark.parametrize('kind', DAMAGE)
def test_a_damaged_ready_made_generator_is_refused(in_place, tmp_path, kind):
    DAMAGE[kind](in_place / 'cgan.npz')
    with pytest.raises(UserError, match='is damaged') as error:
        sample.main(['cgan', '--pretrained', '--logdir', str(tmp_path / 'logdir')])
    assert '\n' not in str(error.value) and not (tmp_path / 'logdir').exists()


def test_a_ready_made_generator_that_is_not_there(in_place, logdir):
    with pytest.raises(UserError, match=r'no ready-made dcgan in .* \(found: cgan, infogan\)'):
        sample.main(['dcgan', '--pretrained', '--logdir', logdir])


def test_nothing_is_made_ready_that_was_not_measured(runs, logdir, tmp_path):
    file = os.path.join(logdir, 'vanilla', 'evaluation.json')
    command = ['vanilla', '--logdir', logdir, '--out', str(tmp_path / 'vanilla.npz')]
    with pytest.raises(UserError, match='run python evaluate.py vanilla --checkpoint 3 first'):
        pretrained.main(command)
    with open(file, 'w') as to:
        json.dump({'checkpoint': 'x/epoch_0002', 'epoch': 2, 'training': {}}, to)
    try:
        with pytest.raises(UserError, match='it is of epoch 2'):
            pretrained.main(command)
    finally:
        os.remove(file)
    assert not os.listdir(tmp_path)


# Exports, refusals, and what a failure leaves

def test_a_saved_model_gives_the_same_in_a_process_that_knows_only_tensorflow(runs, logdir, tmp_path):
    for model, run in runs.items():
        sample.main([model, '--logdir', logdir, '--export', str(tmp_path / 'models' / model)])
        condition = dict.fromkeys({'cgan': 'y', 'conv_cgan': 'y', 'infogan': 'c'}.get(model, ''), run.condition)
        np.savez(tmp_path / f'{model}.npz', z=run.z, **condition)
        size = sum(os.path.getsize(os.path.join(folder, name))
                   for folder, _, names in os.walk(tmp_path / 'models' / model) for name in names)
        weights = load_trained_model(model, logdir).generator_weights()
        # Nothing of Adam, nothing of the discriminator.
        assert size < 1.05 * sum(weight.nbytes for weight in weights.values()) + 100_000
    assert sorted(os.listdir(tmp_path / 'models')) == sorted(runs)  # nothing unfinished
    program = """
import sys, numpy as np, tensorflow as tf
for model in sys.argv[1:]:
    serve = tf.saved_model.load('models/' + model).signatures['serving_default']
    arrays = {name: tf.constant(array, tf.float32) for name, array in np.load(model + '.npz').items()}
    np.save(model + '.npy', serve(**arrays)['images'].numpy())
"""
    subprocess.run([sys.executable, '-c', program, *runs], cwd=tmp_path, check=True, capture_output=True, text=True,
                   env={**os.environ, 'TF_USE_LEGACY_KERAS': '1'})
    for model in runs:
        assert_same_images(np.load(tmp_path / f'{model}.npy'), runs[model].images)


@pytest.mark.parametrize('command, sentence', [
    ('gan', "argument MODEL: invalid choice: 'gan'"),
    ('vanilla --label 0', '--label is for models that take labels, vanilla takes none'),
    ('cgan --traversal', '--traversal is for models that take codes, cgan takes none'),
    ('conv_cgan --random-codes', '--random-codes is for models that take codes'),
    ('cgan --label 0 --digits 12', '--digits and --label cannot be combined: the digits are the labels'),
    ('vanilla --interpolate 5 --columns 4', 'each step is a column'),
    ('vanilla --animate --checkpoint 3', 'leave out --checkpoint'),
    ('vanilla --animate --pretrained', 'leave out --pretrained'),
    ('vanilla --pretrained --checkpoint 3', '--pretrained and --checkpoint cannot be combined'),
    ('vanilla --animate --npz a.npz', '--npz and --animate cannot be combined'),
    ('vanilla --animate --files a', '--files and --animate cannot be combined'),
    ('vanilla --count 5', '--count is for --files and --npz'),
    ('vanilla --count 5 --rows 2 --npz a', '--count and --rows cannot be combined'),
    ('infogan --count 5 --traversal --npz a', '--count and --traversal cannot be combined'),
    ('vanilla --count 0', 'must be at least 1'),
    ('vanilla --dataset mnist_5k', 'for --beside-real only'),
    ('vanilla --out a.jpg', "--out must end in .png, not 'a.jpg'"),
    ('vanilla --rows 0', 'must be at least 1'),
    ('vanilla --export full', 'full is there already'),
    ('vanilla --files full', 'full is there already'),
])
def test_what_makes_no_sense_is_refused_in_one_sentence(tmp_path, monkeypatch, capsys, command, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'full').mkdir()
    (tmp_path / 'full' / 'file').touch()
    with pytest.raises(SystemExit) as exit:
        sample.main(command.split())
    printed = capsys.readouterr()
    assert exit.value.code == 2 and sentence in printed.err and printed.err.count('\n') == 1 and not printed.out


@pytest.mark.parametrize('script', ['sample', 'evaluate'])
@pytest.mark.parametrize('arguments', [['--help'], ['vanilla', '--rows', 'x'], ['vanilla', '--logdir', 'nowhere']])
def test_help_and_mistakes_wait_for_no_large_library(script, arguments):
    program = f"""
import sys, {script}
try:
    {script}.main({arguments})
except (SystemExit, Exception) as error:
    print([name for name in ('tensorflow', 'scipy', 'sklearn', 'matplotlib') if name in sys.modules])
"""
    result = subprocess.run([sys.executable, '-c', program], cwd=ROOT, check=True, capture_output=True, text=True)
    assert result.stdout.endswith('[]\n')


def test_a_home_directory_is_found(runs, logdir, tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    sample.main(['vanilla', '--logdir', logdir, '--rows', '1', '--out=~/a.png', '--npz=~/a.npz', '--files=~/a',
                 '--export=~/b'])
    assert sorted(os.listdir(tmp_path)) == ['a', 'a.npz', 'a.png', 'b']


def test_a_failed_write_leaves_what_was_there(draw, logdir, tmp_path, monkeypatch):
    (tmp_path / 'old.png').write_bytes(b'old')
    (tmp_path / 'folder.png').mkdir()
    with pytest.raises(UserError, match='cannot write folder.png'):
        draw('vanilla', out='folder.png')

    def full(path, *_):
        with open(path, 'wb') as file:
            file.write(b'half')
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr('after_training.writing.write_png', full)
    with pytest.raises(UserError, match='cannot write old.png .No space left on device'):
        draw('vanilla', out='old.png')
    monkeypatch.setattr(tf.saved_model, 'simple_save', lambda sess, folder, *_: full(os.path.join(folder, 'a')))
    with pytest.raises(UserError, match='cannot write model .No space left on device'):
        draw('vanilla', export='model')
    assert (tmp_path / 'old.png').read_bytes() == b'old'
    assert sorted(os.listdir(tmp_path)) == ['folder.png', 'old.png']
