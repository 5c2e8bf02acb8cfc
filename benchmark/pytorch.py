"""PyTorch: the same networks and the same schedule in eager mode.

What is meant to make it fast: the fused Adam; channels_last images; gradients
set to None; G(z) generated once for the discriminator's and the first generator
update; the discriminator's weights frozen during the generator's updates.
"""

import numpy as np

from benchmark.listing import load_data
from benchmark.ours import is_convolutional
from common.scripts import load_script

NOISE_SIZE = 100


def networks(script, condition_size):
    """
    The networks of a script as PyTorch modules, with the layers' default initializers

    Where TensorFlow pads an image by 1 pixel at the top and left and by 2 at the bottom and right, PyTorch pads by 2
    all around: the number of operations is the same. InfoGAN's three heads are one layer.
    @param condition_size: numbers in a label or code, 0 where there is none
    @return: generator, takes z and the condition side by side; discriminator, takes images, and labels where the
             generator does
    """
    from torch import nn

    def leaky():
        return nn.LeakyReLU(0.2, inplace=True)

    def dense(*sizes):
        layers = [layer for pair in zip(sizes, sizes[1:]) for layer in (nn.Linear(*pair), leaky())]
        return layers[:-1]

    n_inputs = NOISE_SIZE + condition_size
    if not is_convolutional(script):
        return (nn.Sequential(*dense(n_inputs, 256, 512, 1024, 784), nn.Tanh()),
                nn.Sequential(*dense(784 + condition_size, 1024, 512, 256, 1)))

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

    def features(n_channels):
        return nn.Sequential(conv(n_channels, 64), leaky(), conv(64, 128), batch_norm(128), leaky(),
                             conv(128, 256), batch_norm(256), leaky(), nn.Flatten())

    if 'y' in script.INPUTS:
        return generator, ConditionalDiscriminator(features(1 + condition_size), condition_size)
    if 'c' in script.INPUTS:
        return generator, nn.Sequential(features(1), nn.Linear(256 * 4 * 4, 1024), batch_norm(1024, nn.BatchNorm1d),
                                        leaky(), nn.Linear(1024, 128), nn.Linear(128, 1 + condition_size))
    return generator, nn.Sequential(features(1), nn.Linear(256 * 4 * 4, 1))


def ConditionalDiscriminator(features, n_classes):
    """Told the label: a plane for each class beside the image, and the label beside the features."""
    import torch
    from torch import nn

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.features, self.out = features, nn.Linear(256 * 4 * 4 + n_classes, 1)

        def forward(self, images, labels):
            planes = labels[:, :, None, None].expand(-1, -1, *images.shape[2:])
            joined = torch.cat((images, planes), 1).contiguous(memory_format=torch.channels_last)
            return self.out(torch.cat((self.features(joined), labels), 1))

    return Network()


def prepare(model, batch_size, data_dir, freeze=True, bfloat16=False):
    """
    As ours.prepare, with PyTorch
    @param freeze: False computes the gradients by the discriminator's weights in the generator's updates too, and
                   throws them away, as PyTorch's own DCGAN example does
    @param bfloat16: let autocast compute in bfloat16
    """
    import torch
    from torch.nn import functional as F

    script = load_script(model)
    args = script.parser().parse_args([])
    conditional = len(script.INPUTS) > 1
    condition_size = script.sample_condition(args, 1).shape[1] if conditional else 0
    with_labels = 'y' in script.INPUTS
    n_cont = condition_size - args.n_classes if conditional else 0
    G, D = networks(script, condition_size)
    convolutional = is_convolutional(script)
    x_data, y_data = (torch.from_numpy(array.astype(np.float32)) for array in load_data(data_dir, convolutional))
    if convolutional:
        x_data = x_data.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        G, D = (network.to(memory_format=torch.channels_last) for network in (G, D))
    d_adam, g_adam = (torch.optim.Adam(network.parameters(), lr=args.d_learning_rate, betas=(args.beta1, 0.999),
                                       eps=1e-8, fused=True) for network in (D, G))

    def batches():
        while True:
            for idx in torch.randperm(len(x_data)).split(batch_size):
                yield x_data[idx], y_data[idx]

    batch = batches()

    def gan_loss(out, label):
        logits = out[:, :1]
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))

    def fake_loss(out, label, condition):
        loss = gan_loss(out, label)
        if n_cont:
            cont, cat = condition[:, :n_cont], condition[:, n_cont:]
            loss = loss + args.lambda_cont * F.mse_loss(out[:, 1:1 + n_cont], cont)
            loss = loss + args.lambda_cat * F.cross_entropy(out[:, 1 + n_cont:], cat)
        return loss

    def discriminate(images, condition):
        if not with_labels:
            return D(images)
        return D(images, condition) if convolutional else D(torch.cat((images, condition), 1))

    def step():
        batch_x, condition = next(batch)
        n_noise = len(batch_x) if with_labels else batch_size
        if conditional and not with_labels:
            categories = F.one_hot(torch.randint(args.n_classes, (batch_size,)), args.n_classes)
            condition = torch.cat((torch.randn(batch_size, n_cont), categories.float()), 1)
        z = torch.empty(n_noise, NOISE_SIZE).uniform_(-1, 1)
        inputs = torch.cat((z, condition), 1) if conditional else z

        with torch.autocast('cpu', dtype=torch.bfloat16, enabled=bfloat16):
            images = G(inputs)
            d_loss = (gan_loss(discriminate(batch_x, condition), 1.)
                      + fake_loss(discriminate(images.detach(), condition), 0., condition))
        d_adam.zero_grad(set_to_none=True)
        d_loss.backward()
        d_adam.step()
        D.requires_grad_(not freeze)
        for update in range(args.generator_updates):
            with torch.autocast('cpu', dtype=torch.bfloat16, enabled=bfloat16):
                if update:
                    images = G(inputs)
                g_loss = fake_loss(discriminate(images, condition), 1., condition)
            g_adam.zero_grad(set_to_none=True)
            g_loss.backward()
            g_adam.step()
        D.requires_grad_(True)
        return d_loss.item(), g_loss.item()

    return step
