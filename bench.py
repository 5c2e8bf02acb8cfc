"""How fast the four models train on this machine, against three measures.

  the listing   the chapter's own formulation on stock TensorFlow settings
  PyTorch       the same networks and schedule in eager mode, with --torch
  the limit     the multiply-adds of a training step, convolutions done
                directly, at the speed of a large matrix product

A step is one discriminator update and two generator updates. Each variant
lives in a process of its own; the processes take turns, a few steps each, and
wait without computing in between, so that what else the machine does hits all
of them alike. Ratios are taken within each round of turns; the table gives the
median (lowest to highest). The images are random: nothing is downloaded.
"""

# Nothing that imports TensorFlow is imported up here: each process first decides on its settings.
import argparse
import contextlib
import dataclasses
import datetime
import importlib
import importlib.metadata
import importlib.util
import itertools
import json
import math
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from types import SimpleNamespace
from unittest import mock

import numpy as np

ROOT = os.path.dirname(os.path.abspath(__file__))
# The user's environment, before common.tensorflow1 adds to it.
ENVIRONMENT = dict(os.environ)
# What common.tensorflow1 sets or looks at; stock TensorFlow decides these itself.
TENSORFLOW_SETTINGS = ('TF_ENABLE_ONEDNN_OPTS', 'TF_USE_LEGACY_KERAS', 'TF_NUM_INTEROP_THREADS')
THREAD_SETTINGS = ('TF_NUM_INTRAOP_THREADS', 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS')
NOISE_SIZE = 100
MATRIX_SIZE = 2048
SWEEP = (32, 64, 128, 256, 512)


@dataclasses.dataclass(frozen=True)
class Model:
    script: str         # file name without .py
    epochs: int         # the chapter's
    image_shape: tuple
    code_size: int      # of y or c, 0 where there is none

    @property
    def convolutional(self):
        return len(self.image_shape) == 3


MODELS = {'vanilla': Model('vanilla_gan', 100, (784,), 0),
          'cgan': Model('cgan', 100, (784,), 10),
          'dcgan': Model('dcgan', 50, (32, 32, 1), 0),
          'infogan': Model('infogan', 50, (32, 32, 1), 11)}


# The data: a file that the loaders take for MNIST.

def write_random_mnist(directory, n_images):
    """Write `n_images` random images with a fifth of their pixels set, about as many as in MNIST, as mnist.npz."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (n_images, 28, 28), np.uint8)
    images[images < 205] = 0
    labels = rng.integers(0, 10, n_images, np.uint8)
    n_train = n_images * 6 // 7
    np.savez_compressed(os.path.join(directory, 'mnist.npz'), x_train=images[:n_train], y_train=labels[:n_train],
                        x_test=images[n_train:], y_test=labels[n_train:])


# This code: the script's graph, loader, batches and noise.

def setup_ours(model, batch_size, data_dir):
    """
    Prepare to train as the script does
    @return: function that does one training step; its arguments go to `sess.run`
    """
    script = importlib.import_module(MODELS[model].script)
    import common
    from common.tensorflow1 import session_config

    if model == 'cgan':
        data, labels = common.load_dataset_label(data_dir, packed=True)
    else:
        load = common.load_dataset_pad if MODELS[model].convolutional else common.load_dataset
        data = load(data_dir, packed=True)
    gan = script.build_graph()
    sess = script.tf.Session(config=session_config())
    sess.run(script.tf.global_variables_initializer())

    def batches():
        for epoch in itertools.count():
            seed = common.random_stream(0, 'shuffle', epoch)
            if model == 'cgan':
                yield from common.gen_batches_label(data, labels, batch_size, seed=seed)
            else:
                yield from ((batch_x, None) for batch_x in common.gen_batches(data, batch_size, seed=seed))

    batch, steps = batches(), itertools.count()

    def step(**run_options):
        (batch_x, batch_y), number = next(batch), next(steps)
        batch_z = common.random_stream(0, 'noise', number).uniform(-1, 1, size=(batch_size, NOISE_SIZE))
        feed = {gan.z: batch_z, gan.X_real: batch_x}
        if model == 'cgan':
            feed[gan.y] = batch_y
        if model == 'infogan':
            feed[gan.c] = script.gen_condition_variable(batch_size, script.n_classes, script.n_cont,
                                                        common.random_stream(0, 'code', number))
        return sess.run([gan.updates, gan.d_loss, gan.g_loss], feed_dict=feed, **run_options)

    return step


# The listing: what the chapter prints, with the mistakes mended that keep it from running. The networks are those of
# the scripts with layers in their plain form.

def listing_data(model, data_dir):
    """
    The chapter's load_dataset, load_dataset_pad or load_dataset_label, from a file that is already there
    @return: images in [-1, 1] and one-hot labels, both float64
    """
    with np.load(os.path.join(data_dir, 'mnist.npz')) as file:
        x_train, y_train, x_test, y_test = (file[name] for name in ('x_train', 'y_train', 'x_test', 'y_test'))
    train_data = np.concatenate((x_train, x_test), axis=0)
    train_data = train_data / 255.
    train_data = train_data * 2. - 1
    if MODELS[model].convolutional:
        train_data = train_data.reshape([-1, 28, 28, 1])
        train_data = np.pad(train_data, ((0, 0), (2, 2), (2, 2), (0, 0)), 'constant', constant_values=0.)
    else:
        train_data = train_data.reshape([-1, 28 * 28])
    return train_data, np.eye(10)[np.concatenate((y_train, y_test), axis=0)]


def listing_batches(x_data, y_data, batch_size):
    """The chapter's gen_batches_label, one epoch: shuffling copies the data, a short last batch is dropped."""
    n_data = x_data.shape[0]
    idx = np.arange(n_data)
    np.random.shuffle(idx)
    x_data = x_data[idx]
    y_data = y_data[idx]
    for i in range(0, n_data - batch_size + 1, batch_size):
        yield x_data[i:i + batch_size], y_data[i:i + batch_size]


def plain_dense(x, n_outputs, activation=None):
    """`common.dense` as the chapter's tf.layers.dense computes it."""
    from common import tf
    with tf.variable_scope(None, default_name='dense'):
        kernel = tf.get_variable('kernel', [x.shape[1], n_outputs], initializer=tf.random_normal_initializer(stddev=0.02))
        bias = tf.get_variable('bias', [n_outputs], initializer=tf.zeros_initializer())
        out = tf.nn.bias_add(tf.matmul(x, kernel), bias)
        return out if activation is None else activation(out)


@contextlib.contextmanager
def plain_layers(script):
    """Within the `with` the networks of a script are built without what `common` does to make their layers fast."""
    from common import convolutions
    with mock.patch.object(script, 'dense', plain_dense), convolutions.direct():
        yield


def networks(model, script, z, code):
    """The networks of a script behind one interface: generator() -> images, discriminator(images) -> (logits, ...)."""
    codes = [] if code is None else [code]
    channels = [1] if MODELS[model].convolutional else []

    def generator():
        return script.generator(z, *codes, *channels)

    def discriminator(images):
        if model == 'infogan':
            return script.discriminator(images, script.n_classes, script.n_cont)
        return script.discriminator(images, *codes),

    return generator, discriminator


def placeholders(model, tf):
    """A new graph with the inputs of a model: X_real, z and the code, or None."""
    tf.reset_default_graph()
    tf.set_random_seed(0)
    code_size = MODELS[model].code_size
    return (tf.placeholder(tf.float32, (None,) + MODELS[model].image_shape, name='input_real'),
            tf.placeholder(tf.float32, (None, NOISE_SIZE), name='input_noise'),
            tf.placeholder(tf.float32, (None, code_size), name='code') if code_size else None)


def listing_graph(model):
    """The chapter's inputs, losses and optimizers: both optimizers wait for all updates of moving averages."""
    script = importlib.import_module(MODELS[model].script)
    tf = script.tf
    X_real, z, code = placeholders(model, tf)
    generator, discriminator = networks(model, script, z, code)

    with plain_layers(script):
        g_sample = generator()
        d_real_out = discriminator(X_real)[0]
        d_fake_out, *posterior = discriminator(g_sample)

    g_loss = tf.reduce_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(logits=d_fake_out, labels=tf.ones_like(d_fake_out)))
    d_real_loss = tf.reduce_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(logits=d_real_out, labels=tf.ones_like(d_real_out)))
    d_fake_loss = tf.reduce_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(logits=d_fake_out, labels=tf.zeros_like(d_fake_out)))
    d_loss = d_real_loss + d_fake_loss
    if posterior:
        d_info_loss = script.information_loss(code, *posterior)[0]
        g_loss += d_info_loss
        d_loss += d_info_loss
    tf.summary.scalar('generator_loss', g_loss)
    tf.summary.scalar('discriminator_loss', d_loss)

    train_vars = tf.trainable_variables()
    d_vars = [var for var in train_vars if var.name.startswith('discriminator')]
    g_vars = [var for var in train_vars if var.name.startswith('generator')]
    learning_rate = 0.0002
    beta1 = 0.5
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        d_opt = tf.train.AdamOptimizer(learning_rate, beta1=beta1).minimize(d_loss, var_list=d_vars)
        g_opt = tf.train.AdamOptimizer(learning_rate, beta1=beta1).minimize(g_loss, var_list=g_vars)
    merged = tf.summary.merge_all()
    # The three calls of sess.run in a step.
    runs = [d_opt, merged, d_loss], [g_opt], [g_opt, g_loss]
    return SimpleNamespace(X_real=X_real, z=z, code=code, runs=runs)


