"""The mathematics of the five graphs against numpy in float64: images, losses, gradients, and what an update changes.

The weights are large enough for all activations and logits to matter, and no batch normalization sees a tiny batch:
float32 rounding, which differs from processor to processor, is a hundredth of what is tolerated, and a wrong formula
far more.
"""

from types import SimpleNamespace

import numpy as np
import numpy_models
import pytest
import tensorflow.compat.v1 as tf

import infogan
from common import dense
from common.scripts import SCRIPTS, generator_inputs, load_script

BATCH_SIZE, NOISE_SIZE, N_CLASSES = 16, 20, 7
CONVOLUTIONAL = ('dcgan', 'infogan', 'conv_cgan')


def assert_close(actual, expected, tolerance=1e-4):
    """The largest difference is a small part of the largest number."""
    assert np.shape(actual) == np.shape(expected)
    assert np.abs(actual - expected).max() <= tolerance * np.abs(expected).max()


def random_weight(name, shape, rng):
    if name.endswith('kernel'):
        n_inputs = 6 * shape[3] if 'transpose' in name else np.prod(shape[:-1])  # of one output
        return rng.normal(size=shape) / np.sqrt(n_inputs)
    if name.endswith(('gamma', 'moving_variance')):
        return rng.uniform(0.5, 2, size=shape)
    return rng.normal(scale=0.3, size=shape)  # beta, bias, moving_mean


def get_variables(sess):
    return sess.run({var.op.name: var for var in tf.global_variables()})


def set_variables(sess, values):
    for var in tf.global_variables():
        if var.op.name in values:
            var.load(values[var.op.name], sess)


@pytest.fixture(scope='module', params=SCRIPTS)
def case(request):
    """A model with random weights and inputs, and what its graph makes of them.

    start, after_d, after_g: all variables before and after one run of d_opt, and of g_opt from the same start
    """
    model, script, rng = request.param, load_script(request.param), np.random.default_rng(0)
    args = script.parser().parse_args(['--noise-size', str(NOISE_SIZE), '--seed', '3', '--beta1', '0.4',
                                       '--d-learning-rate', '0.03', '--g-learning-rate', '0.01'])
    names = ['g_sample', 'samples', 'd_loss', 'g_loss', 'merged']
    inputs = {'z': rng.uniform(-1, 1, size=(BATCH_SIZE, NOISE_SIZE))}
    n_classes = [N_CLASSES]
    if model == 'infogan':
        args.n_classes, args.lambda_cont, args.lambda_cat = n_classes.pop(), 0.3, 0.7
        inputs['c'] = infogan.gen_condition_variable(BATCH_SIZE, N_CLASSES, 2, rng)
        names += ['d_real_cont', 'd_real_cat', 'd_fake_cont', 'd_fake_cat']
    elif 'y' in generator_inputs(script):
        inputs['y'] = np.eye(N_CLASSES)[rng.integers(N_CLASSES, size=BATCH_SIZE)]
    else:
        n_classes.pop()

    with tf.Graph().as_default(), tf.Session() as sess, pytest.MonkeyPatch.context() as patch:
        patch.setattr(infogan, 'n_cont', 2)
        gan = script.build_graph(args, *n_classes)
        X_real = rng.uniform(-1, 1, size=(BATCH_SIZE, *gan.X_real.shape[1:]))
        of_the_generator = {getattr(gan, name): value for name, value in inputs.items()}
        feed = {gan.X_real: X_real, **of_the_generator}
        sess.run(tf.global_variables_initializer())
        initial = get_variables(sess)
        set_variables(sess, {name: random_weight(name, value.shape, rng) for name, value in initial.items()
                             if name.startswith(('generator', 'discriminator')) and 'adam' not in name})
        start = get_variables(sess)
        out = sess.run({name: getattr(gan, name) for name in names}, feed)
        sess.run(gan.d_opt, feed)
        after_d = get_variables(sess)
        set_variables(sess, start)
        sess.run(gan.g_opt, of_the_generator)  # it looks at no real images
        after_g = get_variables(sess)
    return SimpleNamespace(model=model, args=args, inputs=inputs, X_real=X_real, initial=initial, start=start,
                           after_d=after_d, after_g=after_g, **out,
                           d_vars={var.op.name for var in gan.d_vars}, g_vars={var.op.name for var in gan.g_vars})


