"""The variants of a training step, and what their processes do.

Ours is a script's graph, loader, batches and session. The listing is what the chapter prints, with the mistakes
corrected that keep it from running: networks and losses are the script's; what differs is what the chapter does
otherwise, stock TensorFlow settings, direct convolutions, images in float64 that are copied for shuffling, and
optimizers that both wait for all moving averages.
"""

import multiprocessing
import os
import sys
import time
from unittest import mock

import numpy as np

if multiprocessing.current_process().name != 'MainProcess':  # a worker's answers go another way than what is printed
    for stream in (sys.stdout, sys.stderr):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
if multiprocessing.current_process().name == 'listing':  # stock TensorFlow, before `common` makes its settings
    os.environ.pop('TF_ENABLE_ONEDNN_OPTS', None)
    import tensorflow  # noqa: F401

from common import gen_batches_label, load_dataset_label, load_dataset_label_pad, winograd
from common.errors import one_line
from common.scripts import generator_inputs, load_script
from common.tensorflow1 import session_config

import tensorflow.compat.v1 as tf

try:
    import resource
except ImportError:  # Windows
    resource = None


def build_graph(script, args, listing=False):
    """What the script's build_graph returns; in the listing each optimizer waits for the updates of both networks."""
    arguments = (args, 10) if 'y' in generator_inputs(script) else (args,)
    if not listing:
        return script.build_graph(*arguments)
    get_collection = tf.get_collection  # which the listing calls without a scope
    with winograd.direct(), mock.patch.object(tf, 'get_collection', lambda key, scope=None: get_collection(key)):
        return script.build_graph(*arguments)


def load_listing_data(data_dir, convolutional):
    """The chapter's loaders: images in [-1, 1], (N, 784) or (N, 32, 32, 1), and one-hot labels (N, 10), in float64."""
    with np.load(os.path.join(data_dir, 'mnist.npz')) as file:
        train_data = np.concatenate((file['x_train'], file['x_test']), axis=0)
        labels = np.eye(10)[np.concatenate((file['y_train'], file['y_test']), axis=0)]
    train_data = train_data / 255. * 2. - 1
    if not convolutional:
        return train_data.reshape([-1, 28 * 28]), labels
    train_data = train_data.reshape([-1, 28, 28, 1])
    return np.pad(train_data, ((0, 0), (2, 2), (2, 2), (0, 0)), 'constant', constant_values=0.), labels


def gen_listing_batches(x_data, y_data, batch_size):
    """The chapter's gen_batches_label: shuffling copies the data, a short last batch is dropped."""
    idx = np.random.permutation(len(x_data))
    x_data, y_data = x_data[idx], y_data[idx]
    for i in range(0, len(x_data) - batch_size + 1, batch_size):
        yield x_data[i:i + batch_size], y_data[i:i + batch_size]


def step_inputs(script, args, data, gen_batches):
    """What training steps are fed, endlessly: dicts of X_real, z, and y or c where the generator takes it."""
    rng, names = np.random.default_rng(args.seed), generator_inputs(script)
    while True:
        for batch_x, batch_y in gen_batches(*data, args.batch_size):
            inputs = {'X_real': batch_x, 'z': rng.uniform(-1, 1, (args.batch_size, args.noise_size))}
            if 'y' in names:
                inputs['y'] = batch_y
            if 'c' in names:
                inputs['c'] = script.gen_condition_variable(args.batch_size, args.n_classes, script.n_cont, rng)
            yield inputs


def prepare(variant, model, data_dir):
    """A function that does one training step, and returns d_loss and g_loss; variant: as in the table."""
    script = load_script(model)
    args = script.parser().parse_args([])
    args.mixed_precision = variant.endswith('bfloat16')
    convolutional = hasattr(script, 'image_size')
    if variant == 'listing':
        inputs = step_inputs(script, args, load_listing_data(data_dir, convolutional), gen_listing_batches)
        gan, sess = build_graph(script, args, listing=True), tf.Session()
    else:
        load = load_dataset_label_pad if convolutional else load_dataset_label
        inputs = step_inputs(script, args, load(data_dir), gen_batches_label)
        if variant.startswith('torch'):
            from benchmark import pytorch  # here, because it may not be installed
            return pytorch.prepare(script, args, inputs)
        gan, sess = build_graph(script, args), tf.Session(config=session_config(args.mixed_precision))
    sess.run(tf.global_variables_initializer())
    # The listing's generator updates wait for the discriminator's moving averages, too, which need the real images.
    g_needs_images = variant == 'listing' and tf.get_collection(tf.GraphKeys.UPDATE_OPS)

    def step():
        feed = {getattr(gan, name): value for name, value in next(inputs).items()}
        _, _, d_loss = sess.run([gan.d_opt, gan.merged, gan.d_loss], feed)
        if not g_needs_images:
            del feed[gan.X_real]
        for _ in range(args.generator_updates):
            _, g_loss = sess.run([gan.g_opt, gan.g_loss], feed)
        return d_loss, g_loss

    return step


def serve(connection, *arguments):
    """What a worker does: as many steps as it is asked for, until that is 0. It answers with the seconds that a step
    took and the peak memory in MB, or once with a sentence that says what is wrong."""
    try:
        with tf.Graph().as_default():
            step = prepare(*arguments)
        while n_steps := connection.recv():
            step()  # brings the caches back after the others' turns
            start = time.perf_counter()
            for _ in range(n_steps):
                step()
            seconds = (time.perf_counter() - start) / n_steps
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss if resource else float('nan')  # bytes on macOS
            connection.send((seconds, peak * (1 if sys.platform == 'darwin' else 1024) / 1e6))
    except Exception as error:
        connection.send((one_line(error), None))
