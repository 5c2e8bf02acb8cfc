"""What the samples of a model are worth: small pure functions on arrays.

A metric that is a mean over samples returns (value, standard error). For the
others `standard_error` estimates it. Images are (N, 28, 28) with ink in [0, 1]
unless a function says otherwise; logarithms are natural, so information and
log-likelihood are in nats. Libraries that take long to import are imported
where they are used.
"""

import numpy as np


# Images as the models make them.

def crop_padding(images):
    """Cut the border of 2 pixels off: (N, 32, 32, 1) as DCGAN makes them -> (N, 28, 28)."""
    return images[:, 2:-2, 2:-2, 0]


def to_unit_range(images):
    """[-1, 1], the range of the models' tanh, -> [0, 1]; any shape."""
    return (images + 1) / 2


# Quality and variety, as a classifier sees them.

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


def accuracy(predictions, labels):
    """Share of correct predictions and its standard error (binomial).

    @param predictions, labels: integers (N,)
    @return: (share, standard error)
    """
    share = float(np.mean(predictions == labels))
    return share, float(np.sqrt(share * (1 - share) / len(labels)))


def standard_error(metric, *samples, n_groups=20):
    """Standard error of `metric(*samples)` by the jackknife over groups (Efron & Tibshirani 1993, chapter 11).

    Each array is dealt at random (always in the same way) into `n_groups`
    groups of equal size; the metric is computed once without each group, and
    the spread of these values, times n_groups - 1, is the variance. Arrays of
    the same length are dealt alike, so rows that belong together stay together.
    Leaving out one group, instead of computing the metric on one group, keeps
    clear of the bias that the Fréchet distance has for few samples. The result
    is itself uncertain, by a sixth with 20 groups.

    @param metric: function of as many arrays as there are `samples`, returns a number
    @param samples: arrays (N, ...), (M, ...), each of independent rows
    """
    groups = [np.random.default_rng(0).permutation(len(sample)) % n_groups for sample in samples]
    values = [metric(*(sample[group != left_out] for sample, group in zip(samples, groups)))
              for left_out in range(n_groups)]
    return float(np.sqrt((n_groups - 1) * np.var(values)))


# Labels: CGAN.

def nearest_neighbour_error(samples, sample_labels, images, labels):
    """Error of classifying real images by the label of the nearest generated one (Euclidean distance).

    The test of the conditional DCGAN in Radford et al. 2015, "Unsupervised
    representation learning with deep convolutional GANs", section 5.3.1.
    scikit-learn works in chunks: 100,000 samples against 10,000 images need
    only their own memory.

    @param samples, sample_labels: generated images (N, ...) and the labels asked for (N,)
    @param images, labels: real images (M, ...) in the same range, and their labels (M,)
    @return: (share of wrong labels, standard error)
    """
    from sklearn.neighbors import KNeighborsClassifier
    model = KNeighborsClassifier(n_neighbors=1, algorithm='brute')
    model.fit(samples.reshape(len(samples), -1), sample_labels)
    correct, error = accuracy(model.predict(images.reshape(len(images), -1)), labels)
    return 1 - correct, error


# Codes: InfoGAN.

def confusion_matrix(codes, labels, n_classes=10):
    """Number of images for each pair: [i, j] counts code i with label j.

    @param codes, labels: integers (N,) in 0 .. n_classes - 1
    """
    pairs = np.asarray(codes, np.int64) * n_classes + labels
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


def best_assignment(confusion):
    """Give each code a class of its own so that most images are right.

    The error of the category code as a digit classifier in Chen et al. 2016,
    "InfoGAN". It is that of the images the assignment was chosen on; for others
    compare `classes[codes]` with their labels by `accuracy`.

    @param confusion: counts (n, n), a row for each code, a column for each class
    @return: (classes, error): class of each code (n,), and the share of images that it gets wrong
    """
    from scipy.optimize import linear_sum_assignment
    codes, classes = linear_sum_assignment(confusion, maximize=True)
    return classes, float(1 - confusion[codes, classes].sum() / confusion.sum())


def categorical_information(logits, codes):
    """Lower bound H(c) + E log q(c|x) of the mutual information of a uniform category code and the images.

    At most H(c) = log(number of categories), reached where the code can be read
    off every image; below 0 where q misleads. Chen et al. 2016, equation 5.

    @param logits: (N, categories), of q on images generated with `codes`
    @param codes: integers (N,)
    @return: (nats, standard error)
    """
    from scipy.special import log_softmax
    log_q = log_softmax(np.asarray(logits, np.float64), axis=1)[np.arange(len(codes)), codes]
    return mean_and_error(np.log(logits.shape[1]) + log_q)


