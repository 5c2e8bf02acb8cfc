"""InfoGAN on MNIST: a DCGAN that finds out by itself what its extra inputs, the codes, can stand for.

Chapter section "InfoGAN"; Chen et al. 2016, arXiv:1606.03657.
"""

from types import SimpleNamespace

import numpy as np

from common import (TrainingRun, batch_norm, conv2d, count_batches, dense, gen_batches, load_dataset_pad,
                   nonnegative_float, number, parse_arguments, run_script, tf, training_parser, transpose_conv2d,
                   update_ops)

MODEL = 'infogan'
INPUTS = ('z', 'c')  # of the generator: noise and codes
image_size = (32, 32, 1)
n_cont = 1


def generator(z, c, n_channel, training=True):
    """
    Generator network for InfoGAN
    @param z: input of random samples, (batch, noise_size) in [-1, 1]
    @param c: latent features for the input samples, (batch, n_cont + n_classes)
    @param n_channel: number of output channels
    @param training: whether to return the output in training mode
                     (normalized with statistics of the current batch)
    @return: output of the generator network, (batch, 32, 32, n_channel) in [-1, 1]
    """
    with tf.variable_scope('generator', reuse=tf.AUTO_REUSE):
        z_c = tf.concat([z, c], axis=1)
        fc = dense(z_c, 256 * 4 * 4, activation=tf.nn.relu)
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


