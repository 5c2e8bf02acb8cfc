"""InfoGAN on MNIST: a DCGAN that discovers by itself what its extra inputs, the codes, stand for.

Chapter section "InfoGAN"; Chen et al. 2016, arXiv:1606.03657.
"""

from types import SimpleNamespace

import numpy as np

from common import (TrainingRun, batch_norm, conv2d, dense, flatten, gen_batches, load_dataset_pad,
                    nonnegative_float, number, parse_arguments, run_script, training_parser,
                    transpose_conv2d)

import tensorflow.compat.v1 as tf  # after common, which configures it

MODEL = 'infogan'
image_size = (32, 32, 1)
n_cont = 1


def generator(z, c, n_channel, training=True):  # listing 3
    """
    Generator network for InfoGAN
    @param z: input of random samples, (batch, noise_size) in [-1, 1]
    @param c: latent features for the input samples, (batch, n_cont + n_classes)
    @param n_channel: number of output channels
    @param training: normalize with statistics of the batch instead of their moving averages
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


def discriminator(x, n_classes, n_cont=1, alpha=0.2, training=True):  # listing 4
    """
    Discriminator network for InfoGAN
    @param x: input samples, can be real or generated samples, (batch, 32, 32, channels) in [-1, 1]
    @param n_classes, n_cont: number of categorical and of continuous latent variables
    @param alpha: leaky relu factor
    @param training: normalize with statistics of the batch instead of their moving averages
    @return: discriminator logits (batch, 1), posterior for the continuous variable: its mean
             (batch, n_cont), posterior for the categorical variable: its logits (batch, n_classes)
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
        fc1 = flatten(conv3)
        fc1 = dense(fc1, 1024)
        fc1 = batch_norm(fc1, training=training)
        fc1 = tf.nn.leaky_relu(fc1, alpha)
        fc2 = dense(fc1, 128)
        d_logits = dense(fc2, 1)
        cont = dense(fc2, n_cont)
        classes = dense(fc2, n_classes)
        return d_logits, cont, classes


def information_loss(c, d_fake_cont, d_fake_cat, n_cont, lambda_cont=0.1, lambda_cat=1.0,
                     cont_loss='gaussian'):
    """
    Information loss: up to weights and constants, an upper bound on minus the
    mutual information between codes and images
    @param c: the codes that the images were generated from, (batch, n_cont + n_classes)
    @param d_fake_cont, d_fake_cat: posterior mean of the continuous codes, (batch, n_cont), and
                                    logits of the category, (batch, n_classes)
    @param lambda_cont, lambda_cat: weights of the continuous codes and of the categorical code
    @param cont_loss: 'gaussian': squared difference of code and posterior mean (the paper also
                      learns the standard deviation); 'chapter': as printed, never looks at c
    @return: d_info_loss, d_cat_loss, d_cont_loss, three scalars
    """
    cont, cat = c[:, :n_cont], c[:, n_cont:]  # listing 7
    d_cat_loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(
        logits=d_fake_cat, labels=cat), name='d_cat_loss')
    if cont_loss == 'gaussian':
        d_cont_loss = tf.reduce_mean(tf.square(cont - d_fake_cont), name='d_cont_loss')
    else:
        d_cont_loss = tf.reduce_sum(tf.square(d_fake_cont), name='d_cont_loss')  # listing 8
    d_info_loss = lambda_cont * d_cont_loss + lambda_cat * d_cat_loss  # listing 9
    return d_info_loss, d_cat_loss, d_cont_loss


def gen_condition_variable(n_size, n_classes, n_cont, rng=np.random):  # listing 11
    """
    Generate random condition variables for training
    @param n_size, n_classes, n_cont: number of samples, of categories, of continuous variables
    @param rng: np.random.Generator to draw from; NumPy's global state by default
    @return: (n_size, n_cont + n_classes): continuous codes from N(0, 1), then the one-hot category
    """
    cont = rng.standard_normal((n_size, n_cont))
    cat = np.zeros((n_size, n_classes))
    cat[range(n_size), rng.choice(n_classes, n_size)] = 1
    return np.concatenate((cont, cat), axis=1)


def sample_condition(n_sample_display, n_classes):  # listing 12
    """The chapter's sample_c: categories in turn; the first continuous code is -3, then -1, ..."""
    sample_c = np.zeros((n_sample_display, n_cont + n_classes))
    for i in range(n_sample_display):
        j = i % n_classes
        sample_c[i, j + n_cont] = 1
        sample_c[i, 0] = -3 + int(i / 10) * 2
    return sample_c


