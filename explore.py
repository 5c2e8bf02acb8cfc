"""Steer a trained generator: a window with its image, and a slider or buttons for each of its inputs.

MODEL is vanilla, dcgan, cgan, infogan or conv_cgan. One slider goes from one noise vector to another, one mixes two
classes or categories, and InfoGAN's continuous code has its own. The strip shows the whole range of the slider that was
moved last. 'save' writes the image as PNG and its inputs as npz to the run's samples folder.
"""

import glob
import itertools
import os
from argparse import RawDescriptionHelpFormatter

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.widgets import Button, RadioButtons, Slider

from common.arguments import Parser, run_script
from common.errors import UserError
from common.random_streams import random_stream
from common.scripts import generator_inputs
from sampling.pictures import enlarge, to_uint8, write_png, writing
from sampling.trained_model import add_model_arguments, load_model

N_STRIP = 9  # images
ELSEWHERE = ('over ssh, pip install tornado and set MPLBACKEND=webagg; in a notebook, pip install ipympl and run '
             '%matplotlib widget, then window = explore.main([MODEL])')


class Explorer:
    """The controls of a TrainedModel in a matplotlib figure, which work while this object is kept.

    sliders: {name: Slider}; classes: RadioButtons of the class (or category) and of that to mix it with, or [].
    """

    def __init__(self, trained, figure):
        self.trained, self.figure, self._rng = trained, figure, random_stream(trained.args.seed, 'sample')
        black = np.zeros((trained.image_size, trained.image_size))
        grey = {'cmap': 'gray', 'vmin': 0, 'vmax': 255}
        self.image = figure.add_axes((0.05, 0.4, 0.5, 0.58)).imshow(black, **grey)
        self.strip = figure.add_axes((0.2, 0.26, 0.65, 0.083)).imshow(np.tile(black, N_STRIP), **grey)
        for shown in self.image, self.strip:
            shown.axes.axis('off')
        self._order, names = trained.class_order()
        names = [str(name).replace('$', r'\$') for name in names]  # a $ would begin a formula
        self.classes = []
        for i, title in enumerate(('class', 'mixed with')) if trained.n_classes else ():
            axes = figure.add_axes((0.6 + 0.18 * i, 0.4, 0.16, 0.54))
            axes.set_title(title, loc='left')
            self.classes.append(RadioButtons(axes, names, active=i))
            self.classes[i].on_clicked(lambda _: self.show())

        self._codes, self.sliders = [f'continuous code {i + 1}' for i in range(trained.n_cont)], {}
        for i, name in enumerate(['noise', *self._codes] + ['mixture'] * bool(trained.n_classes)):
            low, high = (-3, 3) if name in self._codes else (0, 1)
            self.sliders[name] = Slider(figure.add_axes((0.2, 0.21 - 0.04 * i, 0.65, 0.03)), name, low, high, valinit=0)
            self.sliders[name].ax.set_xlim(low - 0.02 * (high - low), high + 0.02 * (high - low))  # room for the handle
            self.sliders[name].on_changed(lambda _, name=name: self.show(name))
        self._buttons = [Button(figure.add_axes((0.2, 0.02, 0.2, 0.05)), 'new noise'),
                         Button(figure.add_axes((0.42, 0.02, 0.2, 0.05)), 'save')]
        self._buttons[0].on_clicked(lambda _: self.new_noise())
        self._buttons[1].on_clicked(lambda _: self.save())
        self.new_noise()

    def inputs(self):
        """Noise (1 + N_STRIP, noise_size), and labels or codes, or None: first of the image, then of the strip."""
        values = {name: np.full((1 + N_STRIP, 1), float(slider.val)) for name, slider in self.sliders.items()}
        moved = self.sliders[self._moved]
        values[self._moved][1:, 0] = np.linspace(moved.valmin, moved.valmax, N_STRIP)
        z = (1 - values['noise']) * self._z[0] + values['noise'] * self._z[1]
        if not self.classes:
            return z, None
        one_hot = np.eye(self.trained.n_classes)[[self._order[buttons.index_selected] for buttons in self.classes]]
        mixture = (1 - values['mixture']) * one_hot[0] + values['mixture'] * one_hot[1]
        return z, np.hstack([*(values[name] for name in self._codes), mixture])

    def show(self, moved=None):
        """Draw the image, and the strip of the slider `moved`: by default the one that was moved last."""
        self._moved = moved or self._moved
        self._shown, *strip = to_uint8(self.trained.generate(*self.inputs()))
        self.image.set_data(self._shown)
        self.strip.set_data(np.hstack(strip))
        self.strip.axes.set_title(f'{self._moved}, from end to end', fontsize='medium')
        self.figure.canvas.draw_idle()

    def new_noise(self):
        self._z = self._rng.uniform(-1, 1, size=(2, self.trained.args.noise_size))
        self.show('noise')

    def save(self):
        """Write samples/explore_NNN.png, eight times enlarged, and explore_NNN.npz with z, and y or c."""
        name = os.path.join(self.trained.run_dir, 'samples', 'explore_')
        number = next(n for n in itertools.count(1) if not glob.glob(f'{glob.escape(name)}{n:03}.*'))
        inputs = [value[:1] for value in self.inputs() if value is not None]
        try:
            with writing(f'{name}{number:03}.png') as file:
                write_png(file, enlarge(self._shown, 8), {'Comment': f'{self.trained.model}, {self.trained.name}'})
            with writing(f'{name}{number:03}.npz') as unfinished, open(unfinished, 'wb') as file:
                np.savez(file, **dict(zip(generator_inputs(self.trained.script), inputs)))
            self.strip.axes.set_title(f'saved as explore_{number:03}')
        except UserError as error:  # the window stays open
            print(error)
        self.figure.canvas.draw_idle()


def parser():
    result = Parser(description=f"{__doc__}Without a display: {ELSEWHERE}", formatter_class=RawDescriptionHelpFormatter)
    add_model_arguments(result)
    return result


def main(argv=None):
    """Open the window and return its Explorer, which a notebook must keep."""
    args = parser().parse_args(argv)
    try:
        if plt.get_backend().lower() in ('agg', 'cairo', 'pdf', 'pgf', 'ps', 'svg') or 'inline' in plt.get_backend():
            raise ImportError
        figure = plt.figure(args.model, figsize=(8, 7))
    except (ImportError, RuntimeError):  # a backend that does not work here
        raise UserError(f'there is no display to open a window on: {ELSEWHERE}')
    window = Explorer(load_model(args), figure)
    plt.show()
    return window


if __name__ == '__main__':
    run_script(main)
