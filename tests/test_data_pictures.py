"""A folder of pictures as a data set: what is read, how it is scaled, what is left out, and the cache."""

import os
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from made_data import shield, tree
from PIL import ExifTags, Image

from common.data_files import picture_cache, pictures
from common.data_files.one_picture import BrokenPicture, read_picture
from common.datasets import load_dataset, load_dataset_label, load_dataset_label_pad, load_split
from common.errors import UserError


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path_factory):
    return shield(monkeypatch, tmp_path_factory)


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
    return path


def greys(folder, **options):
    """The first pixel of each image, in order."""
    (x_train, _), (x_test, _) = load_split(folder, 'pictures', **options)
    return np.concatenate((x_train, x_test))[:, 0, 0].tolist()


# One picture.

def random_image(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def test_28_x_28_grey_pixels_come_out_as_they_are(tmp_path):
    image = random_image(28, 28)
    np.testing.assert_array_equal(read_picture(save(tmp_path / 'a.png', image)), image)


@pytest.mark.parametrize('ending', ['png', 'jpg', 'JPEG', 'bmp', 'gif', 'webp'])
@pytest.mark.parametrize('mode', ['L', 'RGB'])
def test_every_format(tmp_path, ending, mode):
    image = read_picture(save(tmp_path / f'a.{ending}', Image.new(mode, (40, 60), 'white')))
    assert image.shape == (28, 28) and image.dtype == np.uint8 and image.min() >= 253


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.new('L', (28, 28), grey) for grey in (200, 10)]
    path = save(tmp_path / 'a.gif', frames[0], save_all=True, append_images=frames[1:])
    assert (read_picture(path) == 200).all()


@pytest.mark.parametrize('size', [(300, 100), (100, 300), (56, 28), (2000, 1000)])
@pytest.mark.parametrize('ending', ['png', 'jpg'])
def test_the_square_in_the_middle_is_taken(tmp_path, size, ending):
    image = Image.new('L', size, 'white')  # white borders, black square in the middle
    side = min(size)
    image.paste(0, ((size[0] - side) // 2, (size[1] - side) // 2,
                    (size[0] + side) // 2, (size[1] + side) // 2))
    read = read_picture(save(tmp_path / f'a.{ending}', image, **({'quality': 95} if ending == 'jpg' else {})))
    assert read[:, 1:-1].max() < 30 or read[1:-1].max() < 30
    assert read.mean() < 5


def test_scaling_averages_and_drops_no_lines(tmp_path):
    stripes = np.zeros((280, 280), np.uint8)
    stripes[::2] = 255
    middle = read_picture(save(tmp_path / 'a.png', stripes))[2:-2]
    assert abs(middle.mean() - 127.5) < 2 and np.ptp(middle) < 6


def test_colours_become_grey_by_brightness(tmp_path):
    red, green = (read_picture(save(tmp_path / 'a.png', Image.new('RGB', (28, 28), colour)))[0, 0]
                  for colour in ('#ff0000', '#00ff00'))
    assert (red, green) == (76, 150)  # 0.299 and 0.587 of 255


def test_transparent_parts_lie_on_white(tmp_path):
    image = Image.new('RGBA', (28, 28), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 28, 14))
    read = read_picture(save(tmp_path / 'a.png', image))
    assert (read[:14] == 0).all() and (read[14:] == 255).all()
    palette = image.convert('P', palette=Image.Palette.ADAPTIVE)
    palette.info['transparency'] = palette.getpixel((0, 27))
    read = read_picture(save(tmp_path / 'b.png', palette, transparency=palette.getpixel((0, 27))))
    assert (read[:14] == 0).all() and (read[14:] == 255).all()


def test_16_bits_are_scaled_and_not_cut_off(tmp_path):
    image = np.linspace(0, 65535, 784).astype(np.uint16).reshape(28, 28)
    np.testing.assert_array_equal(read_picture(save(tmp_path / 'a.png', image)), image // 257)


@pytest.mark.parametrize('orientation', range(1, 9))
def test_upright_as_the_camera_was_held(tmp_path, orientation):
    upright = np.zeros((28, 28), np.uint8)
    upright[:14, :7] = 255
    turned = {1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.T,
              6: np.rot90(upright), 7: upright[::-1, ::-1].T, 8: np.rot90(upright, -1)}[orientation]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = save(tmp_path / 'a.png', np.ascontiguousarray(turned), exif=exif)
    np.testing.assert_array_equal(read_picture(path), upright)


def chunk(kind, content):
    return struct.pack('>I', len(content)) + kind + content + struct.pack('>I', zlib.crc32(kind + content))


def png_bomb(width, height):
    """A PNG of some 100 bytes that claims to be this large."""
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0))
            + chunk(b'IDAT', zlib.compress(bytes(100))) + chunk(b'IEND', b''))