def test_images_losses_and_codes(case):
    images, _ = numpy_models.generator(case.model, case.start, case.inputs)
    assert_close(case.g_sample, images)
    d_loss, g_loss = numpy_models.losses(case.model, case.start, case.X_real, case.inputs, case.args)
    assert_close(case.d_loss, d_loss)
    assert_close(case.g_loss, g_loss)
    assert min(abs(d_loss - 2 * np.log(2)), abs(g_loss - np.log(2))) > 0.02  # not as with logits of 0
    # Images to look at are normalized with the moving averages: each depends on its own noise and condition only.
    assert_close(case.samples, numpy_models.generator(case.model, case.start, case.inputs, training=False)[0])
    assert (np.abs(case.samples - case.g_sample).max() > 0.1) == (case.model in CONVOLUTIONAL)
    for which, x in (('real', case.X_real), ('fake', images)) if case.model == 'infogan' else ():
        (_, cont, cat), _ = numpy_models.discriminator(case.model, case.start, x, case.inputs)
        assert_close(getattr(case, f'd_{which}_cont'), cont)
        assert_close(getattr(case, f'd_{which}_cat'), cat)


def test_curves_show_the_losses_and_their_parts(case):
    curves = {value.tag: value.simple_value for value in tf.Summary.FromString(case.merged).value}
    assert curves['discriminator_loss'] == pytest.approx(case.d_loss)
    assert curves['generator_loss'] == pytest.approx(case.g_loss)
    images, _ = numpy_models.generator(case.model, case.start, case.inputs)
    for name, x, sign in ('real', case.X_real, -1), ('fake', images, 1):
        logits, _ = numpy_models.discriminator(case.model, case.start, x, case.inputs)
        logits = logits[0] if case.model == 'infogan' else logits
        loss = np.mean(numpy_models.softplus(sign * logits))
        assert curves[f'parts/discriminator_loss_{name}'] == pytest.approx(loss, rel=1e-4)
        mean = curves['parts/D_real' if name == 'real' else 'parts/D_generated']
        assert mean == pytest.approx(np.mean(1 / (1 + np.exp(-logits))), rel=1e-4)
    parts = curves['parts/discriminator_loss_real'] + curves['parts/discriminator_loss_fake']
    if case.model == 'infogan':
        parts += 0.3 * curves['parts/continuous_loss'] + 0.7 * curves['parts/categorical_loss']
    assert case.d_loss == pytest.approx(parts)
    assert len(curves) == (8 if case.model == 'infogan' else 6)


def gradients(case, network):
    """What Adam was given: its first moment after one update is (1 - beta1) times the gradient."""
    after, trained = (case.after_d, case.d_vars) if network == 'discriminator' else (case.after_g, case.g_vars)
    moments = {name: next(value for slot, value in after.items() if slot.endswith(f'{name}/{network[0]}_adam'))
               for name in trained}
    return {name: moment.astype(float) / (1 - case.args.beta1) for name, moment in moments.items()}


@pytest.mark.parametrize('network', ['discriminator', 'generator'])
def test_gradients_by_finite_differences(case, network):
    images, net = numpy_models.generator(case.model, case.start, case.inputs)
    if network == 'discriminator':
        _, net = numpy_models.discriminator(case.model, case.start, case.X_real, case.inputs)
    given = {name: gradient for name, gradient in gradients(case, network).items()
             if name not in {f'{layer}/bias' for layer in net.before_norm}}  # there it is zero but for rounding
    start = {name: value.astype(float) for name, value in case.start.items()}

    def slope(directions, step=1e-8):
        def loss(sign):
            moved = {**start, **{name: start[name] + sign * step * directions[name] for name in directions}}
            fixed_images = images if network == 'discriminator' else None
            d_loss, g_loss = numpy_models.losses(case.model, moved, case.X_real, case.inputs, case.args, fixed_images)
            return d_loss if network == 'discriminator' else g_loss
        return (loss(1) - loss(-1)) / (2 * step)

    # Directions in which each variable, large or small, adds about 1 to the slope: along its gradient, and at random.
    # A rectifier that rounding switches on or off changes that by 0.001, a wrong formula by 0.1 and more.
    size = {name: np.linalg.norm(gradient) for name, gradient in given.items()}
    along = {name: gradient / size[name]**2 for name, gradient in given.items()}
    assert slope(along) == pytest.approx(len(given), abs=0.01)
    rng = np.random.default_rng(1)
    directions = {name: rng.normal(size=gradient.shape) / size[name] for name, gradient in given.items()}
    expected = sum(np.sum(given[name] * directions[name]) for name in given)
    assert slope(directions) == pytest.approx(expected, abs=0.05)


def test_the_first_update_of_adam_moves_by_the_learning_rate_of_each_network(case):
    for after, trained, rate in ((case.after_d, case.d_vars, 0.03), (case.after_g, case.g_vars, 0.01)):
        for name in trained:
            if name.endswith('kernel'):
                assert np.abs(after[name] - case.start[name]).max() == pytest.approx(rate, rel=0.01)