def build_graph(args):
    """The graph, with the chapter's names; `samples` are the images to show, args from `parser`."""
    tf.set_random_seed(args.seed)

    # Placeholders (listing 2)
    X_real = tf.placeholder(tf.float32, (None,) + image_size, name='input_real')
    z = tf.placeholder(tf.float32, (None, args.noise_size), name='input_noise')
    c = tf.placeholder(tf.float32, (None, n_cont + args.n_classes), name='conditional_variable')

    # Networks (listing 5)
    g_sample = generator(z, c, image_size[2])
    d_real_logits, d_real_cont, d_real_cat = discriminator(X_real, args.n_classes, n_cont)
    d_fake_logits, d_fake_cont, d_fake_cat = discriminator(g_sample, args.n_classes, n_cont)
    # Normalized with the moving averages, so that an image depends only on its own z and c.
    with tf.name_scope('samples'):
        samples = generator(z, c, image_size[2], training=False)

    # Losses (listings 6 to 10)
    with tf.name_scope('losses'):
        g_loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(
            logits=d_fake_logits, labels=tf.ones_like(d_fake_logits)), name='g_loss')
        d_real_loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(
            logits=d_real_logits, labels=tf.ones_like(d_real_logits)), name='d_real_loss')
        d_fake_loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(
            logits=d_fake_logits, labels=tf.zeros_like(d_fake_logits)), name='d_fake_loss')
        d_loss = d_real_loss + d_fake_loss
        d_info_loss, d_cat_loss, d_cont_loss = information_loss(
            c, d_fake_cont, d_fake_cat, n_cont, args.lambda_cont, args.lambda_cat, args.cont_loss)
        g_loss += d_info_loss  # listing 10
        d_loss += d_info_loss

    # Summaries: the chapter's two, then their parts
    tf.summary.scalar('generator_loss', g_loss)
    tf.summary.scalar('discriminator_loss', d_loss)
    with tf.name_scope('parts'):
        tf.summary.scalar('discriminator_loss_real', d_real_loss)
        tf.summary.scalar('discriminator_loss_fake', d_fake_loss)
        tf.summary.scalar('categorical_loss', d_cat_loss)
        tf.summary.scalar('continuous_loss', d_cont_loss)
        tf.summary.scalar('D_real', tf.reduce_mean(tf.sigmoid(d_real_logits)))
        tf.summary.scalar('D_generated', tf.reduce_mean(tf.sigmoid(d_fake_logits)))

    # Optimizers (listing 12 of the vanilla GAN)
    train_vars = tf.trainable_variables()
    d_vars = [var for var in train_vars if var.name.startswith('discriminator')]
    g_vars = [var for var in train_vars if var.name.startswith('generator')]
    # Each optimizer waits for the moving averages of its own network, see dcgan.py.
    with tf.name_scope('optimizers'):
        with tf.control_dependencies(tf.get_collection(
                tf.GraphKeys.UPDATE_OPS, scope='discriminator')):
            d_adam = tf.train.AdamOptimizer(args.d_learning_rate, args.beta1, name='d_adam')
            d_opt = d_adam.minimize(d_loss, var_list=d_vars)
        with tf.control_dependencies(tf.get_collection(
                tf.GraphKeys.UPDATE_OPS, scope='generator')):
            g_adam = tf.train.AdamOptimizer(args.g_learning_rate, args.beta1, name='g_adam')
            g_opt = g_adam.minimize(g_loss, var_list=g_vars)
    return SimpleNamespace(
        X_real=X_real, z=z, c=c, g_sample=g_sample, samples=samples, d_real_out=d_real_logits,
        d_fake_out=d_fake_logits, d_real_cont=d_real_cont, d_real_cat=d_real_cat, d_loss=d_loss,
        d_fake_cont=d_fake_cont, d_fake_cat=d_fake_cat, g_loss=g_loss, d_vars=d_vars, g_vars=g_vars,
        d_opt=d_opt, g_opt=g_opt, merged=tf.summary.merge_all())


def train(args):  # listing 13
    """The training loop."""
    run = TrainingRun(MODEL, args)
    data = load_dataset_pad(args.data_dir, args.dataset, args.split, args.invert, args.transpose)
    run.print('Training dataset shape: {}'.format(data.shape))

    with run.graph.as_default():
        gan = build_graph(args)
    sample_z = run.rng('sample').uniform(-1, 1, size=(40, args.noise_size))
    sample_c = sample_condition(40, args.n_classes)

    with run.session(data) as sess:
        for epoch in run.epochs():
            for batch_x in gen_batches(data, args.batch_size, seed=run.rng('shuffle'),
                                       start=run.step_in_epoch):
                batch_z = run.rng('noise').uniform(-1, 1, size=(args.batch_size, args.noise_size))
                batch_c = gen_condition_variable(
                    args.batch_size, args.n_classes, n_cont, run.rng('code'))
                _, summary, d_loss_batch = sess.run(
                    [gan.d_opt, gan.merged, gan.d_loss],
                    feed_dict={gan.z: batch_z, gan.X_real: batch_x, gan.c: batch_c})
                for _ in range(args.generator_updates):
                    _, g_loss_batch = sess.run(
                        [gan.g_opt, gan.g_loss], feed_dict={gan.z: batch_z, gan.c: batch_c})
                # 1.386 (2 ln 2) and 0.693 (ln 2) while D outputs 0.5, plus the information loss.
                if run.steps % 100 == 0:
                    run.train_writer.add_summary(summary, run.steps)
                    run.print('Epoch {}/{} - discriminator loss: {:.4f}, generator Loss: {:.4f}'
                              .format(epoch + 1, args.epochs, d_loss_batch, g_loss_batch))
                run.end_step(d_loss_batch, g_loss_batch)
            gen_samples = sess.run(gan.samples, feed_dict={gan.z: sample_z, gan.c: sample_c})
            run.end_epoch(gen_samples, image_size[0])


def parser():
    """The command line; its defaults are the chapter's settings."""
    result = training_parser(__doc__, epochs=50)
    codes = result.add_argument_group('codes')
    codes.add_argument('--categories', dest='n_classes', type=number(int, 2, high=100), default=10,
                       metavar='N', help='values of the categorical code (default: %(default)s)')
    for name, weight in ('--lambda-cont', 0.1), ('--lambda-cat', 1.0):
        codes.add_argument(name, type=nonnegative_float, default=weight, metavar='WEIGHT',
                           help='weight in the losses (default: %(default)s)')
    codes.add_argument('--cont-loss', choices=('gaussian', 'chapter'), default='gaussian',
                       help='loss of the continuous code: squared error of what D predicts from '
                            'the image, or the printed formula (default: %(default)s)')
    return result


def main(argv=None):
    train(parse_arguments(parser(), MODEL, argv))


if __name__ == '__main__':
    run_script(main)