@pytest.mark.filterwarnings('ignore::PIL.Image.DecompressionBombWarning')
@pytest.mark.parametrize('size, why', [((10_000, 10_000), 'are too many'), ((60_000, 60_000), 'exceeds limit'),
                                       ((2**31 - 1, 2**31 - 1), 'exceeds limit')])
def test_a_decompression_bomb_is_a_broken_file(tmp_path, size, why):
    (tmp_path / 'a.png').write_bytes(png_bomb(*size))
    with pytest.raises(BrokenPicture, match=why):  # so it was not decoded: its data are too short
        read_picture(tmp_path / 'a.png')


@pytest.mark.parametrize('content', [b'', b'text', png_bomb(28, 28)[:40], b'\x00\x00\x01\x00icon'])
def test_damage_is_reported_with_a_reason(tmp_path, content):
    (tmp_path / 'a.png').write_bytes(content)
    with pytest.raises(BrokenPicture) as caught:
        read_picture(tmp_path / 'a.png')
    assert str(caught.value) and '\n' not in str(caught.value)


# A folder.

def test_folders_are_the_classes_in_the_order_of_their_names(folder):
    for grey, place in ((10, 'cats/a.png'), (20, 'cats/old/b.JPG'), (30, 'birds/c.bmp'), (40, 'empty/notes.txt')):
        if place.endswith('txt'):
            (folder / 'empty').mkdir()
            (folder / place).write_text('')
        else:
            save(folder / place, grey)
    images, labels = load_dataset_label(folder, 'pictures')
    assert images.class_names == ['birds', 'cats'] and images.shape == (3, 784)
    assert labels.tolist() == [[1, 0], [0, 1], [0, 1]]
    assert greys(folder) == [30, 10, 20]


def test_folders_named_by_numbers_are_in_the_order_of_the_numbers(folder):
    for name in ('10', '9', '0'):
        save(folder / name / 'a.png', int(name))
    images, labels = load_dataset_label_pad(folder, 'pictures')
    assert images.class_names == ['0', '9', '10'] and images.shape == (3, 32, 32, 1)
    assert {(label, round((image[2, 2, 0] + 1) * 127.5)) for image, label in zip(images, labels.argmax(axis=1))} == {
        (0, 0), (1, 9), (2, 10)}


def test_every_seventh_picture_of_a_class_is_for_testing(folder):
    for i in range(14):
        save(folder / 'a' / f'{i:02}.png', i)
    for i in range(8):
        save(folder / 'b' / f'{i:02}.png', 100 + i)
    (x_train, y_train), (x_test, y_test) = load_split(folder, 'pictures')
    assert x_test[:, 0, 0].tolist() == [6, 13, 106] and y_test.tolist() == [0, 0, 1]
    assert len(x_train) == len(y_train) == 19
    assert len(load_dataset(folder, 'pictures', split='train')) == 19


def test_a_folder_divided_into_train_and_test(folder):
    for i, place in enumerate(('train/cat/a.png', 'train/dog/a.png', 'test/cat/b.png', 'val/dog/c.png')):
        save(folder / place, i)
    (x_train, y_train), (x_test, y_test) = load_split(folder, 'pictures')
    assert x_test[:, 0, 0].tolist() == [2] and y_test.tolist() == [0]
    assert x_train[:, 0, 0].tolist() == [0, 1, 3] and y_train.tolist() == [0, 1, 1]
    assert load_dataset(folder, 'pictures').class_names == ['cat', 'dog']


def test_pictures_without_folders_have_no_labels(folder):
    save(folder / 'a.png', 5)
    save(folder / 'b.png', 6)
    data = load_dataset(folder, 'pictures')
    assert len(data) == 2 and data.class_names == []
    with pytest.raises(UserError, match='into a folder of their own'):
        load_dataset_label(folder, 'pictures')


def test_pictures_beside_folders_are_read_but_then_there_are_no_labels(folder):
    save(folder / 'a.png', 5)
    save(folder / 'more' / 'b.png', 6)
    assert sorted(greys(folder)) == [5, 6]
    with pytest.raises(UserError, match='none beside these folders'):
        load_dataset_label(folder, 'pictures')


@pytest.mark.parametrize('n_classes', [1, 101])
def test_labels_need_2_to_100_classes(folder, n_classes):
    for i in range(n_classes):
        save(folder / str(i) / 'a.png')
    with pytest.raises(UserError, match=f'2 to 100 classes, and .* has {n_classes}'):
        load_dataset_label(folder, 'pictures')
    assert len(load_dataset(folder, 'pictures')) == n_classes