def gaussian_information(means, codes, variance=None):
    """Lower bound H(c) + E log q(c|x) of the mutual information of a code from N(0, 1) and the images.

    q is a Gaussian with the given mean for each image and one variance for all.
    Chen et al. 2016, equation 5; H(c) is 0.5 log(2 pi e).

    @param means: (N,), of q on images generated with `codes`
    @param codes: (N,)
    @param variance: of q; 1 is that of the default training loss. None takes
        the mean squared residual, with which the bound is tightest
    @return: (nats, standard error)
    """
    squares = (np.asarray(codes, np.float64) - means)**2
    if variance is None:
        variance = squares.mean()
    log_q = -0.5 * np.log(2 * np.pi * variance) - squares / (2 * variance)
    return mean_and_error(0.5 * np.log(2 * np.pi * np.e) + log_q)


def mean_and_error(values):
    """Mean of (N,) independent values, and its standard error."""
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))


def slants(images):
    """Slant of each image in degrees: 0 upright, positive leaning to the right, (N, h, w) -> (N,).

    The angle of the shear that makes the ink upright, arctan(mu11 / mu02) of
    its second central moments (as used to deskew digits). Pixels below half ink
    count as paper: a faint grey far from the digit would outweigh it. NaN where
    an image has no ink.
    """
    ink = np.where(images >= 0.5, images, 0)
    y, x = np.indices(images.shape[1:])

    def mean(values):
        return np.sum(ink * values, axis=(1, 2), keepdims=True) / np.sum(ink, axis=(1, 2), keepdims=True)

    with np.errstate(invalid='ignore'):
        dx, dy = x - mean(x), mean(y) - y  # rows count downwards, angles upwards
        return np.degrees(np.arctan2(mean(dx * dy), mean(dy * dy)))[:, 0, 0]


def stroke_widths(images):
    """Stroke width of each image in pixels, (N, h, w) -> (N,).

    Across a stroke of width w the distance from the ink to the nearest paper
    rises from 0 to w/2 and falls again, so its mean over all ink is w/4. Ends
    and corners make the value a little smaller, crossings a little larger. NaN
    where an image has no ink.
    """
    from scipy import ndimage
    fineness = 4  # enlarged first, so that grey edges give fractions of a pixel

    def width(image):
        # The frame of paper gives ink at the border an edge.
        ink = ndimage.zoom(np.pad(image, 1), fineness, order=1, mode='nearest', grid_mode=True) >= 0.5
        if not ink.any():
            return np.nan
        # Half a pixel less: from its centre to the edge of the paper, not to the centre of the paper's pixel.
        return 4 * (ndimage.distance_transform_edt(ink)[ink].mean() - 0.5) / fineness

    return np.array([width(image) for image in images])


def correlation(x, y):
    """Pearson's correlation and its 95 % confidence interval (Fisher's z).

    @param x, y: (N,); pairs that are not finite are left out
    @return: (r, low, high), all in [-1, 1]; NaN where x or y is constant
    """
    from scipy.stats import pearsonr
    finite = np.isfinite(x) & np.isfinite(y)
    x, y = x[finite], y[finite]
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return np.nan, np.nan, np.nan
    result = pearsonr(x, y)
    low, high = result.confidence_interval(0.95)
    return float(result.statistic), float(low), float(high)


# Likelihood.

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
    samples = np.asarray(samples, np.float32).reshape(len(samples), -1)
    images = np.asarray(images, np.float32).reshape(len(images), -1)
    norms = np.sum(samples**2, axis=1)
    n_samples, n_pixels = samples.shape
    chunk = max(1, 10**7 // n_samples)  # images at a time, so that the distances take 40 MB
    densities = []
    for start in range(0, len(images), chunk):
        points = images[start:start + chunk]
        # |x - s|^2 as one matrix product; the same distances serve all bandwidths.
        distances = np.sum(points**2, axis=1, keepdims=True) + norms - 2 * points @ samples.T
        densities.append([
            logsumexp(distances / (-2 * bandwidth**2), axis=1)
            - np.log(n_samples) - n_pixels * np.log(bandwidth * np.sqrt(2 * np.pi))
            for bandwidth in bandwidths])
    return np.concatenate(densities, axis=1)