def test_each_optimizer_changes_its_own_network_only(case):
    """Its weights, its moving averages, and Adam's moments and powers, and nothing of the other network."""
    trained = case.d_vars | case.g_vars
    for network, after, own in (('discriminator', case.after_d, case.d_vars), ('generator', case.after_g, case.g_vars)):
        assert own == {name for name in trained if name.startswith(network)}
        of_adam = {'discriminator': ('d_adam', 'd_adam_1', 'beta1_power', 'beta2_power'),
                   'generator': ('g_adam', 'g_adam_1', 'beta1_power_1', 'beta2_power_1')}[network]
        may_change = {name for name in case.start if name in own or name.endswith(of_adam) or (
            name.startswith(network) and name.endswith(('moving_mean', 'moving_variance')))}
        changed = {name for name in case.start if not np.array_equal(case.start[name], after[name])}
        assert changed <= may_change
        # a bias in front of a batch normalization has a gradient of zero, or nearly
        assert {name for name in may_change - changed if '/bias' not in name} == set()


def test_moving_averages_follow_the_batches_and_those_of_the_discriminator_first_the_real_one(case):
    images, generator = numpy_models.generator(case.model, case.start, case.inputs)
    _, of_real = numpy_models.discriminator(case.model, case.start, case.X_real, case.inputs)
    _, of_fake = numpy_models.discriminator(case.model, case.start, images, case.inputs)
    assert len(generator.statistics) == (2 if case.model in CONVOLUTIONAL else 0)
    for after, batches in ((case.after_g, [generator]), (case.after_d, [of_real, of_fake])):
        for name in batches[0].statistics:
            for i, average in enumerate(('moving_mean', 'moving_variance')):
                expected = case.start[f'{name}/{average}']
                for batch in batches:
                    expected = 0.9 * expected + 0.1 * batch.statistics[name][i]
                assert_close(after[f'{name}/{average}'], expected)


def test_weights_start_from_the_seed_and_their_name(case):
    """And from nothing else of the graph, so that a change to one network leaves the other's start as it was."""
    expected = case.initial['generator/dense/kernel']
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.set_random_seed(3)
        with tf.variable_scope('generator', reuse=tf.AUTO_REUSE):
            dense(tf.placeholder(tf.float32, (None, expected.shape[0])), expected.shape[1])
        sess.run(tf.global_variables_initializer())
        np.testing.assert_array_equal(get_variables(sess)['generator/dense/kernel'], expected)
    kernels = {name: case.initial[name] for name in case.d_vars | case.g_vars if name.endswith('kernel')}
    assert len({kernel.flat[0] for kernel in kernels.values()}) == len(kernels) >= 8
    for kernel in kernels.values():
        assert kernel.std() == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize('cont_loss', ['gaussian', 'chapter'])
def test_information_loss(cont_loss):
    rng = np.random.default_rng(0)
    c = infogan.gen_condition_variable(6, 10, 1, rng)
    mean, logits = rng.normal(size=(6, 1)), rng.normal(size=(6, 10))
    with tf.Graph().as_default(), tf.Session() as sess:
        total, cat, cont = sess.run(infogan.information_loss(
            *(tf.constant(value, tf.float32) for value in (c, mean, logits)), 1, 0.3, 0.7, cont_loss))
    assert cat == pytest.approx(numpy_models.information_loss(c, mean, logits, 0, 1), rel=1e-5)
    expected_cont = np.sum(mean**2) if cont_loss == 'chapter' else np.mean((c[:, 0] - mean[:, 0])**2)
    assert cont == pytest.approx(expected_cont, rel=1e-5)
    assert total == pytest.approx(0.3 * cont + 0.7 * cat)


def test_codes_are_normal_and_categories_uniform():
    c = infogan.gen_condition_variable(20000, 10, 2, np.random.default_rng(0))
    assert c.shape == (20000, 12)
    np.testing.assert_allclose([c[:, :2].mean(), c[:, :2].std()], [0, 1], atol=0.02)
    np.testing.assert_array_equal(np.sort(c[:, 2:], axis=1), np.eye(10)[[9] * 20000])
    np.testing.assert_allclose(c[:, 2:].mean(axis=0), 0.1, atol=0.01)


@pytest.mark.parametrize('n_classes', [10, 3])
def test_the_sample_grid_asks_for_the_classes_in_turn_and_for_codes_from_minus_3_to_3(n_classes):
    in_turn = np.eye(n_classes)[np.arange(40) % n_classes]
    for model in ('cgan', 'conv_cgan'):
        np.testing.assert_array_equal(load_script(model).sample_condition(40, n_classes), in_turn)
    codes = infogan.sample_condition(40, n_classes)
    np.testing.assert_array_equal(codes[:, 1:], in_turn)
    np.testing.assert_array_equal(codes[:, 0], np.repeat([-3, -1, 1, 3], 10))