def listing_step(sess, gan, batch_x, batch_z, batch_code):
    """One training step of the chapter; returns d_loss and g_loss."""
    feed = {gan.z: batch_z} if gan.code is None else {gan.z: batch_z, gan.code: batch_code}
    # The chapter feeds the real images to the generator's updates only where batch normalization makes it necessary.
    g_feed = {**feed, gan.X_real: batch_x} if batch_x.ndim == 4 else feed
    _, _, d_loss_batch = sess.run(gan.runs[0], feed_dict={**feed, gan.X_real: batch_x})
    sess.run(gan.runs[1], feed_dict=g_feed)
    _, g_loss_batch = sess.run(gan.runs[2], feed_dict=g_feed)
    return d_loss_batch, g_loss_batch


def setup_listing(model, batch_size, data_dir):
    """As setup_ours, for the chapter's formulation. Only right in a process of its own."""
    import tensorflow  # noqa: F401 - before common, which would change its settings
    script = importlib.import_module(MODELS[model].script)
    for name in TENSORFLOW_SETTINGS:
        os.environ.pop(name, None)

    gan = listing_graph(model)
    data = listing_data(model, data_dir)
    batches = itertools.chain.from_iterable(listing_batches(*data, batch_size) for _ in itertools.count())
    sess = script.tf.Session()
    sess.run(script.tf.global_variables_initializer())

    def step():
        batch_x, batch_code = next(batches)
        batch_z = np.random.uniform(-1, 1, size=(batch_size, NOISE_SIZE))
        if model == 'infogan':
            batch_code = script.gen_condition_variable(batch_size, script.n_classes, script.n_cont)
        return listing_step(sess, gan, batch_x, batch_z, batch_code)

    return step


