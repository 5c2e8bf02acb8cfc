"""How likely real images are under a Parzen window on generated ones."""

import numpy as np

from after_training.metrics.neighbours import squared_distances
from after_training.metrics.statistics import mean_and_error


def parzen_log_likelihood(samples, images, bandwidth):
    """Log-likelihood of images under a Gaussian Parzen window on generated samples.

    The density is the mean of Gaussians with standard deviation `bandwidth`
    around each sample. Goodfellow et al. 2014, "Generative adversarial nets",
    section 5; the paper's numbers are for ink in [0, 1]. The standard error is,
    as in the paper, that of the mean over the images.

    @param samples: (N, ...), the centres of the windows
    @param images: (M, ...), real test images in the same range
    @return: (mean nats an image, standard error)
    """
    return mean_and_error(_parzen_log_densities(samples, images, [bandwidth])[0])


def choose_bandwidth(samples, images, candidates):
    """The candidate with the highest Parzen-window log-likelihood.

    @param samples: (N, ...), the centres of the windows
    @param images: (M, ...), real images that are not those of the test
    @param candidates: bandwidths above 0
    """
    return candidates[np.argmax(_parzen_log_densities(samples, images, candidates).mean(axis=1))]


def _parzen_log_densities(samples, images, bandwidths):
    """Nats of each image under each bandwidth: (bandwidths, images)."""
    from scipy.special import logsumexp
    n_samples, n_pixels = len(samples), int(np.prod(samples.shape[1:]))
    densities = [[
        logsumexp(distances / (-2 * bandwidth**2), axis=1)
        - np.log(n_samples) - n_pixels * np.log(bandwidth * np.sqrt(2 * np.pi))
        for bandwidth in bandwidths] for distances in squared_distances(images, samples)]
    return np.concatenate(densities, axis=1)
