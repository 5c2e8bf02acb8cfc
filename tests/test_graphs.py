"""The mathematics of the four graphs: losses, gradients, and the order of the updates, against the plain chapter."""

import functools

import numpy as np
import pytest
from plain import BATCH_SIZE, NOISE_SIZE, SCRIPTS, build_plain_graph, feed_dict, feeds

import infogan
from common import convolutions, tf

MODELS = sorted(SCRIPTS)


def build(model, **settings):
    return SCRIPTS[model].build_graph(noise_size=NOISE_SIZE, **settings)


class Session:
    """A session on the graph just built, whose variables can be read and set as {name: array}."""

    def __init__(self):
        self.sess = tf.Session()
        self.sess.run(tf.global_variables_initializer())
        self.run = self.sess.run

    def get(self):
        return {var.op.name: self.run(var) for var in tf.global_variables()}

    def set(self, values):
        for var in tf.global_variables():
            if var.op.name in values:
                var.load(values[var.op.name], self.sess)


def names(variables):
    return {var.op.name for var in variables}


def changed(before, after):
    return {name for name in before if not np.array_equal(before[name], after[name])}


def is_constant_bias(name):
    """Biases in front of a batch normalization have no effect, so their gradients are rounding errors."""
    return name.endswith('/bias') and any(layer in name for layer in (
        'discriminator/conv2d_1', 'discriminator/conv2d_2', 'generator/conv2d_transpose/',
        'generator/conv2d_transpose_1', 'discriminator/dense/'))


def train_plainly(model, start=None, steps=20):
    """The chapter's three `sess.run` a step; returns the losses, and the variables at the start and the end."""
    plain = build_plain_graph(model)
    session = Session()
    if start:
        session.set(start)
    start, losses = session.get(), []
    for step in range(steps):
        feed = feed_dict(plain, feeds(model, step))
        _, d_loss = session.run([plain.d_opt, plain.d_loss], feed)
        session.run(plain.g_opt, feed)
        _, g_loss = session.run([plain.g_opt, plain.g_loss], feed)
        losses.append((d_loss, g_loss))
    return losses, start, session.get()


@functools.cache
def plain_training(model):
    """`train_plainly` with TensorFlow's own convolutions, and the weights after it from a start that is off by 1e-6.

    Rounding errors grow from step to step. How far they may take the weights shows the second training.
    """
    with convolutions.direct():
        losses, start, end = train_plainly(model)
        rng = np.random.default_rng(0)
        nudged = {name: value * (1 + 1e-6 * rng.choice([-1, 1], size=value.shape)) for name, value in start.items()}
        return losses, start, end, train_plainly(model, nudged)[2]


def train_as_the_script(model):
    gan = build(model)
    session = Session()
    start = session.get()
    losses = [session.run([gan.updates, gan.d_loss, gan.g_loss], feed_dict(gan, feeds(model, step)))[1:]
              for step in range(20)]
    return losses, start, session.get()


def assert_same_training(model, result):
    """Compare weights after training with those of `plain_training`."""
    _, start, expected, rounded = plain_training(model)
    trained = [name for name in names(tf.trainable_variables())
               if not is_constant_bias(name) or model in ('vanilla', 'cgan')]
    assert len(trained) >= 12
    # A few numbers are near or far by chance: small variables are judged together.
    groups = [[name] for name in trained if start[name].size > 100]
    groups.append([name for name in trained if start[name].size <= 100])

    for group in groups:
        def mean_distance(a, b):
            return np.abs(np.concatenate([(a[name] - b[name]).ravel() for name in group])).mean()
        movement = mean_distance(expected, start)
        assert movement > 2e-4, group
        assert mean_distance(result, expected) < 2 * mean_distance(rounded, expected) + 0.01 * movement, group


@pytest.mark.parametrize('model', MODELS)
def test_20_steps_are_those_of_three_plain_updates_one_after_the_other(model):
    plain_losses, plain_start, *_ = plain_training(model)
    with convolutions.direct():
        losses, start, result = train_as_the_script(model)
    for name in plain_start.keys() & start.keys():  # the same seed gives the same weights
        np.testing.assert_array_equal(start[name], plain_start[name], name)
    np.testing.assert_allclose(losses[:8], plain_losses[:8], rtol=5e-3, atol=5e-4)
    np.testing.assert_allclose(losses, plain_losses, rtol=0.05)
    assert_same_training(model, result)