# PyTorch: the same networks.

def torch_networks(model):
    """
    The networks of a model as PyTorch modules, with the layers' default initializers

    Where TensorFlow pads an image by 1 pixel at the top and left and by 2 at the bottom and right, PyTorch pads by 2
    all around: the number of operations is the same. InfoGAN's three heads are one layer of 12 outputs.
    @return: generator, takes z and the code side by side; discriminator, takes images, for CGAN with the code
    """
    from torch import nn

    def leaky():
        return nn.LeakyReLU(0.2, inplace=True)

    n_inputs = NOISE_SIZE + MODELS[model].code_size
    if not MODELS[model].convolutional:
        def dense(*sizes):
            layers = [layer for pair in zip(sizes, sizes[1:]) for layer in (nn.Linear(*pair), leaky())]
            return layers[:-1]
        n_images = 784 + MODELS[model].code_size
        return (nn.Sequential(*dense(n_inputs, 256, 512, 1024, 784), nn.Tanh()),
                nn.Sequential(*dense(n_images, 1024, 512, 256, 1)))

    def conv(n_in, n_out):
        return nn.Conv2d(n_in, n_out, 5, stride=2, padding=2)

    def transpose_conv(n_in, n_out):
        return nn.ConvTranspose2d(n_in, n_out, 5, stride=2, padding=2, output_padding=1)

    # PyTorch's momentum is the share of the new value, 1 minus the chapter's.
    def batch_norm(n_channels, layer=nn.BatchNorm2d):
        return layer(n_channels, eps=1e-5, momentum=0.1)

    generator = nn.Sequential(
        nn.Linear(n_inputs, 256 * 4 * 4), nn.ReLU(inplace=True), nn.Unflatten(1, (256, 4, 4)),
        transpose_conv(256, 128), batch_norm(128), nn.ReLU(inplace=True),
        transpose_conv(128, 64), batch_norm(64), nn.ReLU(inplace=True),
        transpose_conv(64, 1), nn.Tanh())
    if model == 'dcgan':
        head = [nn.Linear(256 * 4 * 4, 1)]
    else:
        head = [nn.Linear(256 * 4 * 4, 1024), batch_norm(1024, nn.BatchNorm1d), leaky(),
                nn.Linear(1024, 128), nn.Linear(128, 12)]
    discriminator = nn.Sequential(conv(1, 64), leaky(), conv(64, 128), batch_norm(128), leaky(),
                                  conv(128, 256), batch_norm(256), leaky(), nn.Flatten(), *head)
    return generator, discriminator


def setup_torch(model, batch_size, data_dir, freeze=True):
    """
    As setup_ours, with PyTorch in eager mode

    What is meant to make it fast: the fused Adam; channels_last images; gradients set to None; G(z) generated once for
    the discriminator's and the first generator update; the discriminator's weights frozen during the generator's
    updates.
    @param freeze: False computes the gradients by the discriminator's weights in the generator's updates too, and throws
                   them away, as PyTorch's own DCGAN example does
    """
    import torch
    from torch.nn import functional as F

    x_data, y_data = listing_data(model, data_dir)
    x_data = torch.from_numpy(x_data.astype(np.float32))
    y_data = torch.from_numpy(y_data.astype(np.float32))
    G, D = torch_networks(model)
    if MODELS[model].convolutional:
        x_data = x_data.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        G, D = (network.to(memory_format=torch.channels_last) for network in (G, D))
    d_adam, g_adam = (torch.optim.Adam(network.parameters(), lr=0.0002, betas=(0.5, 0.999), eps=1e-8, fused=True)
                      for network in (D, G))

    def batches():
        while True:
            for idx in torch.randperm(len(x_data)).split(batch_size):
                yield x_data[idx], y_data[idx]

    batch = batches()

    def gan_loss(out, label):
        logits = out[:, :1]
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))

    def fake_loss(out, label, code):
        loss = gan_loss(out, label)
        if model == 'infogan':
            loss = loss + 0.1 * F.mse_loss(out[:, 1:2], code[:, :1]) + F.cross_entropy(out[:, 2:], code[:, 1:])
        return loss

    def step():
        batch_x, code = next(batch)
        z = torch.empty(len(batch_x) if model == 'cgan' else batch_size, NOISE_SIZE).uniform_(-1, 1)
        if model == 'infogan':
            code = torch.cat((torch.randn(batch_size, 1),
                              F.one_hot(torch.randint(10, (batch_size,)), 10).float()), 1)
        inputs = torch.cat((z, code), 1) if MODELS[model].code_size else z

        def discriminate(images):
            return D(torch.cat((images, code), 1) if model == 'cgan' else images)

        images = G(inputs)
        d_adam.zero_grad(set_to_none=True)
        d_loss = gan_loss(discriminate(batch_x), 1.) + fake_loss(discriminate(images.detach()), 0., code)
        d_loss.backward()
        d_adam.step()
        D.requires_grad_(not freeze)
        for update in range(2):
            if update:
                images = G(inputs)
            g_adam.zero_grad(set_to_none=True)
            g_loss = fake_loss(discriminate(images), 1., code)
            g_loss.backward()
            g_adam.step()
        D.requires_grad_(True)
        return d_loss.item(), g_loss.item()

    return step


