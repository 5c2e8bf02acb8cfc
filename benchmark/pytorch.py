"""PyTorch: the same networks and the same schedule in eager mode.

What is meant to make it fast: the fused Adam; channels_last images; G(z) generated once for the discriminator's and the
first generator update; the discriminator's weights frozen during the generator's updates.
"""

from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from common.scripts import generator_inputs


class Discriminator(nn.Module):
    """Features of an image, then the output; a label joins the pixels, or as planes the channels, then the features."""

    def __init__(self, features, out):
        super().__init__()
        self.features, self.out = features, out

    def forward(self, images, labels=None):
        if labels is None:
            return self.out(self.features(images))
        if images.ndim == 2:
            return self.out(self.features(torch.cat((images, labels), 1)))
        planes = labels[:, :, None, None].expand(-1, -1, *images.shape[2:])
        joined = torch.cat((images, planes), 1).contiguous(memory_format=torch.channels_last)
        return self.out(torch.cat((self.features(joined), labels), 1))


def networks(script, noise_size, condition_size):
    """Generator, which takes z and the label or code of `condition_size` numbers side by side, and discriminator.

    Where TensorFlow pads an image by 1 pixel at the top and left and by 2 at the bottom and right, PyTorch pads by 2
    all around: the number of operations is the same. InfoGAN's three heads are one layer.
    """
    leaky_relu = partial(nn.LeakyReLU, 0.2, inplace=True)
    conv = partial(nn.Conv2d, kernel_size=5, stride=2, padding=2)
    transpose_conv = partial(nn.ConvTranspose2d, kernel_size=5, stride=2, padding=2, output_padding=1)

    def dense(*sizes):
        return [layer for pair in zip(sizes, sizes[1:]) for layer in (nn.Linear(*pair), leaky_relu())]

    n_inputs = noise_size + condition_size
    n_labels = condition_size if 'y' in generator_inputs(script) else 0
    if not hasattr(script, 'image_size'):
        generator = nn.Sequential(*dense(n_inputs, 256, 512, 1024), nn.Linear(1024, 784), nn.Tanh())
        return generator, Discriminator(nn.Sequential(*dense(784 + n_labels, 1024, 512, 256)), nn.Linear(256, 1))
    generator = nn.Sequential(
        nn.Linear(n_inputs, 256 * 4 * 4), nn.ReLU(inplace=True), nn.Unflatten(1, (256, 4, 4)),
        transpose_conv(256, 128), nn.BatchNorm2d(128), nn.ReLU(inplace=True),
        transpose_conv(128, 64), nn.BatchNorm2d(64), nn.ReLU(inplace=True), transpose_conv(64, 1), nn.Tanh())
    features = nn.Sequential(
        conv(1 + n_labels, 64), leaky_relu(), conv(64, 128), nn.BatchNorm2d(128), leaky_relu(),
        conv(128, 256), nn.BatchNorm2d(256), leaky_relu(), nn.Flatten())
    out = nn.Linear(256 * 4 * 4 + n_labels, 1)
    if 'c' in generator_inputs(script):
        out = nn.Sequential(nn.Linear(256 * 4 * 4, 1024), nn.BatchNorm1d(1024), leaky_relu(),
                            nn.Linear(1024, 128), nn.Linear(128, 1 + condition_size))
    return generator, Discriminator(features, out)


def prepare(script, args, inputs):
    """As variants.prepare; inputs: of variants.step_inputs."""
    condition_size = sum(value.shape[1] for name, value in next(inputs).items() if name in ('y', 'c'))
    G, D = (network.to(memory_format=torch.channels_last)
            for network in networks(script, args.noise_size, condition_size))
    d_adam, g_adam = (torch.optim.Adam(network.parameters(), lr=args.d_learning_rate, betas=(args.beta1, 0.999),
                                       fused=True) for network in (D, G))  # both learning rates are the same

    def loss(images, target, labels=None, codes=None):
        out = D(images, labels)
        logits, guess, n_cont = out[:, :1], out[:, 1:], getattr(script, 'n_cont', 0)
        result = F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))
        if codes is not None:
            result = result + args.lambda_cont * F.mse_loss(guess[:, :n_cont], codes[:, :n_cont])
            result = result + args.lambda_cat * F.cross_entropy(guess[:, n_cont:], codes[:, n_cont:])
        return result

    def step():
        feed = {name: torch.from_numpy(value.astype(np.float32, copy=False)) for name, value in next(inputs).items()}
        labels, codes = feed.get('y'), feed.get('c')
        real = feed['X_real'].movedim(-1, 1)  # channels_last in memory
        g_inputs = torch.cat([feed[name] for name in generator_inputs(script)], 1)
        autocast = torch.autocast('cpu', dtype=torch.bfloat16, enabled=args.mixed_precision)
        with autocast:
            images = G(g_inputs)
            d_loss = loss(real, 1., labels) + loss(images.detach(), 0., labels, codes)
        d_adam.zero_grad()
        d_loss.backward()
        d_adam.step()
        D.requires_grad_(False)
        for update in range(args.generator_updates):
            with autocast:
                g_loss = loss(G(g_inputs) if update else images, 1., labels, codes)
            g_adam.zero_grad()
            g_loss.backward()
            g_adam.step()
        D.requires_grad_(True)
        return d_loss.item(), g_loss.item()

    return step
