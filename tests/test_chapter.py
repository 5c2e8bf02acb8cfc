"""The chapter's DCGAN, typed after the README's recipe, runs and prints what it should."""

import inspect
import os
import re
import textwrap

import dcgan
from common.scripts import ROOT
from runs import run, write_mnist

# The listings in short, with the script's networks, which are the chapter's word for word.
PROGRAM = """
data = load_dataset_pad()
print("Training dataset shape:", data.shape)
display_images(data, 32)
NETWORKS
image_size = data.shape[1:]
tf.reset_default_graph()
X_real = tf.placeholder(tf.float32, (None,) + image_size, name='input_real')
z = tf.placeholder(tf.float32, (None, 100), name='input_noise')
d_real_out = discriminator(X_real)
d_fake_out = discriminator(generator(z, image_size[2]))
cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits
g_loss = tf.reduce_mean(cross_entropy(logits=d_fake_out, labels=tf.ones_like(d_fake_out)))
d_loss = (tf.reduce_mean(cross_entropy(logits=d_real_out, labels=tf.ones_like(d_real_out)))
          + tf.reduce_mean(cross_entropy(logits=d_fake_out, labels=tf.zeros_like(d_fake_out))))
tf.summary.scalar('discriminator_loss', d_loss)
train_vars = tf.trainable_variables()
d_vars = [var for var in train_vars if var.name.startswith('discriminator')]
g_vars = [var for var in train_vars if var.name.startswith('generator')]
with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
    d_opt = tf.train.AdamOptimizer(0.0002, beta1=0.5).minimize(d_loss, var_list=d_vars)
    g_opt = tf.train.AdamOptimizer(0.0002, beta1=0.5).minimize(g_loss, var_list=g_vars)
with tf.Session() as sess:
    merged = tf.summary.merge_all()
    train_writer = tf.summary.FileWriter('./logdir/typed', sess.graph)
    sess.run(tf.global_variables_initializer())
    for steps, batch_x in enumerate(gen_batches(data, batch_size)):
        batch_z = np.random.uniform(-1, 1, size=(batch_size, 100))
        _, summary = sess.run([d_opt, merged], feed_dict={z: batch_z, X_real: batch_x})
        sess.run(g_opt, feed_dict={z: batch_z, X_real: batch_x})
        train_writer.add_summary(summary, steps)
    gen_samples = sess.run(generator(z, image_size[2], training=False), feed_dict={z: sample_z})
    display_images(gen_samples, 32)
print(gen_samples.shape, len(d_vars), len(g_vars))
"""


def test_the_typed_chapter(tmp_path):
    with open(os.path.join(ROOT, 'README.md'), encoding='utf-8') as file:
        recipe = re.search(r'\n((?:    .*\n)*    from common import \*.*\n(?:    .*\n)*)', file.read())[1]
    networks = inspect.getsource(dcgan.generator) + inspect.getsource(dcgan.discriminator)
    write_mnist(tmp_path / 'mnist_data', images=130)
    here = f"import os, matplotlib; os.chdir({str(tmp_path)!r}); matplotlib.use('agg')\n"
    recipe = textwrap.dedent(recipe).replace('data = load_dataset()', '')
    (tmp_path / 'typed.py').write_text(here + recipe + PROGRAM.replace('NETWORKS', networks), encoding='utf-8')
    result = run(tmp_path / 'typed.py')
    assert result.status == 0, result.err
    lines = result.out.splitlines()
    assert 'Training dataset shape: (130, 32, 32, 1)' in lines and lines[-1] == '(40, 32, 32, 1) 12 12'
    assert os.listdir(tmp_path / 'logdir' / 'typed')