def setup_torch_unfrozen(model, batch_size, data_dir):
    return setup_torch(model, batch_size, data_dir, freeze=False)


# The limit: how fast large float32 matrices are multiplied, by each library that is there.

def _matrices():
    return np.random.default_rng(0).random((2, MATRIX_SIZE, MATRIX_SIZE), np.float32)


def setup_matmul_tensorflow():
    """TensorFlow's matrix product, with the settings of the scripts."""
    from common.tensorflow1 import session_config, tf
    a, b = (tf.get_variable(name, initializer=matrix) for name, matrix in zip('ab', _matrices()))
    product = tf.matmul(a, b).op  # the operation, not its output: nothing is copied
    sess = tf.Session(config=session_config())
    sess.run(tf.global_variables_initializer())
    return lambda: sess.run(product)


def setup_matmul_numpy():
    a, b = _matrices()
    out = np.empty_like(a)
    return lambda: np.matmul(a, b, out=out)


def setup_matmul_torch():
    import torch
    a, b = map(torch.from_numpy, _matrices())
    out = torch.empty_like(a)
    return lambda: torch.mm(a, b, out=out)


# Counting multiply-adds.

def layer_costs(fetches, batch_size=1):
    """
    The matrix products and convolutions that `sess.run(fetches)` computes
    @param fetches: operations and tensors of a graph whose only unknown size is that of the batch
    @param batch_size: matters where an operation does not depend on it and costs an image less in a larger batch
    @return: {operation: its multiply-adds an image}, in the order in which the operations were created
    """
    from common import tf
    needed, todo = set(), [getattr(fetch, 'op', fetch) for fetch in fetches]
    graph = todo[0].graph
    while todo:
        op = todo.pop()
        if op not in needed:
            needed.add(op)
            todo += [tensor.op for tensor in op.inputs]
            # tf.gradients ties the gradients of a layer's inputs together, also those that nobody asked for;
            # TensorFlow drops these before it runs.
            todo += [before for before in op.control_inputs if not before.name.endswith('/group_deps')]
    # A copy of the graph with the batch size filled in, in which TensorFlow knows all shapes.
    with tf.Graph().as_default() as sized:
        inputs = {op.outputs[0].name: tf.placeholder(op.outputs[0].dtype, [batch_size] + op.outputs[0].shape[1:].as_list())
                  for op in graph.get_operations() if op.type == 'Placeholder'}
        tf.import_graph_def(graph.as_graph_def(), input_map=inputs, name='sized')
    return {op: cost / batch_size for op in graph.get_operations()
            if op in needed and (cost := _multiply_adds(sized.get_operation_by_name(f'sized/{op.name}')))}


def _multiply_adds(op):
    if 'MatMul' in op.type:
        transposed = op.get_attr('transpose_a' if op.type == 'MatMul' else 'adj_x')
        return math.prod(op.outputs[0].shape) * op.inputs[0].shape[-2 if transposed else -1]
    # A convolution and its two gradients pair each pixel of the smaller image with the whole kernel; what falls into
    # the padding is counted, as usual.
    kernel, small = {'Conv2D': (op.inputs[1:2], op.outputs[:1]),
                     'Conv2DBackpropInput': (op.inputs[1:2], op.inputs[2:3]),
                     'Conv2DBackpropFilter': (op.outputs[:1], op.inputs[2:3])}.get(op.type, (None, None))
    return math.prod(kernel[0].shape) * math.prod(small[0].shape[:3]) if kernel else 0


def count_multiply_adds(model):
    """
    Multiply-adds of one training step an image, from the shapes of the layers, convolutions done directly

    Each layer costs the same three times: forward, gradient by its weights, gradient by its input. The discriminator
    update generates and trains the discriminator on real and on generated images; each generator update generates,
    and trains the generator through the discriminator.
    @return: {'full': all of that,
              'needed': without the gradients by the noise and by the images that the discriminator is trained on, and
              with the images of the first generator update taken from the discriminator update}
    """
    script = importlib.import_module(MODELS[model].script)
    X_real, z, code = placeholders(model, script.tf)
    generator, discriminator = networks(model, script, z, code)
    with plain_layers(script):
        images, posterior = generator(), discriminator(X_real)
    # The posterior of InfoGAN's codes is not asked for on real images.
    g_layers, real_layers, fake_layers = (list(layer_costs(outputs).values())
                                          for outputs in ([images], posterior[:1], posterior))
    g, d_real, d_fake = sum(g_layers), sum(real_layers), sum(fake_layers)
    full = g + 3 * d_real + 3 * d_fake + 2 * (3 * g + 2 * d_fake)
    return {'full': full, 'needed': full - g - real_layers[0] - fake_layers[0] - 2 * g_layers[0]}


