"""What a generator's codes stand for: InfoGAN's categories, and what its continuous codes do to an image."""

import numpy as np

from after_training.metrics.statistics import mean_and_error


def confusion_matrix(codes, labels, n_codes, n_classes):
    """Number of images for each pair: [i, j] counts code i with label j.

    @param codes, labels: integers (N,) in 0 .. n_codes - 1 and in 0 .. n_classes - 1
    """
    pairs = np.asarray(codes, np.int64) * n_classes + labels
    return np.bincount(pairs, minlength=n_codes * n_classes).reshape(n_codes, n_classes)


def best_assignment(confusion):
    """Give each code a class of its own so that most images are right.

    Chen et al. 2016, "InfoGAN", match each category to a digit type in this
    way. Choose it on training images and judge `classes[codes]` by `accuracy`
    on others. Codes that are left over, where there are more than classes, take
    the class that most of their images have.

    @param confusion: counts (n_codes, n_classes)
    @return: class of each code (n_codes,)
    """
    from scipy.optimize import linear_sum_assignment
    classes = confusion.argmax(axis=1)
    codes, own = linear_sum_assignment(confusion, maximize=True)
    classes[codes] = own
    return classes


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
