"""Metrics of generated images: small pure functions on arrays.

Where a formula gives the standard error, a metric returns (value, error); for the others, `jackknife` estimates it.
Images are (N, 28, 28), white on black in [0, 1]. Information and log-likelihood are in nats.
"""

import numpy as np
from scipy import ndimage
from scipy.optimize import linear_sum_assignment
from scipy.special import log_softmax, logsumexp
from threadpoolctl import threadpool_limits


def to_unit_range(images):
    """Images as a model draws them, (N, 28, 28) or padded (N, 32, 32) in [-1, 1] -> (N, 28, 28) in [0, 1]."""
    border = (images.shape[1] - 28) // 2
    return (images[:, border:border + 28, border:border + 28] + 1) / 2


def percentage(hits):
    """Percentage of True in (N,) independent booleans, and its standard error (binomial)."""
    share = float(np.mean(hits))
    return 100 * share, 100 * float(np.sqrt(share * (1 - share) / len(hits)))


def mean_and_error(values):
    """Mean of (N,) independent values, and its standard error."""
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))


def correlation(x, y):
    """Pearson's correlation of the finite pairs of x and y, both (N,), and its standard error; NaN for a constant."""
    finite = np.isfinite(x) & np.isfinite(y)
    with np.errstate(invalid='ignore', divide='ignore'):
        r = float(np.corrcoef(x[finite], y[finite])[0, 1])
    return r, float((1 - r**2) / np.sqrt(finite.sum() - 1))


def jackknife(metric, *samples):
    """The number `metric(*samples)`, and its standard error by the jackknife (Efron & Tibshirani 1993, ch. 11).

    Of 20 groups of rows, dealt at random but always alike, each is left out in turn; the error is sqrt(19 variance).
    """
    groups = [np.random.default_rng(0).permutation(len(sample)) % 20 for sample in samples]
    values = [metric(*(sample[group != left_out] for sample, group in zip(samples, groups))) for left_out in range(20)]
    return metric(*samples), float(np.sqrt(19 * np.var(values)))


def classifier_score(logits):
    """exp(E KL(p(y|x) || p(y))) of logits (N, classes), from 1 (worst) to the number of classes.

    The Inception Score (Salimans et al. 2016, "Improved techniques for training GANs") with another classifier.
    """
    log_p = log_softmax(np.asarray(logits, np.float64), axis=1)
    log_marginal = logsumexp(log_p, axis=0) - np.log(len(log_p))
    return float(np.exp(np.mean(np.sum(np.exp(log_p) * (log_p - log_marginal), axis=1))))


def class_shares(logits):
    """Share of the images that the classifier assigns to each class: (N, classes) -> (classes,), sum 1."""
    return np.bincount(np.argmax(logits, axis=1), minlength=logits.shape[1]) / len(logits)


def total_variation(logits):
    """Distance of the class shares from uniform: 0 (all equal) to 1 - 1/classes (one class only)."""
    return float(np.abs(class_shares(logits) - 1 / logits.shape[1]).sum() / 2)


def frechet_distance(features, other_features):
    """|m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2)) of features (N, d) and (M, d): means m, unbiased covariances C.

    Heusel et al. 2017, "GANs trained by a two time-scale update rule", on features of Inception. More samples lower it.
    """
    with threadpool_limits(1, user_api='blas'):  # on a busy machine two threads take a hundred times as long
        features, other_features = np.float64(features), np.float64(other_features)
        mean_1, covariance_1 = features.mean(axis=0), np.cov(features, rowvar=False)
        mean_2, covariance_2 = other_features.mean(axis=0), np.cov(other_features, rowvar=False)
        # The singular values of C1^(1/2) C2^(1/2) are the roots of the eigenvalues of C1 C2, small ones accurate, too.
        trace = np.linalg.svd(_square_root(covariance_1) @ _square_root(covariance_2), compute_uv=False).sum()
    distance = np.sum((mean_1 - mean_2)**2) + np.trace(covariance_1) + np.trace(covariance_2) - 2 * trace
    return max(float(distance), 0.0)


def _square_root(covariance):
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T  # rounding can make a 0 negative


def precision_and_recall(generated, real):
    """Percentage of generated images among real ones, and of real images among generated ones, each with its error.

    Of features (N, d) and (M, d): an image is among the others where it is no further from one of them than that one's
    third nearest of its own kind. Kynkäänniemi et al. 2019, "Improved precision and recall metric".
    """
    return percentage(_are_among(generated, real)), percentage(_are_among(real, generated))


def _are_among(points, others):
    reach = np.concatenate([np.partition(distances, 3, axis=1)[:, 3]  # the nearest is the point itself
                            for distances in squared_distances(others, others)])
    return np.concatenate([(distances <= reach).any(axis=1) for distances in squared_distances(points, others)])


