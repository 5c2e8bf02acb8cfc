"""Runs as the training scripts leave them, with random weights instead of a training, which would take time."""

import os

import numpy as np

from common import checkpoints, convolutions, tf
from common.packed_images import PackedImages
from common.settings import fingerprint, write_settings

N = 300  # images that a MadeRun draws


class MadeRun:
    """A run in a logdir, and what the graph of its training makes of some inputs.

    @param script: the module of a training script
    @param options: its command line
    @param class_names: of its data
    @param epochs: of which there are checkpoints; the images are those of the last one
    @param whole: keep all that a training keeps, not only what the networks compute with: takes most of the time

    z, condition: inputs of N images, images: (N, size, size), codes: what the discriminator reads from these
    """

    def __init__(self, script, logdir, options=(), class_names='0123456789', epochs=(1,), whole=False):
        rng = np.random.default_rng(len(script.MODEL))
        args = script.parser().parse_args(list(options))
        if 'y' in script.INPUTS:
            args.n_classes = len(class_names)
        self.z, self.condition = rng.uniform(-1, 1, size=(N, args.noise_size)), None
        with convolutions.direct():  # as in a loaded model, so that only rounding can differ
            gan = script.build_graph(args)
        feed = {gan.z: self.z}
        for name in script.INPUTS[1:]:
            feed[getattr(gan, name)] = self.condition = script.random_condition(args, N, rng)

        run_dir = os.path.join(logdir, script.MODEL)
        directory = os.path.join(run_dir, 'checkpoints')
        os.makedirs(directory)
        images = PackedImages(np.zeros((2, 28, 28), np.uint8), (28 * 28,), class_names)
        write_settings(run_dir, script.MODEL, args, fingerprint(images))
        variables = [var for var in tf.global_variables() if whole or 'adam' not in var.op.name]
        saver = tf.train.Saver(variables, max_to_keep=None)
        with tf.Session() as sess:
            for epoch in epochs:
                for var in variables:  # far from the start, so that images differ; variances above 0
                    value = rng.normal(scale=0.08, size=var.shape)
                    var.load(0.2 + abs(value) if 'moving_variance' in var.op.name else value, sess)
                checkpoints.save(saver, sess, directory, 10 * epoch, epoch, 0)
            self.images = sess.run(gan.samples, feed)
            self.images = self.images.reshape(N, *(2 * [28 if self.images.ndim == 2 else 32]))
            if 'c' in script.INPUTS:  # batches as `recognize` documents them: 300 images are two of 150
                batches = [sess.run([gan.d_real_cont, gan.d_real_cat], {gan.X_real: self.images[i::2, ..., None]})
                           for i in (0, 1)]
                self.codes = [np.stack(parts, axis=1).reshape(N, -1) for parts in zip(*batches)]
        tf.reset_default_graph()
