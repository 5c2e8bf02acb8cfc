"""The chapter's listings, typed line by line after the README's recipe, run and print what they should."""

import inspect
import os
import re
import subprocess
import sys
import textwrap

import pytest

from common.scripts import ROOT, load_script
from runs import write_mnist

# What the sections share; their networks are the scripts', word for word.
PROGRAM = """
data = {loader}()
print("Training dataset shape:", data.shape)
display_images(data, {size})
{networks}
noise_size = 100
image_size = data.shape[1:]
tf.reset_default_graph()
X_real = tf.placeholder(tf.float32, (None,) + image_size, name='input_real')
z = tf.placeholder(tf.float32, (None, noise_size), name='input_noise')
g_sample = generator({inputs})
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
epochs = 2
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
        gen_samples = sess.run(generator({sampling}), feed_dict={{z: sample_z}})
        display_images(gen_samples, {size})
print(gen_samples.shape, len(d_vars), len(g_vars))
"""
MODELS = {
    'vanilla': ({'loader': 'load_dataset', 'inputs': 'z', 'sampling': 'z', 'size': 28},
                '(130, 784)', '(40, 784) 8 8'),
    'dcgan': ({'loader': 'load_dataset_pad', 'inputs': 'z, image_size[2]', 'size': 32,
               'sampling': 'z, image_size[2], training=False'}, '(130, 32, 32, 1)', '(40, 32, 32, 1) 12 12')}


def recipe():
    """The block of the README that begins with these imports, without its remarks on what to type next."""
    with open(os.path.join(ROOT, 'README.md'), encoding='utf-8') as file:
        text = file.read()
    return textwrap.dedent(re.search(r'\n((?:    .*\n)*    from common import \*.*\n(?:    .*\n)*)', text)[1])


@pytest.mark.parametrize('model', MODELS)
def test_the_typed_chapter(model, tmp_path):
    parts, data_shape, end = MODELS[model]
    networks = ''.join(map(inspect.getsource, (load_script(model).generator, load_script(model).discriminator)))
    write_mnist(tmp_path / 'mnist_data', images=130)
    program = recipe().replace('data = load_dataset()', '') + PROGRAM.format(networks=networks, **parts)
    result = subprocess.run([sys.executable, '-c', program], cwd=tmp_path, capture_output=True, text=True,
                            env={**os.environ, 'PYTHONPATH': ROOT, 'MPLBACKEND': 'agg'})
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert f'Training dataset shape: {data_shape}' in lines and lines[-1] == end
    assert any(re.fullmatch(r'Epoch 1/2 - discriminator loss: \d\.\d{4}, generator Loss: \d\.\d{4}', line)
               for line in lines)
    assert os.listdir(tmp_path / 'logdir' / 'typed')
