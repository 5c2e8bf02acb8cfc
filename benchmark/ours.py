"""This code: a script's graph, loader, batches and noise, one training step at a time."""

import itertools

from common.batches import count_batches, gen_batches, gen_batches_label
from common.datasets import load_dataset, load_dataset_label, load_dataset_label_pad, load_dataset_pad
from common.random_streams import random_stream
from common.scripts import load_script
from common.tensorflow1 import session_config, tf


def is_convolutional(script):
    """Whether the networks of a script take images of height, width and channels instead of flat rows."""
    return hasattr(script, 'image_size')


def feed(gan, **values):
    """A feed_dict: z=..., X_real=..., and the condition under its name."""
    return {getattr(gan, name): value for name, value in values.items()}


def batches_in_epoch(model, n_images, batch_size):
    """The scripts with labels leave out a short last batch, as the chapter does."""
    return count_batches(n_images, batch_size, keep_short='y' not in load_script(model).INPUTS)


def prepare(model, batch_size, data_dir, mixed_precision=False):
    """As prepare_with_session; returns the step only."""
    return prepare_with_session(model, batch_size, data_dir, mixed_precision)[0]


def prepare_with_session(model, batch_size, data_dir, mixed_precision=False):
    """
    Prepare to train as the script does
    @param model: a name in SCRIPTS
    @param data_dir: folder with mnist.npz
    @param mixed_precision: as the script's option
    @return: function that does one training step, and takes the function to use instead of the session's `run`;
             the session
    """
    script = load_script(model)
    args = script.parser().parse_args([])
    gan = script.build_graph(args)
    with_labels = 'y' in script.INPUTS
    load = {(False, False): load_dataset, (False, True): load_dataset_pad, (True, False): load_dataset_label,
            (True, True): load_dataset_label_pad}[with_labels, is_convolutional(script)]
    data = load(data_dir)
    sess = tf.Session(config=session_config(mixed_precision))
    sess.run(tf.global_variables_initializer())

    def batches():
        for epoch in itertools.count():
            seed = random_stream(args.seed, 'shuffle', epoch)
            if with_labels:
                yield from gen_batches_label(*data, batch_size, seed=seed)
            else:
                yield from ((batch_x, None) for batch_x in gen_batches(data, batch_size, seed=seed))

    batch, steps = batches(), itertools.count()

    def step(run=sess.run):
        (batch_x, batch_y), number = next(batch), next(steps)
        inputs = {'z': random_stream(args.seed, 'noise', number).uniform(-1, 1, size=(batch_size, args.noise_size))}
        if with_labels:
            inputs['y'] = batch_y
        elif 'c' in script.INPUTS:
            inputs['c'] = script.random_condition(args, batch_size, random_stream(args.seed, 'code', number))
        _, _, d_loss = run([gan.d_opt, gan.merged, gan.d_loss], feed(gan, X_real=batch_x, **inputs))
        for _ in range(args.generator_updates):
            _, g_loss = run([gan.g_opt, gan.g_loss], feed(gan, **inputs))
        return d_loss, g_loss

    return step, sess