def count_computed(model, batch_size):
    """Multiply-adds an image of one training step as the graphs compute it, {'ours': number, 'listing': number}."""
    gan = importlib.import_module(MODELS[model].script).build_graph()
    ours = sum(layer_costs([*gan.updates, gan.d_loss, gan.g_loss], batch_size).values())
    return {'ours': ours, 'listing': sum(sum(layer_costs(fetches).values()) for fetches in listing_graph(model).runs)}


# Processes that take turns.

def memory_mb(peak=True, pid='self'):
    """Memory of a process in MB (10^6 bytes), its highest so far or its present; None where the system has no /proc."""
    try:
        with open(f'/proc/{pid}/status') as file:
            return int(re.search(rf'Vm{"HWM" if peak else "RSS"}:\s*(\d+) kB', file.read())[1]) * 1024 / 1e6
    except (OSError, TypeError):
        return None


def serve(setup, **options):
    """The other end of Worker: for each number on stdin do that many steps, until stdin ends with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends this process
    with os.fdopen(os.dup(1), 'w') as answers:
        os.dup2(2, 1)  # what else prints does not come between the answers
        step = globals()[setup](**options)
        for line in sys.stdin:
            step()  # brings the caches back after the others' turns
            start = time.perf_counter()
            for _ in range(int(line)):
                step()
            seconds = (time.perf_counter() - start) / int(line)
            print(json.dumps({'seconds': seconds, 'memory_mb': memory_mb()}), file=answers, flush=True)


class Worker:
    """
    A process that prepares one variant and then waits for its turns
    @param setup: name of the function that prepares it and returns the step
    @param steps: steps in a turn
    @param threads: threads to compute with; None: the library's choice
    @param options: arguments of `setup`
    """

    def __init__(self, setup, steps, threads=None, **options):
        self.name, self.steps, self.memory_mb = setup[len('setup_'):], steps, None
        environment = dict(ENVIRONMENT)
        if setup == 'setup_listing':
            environment = {name: value for name, value in environment.items() if name not in TENSORFLOW_SETTINGS}
        if threads:
            environment.update(dict.fromkeys(THREAD_SETTINGS, str(threads)))
        self._errors = tempfile.TemporaryFile('w+')
        self._process = subprocess.Popen(
            [sys.executable, os.path.join(ROOT, 'bench.py'), '--worker', json.dumps({'setup': setup, **options})],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True)

    def start(self, steps):
        """Ask for some steps."""
        with contextlib.suppress(BrokenPipeError):  # wait() says why
            print(steps, file=self._process.stdin, flush=True)

    def wait(self):
        """Seconds a step of what `start` has asked for."""
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()  # it may still be writing why
            raise _stopped(f'the measurement of {self.name}', self._errors)
        answer = json.loads(line)
        self.memory_mb = answer['memory_mb']
        return answer['seconds']

    def close(self):
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._errors.close()


def _stopped(what, errors):
    from common.errors import UserError
    errors.seek(0)
    lines = errors.read().split('\n')
    reason = next((line.strip() for line in reversed(lines) if line.strip()), 'it did not say why')
    return UserError(f'{what} stopped: {reason[:300]}', exit_status=1)


@contextlib.contextmanager
def all_closed(workers):
    """Start the workers, all at once, and end them with the `with`."""
    try:
        for worker in workers:
            worker.start(3)
        for worker in workers:
            worker.wait()
        yield
    finally:
        for worker in workers:
            worker.close()


def take_turns(workers, rounds):
    """Seconds a step of each worker in each round, one list a worker."""
    times = [[] for _ in workers]
    for _ in range(rounds):
        for worker, seconds in zip(workers, times):
            worker.start(worker.steps)
            seconds.append(worker.wait())
    return times


def ratio(numerators, denominators):
    """Median, lowest and highest of the ratios of two lists, round by round."""
    ratios = [a / b for a, b in zip(numerators, denominators)]
    return {'median': statistics.median(ratios), 'min': min(ratios), 'max': max(ratios)}


# What is measured.

def compare(model, args, data_dir):
    """A model's step in all variants; returns a dict for the JSON."""
    options = dict(model=model, batch_size=args.batch_size, data_dir=data_dir)
    steps = steps_in_turn(model, args)
    setups = ['setup_ours', 'setup_listing'] + ['setup_torch', 'setup_torch_unfrozen'] * args.torch
    products = ['setup_matmul_tensorflow', 'setup_matmul_numpy'] + ['setup_matmul_torch'] * args.torch
    workers = ([Worker(setup, steps, **options) for setup in setups]
               + [Worker(product, min(steps, 5)) for product in products])
    with all_closed(workers):
        times = dict(zip((worker.name for worker in workers), take_turns(workers, args.rounds)))
        memory = {worker.name: worker.memory_mb for worker in workers}

    products = {name: seconds for name, seconds in times.items() if name.startswith('matmul')}
    fastest = min(products, key=lambda name: statistics.median(products[name]))
    multiply_adds = {**count_multiply_adds(model), **count_computed(model, args.batch_size)}
    limits = 'full', 'needed', 'ours'
    for count in limits:
        times[f'limit_{count}'] = [seconds * multiply_adds[count] * args.batch_size / MATRIX_SIZE ** 3
                                   for seconds in products[fastest]]
    steps_per_epoch = steps_in_epoch(model, args)
    seconds = statistics.median(times['ours'])
    return {
        'seconds_a_step': {name: statistics.median(values) for name, values in times.items()},
        'seconds_a_step_by_round': times,
        'times_as_fast_as': {name: ratio(values, times['ours']) for name, values in times.items()
                             if name in ('listing', 'torch', 'torch_unfrozen')},
        'share_of_limit': {count: ratio(times[f'limit_{count}'], times['ours']) for count in limits},
        'images_a_second': args.batch_size / seconds,
        'hours_of_training': seconds * steps_per_epoch * MODELS[model].epochs / 3600,
        'epochs_of_training': MODELS[model].epochs,
        'multiply_adds_an_image': multiply_adds,
        'matrix_product': {'by': fastest[len('matmul_'):],
                           'gflops': 2 * MATRIX_SIZE ** 3 / statistics.median(products[fastest]) / 1e9},
        'peak_memory_mb': {name: memory[name] for name in ('ours', 'listing')},
        'startup': compare_startup(model, args, data_dir) if args.startups else None}