def test_invert_is_for_ink_on_paper(folder):
    save(folder / 'a.png', 250)
    assert greys(folder) == [250]
    assert greys(folder, invert=True) == [5]  # also where the cache is used


def test_links_are_followed_and_loops_end(folder, tmp_path):
    save(tmp_path / 'elsewhere' / 'a.png', 10)
    save(tmp_path / 'single.png', 20)
    folder.mkdir()
    (folder / 'linked').symlink_to(tmp_path / 'elsewhere')
    (folder / 'real').mkdir()
    (folder / 'real' / 'b.png').symlink_to(tmp_path / 'single.png')
    (folder / 'real' / 'up').symlink_to(folder)
    (folder / 'real' / 'self').symlink_to(folder / 'real' / 'self')
    (folder / 'real' / 'deep' / 'deeper').mkdir(parents=True)
    (folder / 'real' / 'deep' / 'deeper' / 'around').symlink_to(folder / 'real' / 'deep')
    save(folder / 'real' / 'deep' / 'c.png', 30)
    images = load_dataset(folder, 'pictures')
    assert images.class_names == ['linked', 'real']
    assert greys(folder) == [10, 20, 30]


def test_what_is_hidden_or_no_file_is_left_out(folder):
    save(folder / 'a.png', 10)
    save(folder / '.hidden.png', 20)
    save(folder / '.trash' / 'b.png', 30)
    save(folder / '__MACOSX' / 'c.png', 40)
    os.mkfifo(folder / 'pipe.png')
    assert greys(folder) == [10]


def test_broken_files_are_counted_named_and_left_out(folder, capsys):
    for i in range(10):
        save(folder / 'good' / f'{i}.png', i)
    for name in ('a.png', 'b.jpg', 'c.gif', 'd.webp'):
        (folder / 'good' / name).write_bytes(b'text')
    (folder / 'bad').mkdir()
    (folder / 'bad' / 'bomb.png').write_bytes(png_bomb(30_000, 30_000))
    (folder / 'bad' / 'dead.png').symlink_to('nothing')
    for _ in range(2):  # read, and from the cache
        data = load_dataset(folder, 'pictures')
        out, err = capsys.readouterr()
        assert len(data) == 10 and data.class_names == ['good']
        assert out == f'pictures: 10 images from {folder}\n'
        assert err.count('\n') == 1 and '6 of 16 files cannot be read' in err and 'and 3 more' in err
        assert 'bad/bomb.png (' in err and 'bad/dead.png (No such file' in err and 'good/a.png (not a picture)' in err


@pytest.mark.parametrize('names, why', [([], 'there are no pictures in'),
                                        (['a.png', 'b.png'], 'none of the 2 pictures')])
def test_no_picture_at_all(folder, names, why):
    folder.mkdir()
    (folder / 'train-images-idx3-ubyte').write_bytes(b'')
    for name in names:
        (folder / name).write_bytes(b'text')
    with pytest.raises(UserError, match=why) as caught:
        load_dataset(folder, 'pictures')
    assert str(folder) in str(caught.value) and '\n' not in str(caught.value)


def test_pictures_need_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match='mnist_data.* does not exist'):
        load_dataset(dataset='pictures')
    assert os.listdir() == []


def test_folder_inside_that_cannot_be_read(folder, monkeypatch):
    save(folder / 'a' / 'a.png')
    scandir = os.scandir

    def closed(path):  # root may read everything
        if str(path).endswith('/a'):
            raise PermissionError(13, 'Permission denied')
        return scandir(path)

    monkeypatch.setattr(os, 'scandir', closed)
    with pytest.raises(UserError, match='pictures/a cannot be read'):
        load_dataset(folder, 'pictures')


def test_names_of_any_characters(folder):
    save(folder / 'köln [1] *' / os.fsdecode(b'\xff\n.png'), 10)
    save(folder / '空' / 'b.png', 20)
    assert load_dataset(folder, 'pictures').class_names == ['köln [1] *', '空']
    assert greys(folder) == [10, 20]


def test_many_pictures_stay_bytes_in_memory(folder):
    for i in range(600):
        save(folder / f'{i}.png', random_image(28, 28))
    load_dataset(folder, 'pictures')  # so that what is imported does not count
    picture_cache_file = picture_cache.cache_path(folder)
    os.remove(picture_cache_file)
    tracemalloc.start()
    data = load_dataset(folder, 'pictures')
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(data) == 600
    assert kept < 2 * 600 * 784 and peak < 4 * 600 * 784


