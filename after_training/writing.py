"""What sample.py writes: a picture, arrays, a folder of single images, a SavedModel; each whole or not at all."""

import contextlib
import os
import re

import numpy as np
from tqdm import tqdm

from after_training.drawing import animate_codes, animate_epochs, draw, draw_beside_real
from after_training.inputs import name_of_each
from after_training.tiles import enlarge, to_uint8, write_animation, write_png
from common.errors import UserError, one_line
from common.files import whole_file, whole_folder
from common.tensorflow1 import tf

_IMAGES_AT_ONCE = 500


@contextlib.contextmanager
def writing(path, whole):
    """A name to write to, which becomes `path` when all is written; otherwise `path` is as it was.

    @param whole: whole_file or whole_folder
    """
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        with whole(path) as unfinished:
            yield unfinished
    except OSError as error:
        raise UserError(f'cannot write {path} ({one_line(error)}): make room, or choose another name')
    print('wrote', path)


def write_picture(args, trained, seed, rng, inputs):
    """The picture that `args` ask for, at args.out or in the samples folder of the run."""
    when = 'all_epochs' if args.animate and not args.traversal else trained.name
    name = f'{what_it_shows(args)}-{when}.{"gif" if args.animate else "png"}'
    path = args.out or os.path.join(trained.run_dir, 'samples', name)
    notes = notes_of(args, when, seed)
    if args.animate:
        pictures, captions, milliseconds = (animate_codes if args.traversal else animate_epochs)(args, trained, inputs)
        with writing(path, whole_file) as file:
            write_animation(file, pictures, captions, milliseconds, notes,
                            'GIF' if path.lower().endswith('.gif') else 'PNG')
    elif args.beside_real:
        picture, answer = draw_beside_real(args, trained, inputs, rng)
        with writing(path, whole_file) as file:
            write_png(file, picture, notes)
        print('Look first. The answer:', answer)
    else:
        picture = draw(args, trained, inputs)
        with writing(path, whole_file) as file:
            write_png(file, picture, notes)


def notes_of(args, when, seed):
    """{keyword: text} to keep inside a picture, so that nobody need wonder how it was made."""
    return {'Software': args.command, 'Comment': f'{args.model}, {when}, seed {seed}'}


def what_it_shows(args):
    """What a picture shows, as the first part of its name."""
    shows = [name.replace('_', '-') for name in ('digits', 'interpolate', 'traversal', 'random_codes', 'beside_real')
             if getattr(args, name)]
    if args.digits:
        shows.append(in_a_file_name(args.digits[:20]))
    if args.label is not None:
        shows += ['label', in_a_file_name(args.label)]
    return '-'.join((shows or ['grid']) + ['animated'] * args.animate)


def in_a_file_name(text):
    """Letters that are more than letters in the name of a file become _."""
    return re.sub(r'[^\w.+-]', '_', text)


def write_npz(args, trained, seed, inputs):
    """All images and what they were generated from, as arrays."""
    images = trained.generate(inputs.z, inputs.condition)
    arrays = {'images': images, 'images_uint8': to_uint8(images), 'z': inputs.z.astype(np.float32)}
    if inputs.condition is not None and trained.n_cont:
        arrays['codes'] = inputs.condition.astype(np.float32)
    elif inputs.condition is not None:
        arrays['labels'] = inputs.condition.argmax(axis=1)
        arrays['class_names'] = np.array(trained.class_names)
    with writing(args.npz, whole_file) as path, open(path, 'wb') as file:  # np.savez would add .npz to a name
        np.savez(file, **arrays, model=args.model, checkpoint=trained.name, seed=seed)


def write_files(args, trained, seed, inputs):
    """Each image as a PNG of its own, named by its number and what it shows."""
    n, names = len(inputs.z), name_of_each(trained, inputs.condition)
    notes = notes_of(args, trained.name, seed)
    with writing(args.files, whole_folder) as folder, tqdm(total=n, unit=' images', disable=None, delay=1) as bar:
        for start in range(0, n, _IMAGES_AT_ONCE):
            part = slice(start, start + _IMAGES_AT_ONCE)
            condition = None if inputs.condition is None else inputs.condition[part]
            images = to_uint8(trained.generate(inputs.z[part], condition))
            for i, image in enumerate(images, start):
                name = f'{i:05}' + (f'_{in_a_file_name(names[i])}' if names else '')
                write_png(os.path.join(folder, f'{name}.png'), enlarge(image, args.scale or 1), notes)
            bar.update(len(images))


def write_export(args, trained):
    """The generator as a SavedModel."""
    try:
        trained.export(args.export)
    except (OSError, tf.errors.OpError) as error:
        raise UserError(f'cannot write {args.export} ({one_line(error)}): make room, or choose another name')
    print('wrote', args.export)
