"""Vanilla GAN on MNIST: generator and discriminator are fully connected networks.

Chapter section "Vanilla GAN"; Goodfellow et al. 2014, arXiv:1406.2661.
"""

from types import SimpleNamespace

from common import (TrainingRun, dense, gen_batches, load_dataset, parse_arguments, run_script,
                    training_parser)

import tensorflow.compat.v1 as tf  # after common, which configures it

MODEL = 'vanilla'


def generator(z, alpha=0.2):  # listing 6
    """
    Generator network
    @param z: input of random samples, (batch, noise_size) in [-1, 1]
    @param alpha: leaky relu factor
    @return: output of the generator network, (batch, 784) in [-1, 1]
    """
    with tf.variable_scope('generator', reuse=tf.AUTO_REUSE):
        fc1 = dense(z, 256)
        fc1 = tf.nn.leaky_relu(fc1, alpha)
        fc2 = dense(fc1, 512)
        fc2 = tf.nn.leaky_relu(fc2, alpha)
        fc3 = dense(fc2, 1024)
        fc3 = tf.nn.leaky_relu(fc3, alpha)
        out = dense(fc3, 28 * 28)
        out = tf.tanh(out)
        return out


def discriminator(x, alpha=0.2):  # listing 7
    """
    Discriminator network
    @param x: input samples, can be real or generated samples, (batch, 784) in [-1, 1]
    @param alpha: leaky relu factor
    @return: output logits, (batch, 1)
    """
    with tf.variable_scope('discriminator', reuse=tf.AUTO_REUSE):
        fc1 = dense(x, 1024)
        fc1 = tf.nn.leaky_relu(fc1, alpha)
        fc2 = dense(fc1, 512)
        fc2 = tf.nn.leaky_relu(fc2, alpha)
        fc3 = dense(fc2, 256)
        fc3 = tf.nn.leaky_relu(fc3, alpha)
        out = dense(fc3, 1)
        return out


def build_graph(args):
    """The graph, with the chapter's names; `samples` are the images to show, args from `parser`."""
    tf.set_random_seed(args.seed)

    # Placeholders (listing 8)
    X_real = tf.placeholder(tf.float32, (None, 28 * 28), name='input_real')
    z = tf.placeholder(tf.float32, (None, args.noise_size), name='input_noise')

    # Networks (listing 9)
    g_sample = generator(z)
    d_real_out = discriminator(X_real)
    d_fake_out = discriminator(g_sample)

    # Losses (listings 10 and 11)
    # The generator's loss is cross-entropy with ones, not minus the discriminator's loss: while D
    # is sure that G(z) is fake, as it is early on, log(1 - D) is flat, but -log D is steep.
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

    # Optimizers (listing 12)
    # beta1 is 0.5, not Adam's usual 0.9: with that much momentum the two networks, each a moving
    # target for the other, begin to oscillate (Radford et al. 2015, section 4).
    train_vars = tf.trainable_variables()
    d_vars = [var for var in train_vars if var.name.startswith('discriminator')]
    g_vars = [var for var in train_vars if var.name.startswith('generator')]
    with tf.name_scope('optimizers'):
        d_adam = tf.train.AdamOptimizer(args.d_learning_rate, args.beta1, name='d_adam')
        d_opt = d_adam.minimize(d_loss, var_list=d_vars)
        g_adam = tf.train.AdamOptimizer(args.g_learning_rate, args.beta1, name='g_adam')
        g_opt = g_adam.minimize(g_loss, var_list=g_vars)
    return SimpleNamespace(X_real=X_real, z=z, g_sample=g_sample, samples=g_sample,
                           d_real_out=d_real_out, d_fake_out=d_fake_out, d_loss=d_loss,
                           g_loss=g_loss, d_vars=d_vars, g_vars=g_vars, d_opt=d_opt, g_opt=g_opt,
                           merged=tf.summary.merge_all())


def train(args):  # listing 14
    """The training loop."""
    run = TrainingRun(MODEL, args)
    data = load_dataset(args.data_dir, args.dataset, args.split, args.invert, args.transpose)
    run.print('Training dataset shape: {}'.format(data.shape))

    with run.graph.as_default():
        gan = build_graph(args)
    sample_z = run.rng('sample').uniform(-1, 1, size=(40, args.noise_size))

    with run.session(data) as sess:
        for epoch in run.epochs():
            for batch_x in gen_batches(data, args.batch_size, seed=run.rng('shuffle'),
                                       start=run.step_in_epoch):
                # The last batch has 112 of the 70,000 images but 128 noise vectors, as in the
                # listing: the losses are means, so the numbers need not match.
                batch_z = run.rng('noise').uniform(-1, 1, size=(args.batch_size, args.noise_size))
                _, summary, d_loss_batch = sess.run(
                    [gan.d_opt, gan.merged, gan.d_loss],
                    feed_dict={gan.z: batch_z, gan.X_real: batch_x})
                # Twice by default: telling real from fake is the easier task, and a discriminator
                # that has mastered it leaves the generator nothing to learn from.
                for _ in range(args.generator_updates):
                    _, g_loss_batch = sess.run([gan.g_opt, gan.g_loss], feed_dict={gan.z: batch_z})
                # While D outputs 0.5 for all images, these are 1.386 (2 ln 2) and 0.693 (ln 2).
                if run.steps % 100 == 0:
                    run.train_writer.add_summary(summary, run.steps)
                    run.print('Epoch {}/{} - discriminator loss: {:.4f}, generator Loss: {:.4f}'
                              .format(epoch + 1, args.epochs, d_loss_batch, g_loss_batch))
                run.end_step(d_loss_batch, g_loss_batch)
            gen_samples = sess.run(gan.samples, feed_dict={gan.z: sample_z})
            run.end_epoch(gen_samples)


def parser():
    """The command line; its defaults are the chapter's settings."""
    return training_parser(__doc__, epochs=100)


def main(argv=None):
    train(parse_arguments(parser(), MODEL, argv))


if __name__ == '__main__':
    run_script(main)
