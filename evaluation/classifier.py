"""The reference classifier: a small convolutional network, trained once on the real images of a data set and cached."""

import contextlib
import os
import sys
import zlib

import numpy as np

import tensorflow.compat.v1 as tf

from common.batches import gen_batches_label
from common.layers import batch_norm, conv2d, dense, flatten
from common.random_streams import random_stream
from common.tensorflow1 import session_config
from sampling.pictures import writing

EPOCHS, BATCH_SIZE, LEARNING_RATE, SEED = 8, 128, 0.002, 0
VERSION = 3  # part of the cache's name: count up when the network or its training changes

# Otherwise the first session of a process decides how many threads all of them share.
os.environ.setdefault('TF_OVERRIDE_GLOBAL_THREADPOOL', '1')


def progress(line):
    print(line, file=sys.stderr, flush=True)


def network(x, n_classes, training=True):
    """Logits (batch, n_classes) and features (batch, 128), at least 0, of images x (batch, 28, 28, 1) in [-1, 1]."""
    with tf.variable_scope('classifier'):
        conv1 = tf.nn.relu(batch_norm(conv2d(x, 32), training))
        conv2 = tf.nn.relu(batch_norm(conv2d(conv1, 64), training))
        features = tf.nn.relu(batch_norm(dense(flatten(conv2), 128), training))
        dropped = tf.nn.dropout(features, rate=0.5) if training else features
        return dense(dropped, n_classes), features


def train(images, labels, n_classes):
    """Train the network: {name: array} of all weights and moving averages, whatever the number of threads.

    images: (N, 28, 28), N >= 128, uint8 in 0..255 or floats in [0, 1]. labels: integers (N,) in 0 .. n_classes - 1.
    """
    with tf.Graph().as_default() as graph:
        tf.set_random_seed(SEED)
        x = tf.placeholder(tf.float32, (None, 28, 28, 1))
        y = tf.placeholder(tf.int32, (None,))
        learning_rate = tf.placeholder(tf.float32, ())
        logits, _ = network(x, n_classes)
        weights = tf.global_variables()  # before Adam adds its own
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
        with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS, scope='classifier')):
            optimize = tf.train.AdamOptimizer(learning_rate).minimize(loss)

        config = session_config()
        config.intra_op_parallelism_threads = 1  # their number changes the rounding
        with tf.Session(graph=graph, config=config) as sess:
            sess.run(tf.global_variables_initializer())
            steps = EPOCHS * (len(images) // BATCH_SIZE)
            rates = iter(LEARNING_RATE * (1 - np.arange(steps) / steps))  # to 0, so the weights settle
            for epoch in range(EPOCHS):
                batches = gen_batches_label(images, labels, BATCH_SIZE, seed=random_stream(SEED, 'shuffle', epoch))
                losses = [sess.run([loss, optimize], {x: _scale(batch_x), y: batch_y, learning_rate: next(rates)})[0]
                          for batch_x, batch_y in batches]
                progress(f'classifier: epoch {epoch + 1}/{EPOCHS}, loss {np.mean(losses):.4f}')
            return {variable.op.name: value for variable, value in zip(weights, sess.run(weights))}


def logits_and_features(weights, images):
    """Logits (N, n_classes) and features (N, 128) of images as for `train`, each by itself; weights: from `train`."""
    with tf.Graph().as_default(), tf.Session(config=session_config()) as sess:
        x = tf.placeholder(tf.float32, (None, 28, 28, 1))
        outputs = network(x, len(weights['classifier/dense_1/bias']), training=False)
        for variable in tf.global_variables():
            variable.load(weights[variable.op.name], sess)
        batches = [sess.run(outputs, {x: _scale(images[start:start + 1000])}) for start in range(0, len(images), 1000)]
    logits, features = zip(*batches)
    return np.concatenate(logits), np.concatenate(features)


def fingerprint(weights):
    """Eight hexadecimal digits that identify the weights."""
    return f'{zlib.crc32(b"".join(value.tobytes() for value in weights.values())):08x}'


def _scale(images):
    """(N, 28, 28), uint8 or in [0, 1], -> float32 (N, 28, 28, 1) in [-1, 1]."""
    white = 255 if images.dtype == np.uint8 else 1
    return (np.asarray(images, np.float32) * (2 / white) - 1)[..., None]


def load_or_train(cache_dir, images, labels, n_classes):
    """The weights from `train`, from a file in cache_dir for just these data; UserError where it cannot be written."""
    data = zlib.crc32(labels.tobytes(), zlib.crc32(images.tobytes()))
    path = os.path.join(cache_dir, f'classifier-{VERSION}-{n_classes}-{data:08x}.npz')
    with contextlib.suppress(Exception):  # it is not there, or damaged in one of a dozen ways
        with np.load(path, allow_pickle=False) as content:
            return dict(content)
    progress(f'training the classifier on {len(images):,} images')
    weights = train(images, labels, n_classes)
    with writing(path) as unfinished, open(unfinished, 'wb') as file:
        np.savez(file, **weights)
    return weights
