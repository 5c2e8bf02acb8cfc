"""A folder of pictures as a data set: what is read, how it is scaled, what its classes are, what is left out."""

import os
import pathlib

import numpy as np
import pytest
from PIL import ExifTags, Image

from common.datasets import class_names, load_dataset, load_dataset_label, load_split
from common.errors import UserError


@pytest.fixture
def folder(tmp_path):
    return tmp_path / 'pictures'


def save(path, image=0, **options):
    """Write a picture: an array, or 28 x 28 pixels of one grey."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(image, int):
        image = np.full((28, 28), image, np.uint8)
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    image.save(path, **options)


def read(folder):
    """All images, uint8 (N, 28, 28)."""
    (x_train, _), (x_test, _) = load_split(folder, 'pictures')
    return np.concatenate((x_train, x_test))


def greys(folder):
    return read(folder)[:, 0, 0].tolist()


# One picture

def test_28_x_28_grey_pixels_come_out_as_they_are_whatever_the_format(folder):
    image = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    save(folder / 'a.png', image)
    np.testing.assert_array_equal(load_split(folder, 'pictures', invert=True)[0][0], [255 - image])
    for ending in 'bmp', 'gif', 'TIF', 'tiff':
        save(folder / f'a.{ending}', image)
    save(folder / 'a.webp', image, lossless=True)
    np.testing.assert_array_equal(read(folder), [image] * 6)
    for ending in 'jpg', 'JPEG', 'jfif':
        save(folder / f'z.{ending}', Image.new('RGB', (40, 60), 'white'))
    assert len(read(folder)) == 9 and read(folder)[6:].min() >= 253


def test_the_square_in_the_middle_is_taken(folder):
    for size in (300, 100), (100, 300):
        image = Image.new('L', size, 'white')  # white borders, black square
        image.paste(0, ((size[0] - 100) // 2, (size[1] - 100) // 2, (size[0] + 100) // 2, (size[1] + 100) // 2))
        save(folder / f'{size[0]}.png', image)
    assert read(folder).mean() < 5


def test_colours_become_grey_by_brightness_on_white(folder):
    for name, colour in (('a', (255, 0, 0, 255)), ('b', (0, 255, 0, 255)), ('c', (0, 0, 0, 0)), ('d', (0, 0, 0, 51))):
        save(folder / f'{name}.png', Image.new('RGBA', (28, 28), colour))
    assert greys(folder) == [76, 150, 255, 204]  # 0.299 and 0.587 of 255; transparent; a fifth of black


@pytest.mark.parametrize('ending, dtype', [('png', '<u2'), ('tif', '<f4')])
def test_more_than_8_bits_are_scaled_by_the_brightest_of_all(folder, ending, dtype):
    image = np.linspace(0, 4095, 784).astype(dtype).reshape(28, 28)  # 12 bits
    save(folder / f'a.{ending}', image)
    save(folder / f'b.{ending}', image // 2)
    save(folder / 'c.png', 100)
    a, b, c = read(folder).astype(float)
    np.testing.assert_allclose(a, image / 4095 * 255, atol=0.51)
    np.testing.assert_allclose(b, a / 2, atol=1)
    assert (c == 100).all()


def test_upright_as_the_camera_was_held(folder):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # stored after a quarter turn
    upright = np.zeros((280, 280), np.uint8)
    upright[:140] = 255
    for ending in 'png', 'jpg':
        save(folder / f'a.{ending}', np.ascontiguousarray(np.rot90(upright)), exif=exif)
    assert read(folder)[:, :12].min() > 200 and read(folder)[:, 16:].max() < 50


# The classes

@pytest.mark.parametrize('places, names', [(['cats/a.png', 'cats/old/b.JPG', 'birds/c.bmp'], ['birds', 'cats']),
                                           (['10/a.png', '10/b.png', '9/c.png'], ['9', '10'])])
def test_folders_are_the_classes_in_the_order_of_their_names_or_numbers(folder, places, names):
    for grey, place in zip((10, 20, 30), places):
        save(folder / place, grey)
    images, labels = load_dataset_label(folder, 'pictures')
    assert class_names(folder, 'pictures') == names
    assert sorted(zip(np.rint((images[:, 0] + 1) * 127.5), labels.tolist())) == [
        (10, [0, 1]), (20, [0, 1]), (30, [1, 0])]


def test_every_seventh_picture_of_a_class_is_for_testing(folder):
    for i in range(22):
        save(folder / ('a' if i < 14 else 'b') / f'{i:02}.png', i)
    (x_train, y_train), (x_test, y_test) = load_split(folder, 'pictures')
    assert x_test[:, 0, 0].tolist() == [6, 13, 20] and y_test.tolist() == [0, 0, 1]
    assert len(x_train) == len(y_train) == len(load_dataset(folder, 'pictures', split='train')) == 19


@pytest.mark.parametrize('parts', ['train val test', 'Training TESTING', 'train Valid', 'train validation',
                                   'train dev', 'train eval'])
def test_a_folder_divided_into_parts(folder, parts):
    parts = parts.split()
    for i, part in enumerate(parts):
        save(folder / part / 'cat' / 'a.png', 10 + i)
        save(folder / part / 'dog' / 'a.png', 20 + i)
    save(folder / '__MACOSX' / 'a.png')
    (folder / parts[0] / 'cat' / '0.png').write_bytes(b'')  # left out
    _, (x_test, y_test) = load_split(folder, 'pictures')
    assert x_test[:, 0, 0].tolist() == [10 + i, 20 + i] and y_test.tolist() == [0, 1]  # those of the last
    assert class_names(folder, 'pictures') == ['cat', 'dog']
    assert len(load_dataset(folder, 'pictures')) == 2 * len(parts)


def test_a_folder_that_is_not_divided_and_pictures_outside_of_folders_which_have_no_labels(folder):
    for part in 'training', 'other':
        save(folder / 'train' / 'cat' / 'a.png', 6)
        save(folder / part / 'dog' / 'a.png', 7)
        assert class_names(folder, 'pictures') == sorted({'train', 'training', part}), part
    save(folder / 'a.png', 5)
    assert greys(folder) == [5, 7, 6, 7] and class_names(folder, 'pictures') == []
    with pytest.raises(UserError, match='classes'):
        load_dataset_label(folder, 'pictures')


def test_class_names_are_printed_without_control_characters(folder, capsys):
    for name in ('köln', 'a\x1b[31mb'):
        save(folder / 'animals' / name / 'a.png')
    load_dataset(folder / 'animals', 'pictures')
    out = capsys.readouterr().out
    assert "'köln'" in out and '\x1b' not in out
    with pytest.raises(UserError, match='directly'):
        load_dataset_label(folder, 'pictures')  # nested once more, so that there is one class
    assert "(1): 'animals'" in capsys.readouterr().out


# What is left out

def test_what_is_hidden_or_no_picture_is_left_out(folder, capsys):
    save(folder / 'cats' / 'a.png', 10)
    for place in ('.hidden.png', '.trash/b.png', '__MACOSX/c.png', '@eaDir/d.png', 'cats/@eaDir/e.png',
                  'logdir/dcgan/samples/epoch_0001.png'):
        save(folder / place)
    (folder / 'logdir' / 'dcgan' / 'settings.json').write_text('{}')
    save(folder / 'cats' / 'checkpoints' / 'f.png', 11)
    for name in ('a.HEIC', 'b.heic', 'c.txt'):
        (folder / 'cats' / name).write_text('')
    assert greys(folder) == [10, 11] and class_names(folder, 'pictures') == ['cats']
    out = capsys.readouterr().out
    assert "'.heic': 2" in out and "'.txt': 1" in out


def test_files_that_cannot_be_read_are_counted_named_and_left_out(folder, capsys, monkeypatch):
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 5000)
    save(folder / 'cats' / 'good.png', 7)
    save(folder / 'dogs' / 'good.png', 8)
    save(folder / 'cats' / 'large.png', np.zeros((101, 100), np.uint8))  # Pillow refuses twice that number
    for name, content in (('a.png', b''), ('b.jpg', b'P5 1 1 255\n '),
                          ('c.png', (folder / 'cats' / 'good.png').read_bytes()[:40])):
        (folder / 'cats' / name).write_bytes(content)
    getattr(os, 'mkfifo', pathlib.Path.touch)(folder / 'cats' / 'g.png')
    assert load_dataset_label(folder, 'pictures')[1].tolist() == [[1, 0], [0, 1]]
    message = capsys.readouterr().err
    assert message.count('\n') == 1 and '5 of 7' in message and os.path.join('cats', 'c.png') in message
    assert greys(folder) == [7, 8]


@pytest.mark.parametrize('good, bad', [('cats/a.png', 'dogs/a.png'), (None, 'a.png'), (None, None)])
def test_no_picture_at_all_or_none_of_a_class(folder, good, bad):
    for place in filter(None, (good, bad)):
        save(folder / place)
    if bad:
        (folder / bad).write_bytes(b'text')
    with pytest.raises(UserError) as caught:
        load_dataset(folder, 'pictures')
    message = str(caught.value)
    assert str(folder) in message and '\n' not in message and ('dogs' in message or not good)
