"""DCGAN on MNIST: the discriminator convolves an image to a number, the generator does the reverse.

Chapter section "Deep convolutional GAN"; Radford et al. 2015, arXiv:1511.06434.
"""

from types import SimpleNamespace

from common import (TrainingRun, batch_norm, conv2d, dense, flatten, gen_batches, load_dataset_pad,
                    parse_arguments, run_script, training_parser, transpose_conv2d)

import tensorflow.compat.v1 as tf  # after common, which configures it

MODEL = 'dcgan'
image_size = (32, 32, 1)  # the chapter's data.shape[1:]


def generator(z, n_channel, training=True):  # listing 6
    """
    Generator network for DCGAN
    @param z: input of random samples, (batch, noise_size) in [-1, 1]
    @param n_channel: number of output channels
    @param training: normalize with statistics of the batch instead of their moving averages
    @return: output of the generator network, (batch, 32, 32, n_channel) in [-1, 1]
    """
    with tf.variable_scope('generator', reuse=tf.AUTO_REUSE):
        fc = dense(z, 256 * 4 * 4, activation=tf.nn.relu)
        fc = tf.reshape(fc, (-1, 4, 4, 256))
        trans_conv1 = transpose_conv2d(fc, 128)
        trans_conv1 = batch_norm(trans_conv1, training=training)
        trans_conv1 = tf.nn.relu(trans_conv1)
        trans_conv2 = transpose_conv2d(trans_conv1, 64)
        trans_conv2 = batch_norm(trans_conv2, training=training)
        trans_conv2 = tf.nn.relu(trans_conv2)
        trans_conv3 = transpose_conv2d(trans_conv2, n_channel)
        out = tf.tanh(trans_conv3)
        return out


def discriminator(x, alpha=0.2, training=True):  # listing 3
    """
    Discriminator network for DCGAN
    @param x: input samples, can be real or generated samples, (batch, 32, 32, channels) in [-1, 1]
    @param alpha: leaky relu factor
    @param training: normalize with statistics of the batch instead of their moving averages
    @return: output logits, (batch, 1)
    """
    with tf.variable_scope('discriminator', reuse=tf.AUTO_REUSE):
        conv1 = conv2d(x, 64)
        conv1 = tf.nn.leaky_relu(conv1, alpha)
        conv2 = conv2d(conv1, 128)
        conv2 = batch_norm(conv2, training=training)
        conv2 = tf.nn.leaky_relu(conv2, alpha)
        conv3 = conv2d(conv2, 256)
        conv3 = batch_norm(conv3, training=training)
        conv3 = tf.nn.leaky_relu(conv3, alpha)
        fc = flatten(conv3)
        out = dense(fc, 1)
        return out