@pytest.mark.parametrize('model', ['dcgan', 'infogan'])
def test_20_steps_with_the_fast_convolutions_are_the_same_up_to_rounding(model):
    plain_losses, plain_start, *_ = plain_training(model)
    losses, start, result = train_as_the_script(model)
    for name in plain_start.keys() & start.keys():
        np.testing.assert_array_equal(start[name], plain_start[name], name)
    # The first discriminator loss is computed before any update.
    np.testing.assert_allclose(losses[0][0], plain_losses[0][0], rtol=1e-5)
    np.testing.assert_allclose(losses[:3], plain_losses[:3], rtol=0.03)
    assert_same_training(model, result)


@pytest.mark.parametrize('model', MODELS)
def test_which_variables_each_update_touches(model):
    gan = build(model)
    session = Session()
    feed = feed_dict(gan, feeds(model, 0))
    start = session.get()

    session.run(gan.updates[0], feed)
    after_d = session.get()
    touched = changed(start, after_d)
    assert touched & names(tf.trainable_variables()) <= names(gan.d_vars)
    assert touched >= names(gan.d_vars) - {name for name in touched ^ names(gan.d_vars) if is_constant_bias(name)}
    assert not any(name.startswith('generator') for name in touched)

    session.set(start)
    session.run(gan.updates, feed)
    touched = changed(after_d, session.get())
    assert touched & names(tf.trainable_variables()) <= names(gan.g_vars)
    assert not any(name.startswith('discriminator') for name in touched)  # nor its moving averages
    assert {name for name in names(gan.g_vars) if not is_constant_bias(name)} <= touched


@pytest.mark.parametrize('model', MODELS)
def test_the_generator_updates_see_the_updated_discriminator_and_each_other(model):
    """The reported g_loss is that of the last update: computed after the D update and one G update."""
    gan = build(model, d_learning_rate=0.01, g_learning_rate=0.01)
    session = Session()
    feed = feed_dict(gan, feeds(model, 0))
    start = session.get()
    session.run(gan.updates[:2], feed)
    between = session.get()
    session.set(start)
    g_loss = session.run([gan.updates, gan.g_loss], feed)[1]

    plain = build_plain_graph(model)
    ref = Session()

    def plain_loss(values):
        for var in plain.d_vars + plain.g_vars:
            var.load(values[var.op.name], ref.sess)
        return ref.run(plain.g_loss, feed_dict(plain, feeds(model, 0)))

    expected = plain_loss(between)
    np.testing.assert_allclose(g_loss, expected, rtol=1e-4)
    # The check means something: with either network as it was before, the loss would be another.
    for network in ('generator', 'discriminator'):
        stale = {name: start[name] if name.startswith(network) else value for name, value in between.items()}
        assert abs(plain_loss(stale) - expected) > 1e-3 * expected


@pytest.mark.parametrize('model', MODELS)
def test_gradients_by_finite_differences(model):
    """Adam's first moment after one update is (1 - beta1) times the gradient it was given."""
    gan = build(model, generator_updates=1, d_learning_rate=1e-12, g_learning_rate=1e-12)
    session = Session()
    rng = np.random.default_rng(1)
    feed = feed_dict(gan, feeds(model, 0))
    for loss, variables, adam in ((gan.d_loss, gan.d_vars, 'd_adam'), (gan.g_loss, gan.g_vars, 'g_adam')):
        # Away from the start, where the logits are nearly 0 and all is linear
        for var in variables:
            if var.op.name.endswith('kernel'):
                var.load(rng.normal(size=var.shape) / np.sqrt(np.prod(var.shape[:-1].as_list())), session.sess)
        start = session.get()
        session.run(gan.updates, feed)
        moments = session.get()
        gradient = {var.op.name: next(value for name, value in moments.items() if name.endswith(f'{var.op.name}/{adam}'))
                    / 0.5 for var in variables}
        session.set(start)
        # Along the gradient, where rounding matters least, as far as the loss changes by 0.01
        norm = np.sqrt(sum(np.sum(value.astype(float)**2) for value in gradient.values()))
        step = 0.01 / norm

        def moved(sign):
            for var in variables:
                name = var.op.name
                var.load(start[name] + sign * step * gradient[name] / norm, session.sess)
            return float(session.run(loss, feed))

        slope = (moved(1) - moved(-1)) / (2 * step)
        session.set(start)
        assert slope == pytest.approx(norm, rel=0.02), adam


def leaky_relu(x):
    return np.where(x > 0, x, 0.2 * x)


def mlp(x, weights, network):
    for i in range(4):
        layer = f'{network}/dense' + (f'_{i}' if i else '')
        kernel, bias = weights[layer + '/kernel'].astype(float), weights[layer + '/bias']
        x = x @ (kernel.T if len(bias) == 1024 else kernel) + bias  # see common.layers.dense
        x = leaky_relu(x) if i < 3 else x
    return x


