"""explore.py, its sliders and buttons called without a window."""

import os

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

import explore
from common.scripts import SCRIPTS, generator_inputs
from runs import assert_refused, run
from sampling.pictures import to_uint8
from sampling.trained_model import load_pretrained


@pytest.mark.parametrize('model', SCRIPTS)
def test_sliders_and_buttons_give_the_inputs_of_the_image_that_is_shown_and_saved(model, tmp_path, capsys):
    trained = load_pretrained(model, tmp_path)
    window = explore.Explorer(trained, Figure())

    def shown():
        return window.image.get_array(), np.hsplit(window.strip.get_array(), explore.N_STRIP)

    first, strip = shown()
    assert (strip[0] == first).all() and not (strip[-1] == first).all() and first.std() > 50  # a digit
    start, *strip_z = window.inputs()[0]
    window.sliders['noise'].set_val(1)
    assert (shown()[0] == strip[-1]).all() and np.allclose(window.inputs()[0][0], strip_z[-1])
    window.sliders['noise'].set_val(0.5)
    assert np.allclose(window.inputs()[0][0], (strip_z[0] + strip_z[-1]) / 2)

    if trained.n_classes:
        classes = trained.evaluation()['category_to_class'] if trained.n_cont else range(10)
        window.classes[0].set_active(7)
        window.classes[1].set_active(2)
        window.sliders['mixture'].set_val(0.25)
        condition = window.inputs()[1][0, trained.n_cont:]
        assert {classes[i]: condition[i] for i in np.flatnonzero(condition)} == {7: 0.75, 2: 0.25}
    if trained.n_cont:
        window.sliders['continuous code 1'].set_val(-2)
        assert window.inputs()[1][0, 0] == -2
        np.testing.assert_allclose(window.inputs()[1][1:, 0], np.linspace(-3, 3, explore.N_STRIP))

    window.save()
    window.new_noise()
    assert not np.allclose(window.inputs()[0][0], start)
    window.save()
    folder = tmp_path / model / 'samples'
    assert sorted(os.listdir(folder)) == ['explore_001.npz', 'explore_001.png', 'explore_002.npz', 'explore_002.png']
    with np.load(folder / 'explore_002.npz') as saved, Image.open(folder / 'explore_002.png') as image:
        images = trained.generate(*(saved[name] for name in generator_inputs(trained.script)))
        assert (to_uint8(images[0]) == np.asarray(image)[::8, ::8]).all() and (shown()[0] == to_uint8(images[0])).all()


def test_a_save_that_fails_leaves_the_window_open(tmp_path, capsys):
    (tmp_path / 'vanilla').touch()  # a file where the folder should be
    explore.Explorer(load_pretrained('vanilla', tmp_path), Figure()).save()
    assert str(tmp_path) in capsys.readouterr().out


def test_without_a_display_it_says_what_to_do():
    assert_refused(run('explore.py', 'vanilla', '--pretrained', before=[without_display]), 'webagg', 'widget')


def without_display():
    for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
        os.environ.pop(name, None)
    os.environ['MPLBACKEND'] = 'agg'