def build_graph(args):
    """The graph, with the chapter's names; `samples` are the images to show, args from `parser`."""
    tf.set_random_seed(args.seed)

    # Placeholders (listing 7)
    X_real = tf.placeholder(tf.float32, (None,) + image_size, name='input_real')
    z = tf.placeholder(tf.float32, (None, args.noise_size), name='input_noise')

    # Networks (listing 8)
    g_sample = generator(z, image_size[2])
    # Two calls, so that batch normalization sees real and generated images separately: in a joint
    # batch its statistics would depend on how many there are of each.
    d_real_out = discriminator(X_real)
    d_fake_out = discriminator(g_sample)
    # Normalized with the moving averages, so that an image depends only on its own z.
    with tf.name_scope('samples'):
        samples = generator(z, image_size[2], training=False)

    # Losses (listings 10 and 11 of the vanilla GAN)
    with tf.name_scope('losses'):
        g_loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(
            logits=d_fake_out, labels=tf.ones_like(d_fake_out)), name='g_loss')
        d_real_loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(
            logits=d_real_out, labels=tf.ones_like(d_real_out)), name='d_real_loss')
        d_fake_loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(
            logits=d_fake_out, labels=tf.zeros_like(d_fake_out)), name='d_fake_loss')
        d_loss = d_real_loss + d_fake_loss

    # Summaries: the chapter's two, then their parts
    tf.summary.scalar('generator_loss', g_loss)
    tf.summary.scalar('discriminator_loss', d_loss)
    with tf.name_scope('parts'):
        tf.summary.scalar('discriminator_loss_real', d_real_loss)
        tf.summary.scalar('discriminator_loss_fake', d_fake_loss)
        tf.summary.scalar('D_real', tf.reduce_mean(tf.sigmoid(d_real_out)))
        tf.summary.scalar('D_generated', tf.reduce_mean(tf.sigmoid(d_fake_out)))

    # Optimizers (listing 12 of the vanilla GAN)
    train_vars = tf.trainable_variables()
    d_vars = [var for var in train_vars if var.name.startswith('discriminator')]
    g_vars = [var for var in train_vars if var.name.startswith('generator')]
    # Each optimizer waits for the moving averages of its own network. The chapter's wait for those
    # of both, so its generator updates also run the discriminator on the real images.
    with tf.name_scope('optimizers'):
        with tf.control_dependencies(tf.get_collection(
                tf.GraphKeys.UPDATE_OPS, scope='discriminator')):
            d_adam = tf.train.AdamOptimizer(args.d_learning_rate, args.beta1, name='d_adam')
            d_opt = d_adam.minimize(d_loss, var_list=d_vars)
        with tf.control_dependencies(tf.get_collection(
                tf.GraphKeys.UPDATE_OPS, scope='generator')):
            g_adam = tf.train.AdamOptimizer(args.g_learning_rate, args.beta1, name='g_adam')
            g_opt = g_adam.minimize(g_loss, var_list=g_vars)
    return SimpleNamespace(X_real=X_real, z=z, g_sample=g_sample, samples=samples,
                           d_real_out=d_real_out, d_fake_out=d_fake_out, d_loss=d_loss,
                           g_loss=g_loss, d_vars=d_vars, g_vars=g_vars, d_opt=d_opt, g_opt=g_opt,
                           merged=tf.summary.merge_all())


def train(args):  # listing 9
    """The training loop."""
    run = TrainingRun(MODEL, args)
    data = load_dataset_pad(args.data_dir, args.dataset, args.split, args.invert, args.transpose)
    run.print('Training dataset shape: {}'.format(data.shape))

    with run.graph.as_default():
        gan = build_graph(args)
    sample_z = run.rng('sample').uniform(-1, 1, size=(40, args.noise_size))

    with run.session(data) as sess:
        for epoch in run.epochs():
            for batch_x in gen_batches(data, args.batch_size, seed=run.rng('shuffle'),
                                       start=run.step_in_epoch):
                batch_z = run.rng('noise').uniform(-1, 1, size=(args.batch_size, args.noise_size))
                _, summary, d_loss_batch = sess.run(
                    [gan.d_opt, gan.merged, gan.d_loss],
                    feed_dict={gan.z: batch_z, gan.X_real: batch_x})
                for _ in range(args.generator_updates):
                    _, g_loss_batch = sess.run([gan.g_opt, gan.g_loss], feed_dict={gan.z: batch_z})
                if run.steps % 100 == 0:
                    run.train_writer.add_summary(summary, run.steps)
                    run.print('Epoch {}/{} - discriminator loss: {:.4f}, generator Loss: {:.4f}'
                              .format(epoch + 1, args.epochs, d_loss_batch, g_loss_batch))
                run.end_step(d_loss_batch, g_loss_batch)
            gen_samples = sess.run(gan.samples, feed_dict={gan.z: sample_z})
            run.end_epoch(gen_samples, image_size[0])


def parser():
    """The command line; its defaults are the chapter's settings."""
    return training_parser(__doc__, epochs=50)


def main(argv=None):
    train(parse_arguments(parser(), MODEL, argv))


if __name__ == '__main__':
    run_script(main)
