"""The classifier that judges generated images: a small convolutional network, trained once and cached.

It never sees a GAN's graph: it has graphs and sessions of its own.
"""

import hashlib
import os
import time

import numpy as np

from after_training.metrics import accuracy
from common.batches import gen_batches_label
from common.errors import one_line
from common.files import whole_file
from common.layers import batch_norm, conv2d, dense, update_ops
from common.random_streams import random_stream
from common.tensorflow1 import tf

EPOCHS, BATCH_SIZE, LEARNING_RATE = 8, 128, 0.002
# Part of the cache's fingerprint: count up when the network or its training changes.
VERSION = 1


def network(x, n_classes, training=True):
    """
    Two convolutions and two fully connected layers; batch norm after the first three
    @param x: images, (batch, 28, 28, 1) in [-1, 1]
    @param n_classes: number of classes
    @param training: normalize with statistics of the batch, and drop half of the features
    @return: logits (batch, n_classes), and the features that they are computed from (batch, 128), at least 0
    """
    with tf.variable_scope('classifier'):
        conv1 = tf.nn.relu(batch_norm(conv2d(x, 32), training))
        conv2 = tf.nn.relu(batch_norm(conv2d(conv1, 64), training))
        fc = tf.reshape(conv2, (-1, 7 * 7 * 64))
        features = tf.nn.relu(batch_norm(dense(fc, 128), training))
        dropped = tf.nn.dropout(features, rate=0.5) if training else features
        return dense(dropped, n_classes), features


