"""Steer a trained generator: a window with its image, and a slider or buttons for each of its inputs.

MODEL is vanilla, dcgan, cgan, infogan or conv_cgan. One slider goes from one noise vector to another, one mixes two
classes or categories, and InfoGAN's continuous code has its own. The strip shows the whole range of the slider that was
moved last. 'save' writes the image as PNG and its inputs as npz to the run's samples folder.
"""

import argparse
import os

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.widgets import Button, RadioButtons, Slider

from common.arguments import Parser, run_script
from common.errors import UserError
from common.random_streams import random_stream
from common.scripts import generator_inputs
from sampling.inputs import category_order
from sampling.pictures import enlarge, to_uint8, write_png, writing
from sampling.pretrained import load_pretrained
from sampling.trained_model import add_model_arguments, load_trained_model

N_STRIP = 11  # images


class Explorer:
    """The controls of a TrainedModel in a matplotlib figure; they work only while this object is kept.

    sliders: {name: Slider}. classes: two RadioButtons, the class or category and the one to mix it with, or [].
    """

    def __init__(self, trained, figure):
        self.trained, self.figure, self._rng = trained, figure, random_stream(trained.args.seed, 'sample')
        black = np.zeros((trained.image_size, trained.image_size))
        grey = {'cmap': 'gray', 'vmin': 0, 'vmax': 255}
        self.image = figure.add_axes((0.05, 0.4, 0.5, 0.58)).imshow(black, **grey)
        self.strip = figure.add_axes((0.2, 0.27, 0.65, 0.07)).imshow(np.tile(black, N_STRIP), **grey)
        for shown in self.image, self.strip:
            shown.axes.axis('off')

        self._order, names = range(trained.n_classes), trained.class_names
        if trained.n_cont:
            self._order, found = category_order(trained), trained.evaluation()
            names = [found['class_names'][label] for label in found['category_to_class']] if found else self._order
        self.classes = []
        for i, title in enumerate(('class', 'mixed with')) if trained.n_classes else ():
            axes = figure.add_axes((0.6 + 0.18 * i, 0.4, 0.16, 0.54))
            axes.set_title(title, loc='left')
            self.classes.append(RadioButtons(axes, [str(names[number]) for number in self._order], active=i))
            self.classes[i].on_clicked(lambda _: self.show())

        self._codes = [f'continuous code {i + 1}' for i in range(trained.n_cont)]
        self.sliders = {}
        for i, name in enumerate(['noise', *self._codes] + ['mixture'] * bool(trained.n_classes)):
            low, high = (-3, 3) if name in self._codes else (0, 1)
            self.sliders[name] = Slider(figure.add_axes((0.2, 0.21 - 0.04 * i, 0.65, 0.03)), name, low, high, valinit=0)
            self.sliders[name].on_changed(lambda _, name=name: self.show(name))
        self._buttons = [Button(figure.add_axes((0.2, 0.02, 0.2, 0.05)), 'new noise'),
                         Button(figure.add_axes((0.42, 0.02, 0.2, 0.05)), 'save')]
        self._buttons[0].on_clicked(lambda _: self.new_noise())
        self._buttons[1].on_clicked(lambda _: self.save())
        self.new_noise()

    def inputs(self, moved=None):
        """Noise (N, noise_size), and labels or codes (N, n) or None, for the image or for a slider's strip."""
        values = {name: np.full((N_STRIP if moved else 1, 1), slider.val) for name, slider in self.sliders.items()}
        if moved:
            values[moved] = np.linspace(self.sliders[moved].valmin, self.sliders[moved].valmax, N_STRIP)[:, None]
        z = (1 - values['noise']) * self._z[0] + values['noise'] * self._z[1]
        if not self.classes:
            return z, None
        one_hot = np.eye(self.trained.n_classes)[[self._order[buttons.index_selected] for buttons in self.classes]]
        mixture = (1 - values['mixture']) * one_hot[0] + values['mixture'] * one_hot[1]
        return z, np.hstack([*(values[name] for name in self._codes), mixture])

    def show(self, moved=None):
        """Draw the image, and the strip of the slider `moved`, by default the one moved last."""
        self._moved = moved or self._moved
        images = np.concatenate([to_uint8(self.trained.generate(*self.inputs(name))) for name in (None, self._moved)])
        self.image.set_data(images[0])
        self.strip.set_data(np.hstack(images[1:]))
        self.strip.axes.set_title(f'{self._moved}, from end to end', fontsize='medium')
        self.figure.canvas.draw_idle()

    def new_noise(self):
        """Draw two new noise vectors for the slider to go between."""
        self._z = self._rng.uniform(-1, 1, size=(2, self.trained.args.noise_size))
        self.show('noise')

    def save(self):
        """Write samples/explore_NNN.png, enlarged eight times, and explore_NNN.npz with z, and y or c."""
        (z, condition), number = self.inputs(), 1
        while os.path.exists(file := os.path.join(self.trained.run_dir, 'samples', f'explore_{number:03}.png')):
            number += 1
        image = enlarge(to_uint8(self.trained.generate(z, condition)[0]), 8)
        try:
            with writing(file) as unfinished:
                write_png(unfinished, image, {'Comment': f'{self.trained.model}, {self.trained.name}'})
            with writing(file.removesuffix('.png') + '.npz') as unfinished, open(unfinished, 'wb') as content:
                np.savez(content, **dict(zip(generator_inputs(self.trained.script), (z, condition))))
        except UserError as error:  # the window stays open
            print(error)


def parser():
    result = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_arguments(result).add_argument('--pretrained', action='store_true', help='the generator in pretrained/')
    return result


def main(argv=None):
    """Open the window and return its Explorer, which a notebook must keep."""
    args = parser().parse_args(argv)
    try:
        if plt.get_backend().lower() == 'agg' or 'inline' in plt.get_backend():
            raise ImportError
        figure = plt.figure(args.model, figsize=(8, 7))
    except (ImportError, RuntimeError):  # a backend that does not work here
        raise UserError('there is no display to open a window on: over ssh set MPLBACKEND=webagg (pip install tornado);'
                        ' in a notebook run %matplotlib widget (pip install ipympl), then explore.main([MODEL])')
    trained = (load_pretrained(args.model, args.logdir) if args.pretrained
               else load_trained_model(args.model, args.logdir, args.checkpoint))
    window = Explorer(trained, figure)
    plt.show()
    return window


if __name__ == '__main__':
    run_script(main)
