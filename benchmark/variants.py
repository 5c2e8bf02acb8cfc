"""The variants of a training step, and what their processes do.

ours      a script's graph, loader, batches and session
listing   what the chapter prints, with the mistakes corrected that keep it
          from running. Networks and losses are the script's; what differs is
          what the chapter does otherwise: stock TensorFlow settings, direct
          convolutions, images in float64 that are copied for shuffling, and
          optimizers that both wait for the moving averages of both networks
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import time

if multiprocessing.current_process().name == 'listing':  # stock TensorFlow, imported before `common` makes its settings
    os.environ.pop('TF_ENABLE_ONEDNN_OPTS', None)
import numpy as np
import tensorflow.compat.v1 as tf

from common import winograd
from common.batches import gen_batches_label
from common.datasets import load_dataset_label, load_dataset_label_pad
from common.scripts import generator_inputs, load_script
from common.tensorflow1 import session_config

try:
    import resource
except ImportError:  # Windows
    resource = None


def build_graph(script, args):
    """The script's graph: what its build_graph returns, and `initialize`."""
    gan = script.build_graph(args, 10) if 'y' in generator_inputs(script) else script.build_graph(args)
    gan.initialize = tf.global_variables_initializer()
    return gan


def build_listing_graph(script, args):
    """The chapter's graph: as build_graph, with other `d_opt` and `g_opt`."""
    with winograd.direct():
        gan = build_graph(script, args)
    # Not the slots of the script's own optimizers, which nothing uses here: without values they take no memory.
    variables = tf.trainable_variables() + [var for var in tf.global_variables() if '/moving_' in var.name]
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        d_adam = tf.train.AdamOptimizer(args.d_learning_rate, beta1=args.beta1, name='d_listing')
        g_adam = tf.train.AdamOptimizer(args.g_learning_rate, beta1=args.beta1, name='g_listing')
        gan.d_opt = d_adam.minimize(gan.d_loss, var_list=gan.d_vars)
        gan.g_opt = g_adam.minimize(gan.g_loss, var_list=gan.g_vars)
    gan.initialize = tf.variables_initializer(variables + d_adam.variables() + g_adam.variables())
    return gan


def load_listing_data(data_dir, convolutional):
    """The chapter's loaders: images in [-1, 1], (N, 784) or (N, 32, 32, 1), and one-hot labels (N, 10), in float64."""
    with np.load(os.path.join(data_dir, 'mnist.npz')) as file:
        train_data = np.concatenate((file['x_train'], file['x_test']), axis=0)
        labels = np.concatenate((file['y_train'], file['y_test']), axis=0)
    train_data = train_data / 255.
    train_data = train_data * 2. - 1
    if convolutional:
        train_data = train_data.reshape([-1, 28, 28, 1])
        train_data = np.pad(train_data, ((0, 0), (2, 2), (2, 2), (0, 0)), 'constant', constant_values=0.)
    else:
        train_data = train_data.reshape([-1, 28 * 28])
    return train_data, np.eye(10)[labels]


def gen_listing_batches(x_data, y_data, batch_size):
    """The chapter's gen_batches_label: shuffling copies the data, a short last batch is dropped."""
    idx = np.random.permutation(len(x_data))
    x_data, y_data = x_data[idx], y_data[idx]
    for i in range(0, len(x_data) - batch_size + 1, batch_size):
        yield x_data[i:i + batch_size], y_data[i:i + batch_size]


def step_inputs(script, args, data, gen_batches):
    """What training steps are fed, endlessly: dicts of X_real, z, and y or c where the generator takes it."""
    rng = np.random.default_rng(args.seed)
    while True:
        for batch_x, batch_y in gen_batches(*data, args.batch_size):
            inputs = {'X_real': batch_x, 'z': rng.uniform(-1, 1, (args.batch_size, args.noise_size))}
            if 'y' in generator_inputs(script):
                inputs['y'] = batch_y
            if 'c' in generator_inputs(script):
                inputs['c'] = script.gen_condition_variable(args.batch_size, args.n_classes, script.n_cont, rng)
            yield inputs


def prepare(variant, model, batch_size, data_dir):
    """
    A variant's training step
    @param variant: 'ours', 'ours_bfloat16', 'listing', 'torch' or 'torch_bfloat16'
    @param model: a name in SCRIPTS
    @param data_dir: folder with mnist.npz
    @return: function that does one step, and returns d_loss and g_loss
    """
    script = load_script(model)
    args = script.parser().parse_args(['--batch-size', str(batch_size)])
    args.mixed_precision = variant.endswith('bfloat16')
    convolutional = hasattr(script, 'image_size')
    if variant == 'listing':
        inputs = step_inputs(script, args, load_listing_data(data_dir, convolutional), gen_listing_batches)
        gan, config = build_listing_graph(script, args), None
    else:
        load = load_dataset_label_pad if convolutional else load_dataset_label
        inputs = step_inputs(script, args, load(data_dir), gen_batches_label)
        if variant.startswith('torch'):
            from benchmark import pytorch  # which may not be installed
            return pytorch.prepare(script, args, inputs)
        gan, config = build_graph(script, args), session_config(args.mixed_precision)
    # The listing's generator updates wait for the discriminator's moving averages, too, which need the real images.
    g_needs_images = variant == 'listing' and tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    sess = tf.Session(config=config)
    sess.run(gan.initialize)

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
    """What the process of a variant does: it prepares, then answers each number of steps with the seconds that a step
    took and the peak memory in MB, not a number on Windows."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, whose end ends this process
    sys.stdout = open(os.devnull, 'w')  # for what the loaders print
    with tf.Graph().as_default(), contextlib.suppress(EOFError):
        step = prepare(*arguments)
        while True:
            n_steps = connection.recv()
            step()  # brings the caches back after the others' turns
            start = time.perf_counter()
            for _ in range(n_steps):
                step()
            seconds = (time.perf_counter() - start) / n_steps
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss if resource else float('nan')
            connection.send((seconds, peak * (1 if sys.platform == 'darwin' else 1024) / 1e6))