def steps_in_turn(model, args):
    return args.steps or (5 if MODELS[model].convolutional else 50)


def steps_in_epoch(model, args):
    from common import count_batches
    return count_batches(args.images, args.batch_size, keep_short=model != 'cgan')


def compare_startup(model, args, data_dir):
    """
    From the command to the log line after the first step, against a bare import of TensorFlow and the listing's loader
    @return: dict for the JSON
    """
    plain = ('import sys, tensorflow; sys.path.insert(0, sys.argv[1]); import bench\n'
             'data = bench.listing_data(*sys.argv[2:]); print("loaded", flush=True)')
    environment = {name: value for name, value in ENVIRONMENT.items() if name not in TENSORFLOW_SETTINGS}
    ours, listing = [], []
    for _ in range(args.startups):
        with tempfile.TemporaryDirectory() as logdir:
            ours.append(seconds_to_line('Epoch 1/', script_command(
                model, '--data-dir', data_dir, '--logdir', logdir, '--max-steps', '1',
                '--batch-size', str(args.batch_size))))
        listing.append(seconds_to_line('loaded', [sys.executable, '-c', plain, ROOT, model, data_dir], environment))
    return {'seconds': {'ours': statistics.median(ours), 'listing': statistics.median(listing)},
            'ratio': ratio(ours, listing)}


def script_command(model, *arguments):
    return [sys.executable, os.path.join(ROOT, MODELS[model].script + '.py'), *arguments]


@contextlib.contextmanager
def running(command, environment=ENVIRONMENT):
    """Run a command for the length of a `with`, which gets its Popen and the file of its stderr."""
    with tempfile.TemporaryFile('w+') as errors:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
        with process.stdout:
            try:
                yield process, errors
            finally:
                process.kill()
                process.wait()


def seconds_to_line(beginning, command, environment=ENVIRONMENT):
    """Seconds from the start of a command to the first line of its output with this beginning; then it is ended."""
    start = time.perf_counter()
    with running(command, environment) as (process, errors):
        for line in process.stdout:
            if line.startswith(beginning):
                return time.perf_counter() - start
        process.wait()
        raise _stopped(os.path.basename(command[1]), errors)


def sweep(model, args, data_dir):
    """Our step with other batch sizes and numbers of threads; returns a list for the JSON."""
    cores = count_cores()
    settings = [(batch_size, cores) for batch_size in SWEEP if batch_size <= args.images]
    settings += [(args.batch_size, threads) for threads in range(1, cores)]
    workers = [Worker('setup_ours', steps_in_turn(model, args), threads, model=model, batch_size=batch_size,
                      data_dir=data_dir) for batch_size, threads in settings]
    with all_closed(workers):
        times = take_turns(workers, args.rounds)
    return [{'batch_size': batch_size, 'threads': threads, 'seconds_a_step': statistics.median(seconds),
             'images_a_second': batch_size / statistics.median(seconds)}
            for (batch_size, threads), seconds in zip(settings, times)]


def flat(model, args):
    """
    Train the script on 5,000 digits and watch it
    @return: list for the JSON, one dict an epoch: seconds a step, with the epoch's pictures and checkpoint in them,
             and the memory at its end
    """
    from common import count_batches
    steps = count_batches(5000, args.batch_size, keep_short=model != 'cgan')
    epochs, before = [], 0
    with tempfile.TemporaryDirectory() as logdir:
        command = script_command(model, '--dataset', 'mnist_5k', '--epochs', str(args.flat), '--logdir', logdir,
                                 '--batch-size', str(args.batch_size))
        with running(command) as (process, errors):
            for line in process.stdout:
                now = time.perf_counter()
                if line.startswith('Epoch 1/') and not before:
                    before = now  # the start of the process is not part of an epoch
                if re.match(r'Epoch \d+/\d+ done', line):
                    epochs.append({'seconds_a_step': (now - before) / steps,
                                   'memory_mb': memory_mb(False, process.pid)})
                    before = now
            if process.wait():
                raise _stopped(os.path.basename(command[1]), errors)
    return epochs