@pytest.mark.parametrize('model', ['vanilla', 'cgan'])
def test_losses_of_the_dense_models_against_numpy(model):
    gan = build(model)
    session = Session()
    rng = np.random.default_rng(2)
    session.set({name: rng.normal(scale=0.1, size=value.shape) if name in names(gan.d_vars + gan.g_vars) else value
                 for name, value in session.get().items()})
    weights, values = session.get(), feeds(model, 0)
    y = values.get('y', np.zeros((BATCH_SIZE, 0)))
    images = np.tanh(mlp(np.concatenate((values['z'], y), axis=1), weights, 'generator'))
    real = mlp(np.concatenate((values['X_real'], y), axis=1), weights, 'discriminator')
    fake = mlp(np.concatenate((images, y), axis=1), weights, 'discriminator')
    d_loss = np.mean(np.log1p(np.exp(-real))) + np.mean(np.log1p(np.exp(fake)))  # -log D(x) - log(1 - D(G(z)))
    d, sample = session.run([gan.d_loss, gan.g_sample], feed_dict(gan, values))
    np.testing.assert_allclose(sample, images, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(d, d_loss, rtol=1e-4)

    # g_loss is computed after the discriminator's update: read it with the discriminator as it is then
    gan = build(model, generator_updates=1)
    session = Session()
    session.set(weights)
    g = session.run([gan.updates, gan.g_loss], feed_dict(gan, values))[1]
    fake = mlp(np.concatenate((images, y), axis=1), session.get(), 'discriminator')
    np.testing.assert_allclose(g, np.mean(np.log1p(np.exp(-fake))), rtol=1e-4)  # -log D(G(z))


@pytest.mark.parametrize('cont_loss', ['gaussian', 'chapter'])
def test_information_loss_against_numpy(cont_loss):
    tf.reset_default_graph()
    rng = np.random.default_rng(0)
    c = infogan.gen_condition_variable(6, 10, 1, rng)
    mean, logits = rng.normal(size=(6, 1)), rng.normal(size=(6, 10))
    with tf.Session() as sess:
        total, cat, cont = sess.run(infogan.information_loss(
            *(tf.constant(value, tf.float32) for value in (c, mean, logits)), 0.3, 0.7, cont_loss))
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected_cat = -np.mean(np.log(probability[c[:, 1:] == 1]))
    expected_cont = np.sum(mean**2) if cont_loss == 'chapter' else np.mean((c[:, 0] - mean[:, 0])**2)
    np.testing.assert_allclose([cat, cont], [expected_cat, expected_cont], rtol=1e-5)
    np.testing.assert_allclose(total, 0.3 * expected_cont + 0.7 * expected_cat, rtol=1e-5)


def test_condition_variables_are_a_normal_code_and_a_uniform_category():
    c = infogan.gen_condition_variable(20000, 10, 2, np.random.default_rng(0))
    assert c.shape == (20000, 12)
    np.testing.assert_allclose([c[:, :2].mean(), c[:, :2].std()], [0, 1], atol=0.02)
    np.testing.assert_array_equal(np.sort(c[:, 2:], axis=1), np.eye(10)[[9] * 20000])
    np.testing.assert_allclose(c[:, 2:].mean(axis=0), 0.1, atol=0.01)


@pytest.mark.parametrize('model', ['dcgan', 'infogan'])
def test_sampling_uses_the_generators_moving_averages(model):
    """An image made for looking at depends on its own noise only, and the averages follow the batches."""
    gan = build(model, g_learning_rate=1e-12)
    session = Session()
    values = feeds(model, 0)
    one = {name: value[:1] for name, value in values.items()}
    for var in tf.global_variables():
        if var.op.name.startswith('generator') and var.op.name.endswith('moving_variance'):
            var.load(np.zeros(var.shape), session.sess)  # 1 at first, which would outweigh an untrained one for long
    for _ in range(30):
        session.run(gan.updates, feed_dict(gan, values))
    alone, together = (session.run(gan.gen_samples, feed_dict(gan, v)) for v in (one, values))
    np.testing.assert_allclose(alone[0], together[0], atol=1e-5)
    # After 60 updates with momentum 0.9 and a generator at rest, the averages are this batch's mean and variance
    in_training = session.run(gan.g_sample, feed_dict(gan, values))
    np.testing.assert_allclose(together, in_training, atol=0.02 * np.abs(in_training).max())


@pytest.mark.parametrize('model', MODELS)
def test_the_number_of_generator_updates_can_be_chosen(model):
    gan = build(model, generator_updates=3)
    session = Session()
    session.run(gan.updates, feed_dict(gan, feeds(model, 0)))
    powers = {name: value for name, value in session.get().items() if name.endswith('beta1_power')}
    assert sorted(powers.values()) == pytest.approx([0.5**4, 0.5**2])  # 3 + 1 and 1 + 1 factors
