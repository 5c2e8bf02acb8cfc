"""The grid of images of the chapter."""

import gc
import io

import numpy as np

from common.errors import UserError

N_ROWS, N_COLUMNS = 4, 10


def display_images(data, image_size=28, save_to=None, show=None):
    """
    Show 40 images in 4 rows and 10 columns (chapter, section "Vanilla GAN")
    @param data: at least 40 images of image_size * image_size values in any range;
        each is stretched to black .. white on its own, as in the chapter
    @param image_size: height and width in pixels
    @param save_to: file name or binary file to write the grid to as a PNG, or None
    @param show: open a window and wait until it is closed; by default only
        where the grid is not saved. Without a display nothing opens
    @raise UserError: where there are fewer than 40 images
    """
    if len(data) < N_ROWS * N_COLUMNS:
        raise UserError(f'the grid shows {N_ROWS * N_COLUMNS} images, but there are only {len(data)}')
    if show is None:
        show = save_to is None
    grid = [_stretched(img).reshape(image_size, image_size) for img in data[:N_ROWS * N_COLUMNS]]
    grid = np.block([grid[i:i + N_COLUMNS] for i in range(0, len(grid), N_COLUMNS)])

    # One axes instead of the chapter's 40, which take ten times as long to draw.
    fig = _window() if show else new_figure(figsize=(10, 4))
    ax = fig.add_axes((0, 0, 1, 1))
    ax.imshow(grid, cmap='gray', vmin=0, vmax=1, aspect='auto')
    for x in range(N_COLUMNS + 1):
        ax.axvline(x * image_size - 0.5, color='black', linewidth=1)
    for y in range(N_ROWS + 1):
        ax.axhline(y * image_size - 0.5, color='black', linewidth=1)
    ax.axis('off')
    if save_to is not None:
        fig.savefig(save_to, format='png')
    if show:
        import matplotlib.pyplot as plt
        if plt.get_backend().lower() != 'agg':
            plt.show()
        plt.close(fig)


def examples(images, is_sorted):
    """40 images for a grid: the first, or where images are sorted by class, some of each."""
    n = N_ROWS * N_COLUMNS
    return images[np.linspace(0, len(images) - 1, n).astype(int)] if is_sorted else images[:n]


def _stretched(img):
    # Each image to its own extremes, as in the chapter. sample.py draws all on one scale instead
    # (`sampling.pictures.to_uint8`), for strips and animations of one brightness: early, grey images look paler there.
    return (img - img.min()) / ((img.max() - img.min()) or 1)  # a constant image is black


def _window():
    import matplotlib.pyplot as plt
    return plt.figure(figsize=(10, 4))


def new_figure(**options):
    """A matplotlib Figure outside pyplot: it needs no display, and is gone when it is drawn."""
    from matplotlib.figure import Figure  # half a second that only those pay who draw
    return Figure(**options)


def images_as_png(data, image_size=28):
    """The grid of `display_images` as the bytes of a PNG file."""
    png = io.BytesIO()
    display_images(data, image_size, save_to=png)
    gc.collect()  # a figure is full of reference cycles, which Python would leave for a hundred epochs, 0.5 MB each
    return png.getvalue()