def profile(model, args, data_dir):
    """Where the time of our step goes; returns a list of dicts, one a kind of operation, for the JSON."""
    step = setup_ours(model, args.batch_size, data_dir)
    from common import tf
    operations = {op.name: op for op in tf.get_default_graph().get_operations()}
    costs = layer_costs(operations.values(), args.batch_size)
    totals = {}
    for _ in range(3):
        step()
    steps = steps_in_turn(model, args)
    for _ in range(steps):
        trace = tf.RunMetadata()
        step(options=tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE), run_metadata=trace)
        for node in (node for device in trace.step_stats.dev_stats for node in device.node_stats):
            kind = re.match(r'(?:.* = (\w+)\()?', node.timeline_label)[1] or node.node_name
            total = totals.setdefault(kind, {'calls': 0, 'seconds': 0, 'multiply_adds': 0})
            total['calls'] += 1
            total['seconds'] += node.all_end_rel_micros / 1e6
            if 'MatMul' in kind or 'Conv' in kind:
                op = operations.get(node.node_name)
                while op and op not in costs:  # a fused operation bears the name of its last part
                    op = op.inputs[0].op if op.inputs else None
                total['multiply_adds'] += costs.get(op, 0) * args.batch_size
    seconds = sum(total['seconds'] for total in totals.values())
    return [{'operation': kind, 'calls': total['calls'] / steps, 'seconds_a_step': total['seconds'] / steps,
             'share': total['seconds'] / seconds, 'gflops': 2 * total['multiply_adds'] / total['seconds'] / 1e9}
            for kind, total in sorted(totals.items(), key=lambda item: -item[1]['seconds'])]


# The report.

def count_cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()


def describe_machine():
    """What a reader must know to compare with another machine; a dict for the JSON."""
    name, flags = platform.processor() or platform.machine(), []
    with contextlib.suppress(OSError, TypeError), open('/proc/cpuinfo') as file:
        text = file.read()
        name = re.search(r'model name\s*: (.*)', text)[1]
        flags = sorted(set(re.findall(r'\b(?:avx\w*|fma|amx\w*|f16c)\b', text)))
    versions = {package: importlib.metadata.version(package) for package in ('tensorflow', 'numpy', 'torch')
                if importlib.util.find_spec(package)}
    return {'cpu': name, 'cores': count_cores(), 'flags': flags, 'system': platform.platform(),
            'python': platform.python_version(), **versions,
            'load_before': os.getloadavg()[0] if hasattr(os, 'getloadavg') else None,
            'date': datetime.datetime.now().isoformat(timespec='seconds')}


def table(rows, head):
    """A Markdown table without the rows in which nothing was measured."""
    from common.tables import markdown_table
    return markdown_table([row for row in rows if set(row[1:]) != {'-'}], head)


def _spread(value, digits=2, percent=False):
    scale, unit = (100, ' %') if percent else (1, '')
    return '{:.{d}f}{u} ({:.{d}f} to {:.{d}f})'.format(
        *(scale * value[key] for key in ('median', 'min', 'max')), d=digits, u=unit)


def comparison_table(results):
    """The table of `compare`, models as columns."""
    def row(label, cell):
        cells = [label]
        for result in results.values():
            try:
                cells.append(cell(result))
            except (KeyError, TypeError):  # not measured here
                cells.append('-')
        return cells

    names = {'ours': 'this code', 'listing': 'the listing', 'torch': 'PyTorch',
             'torch_unfrozen': 'PyTorch, D not frozen', 'limit_full': 'limit, all passes and gradients',
             'limit_needed': 'limit, those needed', 'limit_ours': 'limit, what this code computes'}
    rows = [row(f'{name}, ms a step', lambda result: f'{1000 * result["seconds_a_step"][key]:.1f}')
            for key, name in names.items()]
    rows += [
        row('times as fast as the listing', lambda result: _spread(result['times_as_fast_as']['listing'])),
        row('times as fast as PyTorch', lambda result: _spread(result['times_as_fast_as']['torch'])),
        row('times as fast as PyTorch, D not frozen',
            lambda result: _spread(result['times_as_fast_as']['torch_unfrozen'])),
        row('share of the limit, all passes and gradients',
            lambda result: _spread(result['share_of_limit']['full'], 0, percent=True)),
        row('share of the limit, those needed',
            lambda result: _spread(result['share_of_limit']['needed'], 0, percent=True)),
        row('share of the limit, what this code computes',
            lambda result: _spread(result['share_of_limit']['ours'], 0, percent=True)),
        row('million multiply-adds an image: all / needed / by the listing / by this code',
            lambda result: ' / '.join(f'{result["multiply_adds_an_image"][key] / 1e6:.1f}'
                                      for key in ('full', 'needed', 'listing', 'ours'))),
        row('fastest matrix product, GFLOP/s',
            lambda result: f'{result["matrix_product"]["gflops"]:.0f} ({result["matrix_product"]["by"]})'),
        row('images a second', lambda result: f'{result["images_a_second"]:,.0f}'),
        row('hours of training (epochs)',
            lambda result: f'{result["hours_of_training"]:.1f} ({result["epochs_of_training"]})'),
        row('peak memory of the listing, MB', lambda result: f'{result["peak_memory_mb"]["listing"]:,.0f}'),
        row('peak memory of this code, MB',
            lambda result: '{:,.0f} ({:.0f} %)'.format(
                result['peak_memory_mb']['ours'],
                100 * result['peak_memory_mb']['ours'] / result['peak_memory_mb']['listing'])),
        row('import tensorflow and load the data, s', lambda result: f'{result["startup"]["seconds"]["listing"]:.2f}'),
        row('start of this code to its first step, s', lambda result: f'{result["startup"]["seconds"]["ours"]:.2f}'),
        row('... times the import and load', lambda result: _spread(result['startup']['ratio']))]
    return table(rows, ['', *results])


