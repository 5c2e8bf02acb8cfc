"""Quality and variety of images, as a classifier sees them."""

import numpy as np

from after_training.metrics.neighbours import squared_distances
from after_training.metrics.statistics import share_and_error


def as_ink(images):
    """Images as a model makes them, (N, 28, 28) or with a border (N, 32, 32) in [-1, 1] -> (N, 28, 28) in [0, 1]."""
    border = (images.shape[1] - 28) // 2
    return (images[:, border:border + 28, border:border + 28] + 1) / 2


def classifier_score(logits):
    """exp(E KL(p(y|x) || p(y))), from 1 (worst) to the number of classes.

    High where each image is clearly of one class and all classes are equally
    frequent. TF-GAN's `mnist_score`, with our own classifier; the Inception
    score of Salimans et al. 2016, "Improved techniques for training GANs".

    @param logits: (N, classes), the classifier's on the generated images
    """
    from scipy.special import log_softmax, logsumexp
    log_p = log_softmax(np.asarray(logits, np.float64), axis=1)
    log_marginal = logsumexp(log_p, axis=0) - np.log(len(log_p))
    return float(np.exp(np.mean(np.sum(np.exp(log_p) * (log_p - log_marginal), axis=1))))


def frechet_distance(features, other_features):
    """|m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2)), at least 0, in squared units of the features.

    Means m and unbiased covariances C. Its value depends on the classifier that
    the features come from, and falls with more samples, towards that of
    infinitely many: compare like with like. TF-GAN's `mnist_frechet_distance`,
    whose features are its classifier's logits; Heusel et al. 2017, "GANs
    trained by a two time-scale update rule".

    @param features, other_features: (N, d) and (M, d), N and M at least 2
    """
    from threadpoolctl import threadpool_limits
    # One thread: on a busy machine two that wait for each other take a hundred times as long for such small matrices.
    with threadpool_limits(1, user_api='blas'):
        mean_1, covariance_1 = _moments(features)
        mean_2, covariance_2 = _moments(other_features)
        # The eigenvalues of C1 C2 are the squared singular values of C1^(1/2) C2^(1/2). Never squaring them
        # keeps the small ones accurate, where the matrix square root of a nearly singular product fails.
        trace = np.linalg.svd(_square_root(covariance_1) @ _square_root(covariance_2), compute_uv=False).sum()
    distance = np.sum((mean_1 - mean_2)**2) + np.trace(covariance_1) + np.trace(covariance_2) - 2 * trace
    return max(float(distance), 0.0)


def _moments(features):
    features = np.asarray(features, np.float64)
    return features.mean(axis=0), np.atleast_2d(np.cov(features, rowvar=False))


def _square_root(covariance):
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T  # rounding can make a 0 negative


def class_shares(logits):
    """Share of the images that the classifier puts into each class: (N, classes) -> (classes,), sum 1."""
    return np.bincount(np.argmax(logits, axis=1), minlength=logits.shape[1]) / len(logits)


def mode_coverage(shares):
    """Number of classes that occur at least once."""
    return int(np.count_nonzero(shares))


def total_variation(shares):
    """Distance of the class shares from uniform: 0 (all equal) to 1 - 1/classes (one class only)."""
    return float(np.abs(shares - 1 / len(shares)).sum() / 2)


def precision_and_recall(generated, real, k=3):
    """What share of the generated images looks real, and what share of the real ones could have been generated.

    An image is among the others where it is within the distance of one of them
    to its k-th nearest of its own kind. Precision is quality, recall is
    variety: one image again and again may have a precision of 1, and has a
    recall near 0. Kynkäänniemi et al. 2019, "Improved precision and recall
    metric for assessing generative models", where k is 3, too. The standard
    errors are those of the images asked, not of those that they are compared with.

    @param generated, real: the classifier's features, (N, d) and (M, d), more than k each; the fewer, the wider the
        neighbourhoods, so compare like with like
    @return: (precision, standard error), (recall, standard error)
    """
    return share_and_error(_are_among(generated, real, k)), share_and_error(_are_among(real, generated, k))


def _are_among(points, others, k):
    """Whether each point is within the distance of one of the others to its k-th nearest other, (N,)."""
    # Sorted, a point itself comes first, with 0.
    reach = np.concatenate([np.partition(distances, k, axis=1)[:, k]
                            for distances in squared_distances(others, others)])
    return np.concatenate([(distances <= reach).any(axis=1) for distances in squared_distances(points, others)])
