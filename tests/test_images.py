"""The image grid: what it draws, and that it needs no display and leaves nothing open."""

import io

import matplotlib
import matplotlib.image
import matplotlib.pyplot as plt
import numpy as np
import pytest

from common import display_images
from common.errors import UserError
from common.images import examples

matplotlib.use('Agg')


def drawn(data, image_size):
    """The grid as drawn, cut into (4, 10, height, width)."""
    png = io.BytesIO()
    display_images(data, image_size, save_to=png)
    png.seek(0)
    picture = matplotlib.image.imread(png)[..., 0]
    height, width = picture.shape[0] // 4, picture.shape[1] // 10
    return picture[:4 * height, :10 * width].reshape(4, height, 10, width).swapaxes(1, 2)


def test_40_images_row_by_row_each_stretched_to_black_and_white():
    data = np.zeros((40, 4, 4), np.float32)
    data[:, :, 2:] = np.arange(1, 41)[:, None, None]  # bright right half, of another brightness in each
    data[13] = data[13, :, ::-1]  # row 1, column 3: bright left half
    grid = drawn(data.reshape(40, 16), 4)
    left, right = grid[:, :, 50, 25], grid[:, :, 50, 75]
    expected = np.zeros((4, 10))
    expected[1, 3] = 1
    np.testing.assert_allclose(left, expected, atol=0.01)
    np.testing.assert_allclose(right, 1 - expected, atol=0.01)


def test_a_constant_image_is_drawn():
    grid = drawn(np.full((40, 32, 32, 1), -0.3), 32)
    assert np.isfinite(grid).all() and grid[0, 0, 50, 50] == 0


def test_it_saves_to_a_file_and_leaves_no_figure_open(tmp_path):
    display_images(np.random.default_rng(0).normal(size=(40, 784)), save_to=tmp_path / 'grid.png')
    assert matplotlib.image.imread(tmp_path / 'grid.png').shape[:2] == (400, 1000)
    display_images(np.random.default_rng(0).normal(size=(40, 784)))  # as in the chapter; no display here
    assert not plt.get_fignums()


def test_a_window_is_shown_where_there_is_a_display(monkeypatch):
    shown = []
    monkeypatch.setattr(plt, 'get_backend', lambda: 'TkAgg')
    monkeypatch.setattr(plt, 'show', lambda: shown.append(plt.get_fignums()))
    display_images(np.zeros((40, 784)), save_to=io.BytesIO())
    assert not shown
    display_images(np.zeros((40, 784)))
    assert len(shown) == 1 and len(shown[0]) == 1 and not plt.get_fignums()


def test_too_few_images_are_an_error():
    with pytest.raises(UserError, match='40'):
        display_images(np.zeros((39, 784)))


def test_forty_examples_of_images_sorted_by_class_show_all_classes():
    labels = np.repeat(np.arange(10), 30)
    assert set(examples(labels, is_sorted=True)) == set(range(10)) and len(examples(labels, is_sorted=True)) == 40
    np.testing.assert_array_equal(examples(labels, is_sorted=False), labels[:40])