def sweep_table(results):
    rows = [[model, str(line['batch_size']), str(line['threads']), f'{1000 * line["seconds_a_step"]:.1f}',
             f'{line["images_a_second"]:,.0f}'] for model, lines in results.items() for line in lines]
    return table(rows, ['model', 'batch', 'threads', 'ms a step', 'images a second'])


def flat_table(results):
    rows = []
    for model, epochs in results.items():
        for number in sorted({1, 2, (len(epochs) + 1) // 2, len(epochs)}):
            if number <= len(epochs):
                epoch = epochs[number - 1]
                memory = '-' if epoch['memory_mb'] is None else f'{epoch["memory_mb"]:,.0f}'
                rows.append([model, str(number), f'{1000 * epoch["seconds_a_step"]:.1f}', memory])
    return table(rows, ['model', 'epoch', 'ms a step, with pictures and checkpoint', 'memory at its end, MB'])


def profile_table(results):
    rows = [[model, line['operation'], f'{line["calls"]:.0f}', f'{1000 * line["seconds_a_step"]:.2f}',
             f'{100 * line["share"]:.1f} %', f'{line["gflops"]:.0f}' if line['gflops'] else '']
            for model, lines in results.items() for line in lines if line['share'] >= 0.002]
    return table(rows, ['model', 'operation', 'calls a step', 'ms a step', 'share', 'GFLOP/s'])


def bench_parser():
    from common.arguments import Parser, number, positive_int
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--models', nargs='+', choices=MODELS, default=list(MODELS), metavar='MODEL',
                        help=f'some of {", ".join(MODELS)} (default: all)')
    parser.add_argument('--torch', action='store_true', help='also measure PyTorch: pip install torch==2.13.0')
    parser.add_argument('--rounds', type=positive_int, default=15, metavar='N',
                        help='turns of each variant (default: %(default)s)')
    parser.add_argument('--steps', type=positive_int, metavar='N',
                        help='steps in a turn (default: 50; 5 for dcgan and infogan)')
    parser.add_argument('--startups', type=number(int, 0), default=5, metavar='N',
                        help='starts of each script to time (default: %(default)s)')
    parser.add_argument('--batch-size', type=positive_int, default=128, metavar='N',
                        help='images in a step (default: %(default)s)')
    parser.add_argument('--images', type=number(int, 40), default=70000, metavar='N',
                        help='random images in the data set (default: %(default)s, as in MNIST)')
    parser.add_argument('--json', metavar='FILE', help='also write all figures, round by round, to FILE')
    others = parser.add_argument_group('other measurements, instead of the comparison')
    others.add_argument('--sweep', action='store_true',
                        help=f'batches of {SWEEP[0]} to {SWEEP[-1]} images, and 1 thread to one a core')
    others.add_argument('--flat', type=positive_int, nargs='?', const=20, metavar='EPOCHS',
                        help='train on 5,000 digits (default: 20 epochs): do step time and memory grow?')
    others.add_argument('--profile', action='store_true', help='the share of each kind of operation in a step')
    return parser


def check(args):
    """Refuse what cannot be measured, before anything is."""
    from common.errors import UserError
    from common.files import can_write
    if args.torch and not importlib.util.find_spec('torch'):
        raise UserError('PyTorch is not installed: pip install torch==2.13.0, or leave out --torch')
    steps_in_epoch('vanilla', args)  # raises where the batch is larger than the data
    if args.json and not can_write(args.json):
        raise UserError(f'cannot write {args.json}: choose another --json')


def main(argv=None):
    args = bench_parser().parse_args(argv)
    check(args)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the children are ended too
    measurements = {'sweep': (sweep, sweep_table), 'flat': (lambda model, args, _: flat(model, args), flat_table),
                    'profile': (profile, profile_table)}
    chosen = {name: measurements[name] for name in measurements if getattr(args, name)}
    report = {'machine': describe_machine(), 'settings': vars(args)}
    print('{cpu}, {cores} cores ({flags}), Python {python}, TensorFlow {tensorflow}, {date}'.format(
        **{**report['machine'], 'flags': ' '.join(report['machine']['flags'])}))
    if (report['machine']['load_before'] or 0) > 0.5:
        print(f'The machine is busy (load {report["machine"]["load_before"]:.1f}): do not trust these times.',
              file=sys.stderr)
    with tempfile.TemporaryDirectory() as data_dir:
        write_random_mnist(data_dir, args.images)
        for name, (measure, as_table) in (chosen or {'models': (compare, comparison_table)}).items():
            report[name] = {}
            for model in args.models:
                print(f'measuring {model} ...', file=sys.stderr)
                report[name][model] = measure(model, args, data_dir)
            print(f'\n{as_table(report[name])}', flush=True)
    if args.json:
        from common.files import write_json
        write_json(args.json, report)


if __name__ == '__main__':
    if sys.argv[1:2] == ['--worker']:
        serve(**json.loads(sys.argv[2]))
    else:
        from common import run_script
        run_script(main)
