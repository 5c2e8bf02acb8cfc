"""Vanilla GAN on MNIST: generator and discriminator are fully connected networks.

Chapter section "Vanilla GAN"; Goodfellow et al. 2014, arXiv:1406.2661.
"""

from types import SimpleNamespace

from common import (TrainingRun, count_batches, dense, gen_batches, load_dataset, parse_arguments, run_script, tf,
                   training_parser)

MODEL = 'vanilla'
INPUTS = ('z',)  # of the generator: noise


def generator(z, alpha=0.2):
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


def discriminator(x, alpha=0.2):
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
    """
    Inputs, losses and optimizers
    @param args: from `parser`
    @return: the tensors and operations that the training loop uses, under the chapter's names; `samples` are the
             images for looking at
    """
    tf.reset_default_graph()
    tf.set_random_seed(args.seed)
    X_real = tf.placeholder(tf.float32, (None, 28 * 28), name='input_real')
    z = tf.placeholder(tf.float32, (None, args.noise_size), name='input_noise')

    g_sample = generator(z)
    d_real_out = discriminator(X_real)
    d_fake_out = discriminator(g_sample)
    samples = generator(z)

    with tf.name_scope('losses'):
        g_loss = tf.reduce_mean(
            tf.nn.sigmoid_cross_entropy_with_logits(logits=d_fake_out, labels=tf.ones_like(d_fake_out)))
        d_real_loss = tf.reduce_mean(
            tf.nn.sigmoid_cross_entropy_with_logits(logits=d_real_out, labels=tf.ones_like(d_real_out)))
        d_fake_loss = tf.reduce_mean(
            tf.nn.sigmoid_cross_entropy_with_logits(logits=d_fake_out, labels=tf.zeros_like(d_fake_out)))
        d_loss = d_real_loss + d_fake_loss
    tf.summary.scalar('generator_loss', g_loss)
    tf.summary.scalar('discriminator_loss', d_loss)
    tf.summary.scalar('discriminator_loss_real', d_real_loss)
    tf.summary.scalar('discriminator_loss_fake', d_fake_loss)

    train_vars = tf.trainable_variables()
    d_vars = [var for var in train_vars if var.name.startswith('discriminator')]
    g_vars = [var for var in train_vars if var.name.startswith('generator')]

    with tf.name_scope('optimizers'):
        d_opt = tf.train.AdamOptimizer(args.d_learning_rate, beta1=args.beta1, name='d_adam').minimize(
            d_loss, var_list=d_vars)
        g_opt = tf.train.AdamOptimizer(args.g_learning_rate, beta1=args.beta1, name='g_adam').minimize(
            g_loss, var_list=g_vars)
    return SimpleNamespace(X_real=X_real, z=z, g_sample=g_sample, samples=samples, d_loss=d_loss, g_loss=g_loss,
                           d_vars=d_vars, g_vars=g_vars, d_opt=d_opt, g_opt=g_opt, merged=tf.summary.merge_all())


def train(args):
    """The training loop."""
    run = TrainingRun(MODEL, args)
    data = load_dataset(args.data_dir, args.dataset, args.split, args.invert)
    run.print('Training dataset shape: {}'.format(data.shape))
    steps_per_epoch = count_batches(len(data), args.batch_size)

    gan = build_graph(args)
    sample_z = run.rng('sample').uniform(-1, 1, size=(40, args.noise_size))

    with run.session(steps_per_epoch, data) as sess:
        for epoch in run.epochs():
            for batch_x in gen_batches(data, args.batch_size, seed=run.rng('shuffle'), start=run.step_in_epoch):
                batch_z = run.rng('noise').uniform(-1, 1, size=(args.batch_size, args.noise_size))
                _, summary, d_loss_batch = sess.run(
                    [gan.d_opt, gan.merged, gan.d_loss],
                    feed_dict={gan.z: batch_z, gan.X_real: batch_x})
                for _ in range(args.generator_updates):
                    _, g_loss_batch = sess.run([gan.g_opt, gan.g_loss], feed_dict={gan.z: batch_z})
                if run.steps % 100 == 0:
                    run.train_writer.add_summary(summary, run.steps)
                    run.print('Epoch {}/{} - discriminator loss: {:.4f}, generator Loss: {:.4f}'.format(
                        epoch + 1, args.epochs, d_loss_batch, g_loss_batch))
                run.end_step(d_loss_batch, g_loss_batch)
            gen_samples = sess.run(gan.samples, feed_dict={gan.z: sample_z})
            run.end_epoch(gen_samples)


def parser():
    """The command line and its defaults, the chapter's settings."""
    return training_parser(__doc__, epochs=100)


def main(argv=None):
    train(parse_arguments(parser(), MODEL, argv))


if __name__ == '__main__':
    run_script(main)
