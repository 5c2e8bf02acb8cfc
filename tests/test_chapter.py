"""The chapter's DCGAN, typed line by line after the README's recipe, runs and prints what it should."""

import inspect
import os
import re
import textwrap

import dcgan
from common.scripts import ROOT
from runs import run, write_mnist

# The networks are the script's, word for word; that of a listing is what follows.
PROGRAM = """
data = load_dataset_pad()
print("Training dataset shape:", data.shape)
display_images(data, 32)
{networks}
noise_size = 100
image_size = data.shape[1:]
tf.reset_default_graph()
X_real = tf.placeholder(tf.float32, (None,) + image_size, name='input_real')
z = tf.placeholder(tf.float32, (None, noise_size), name='input_noise')
g_sample = generator(z, image_size[2])
d_real_out = discriminator(X_real)
d_fake_out = discriminator(g_sample)
g_loss = tf.reduce_mean(
    tf.nn.sigmoid_cross_entropy_with_logits(logits=d_fake_out, labels=tf.ones_like(d_fake_out)))
tf.summary.scalar('generator_loss', g_loss)
d_real_loss = tf.reduce_mean(
    tf.nn.sigmoid_cross_entropy_with_logits(logits=d_real_out, labels=tf.ones_like(d_real_out)))
d_fake_loss = tf.reduce_mean(
    tf.nn.sigmoid_cross_entropy_with_logits(logits=d_fake_out, labels=tf.zeros_like(d_fake_out)))
d_loss = d_real_loss + d_fake_loss
tf.summary.scalar('discriminator_loss', d_loss)
train_vars = tf.trainable_variables()
d_vars = [var for var in train_vars if var.name.startswith('discriminator')]
g_vars = [var for var in train_vars if var.name.startswith('generator')]
learning_rate = 0.0002
beta1 = 0.5
with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
    d_opt = tf.train.AdamOptimizer(learning_rate, beta1=beta1).minimize(d_loss, var_list=d_vars)
    g_opt = tf.train.AdamOptimizer(learning_rate, beta1=beta1).minimize(g_loss, var_list=g_vars)
epochs = 1
steps = 0
with tf.Session() as sess:
    merged = tf.summary.merge_all()
    train_writer = tf.summary.FileWriter('./logdir/typed', sess.graph)
    sess.run(tf.global_variables_initializer())
    for epoch in range(epochs):
        for batch_x in gen_batches(data, batch_size):
            batch_z = np.random.uniform(-1, 1, size=(batch_size, noise_size))
            _, summary, d_loss_batch = sess.run([d_opt, merged, d_loss], feed_dict={{z: batch_z, X_real: batch_x}})
            sess.run(g_opt, feed_dict={{z: batch_z, X_real: batch_x}})
            _, g_loss_batch = sess.run([g_opt, g_loss], feed_dict={{z: batch_z, X_real: batch_x}})
            if steps % 100 == 0:
                train_writer.add_summary(summary, steps)
                print("Epoch {{}}/{{}} - discriminator loss: {{:.4f}}, generator Loss: {{:.4f}}".format(
                    epoch + 1, epochs, d_loss_batch, g_loss_batch))
            steps += 1
        gen_samples = sess.run(generator(z, image_size[2], training=False), feed_dict={{z: sample_z}})
        display_images(gen_samples, 32)
print(gen_samples.shape, len(d_vars), len(g_vars))
"""


def recipe():
    """The block of the README that begins with these imports, without its remarks on what to type next."""
    with open(os.path.join(ROOT, 'README.md'), encoding='utf-8') as file:
        text = file.read()
    return textwrap.dedent(re.search(r'\n((?:    .*\n)*    from common import \*.*\n(?:    .*\n)*)', text)[1])


def test_the_typed_chapter(tmp_path):
    networks = inspect.getsource(dcgan.generator) + inspect.getsource(dcgan.discriminator)
    write_mnist(tmp_path / 'mnist_data', images=130)
    here = f"import os, matplotlib; os.chdir({str(tmp_path)!r}); matplotlib.use('agg')\n"
    program = here + recipe().replace('data = load_dataset()', '') + PROGRAM.format(networks=networks)
    (tmp_path / 'typed.py').write_text(program, encoding='utf-8')
    result = run(tmp_path / 'typed.py')
    assert result.status == 0, result.err
    lines = result.out.splitlines()
    assert 'Training dataset shape: (130, 32, 32, 1)' in lines and lines[-1] == '(40, 32, 32, 1) 12 12'
    assert re.search(r'^Epoch 1/1 - discriminator loss: \d\.\d{4}, generator Loss: \d\.\d{4}$', result.out, re.M)
    assert os.listdir(tmp_path / 'logdir' / 'typed')
