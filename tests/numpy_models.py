"""The five models in numpy and float64, written from the chapter: what the graphs of the scripts are compared with.

A network takes its weights by the names that the layers have in TensorFlow: generator/dense, generator/dense_1 and
so on, in the order of the calls.
"""

from collections import Counter

import numpy as np


def leaky_relu(x):
    return np.where(x > 0, x, 0.2 * x)


def softplus(x):
    return np.logaddexp(0, x)


def conv2d(x, kernel):
    """Stride 2: output (i, j) is the sum over the taps (a, b) of the kernel at pixel (2i + a - 1, 2j + b - 1)."""
    n, h, w, _ = x.shape
    padded = np.pad(x, ((0, 0), (1, 2), (1, 2), (0, 0)))
    out = np.zeros((n, h // 2, w // 2, kernel.shape[3]))
    for a in range(5):
        for b in range(5):
            out += padded[:, a:a + h:2, b:b + w:2] @ kernel[a, b]
    return out


def transpose_conv2d(x, kernel):
    """Pixel (i, j) adds to the outputs (2i + a - 1, 2j + b - 1), for each tap (a, b) of the kernel."""
    n, h, w, _ = x.shape
    padded = np.zeros((n, 2 * h + 3, 2 * w + 3, kernel.shape[2]))
    for a in range(5):
        for b in range(5):
            padded[:, a:a + 2 * h:2, b:b + 2 * w:2] += x @ kernel[a, b].T
    return padded[:, 1:-2, 1:-2]


class Network:
    """The layers of one network in one call.

    weights: {name: array}; scope: 'generator' or 'discriminator'; training: normalize with the batch, or with the
    moving averages. `statistics`: {name of a batch normalization: (mean, variance without bias) of the batch};
    `before_norm`: names of the layers that one follows, whose biases have no effect
    """

    def __init__(self, weights, scope, training=True):
        self._weights, self._scope, self._training, self._calls = weights, scope, training, Counter()
        self.statistics, self.before_norm = {}, set()

    def _parameters(self, layer, *names):
        i = self._calls[layer]
        self._calls[layer] += 1
        name = f'{self._scope}/{layer}' + (f'_{i}' if i else '')
        if layer != 'batch_normalization':
            self._latest = name
        return name, *(self._weights[f'{name}/{parameter}'].astype(float) for parameter in names)

    def dense(self, x):
        _, kernel, bias = self._parameters('dense', 'kernel', 'bias')
        return x @ kernel + bias

    def conv2d(self, x):
        _, kernel, bias = self._parameters('conv2d', 'kernel', 'bias')
        return conv2d(x, kernel) + bias

    def transpose_conv2d(self, x):
        _, kernel, bias = self._parameters('conv2d_transpose', 'kernel', 'bias')
        return transpose_conv2d(x, kernel) + bias

    def batch_norm(self, x):
        name, gamma, beta, mean, variance = self._parameters(
            'batch_normalization', 'gamma', 'beta', 'moving_mean', 'moving_variance')
        if self._training:
            axes = tuple(range(x.ndim - 1))
            mean, variance = x.mean(axes), x.var(axes)
            n = x.size / x.shape[-1]
            self.statistics[name] = mean, variance * n / (n - 1)
            self.before_norm.add(self._latest)
        return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta


def generator(model, weights, inputs, training=True):
    """Images, Network; inputs: {'z': array, 'y' or 'c': array}"""
    net = Network(weights, 'generator', training)
    x = np.concatenate([inputs[name] for name in 'zyc' if name in inputs], axis=1)
    if model in ('vanilla', 'cgan'):
        for _ in range(3):
            x = leaky_relu(net.dense(x))
        return np.tanh(net.dense(x)), net
    x = np.maximum(net.dense(x), 0).reshape(-1, 4, 4, 256)
    for _ in range(2):
        x = np.maximum(net.batch_norm(net.transpose_conv2d(x)), 0)
    return np.tanh(net.transpose_conv2d(x)), net


def discriminator(model, weights, x, inputs):
    """Logits, Network; InfoGAN: (logits, means of the continuous codes, logits of the categories), Network"""
    net = Network(weights, 'discriminator')
    y = inputs.get('y')
    if model in ('vanilla', 'cgan'):
        x = x if y is None else np.concatenate([x, y], axis=1)
        for _ in range(3):
            x = leaky_relu(net.dense(x))
        return net.dense(x), net
    if y is not None:
        planes = np.broadcast_to(y[:, None, None], (len(y), 32, 32, y.shape[1]))
        x = np.concatenate([x, planes], axis=3)
    x = leaky_relu(net.conv2d(x))
    for _ in range(2):
        x = leaky_relu(net.batch_norm(net.conv2d(x)))
    x = x.reshape(len(x), -1)
    if model == 'infogan':
        x = net.dense(leaky_relu(net.batch_norm(net.dense(x))))
        return (net.dense(x), net.dense(x), net.dense(x)), net
    return net.dense(x if y is None else np.concatenate([x, y], axis=1)), net


def information_loss(c, mean, logits, lambda_cont, lambda_cat):
    n_cont = mean.shape[1]
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    cat_loss = -np.mean(log_probabilities[c[:, n_cont:] == 1])
    return lambda_cont * np.mean((c[:, :n_cont] - mean)**2) + lambda_cat * cat_loss


def losses(model, weights, X_real, inputs, args, images=None):
    """d_loss, g_loss; images: the generated ones, computed where left out"""
    if images is None:
        images, _ = generator(model, weights, inputs)
    real, _ = discriminator(model, weights, X_real, inputs)
    fake, _ = discriminator(model, weights, images, inputs)
    information = 0
    if model == 'infogan':
        real, (fake, mean, logits) = real[0], fake
        information = information_loss(inputs['c'], mean, logits, args.lambda_cont, args.lambda_cat)
    # -log D(x) - log(1 - D(G(z))) and -log D(G(z)), where D is the sigmoid of the logits
    return (np.mean(softplus(-real)) + np.mean(softplus(fake)) + information, np.mean(softplus(-fake)) + information)
