"""The listing: what the chapter prints, with the mistakes fixed that keep it from running.

Networks and losses are the script's. What differs is what the chapter does
otherwise: layers as `tf.layers` computes them, stock TensorFlow settings,
images in float64 that are copied for shuffling, and optimizers that both wait
for the moving averages of both networks.
"""

import itertools
import os
from types import SimpleNamespace

import numpy as np

from benchmark.ours import feed, is_convolutional
from common import convolutions
from common.scripts import load_script
from common.tensorflow1 import tf

# What common.tensorflow1 sets or looks at; stock TensorFlow decides these itself.
TENSORFLOW_SETTINGS = ('TF_ENABLE_ONEDNN_OPTS', 'TF_USE_LEGACY_KERAS')


def load_data(data_dir, convolutional):
    """
    The chapter's load_dataset, load_dataset_pad or load_dataset_label, from a file that is already there
    @return: images in [-1, 1] and one-hot labels, both float64
    """
    with np.load(os.path.join(data_dir, 'mnist.npz')) as file:
        x_train, y_train, x_test, y_test = (file[name] for name in ('x_train', 'y_train', 'x_test', 'y_test'))
    train_data = np.concatenate((x_train, x_test), axis=0)
    train_data = train_data / 255.
    train_data = train_data * 2. - 1
    if convolutional:
        train_data = train_data.reshape([-1, 28, 28, 1])
        train_data = np.pad(train_data, ((0, 0), (2, 2), (2, 2), (0, 0)), 'constant', constant_values=0.)
    else:
        train_data = train_data.reshape([-1, 28 * 28])
    return train_data, np.eye(10)[np.concatenate((y_train, y_test), axis=0)]


def gen_batches_label(x_data, y_data, batch_size):
    """The chapter's gen_batches_label, one epoch: shuffling copies the data, a short last batch is dropped."""
    n_data = x_data.shape[0]
    idx = np.arange(n_data)
    np.random.shuffle(idx)
    x_data = x_data[idx]
    y_data = y_data[idx]
    for i in range(0, n_data - batch_size + 1, batch_size):
        yield x_data[i:i + batch_size], y_data[i:i + batch_size]


def build_graph(script, args):
    """
    The chapter's graph
    @param args: of the script
    @return: what the script's build_graph returns, with other `d_opt` and `g_opt`, and `initialize`
    """
    with convolutions.direct():
        gan = script.build_graph(args)
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    # Not the slots of the script's own optimizers, which nothing uses here.
    weights = tf.trainable_variables() + [var for var in tf.global_variables() if '/moving_' in var.name]
    with tf.control_dependencies(updates):
        d_adam = tf.train.AdamOptimizer(args.d_learning_rate, beta1=args.beta1, name='d_listing')
        g_adam = tf.train.AdamOptimizer(args.g_learning_rate, beta1=args.beta1, name='g_listing')
        d_opt = d_adam.minimize(gan.d_loss, var_list=gan.d_vars)
        g_opt = g_adam.minimize(gan.g_loss, var_list=gan.g_vars)
    variables = weights + d_adam.variables() + g_adam.variables()
    return SimpleNamespace(**{**vars(gan), 'd_opt': d_opt, 'g_opt': g_opt,
                              'initialize': tf.variables_initializer(variables)})


def runs_of_a_step(gan):
    """The fetches of the chapter's three runs."""
    return [gan.d_opt, gan.merged, gan.d_loss], [gan.g_opt], [gan.g_opt, gan.g_loss]


def train_step(sess, gan, batch_x, **inputs):
    """One training step of the chapter; returns d_loss and g_loss."""
    d_run, g_run, last_run = runs_of_a_step(gan)
    # The generator's optimizer waits for the discriminator's moving averages, too, which need the real images.
    has_moving_averages = sess.graph.get_collection(tf.GraphKeys.UPDATE_OPS)
    g_feed = feed(gan, X_real=batch_x, **inputs) if has_moving_averages else feed(gan, **inputs)
    _, _, d_loss_batch = sess.run(d_run, feed(gan, X_real=batch_x, **inputs))
    sess.run(g_run, g_feed)
    _, g_loss_batch = sess.run(last_run, g_feed)
    return d_loss_batch, g_loss_batch


def prepare(model, batch_size, data_dir):
    """As ours.prepare, for the chapter's formulation; only right in a process of its own."""
    import tensorflow  # noqa: F401 - before common's tf, which would change its settings
    script = load_script(model)
    args = script.parser().parse_args([])
    gan = build_graph(script, args)
    data = load_data(data_dir, is_convolutional(script))
    batches = itertools.chain.from_iterable(gen_batches_label(*data, batch_size) for _ in itertools.count())
    sess = tf.Session()
    sess.run(gan.initialize)
    rng = np.random.default_rng()

    def step():
        batch_x, batch_y = next(batches)
        inputs = {'z': np.random.uniform(-1, 1, size=(batch_size, args.noise_size))}
        if 'y' in script.INPUTS:
            inputs['y'] = batch_y
        elif 'c' in script.INPUTS:
            inputs['c'] = script.random_condition(args, batch_size, rng)
        return train_step(sess, gan, batch_x, **inputs)

    return step
