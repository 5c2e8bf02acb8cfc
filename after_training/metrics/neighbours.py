"""How near images, or their features, are to each other (Euclidean distance)."""

import numpy as np

from after_training.metrics.statistics import accuracy


def squared_distances(points, others):
    """Squared distances of all pairs, a part of the points at a time, so that they take 40 MB of memory.

    |p - o|^2 = |p|^2 + |o|^2 - 2 p o: one matrix product, whose rounding is that of the squared lengths.

    @param points, others: (N, ...) and (M, ...) in the same units
    @return: generator of float32 (n, M), together (N, M)
    """
    points, others = (np.asarray(array, np.float32).reshape(len(array), -1) for array in (points, others))
    lengths, doubled = np.sum(others**2, axis=1), -2 * others.T
    n = max(1, 10**7 // len(others))
    for start in range(0, len(points), n):
        part = points[start:start + n]
        distances = part @ doubled
        distances += np.sum(part**2, axis=1, keepdims=True)
        distances += lengths
        yield np.maximum(distances, 0, out=distances)


def nearest_distances(images, others):
    """Distance of each image to the nearest of the others, (N, ...) and (M, ...) -> (N,)."""
    return np.sqrt(np.concatenate([distances.min(axis=1) for distances in squared_distances(images, others)]))


def nearest_neighbour_error(samples, sample_labels, images, labels):
    """Error of classifying real images by the label of the nearest generated one.

    The test of the conditional DCGAN in Radford et al. 2015, "Unsupervised
    representation learning with deep convolutional GANs", section 8.1
    (supplementary material), Table 3.

    @param samples, sample_labels: generated images (N, ...) and the labels asked for (N,)
    @param images, labels: real images (M, ...) in the same range, and their labels (M,)
    @return: (share of wrong labels, standard error)
    """
    nearest = np.concatenate([distances.argmin(axis=1) for distances in squared_distances(images, samples)])
    correct, error = accuracy(np.asarray(sample_labels)[nearest], labels)
    return 1 - correct, error


def share_nearer(distances, groups, real_distances, real_groups):
    """How often a generated image is nearer to a training image than a real image that nobody trained on.

    Of all pairs of a generated and a real image of one class, the share in
    which the generated one has the smaller distance to its nearest training
    image; a tie is half a pair. 0.5: as near as real images are. Near 1: copies
    of training images, or images that keep to the middle of what is common.
    The statistic of Meehan, Chaudhuri & Dasgupta 2020, "A non-parametric test
    to detect data-copying in generative models" (a Mann-Whitney U within cells
    of the space), whose cells are the classes here: too many 1s, which all are
    near to each other, are no copies.

    @param distances, groups: `nearest_distances` of generated images to training images (N,), and their classes (N,)
    @param real_distances, real_groups: of real images that are not among these training images, (M,) and (M,)
    @return: mean over the generated images in [0, 1]; NaN where no real image is of their classes
    """
    shares = np.full(len(distances), np.nan)
    for group in np.unique(groups):
        real = np.sort(real_distances[real_groups == group])
        mine = distances[groups == group]
        if len(real):
            not_above = (np.searchsorted(real, mine, 'left') + np.searchsorted(real, mine, 'right')) / 2
            shares[groups == group] = 1 - not_above / len(real)
    return float(np.nanmean(shares)) if np.isfinite(shares).any() else np.nan