# The cache.

@pytest.fixture
def reads(monkeypatch):
    """The pictures that are decoded, by name."""
    names = []

    def read(path):
        names.append(os.path.basename(path))
        return read_picture(path)

    monkeypatch.setattr(pictures, 'read_picture', read)
    return names


def test_second_start_reads_no_picture_and_writes_nothing_into_the_folder(folder, home, reads):
    for i in range(40):
        save(folder / f'{i:02}.png', i)
    before = tree(folder)
    first = load_split(folder, 'pictures')
    assert len(reads) == 40
    second = load_split(folder, 'pictures')
    assert len(reads) == 40 and tree(folder) == before
    for one, other in zip([*first[0], *first[1]], [*second[0], *second[1]]):
        np.testing.assert_array_equal(one, other)
    assert len(os.listdir(home / '.cache' / 'gans-on-mnist')) == 1


@pytest.mark.parametrize('change', ['content', 'time', 'new', 'removed', 'renamed'])
def test_any_change_in_the_folder_is_seen(folder, reads, change):
    for i in range(3):
        save(folder / f'{i}.png', i)
    greys(folder)
    path = folder / '1.png'
    if change == 'content':
        save(path, random_image(28, 28))
    elif change == 'time':
        save(path, 100)
        os.utime(path, ns=(0, 12345))
    elif change == 'new':
        save(folder / '3.png', 3)
    elif change == 'removed':
        path.unlink()
    else:
        path.rename(folder / '9.png')
    expected = sorted(read_picture(file)[0, 0] for file in folder.iterdir())
    reads.clear()
    assert sorted(greys(folder)) == expected and reads


def test_cache_goes_where_xdg_says(folder, tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'caches'))
    save(folder / 'a.png')
    load_dataset(folder, 'pictures')
    assert len(list((tmp_path / 'caches').rglob('*.npz'))) == 1


def test_two_folders_have_two_caches(folder, tmp_path, reads):
    save(folder / 'a.png', 1)
    save(tmp_path / 'other' / 'a.png', 2)
    for _ in range(2):
        assert greys(folder) == [1] and greys(tmp_path / 'other') == [2]
    assert len(reads) == 2


@pytest.mark.parametrize('damage', ['cut off', 'empty', 'flipped', 'text', 'other images'])
def test_damaged_cache_is_read_anew(folder, reads, damage):
    save(folder / 'a.png', 77)
    greys(folder)
    path = picture_cache.cache_path(folder)
    with open(path, 'rb') as file:
        content = file.read()
    if damage == 'other images':
        with np.load(path) as cache:
            arrays = dict(cache)
        np.savez(path, **arrays | {'images': arrays['images'][:, 1:]})
    else:
        changed = {'cut off': content[:-50], 'empty': b'', 'text': b'text',
                   'flipped': content[:500] + bytes([content[500] ^ 255]) + content[501:]}[damage]
        with open(path, 'wb') as file:
            file.write(changed)
    assert greys(folder) == [77] and len(reads) == 2
    assert greys(folder) == [77] and len(reads) == 2  # and written again


def test_cache_that_cannot_be_written_is_no_error(folder, tmp_path, monkeypatch, capsys):
    (tmp_path / 'file').write_text('')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'file'))
    save(folder / 'a.png', 7)
    assert greys(folder) == [7]
    assert capsys.readouterr().err == ''


def test_full_disk_leaves_no_half_a_cache(folder, home, monkeypatch):
    def full(file, **arrays):
        file.write(b'half')
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(np, 'savez', full)
    save(folder / 'a.png', 7)
    assert greys(folder) == [7]
    assert os.listdir(home / '.cache' / 'gans-on-mnist') == []


# The progress bar.

class Terminal:
    """A terminal as stderr, and a clock that jumps."""

    def __init__(self):
        self.text = ''

    def isatty(self):
        return True

    def write(self, text):
        self.text += text

    def flush(self):
        pass


@pytest.mark.parametrize('seconds_a_chunk, shown', [(0.001, False), (1.5, True)])
def test_progress_bar_where_it_takes_longer_than_two_seconds(folder, monkeypatch, seconds_a_chunk, shown):
    from tqdm import std
    for i in range(80):
        save(folder / f'{i}.png', i)
    clock = [1000.]

    def tick():
        clock[0] += seconds_a_chunk
        return clock[0]

    terminal = Terminal()
    monkeypatch.setattr('sys.stderr', terminal)
    monkeypatch.setattr(std, 'time', tick)
    load_dataset(folder, 'pictures')
    assert ('Reading pictures' in terminal.text) == shown, terminal.text