def squared_distances(points, others):
    """Squared distances of (N, ...) and (M, ...): yields parts of 40 MB, float32 (n, M), together (N, M)."""
    # |p - o|^2 = |p|^2 + |o|^2 - 2 p o is one matrix product.
    points, others = (np.asarray(array, np.float32).reshape(len(array), -1) for array in (points, others))
    lengths, doubled = np.sum(others**2, axis=1), -2 * others.T
    n = max(1, 10**7 // len(others))
    for start in range(0, len(points), n):
        part = points[start:start + n]
        distances = part @ doubled
        distances += np.sum(part**2, axis=1, keepdims=True)
        distances += lengths
        yield np.maximum(distances, 0, out=distances)


def nearest_neighbour_error(samples, sample_labels, images, labels):
    """Percentage of real images (M, ...) whose label is not that of the nearest generated one (N, ...), and its error.

    Radford et al. 2015, "Unsupervised representation learning with deep convolutional GANs", section 8.1, Table 3.
    """
    nearest = np.concatenate([distances.argmin(axis=1) for distances in squared_distances(images, samples)])
    return percentage(sample_labels[nearest] != labels)


def parzen_log_densities(samples, images, bandwidths):
    """Log-density of images (M, ...) under the mean of Gaussians around samples (N, ...), in [0, 1]: (bandwidths, M).

    The bandwidth is their standard deviation. Goodfellow et al. 2014, "Generative adversarial nets", section 5.
    """
    n_samples, n_pixels = len(samples), int(np.prod(samples.shape[1:]))
    densities = [[
        logsumexp(distances / (-2 * bandwidth**2), axis=1)
        - np.log(n_samples) - n_pixels * np.log(bandwidth * np.sqrt(2 * np.pi))
        for bandwidth in bandwidths] for distances in squared_distances(images, samples)]
    return np.concatenate(densities, axis=1)


def best_assignment(confusion):
    """Give each code a class of its own so that most images are correct: counts (codes, classes) -> (codes,).

    Codes that are left over take their most frequent class. As in Chen et al. 2016, "InfoGAN".
    """
    classes = confusion.argmax(axis=1)
    codes, own = linear_sum_assignment(confusion, maximize=True)
    classes[codes] = own
    return classes


def categorical_information(logits, codes):
    """Lower bound H(c) + E log q(c|x), with its error, of the mutual information of a uniform category and the images.

    logits (N, categories): q's, on images generated with `codes` (N,). At most log(categories). Chen et al. 2016, (5).
    """
    log_q = log_softmax(np.asarray(logits, np.float64), axis=1)[np.arange(len(codes)), codes]
    return mean_and_error(np.log(logits.shape[1]) + log_q)


def gaussian_information(means, codes):
    """The same bound of a code from N(0, 1), of which q is a Gaussian with the given mean for each image, both (N,)."""
    squares = (np.asarray(codes, np.float64) - means)**2
    variance = squares.mean()  # with which the bound is tightest
    log_q = -0.5 * np.log(2 * np.pi * variance) - squares / (2 * variance)
    return mean_and_error(0.5 * np.log(2 * np.pi * np.e) + log_q)


def slants(images):
    """Slant of each image in degrees: 0 upright, positive leaning to the right; NaN where an image has no stroke.

    arctan(mu11 / mu02) of second central moments: the shear with which digits are deskewed.
    """
    strokes = np.where(images >= 0.5, images, 0)  # a faint grey far from the digit would outweigh it
    y, x = np.indices(images.shape[1:])

    def mean(values):
        return np.sum(strokes * values, axis=(1, 2), keepdims=True) / np.sum(strokes, axis=(1, 2), keepdims=True)

    with np.errstate(invalid='ignore'):
        dx, dy = x - mean(x), mean(y) - y  # rows count downwards, angles upwards
        return np.degrees(np.arctan2(mean(dx * dy), mean(dy * dy)))[:, 0, 0]


def stroke_widths(images):
    """Stroke width of each image in pixels, four times the mean distance to the background; NaN without a stroke."""
    zoom = 4  # enlarged first, so that grey edges give fractions of a pixel

    def width(image):
        # The frame of background gives strokes at the border an edge.
        stroke = ndimage.zoom(np.pad(image, 1), zoom, order=1, mode='nearest', grid_mode=True) >= 0.5
        if not stroke.any():
            return np.nan
        # Half a pixel less: to the edge of the background, not to the centre of its first pixel.
        return 4 * (ndimage.distance_transform_edt(stroke)[stroke].mean() - 0.5) / zoom

    return np.array([width(image) for image in images])
