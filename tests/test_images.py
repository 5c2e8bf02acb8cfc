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


def test_40_images_row_by_row_each_stretched_to_black_and_white():
    data = np.zeros((40, 4, 4), np.float32)
    data[:, :, 2:] = np.arange(1, 41)[:, None, None]  # bright right half, of another brightness in each
    data[13] = data[13, :, ::-1]  # row 1, column 3: bright left half
    data[39] = -0.3  # constant
    png = io.BytesIO()
    display_images(data.reshape(40, 16), 4, save_to=png)
    png.seek(0)
    grid = matplotlib.image.imread(png)[..., 0]
    assert grid.shape == (400, 1000)
    expected = np.zeros((2, 4, 10))
    expected[1] = 1
    expected[:, 1, 3] = 1, 0
    expected[1, 3, 9] = 0
    for half in (0, 1):
        np.testing.assert_allclose(grid[50::100, 25 + 50 * half::100], expected[half], atol=0.01)


def test_a_window_is_shown_unless_the_grid_is_saved(monkeypatch, tmp_path):
    shown = []
    monkeypatch.setattr(plt, 'show', lambda: shown.append(plt.get_fignums()))
    display_images(np.zeros((40, 32, 32, 1)), 32, save_to=tmp_path / 'grid.png')
    assert not shown and (tmp_path / 'grid.png').stat().st_size
    display_images(np.zeros((40, 784)))
    assert len(shown) == len(shown[0]) == 1 and not plt.get_fignums()
    with pytest.raises(UserError, match='40'):
        display_images(np.zeros((39, 784)))


def test_forty_examples_of_images_sorted_by_class_show_all_classes():
    labels = np.repeat(np.arange(10), 30)
    assert set(examples(labels, is_sorted=True)) == set(range(10)) and len(examples(labels, is_sorted=True)) == 40
    np.testing.assert_array_equal(examples(labels, is_sorted=False), labels[:40])
    np.testing.assert_array_equal(examples(np.arange(30), is_sorted=False), [*range(30), *range(10)])