def discriminator(x, n_classes, n_cont=1, alpha=0.2, training=True):
    """
    Discriminator network for InfoGAN
    @param x: input samples, can be real or generated samples, (batch, 32, 32, channels) in [-1, 1]
    @param n_classes: number of categorical latent variables
    @param n_cont: number of continuous latent variables
    @param alpha: leaky relu factor
    @param training: whether to return the output in training mode
                     (normalized with statistics of the current batch)
    @return: discriminator logits (batch, 1), posterior for the continuous variable: its mean (batch, n_cont),
             posterior for the categorical variable: its logits (batch, n_classes)
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
        fc1 = tf.reshape(conv3, (-1, 4 * 4 * 256))
        fc1 = dense(fc1, 1024)
        fc1 = batch_norm(fc1, training=training)
        fc1 = tf.nn.leaky_relu(fc1, alpha)
        fc2 = dense(fc1, 128)
        d_logits = dense(fc2, 1)
        cont = dense(fc2, n_cont)
        classes = dense(fc2, n_classes)
        return d_logits, cont, classes


def information_loss(c, d_fake_cont, d_fake_cat, lambda_cont=0.1, lambda_cat=1.0, cont_loss='gaussian'):
    """
    How little the discriminator knows of the codes: with the paper's weights, and up to constants, an upper bound of
    minus the mutual information of codes and images
    @param c: the codes that the images were generated from, (batch, n_cont + n_classes)
    @param d_fake_cont: posterior mean of the continuous codes, (batch, n_cont)
    @param d_fake_cat: posterior logits of the categorical code, (batch, n_classes)
    @param lambda_cont: weight of the continuous codes
    @param lambda_cat: weight of the categorical code
    @param cont_loss: 'gaussian': the squared difference of code and posterior mean, as in the InfoGAN authors' MNIST
                      code, where its weight is 0.5 (the paper also learns the posterior's standard deviation, here
                      it is 1); 'chapter': the printed formula, which never looks at c
    @return: d_info_loss, d_cat_loss, d_cont_loss, three scalars
    """
    cont, cat = c[:, :n_cont], c[:, n_cont:]
    d_cat_loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(logits=d_fake_cat, labels=cat))
    if cont_loss == 'gaussian':
        d_cont_loss = tf.reduce_mean(tf.square(cont - d_fake_cont))
    else:
        d_cont_loss = tf.reduce_sum(tf.square(d_fake_cont))
    d_info_loss = lambda_cont * d_cont_loss + lambda_cat * d_cat_loss
    return d_info_loss, d_cat_loss, d_cont_loss


def gen_condition_variable(n_size, n_classes, n_cont, rng=np.random):
    """
    Generate random condition variables for training
    @param n_size: number of samples
    @param n_classes: number of categorical latent variables
    @param n_cont: number of continuous latent variables
    @param rng: np.random.Generator to draw from; NumPy's global state where left out
    @return: (n_size, n_cont + n_classes): first the continuous ones, N(0, 1), then the category, one-hot
    """
    cont = rng.standard_normal((n_size, n_cont))
    cat = np.zeros((n_size, n_classes))
    cat[range(n_size), rng.choice(n_classes, n_size)] = 1
    return np.concatenate((cont, cat), axis=1)


def random_condition(args, n, rng):
    """Codes of n images as in training, (n, n_cont + n_classes)."""
    return gen_condition_variable(n, args.n_classes, n_cont, rng)


def sample_condition(args, n_sample_display):
    """
    The codes of the sample grid: sample_c of the chapter
    @return: (n, n_cont + n_classes): the categories in turn; the first continuous code is -3 in the first ten images,
             -1 in the next ten, then 1, and so on
    """
    sample_c = np.zeros((n_sample_display, n_cont + args.n_classes))
    for i in range(n_sample_display):
        j = i % args.n_classes
        sample_c[i, j + n_cont] = 1
        sample_c[i, 0] = -3 + int(i / 10) * 2
    return sample_c


def build_graph(args):
    """
    Inputs, losses and optimizers
    @param args: from `parser`
    @return: the tensors and operations that the training loop uses, under the chapter's names; `samples` are the
             images for looking at
    """
    tf.reset_default_graph()
    tf.set_random_seed(args.seed)
    X_real = tf.placeholder(tf.float32, (None,) + image_size, name='input_real')
    z = tf.placeholder(tf.float32, (None, args.noise_size), name='input_noise')
    c = tf.placeholder(tf.float32, (None, n_cont + args.n_classes), name='conditional_variable')

    g_sample = generator(z, c, image_size[2])
    d_real_logits, d_real_cont, d_real_cat = discriminator(X_real, args.n_classes, n_cont)
    d_fake_logits, d_fake_cont, d_fake_cat = discriminator(g_sample, args.n_classes, n_cont)
    # Normalized with the moving averages, so that an image depends on its own z and c only.
    samples = generator(z, c, image_size[2], training=False)

    with tf.name_scope('losses'):
        g_loss = tf.reduce_mean(
            tf.nn.sigmoid_cross_entropy_with_logits(logits=d_fake_logits, labels=tf.ones_like(d_fake_logits)))
        d_real_loss = tf.reduce_mean(
            tf.nn.sigmoid_cross_entropy_with_logits(logits=d_real_logits, labels=tf.ones_like(d_real_logits)))
        d_fake_loss = tf.reduce_mean(
            tf.nn.sigmoid_cross_entropy_with_logits(logits=d_fake_logits, labels=tf.zeros_like(d_fake_logits)))
        d_loss = d_real_loss + d_fake_loss
        d_info_loss, d_cat_loss, d_cont_loss = information_loss(
            c, d_fake_cont, d_fake_cat, args.lambda_cont, args.lambda_cat, args.cont_loss)
        g_loss += d_info_loss
        d_loss += d_info_loss
    tf.summary.scalar('generator_loss', g_loss)
    tf.summary.scalar('discriminator_loss', d_loss)
    tf.summary.scalar('discriminator_loss_real', d_real_loss)
    tf.summary.scalar('discriminator_loss_fake', d_fake_loss)
    tf.summary.scalar('categorical_loss', d_cat_loss)
    tf.summary.scalar('continuous_loss', d_cont_loss)

    train_vars = tf.trainable_variables()
    d_vars = [var for var in train_vars if var.name.startswith('discriminator')]
    g_vars = [var for var in train_vars if var.name.startswith('generator')]

    # Each optimizer waits for the moving averages of its own network. The chapter's wait for those of both, so that
    # its generator updates also run the discriminator on the real images.
    with tf.name_scope('optimizers'):
        with tf.control_dependencies(update_ops('discriminator')):
            d_opt = tf.train.AdamOptimizer(args.d_learning_rate, beta1=args.beta1, name='d_adam').minimize(
                d_loss, var_list=d_vars)
        with tf.control_dependencies(update_ops('generator')):
            g_opt = tf.train.AdamOptimizer(args.g_learning_rate, beta1=args.beta1, name='g_adam').minimize(
                g_loss, var_list=g_vars)
    return SimpleNamespace(X_real=X_real, z=z, c=c, g_sample=g_sample, samples=samples, d_real_cont=d_real_cont,
                           d_real_cat=d_real_cat, d_fake_cont=d_fake_cont, d_fake_cat=d_fake_cat, d_loss=d_loss,
                           g_loss=g_loss, d_vars=d_vars, g_vars=g_vars, d_opt=d_opt, g_opt=g_opt,
                           merged=tf.summary.merge_all())


def train(args):
    """The training loop."""
    run = TrainingRun(MODEL, args)
    data = load_dataset_pad(args.data_dir, args.dataset, args.split, args.invert)
    run.print('Training dataset shape: {}'.format(data.shape))
    steps_per_epoch = count_batches(len(data), args.batch_size)

    gan = build_graph(args)
    sample_z = run.rng('sample').uniform(-1, 1, size=(40, args.noise_size))
    sample_c = sample_condition(args, 40)

    with run.session(steps_per_epoch, data) as sess:
        for epoch in run.epochs():
            for batch_x in gen_batches(data, args.batch_size, seed=run.rng('shuffle'), start=run.step_in_epoch):
                batch_z = run.rng('noise').uniform(-1, 1, size=(args.batch_size, args.noise_size))
                batch_c = gen_condition_variable(args.batch_size, args.n_classes, n_cont, run.rng('code'))
                _, summary, d_loss_batch = sess.run(
                    [gan.d_opt, gan.merged, gan.d_loss],
                    feed_dict={gan.z: batch_z, gan.X_real: batch_x, gan.c: batch_c})
                for _ in range(args.generator_updates):
                    _, g_loss_batch = sess.run([gan.g_opt, gan.g_loss], feed_dict={gan.z: batch_z, gan.c: batch_c})
                if run.steps % 100 == 0:
                    run.train_writer.add_summary(summary, run.steps)
                    run.print('Epoch {}/{} - discriminator loss: {:.4f}, generator Loss: {:.4f}'.format(
                        epoch + 1, args.epochs, d_loss_batch, g_loss_batch))
                run.end_step(d_loss_batch, g_loss_batch)
            gen_samples = sess.run(gan.samples, feed_dict={gan.z: sample_z, gan.c: sample_c})
            run.end_epoch(gen_samples, image_size[0])


def parser():
    """The command line and its defaults, the chapter's settings."""
    result = training_parser(__doc__, epochs=50)
    codes = result.add_argument_group('codes')
    codes.add_argument('--categories', dest='n_classes', type=number(int, 2, high=100), default=10, metavar='N',
                       help='values of the categorical code (default: %(default)s)')
    codes.add_argument('--lambda-cont', type=nonnegative_float, default=0.1, metavar='WEIGHT',
                       help='weight of the continuous code in the losses (default: %(default)s)')
    codes.add_argument('--lambda-cat', type=nonnegative_float, default=1.0, metavar='WEIGHT',
                       help='weight of the categorical code in the losses (default: %(default)s)')
    codes.add_argument('--cont-loss', choices=('gaussian', 'chapter'), default='gaussian',
                       help='loss of the continuous code: its squared difference from what is read in the image, or '
                            'the formula printed in the chapter, which does not compare with the code '
                            '(default: %(default)s)')
    return result


def main(argv=None):
    train(parse_arguments(parser(), MODEL, argv))


if __name__ == '__main__':
    run_script(main)