def train(images, labels, n_classes, seed=0, epochs=EPOCHS, report=print):
    """Train the network; the same seed on the same machine gives the same weights.

    @param images: (N, 28, 28), at least a batch of 128; uint8 in 0..255 or floats in [0, 1]
    @param labels: integers (N,) in 0 .. n_classes - 1
    @param n_classes: number of classes
    @param report: is called with a line of text after each epoch
    @return: {name: array} of all weights and moving averages
    @raise BatchSizeError: where there are fewer images than a batch
    """
    with tf.Graph().as_default():
        tf.set_random_seed(seed)
        x = tf.placeholder(tf.float32, (None, 28, 28, 1))
        y = tf.placeholder(tf.int32, (None,))
        learning_rate = tf.placeholder(tf.float32, ())
        logits, _ = network(x, n_classes)
        weights = tf.global_variables()  # before Adam adds its own
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
        with tf.control_dependencies(update_ops('classifier')):
            optimize = tf.train.AdamOptimizer(learning_rate).minimize(loss)

        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            steps, total = 0, epochs * (len(images) // BATCH_SIZE)
            for epoch in range(epochs):
                losses = []
                for batch_x, batch_y in gen_batches_label(images, labels, BATCH_SIZE,
                                                          seed=random_stream(seed, 'shuffle', epoch)):
                    _, batch_loss = sess.run([optimize, loss], feed_dict={
                        x: _scale(batch_x), y: batch_y,
                        learning_rate: LEARNING_RATE * (1 - steps / total)})  # falls to 0, so the weights settle
                    losses.append(batch_loss)
                    steps += 1
                report(f'classifier: epoch {epoch + 1}/{epochs}, loss {np.mean(losses):.4f}')
            return {variable.op.name: value for variable, value in zip(weights, sess.run(weights))}


class Classifier:
    """A trained network that is ready to judge images.

    @param weights: {name: array} from `train`
    @raise KeyError, ValueError: where they are not the weights of this network

    `n_classes` is their number of classes. Images are (N, 28, 28), either uint8 in 0..255 or floats in [0, 1].
    `test_accuracy` is set by `load_or_train`: (share, standard error) on the test split.
    """

    test_accuracy = None

    def __init__(self, weights):
        self.n_classes = len(weights['classifier/dense_1/bias'])
        with tf.Graph().as_default() as graph:
            self._x = tf.placeholder(tf.float32, (None, 28, 28, 1))
            self._outputs = network(self._x, self.n_classes, training=False)
            variables = tf.global_variables()
            self._sess = tf.Session(graph=graph)
            self._sess.run([variable.initializer for variable in variables],
                           {variable.initial_value: weights[variable.op.name] for variable in variables})
            graph.finalize()

    def logits_and_features(self, images, batch_size=1000):
        """What the network makes of each image, whatever else is in its batch.

        @param images: (N, 28, 28), N of at least 1
        @param batch_size: images at a time, for the memory; no effect on the result
        @return: float32 logits (N, n_classes), and the features before them (N, 128)
        """
        batches = [self._sess.run(self._outputs, {self._x: _scale(images[start:start + batch_size])})
                   for start in range(0, len(images), batch_size)]
        logits, features = zip(*batches)
        return np.concatenate(logits), np.concatenate(features)

    def accuracy(self, images, labels):
        """Share of the images whose most likely class is the label, and its standard error."""
        logits, _ = self.logits_and_features(images)
        return accuracy(logits.argmax(axis=1), labels)


def _scale(images):
    """(N, 28, 28), uint8 or in [0, 1], -> float32 (N, 28, 28, 1) in [-1, 1]."""
    top = 255 if images.dtype == np.uint8 else 1
    return (np.asarray(images, np.float32) * (2 / top) - 1)[..., None]


def load_or_train(cache_dir, train_split, test_split, seed=0, epochs=EPOCHS, report=print):
    """The classifier of these data from its cache file, or trained now and cached.

    The file is `classifier-FINGERPRINT.npz`. The fingerprint is that of the
    data, the seed and the training, so a classifier of 5,000 digits is never
    taken for that of 60,000. A file that is damaged or holds something else is
    reported and replaced: nothing is in it that training cannot give again. One
    that cannot be written is reported, and the classifier is used all the same.

    @param cache_dir: folder for the file, made where it is missing
    @param train_split, test_split: (images, labels), uint8 (N, 28, 28) and (N,), as from `load_split`
    @param report: is called with each line of text about the progress
    @return: Classifier, with `test_accuracy`
    """
    fingerprint = _fingerprint(*train_split, *test_split, seed, epochs)
    path = os.path.join(cache_dir, f'classifier-{fingerprint[:12]}.npz')
    if os.path.exists(path):
        try:
            return _load(path, fingerprint)
        except Exception as error:  # damage shows as any of a dozen types
            report(f'{path} cannot be used ({one_line(error)}): training the classifier again')

    report(f'training the classifier on {len(train_split[0]):,} images')
    started = time.monotonic()
    n_classes = 1 + int(max(train_split[1].max(), test_split[1].max()))
    weights = train(*train_split, n_classes, seed, epochs, report)
    classifier = Classifier(weights)
    classifier.test_accuracy = classifier.accuracy(*test_split)
    report(f'classifier: {classifier.test_accuracy[0]:.2%} right on {len(test_split[0]):,} test images, '
           f'{time.monotonic() - started:.0f} s')
    try:
        _save(path, dict(weights, fingerprint=fingerprint, test_accuracy=classifier.test_accuracy))
    except OSError as error:
        report(f'{path} cannot be written ({one_line(error)}): the classifier will be trained again next time')
    return classifier


def _fingerprint(*parts):
    digest = hashlib.sha256()
    for part in map(np.ascontiguousarray, (VERSION, *parts)):
        digest.update(repr((part.shape, part.dtype.str)).encode())
        digest.update(part)
    return digest.hexdigest()


def _load(path, fingerprint):
    with open(path, 'rb') as file, np.load(file, allow_pickle=False) as content:
        if str(content['fingerprint']) != fingerprint:
            raise ValueError('it is of other data or another training')
        classifier = Classifier(content)
        share, error = map(float, content['test_accuracy'])
        classifier.test_accuracy = share, error
        return classifier


def _save(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with whole_file(path) as unfinished, open(unfinished, 'wb') as file:
        np.savez(file, **content)
