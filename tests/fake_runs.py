"""Runs as the training scripts leave them, with random weights instead of a training, which would take time."""

import os

import numpy as np

from common import checkpoints, winograd
from common.files import write_json
from common.scripts import generator_inputs

import tensorflow.compat.v1 as tf

N = 300  # images that a FakeRun draws


class FakeRun:
    """A run in a logdir, and what the graph of its training makes of some inputs.

    script: the module of a training script. options: its command line. class_names: of its data. epochs: of which
    there are checkpoints; the images are those of the last one. whole: keep what Adam needs, too, which takes time.
    z, condition: inputs of N images, images: (N, size, size), codes: what the discriminator reads from these
    """

    def __init__(self, script, logdir, options=(), class_names='0123456789', epochs=(1,), whole=False):
        rng = np.random.default_rng(len(script.MODEL))
        args = script.parser().parse_args(list(options))
        names = generator_inputs(script)
        self.z, self.condition = rng.uniform(-1, 1, size=(N, args.noise_size)), None
        self.run_dir = os.path.join(logdir, script.MODEL)
        directory = os.path.join(self.run_dir, 'checkpoints')
        os.makedirs(directory)
        write_json(os.path.join(self.run_dir, 'settings.json'),
                   {'model': script.MODEL, 'settings': vars(args),
                    'data': {'images': 2, 'data_crc32': 0, 'class_names': list(class_names)}})

        with tf.Graph().as_default(), tf.Session() as sess, winograd.direct():  # as in a TrainedModel: the same bits
            gan = script.build_graph(args, len(class_names)) if 'y' in names else script.build_graph(args)
            feed = {gan.z: self.z}
            if 'y' in names:
                feed[gan.y] = self.condition = np.eye(len(class_names))[rng.integers(len(class_names), size=N)]
            if 'c' in names:
                feed[gan.c] = self.condition = script.gen_condition_variable(N, args.n_classes, script.n_cont, rng)
            variables = [var for var in tf.global_variables() if whole or 'adam' not in var.op.name]
            saver = tf.train.Saver(variables, max_to_keep=None)
            for epoch in epochs:
                for var in variables:  # far from the start, so that images differ; variances above 0
                    value = rng.normal(scale=0.08, size=var.shape)
                    var.load(0.2 + abs(value) if 'moving_variance' in var.op.name else value, sess)
                checkpoints.save(saver, sess, directory, epoch, 0)
            self.images = sess.run(gan.samples, feed)
            self.images = self.images.reshape(N, *(2 * [28 if self.images.ndim == 2 else 32]))
            if 'c' in names:  # batches as `recognize` documents them: 300 images are two of 150
                batches = [sess.run([gan.d_real_cont, gan.d_real_cat], {gan.X_real: self.images[i::2, ..., None]})
                           for i in (0, 1)]
                self.codes = [np.stack(parts, axis=1).reshape(N, -1) for parts in zip(*batches)]
