"""The grid of images of the chapter."""

import gc

import numpy as np

from common.errors import UserError

N_ROWS, N_COLUMNS = 4, 10


def display_images(data, image_size=28, save_to=None):
    """
    Show 40 images in 4 rows and 10 columns (chapter, section "Vanilla GAN")
    @param data: at least 40 images of image_size * image_size values in any range;
        each is stretched to black .. white on its own, as in the chapter
    @param image_size: height and width in pixels
    @param save_to: file name or binary file to write the grid to as a PNG; None: open a window and wait until it is
        closed. Without a display nothing opens
    @raise UserError: where there are fewer than 40 images
    """
    if len(data) < N_ROWS * N_COLUMNS:
        raise UserError(f'the grid shows {N_ROWS * N_COLUMNS} images, but there are only {len(data)}')
    # Each image to its own extremes, as in the chapter. sample.py draws all on one scale instead
    # (`sampling.pictures.to_uint8`), for strips and animations of one brightness: early, grey images look paler there.
    grid = np.reshape(data[:N_ROWS * N_COLUMNS], (N_ROWS, N_COLUMNS, image_size, image_size))
    low, high = grid.min(axis=(2, 3), keepdims=True), grid.max(axis=(2, 3), keepdims=True)
    grid = (grid - low) / np.where(high > low, high - low, 1)  # a constant image is black
    grid = grid.swapaxes(1, 2).reshape(N_ROWS * image_size, N_COLUMNS * image_size)

    if save_to is None:
        import matplotlib.pyplot as plt
        fig = plt.figure(figsize=(10, 4))
    else:
        fig = new_figure(figsize=(10, 4))
    # One axes instead of the chapter's 40, which take ten times as long to draw.
    ax = fig.add_axes((0, 0, 1, 1))
    ax.imshow(grid, cmap='gray', vmin=0, vmax=1, aspect='auto')
    for x in range(N_COLUMNS + 1):
        ax.axvline(x * image_size - 0.5, color='black', linewidth=1)
    for y in range(N_ROWS + 1):
        ax.axhline(y * image_size - 0.5, color='black', linewidth=1)
    ax.axis('off')
    if save_to is None:
        plt.show()
        plt.close(fig)
    else:
        fig.savefig(save_to, format='png')
        gc.collect()  # figures are full of reference cycles: Python would leave those of a hundred epochs, 0.5 MB each


def examples(images, is_sorted):
    """40 images for a grid: the first, from the start again if there are fewer; if sorted by class, some of each."""
    n = N_ROWS * N_COLUMNS
    return images[np.linspace(0, len(images) - 1, n).astype(int) if is_sorted else np.arange(n) % len(images)]


def new_figure(**options):
    """A matplotlib Figure outside pyplot: it needs no display, and is gone when it is drawn."""
    from matplotlib.figure import Figure  # half a second that only those pay who draw
    return Figure(**options)
