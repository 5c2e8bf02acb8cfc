"""The four models as the chapter states them: losses once, one `sess.run` for each update, plain gradients.

The networks are the scripts' own; everything else is written again from the
chapter, without any of the scripts' ordering inside the graph.
"""

from types import SimpleNamespace

import numpy as np

import cgan
import dcgan
import infogan
import vanilla_gan
from common import tf

SCRIPTS = {'vanilla': vanilla_gan, 'dcgan': dcgan, 'cgan': cgan, 'infogan': infogan}
BATCH_SIZE, NOISE_SIZE = 8, 5


def feeds(model, seed):
    """Random values for the placeholders of a model, {placeholder's name: array}."""
    rng = np.random.default_rng(seed)
    image = (28 * 28,) if model in ('vanilla', 'cgan') else (32, 32, 1)
    values = {'X_real': rng.uniform(-1, 1, size=(BATCH_SIZE,) + image),
              'z': rng.uniform(-1, 1, size=(BATCH_SIZE, NOISE_SIZE))}
    one_hot = np.eye(10)[rng.integers(10, size=BATCH_SIZE)]
    if model == 'cgan':
        values['y'] = one_hot
    if model == 'infogan':
        values['c'] = np.concatenate((rng.normal(size=(BATCH_SIZE, 1)), one_hot), axis=1)
    return values


def feed_dict(graph, values):
    return {getattr(graph, name): value for name, value in values.items()}


def cross_entropy(logits, label):
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(logits=logits, labels=label * tf.ones_like(logits)))


def build_plain_graph(model):
    """The chapter's graph: inputs, `d_loss`, `g_loss`, and the operations `d_opt` and `g_opt`.

    `d_opt` and `g_opt` both wait for all updates of moving averages, as printed.
    """
    script = SCRIPTS[model]
    tf.reset_default_graph()
    tf.set_random_seed(0)
    values = feeds(model, 0)
    inputs = {name: tf.placeholder(tf.float32, (None,) + value.shape[1:]) for name, value in values.items()}
    X_real, z = inputs['X_real'], inputs['z']
    if model == 'infogan':
        c = inputs['c']
        g_sample = script.generator(z, c, 1)
        d_real_out, _, _ = script.discriminator(X_real, 10, 1)
        d_fake_out, d_fake_cont, d_fake_cat = script.discriminator(g_sample, 10, 1)
        d_cat_loss = -tf.reduce_mean(tf.reduce_sum(c[:, 1:] * tf.nn.log_softmax(d_fake_cat), axis=1))
        d_cont_loss = tf.reduce_mean((c[:, :1] - d_fake_cont)**2)
        info_loss = 0.1 * d_cont_loss + 1.0 * d_cat_loss
    else:
        info_loss = 0.
        if model == 'cgan':
            g_sample = script.generator(z, inputs['y'])
            d_real_out = script.discriminator(X_real, inputs['y'])
            d_fake_out = script.discriminator(g_sample, inputs['y'])
        else:
            g_sample = script.generator(z, 1) if model == 'dcgan' else script.generator(z)
            d_real_out = script.discriminator(X_real)
            d_fake_out = script.discriminator(g_sample)
    g_loss = cross_entropy(d_fake_out, 1) + info_loss
    d_loss = cross_entropy(d_real_out, 1) + cross_entropy(d_fake_out, 0) + info_loss
    d_vars = [var for var in tf.trainable_variables() if var.name.startswith('discriminator')]
    g_vars = [var for var in tf.trainable_variables() if var.name.startswith('generator')]
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        d_opt = tf.train.AdamOptimizer(0.0002, beta1=0.5, name='d_adam').minimize(d_loss, var_list=d_vars)
        g_opt = tf.train.AdamOptimizer(0.0002, beta1=0.5, name='g_adam').minimize(g_loss, var_list=g_vars)
    return SimpleNamespace(**inputs, d_loss=d_loss, g_loss=g_loss, d_vars=d_vars, g_vars=g_vars, d_opt=d_opt,
                           g_opt=g_opt)
