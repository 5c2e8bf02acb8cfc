"""The metrics against values worked out by hand, or by another library."""

import numpy as np
import pytest
from scipy import ndimage, spatial, stats
from scipy.special import logsumexp

from evaluation import metrics


@pytest.fixture(autouse=True)
def the_same_random_numbers_in_any_order_of_the_tests():
    global RNG
    RNG = np.random.default_rng(0)


def one_hot_logits(classes):
    return 1000 * np.eye(10)[classes]


def test_the_unit_range_is_without_the_border():
    images = RNG.uniform(0, 1, (5, 28, 28)).astype(np.float32)
    padded = np.pad(2 * images - 1, ((0, 0), (2, 2), (2, 2)))
    for drawn in (2 * images - 1, padded):
        assert metrics.to_unit_range(drawn).dtype == np.float32
        assert metrics.to_unit_range(drawn) == pytest.approx(images, abs=1e-6)


def test_score():
    assert metrics.classifier_score(np.zeros((50, 10))) == pytest.approx(1)
    assert metrics.classifier_score(one_hot_logits(np.arange(50) % 10)) == pytest.approx(10)
    # p = (3/4, 1/4) and (1/4, 3/4), marginal (1/2, 1/2): KL is 3/4 log(3/2) + 1/4 log(1/2) for both.
    by_hand = np.exp(0.75 * np.log(1.5) + 0.25 * np.log(0.5))
    assert metrics.classifier_score(np.log([[3, 1], [1, 3]])) == pytest.approx(by_hand)


def with_moments(n, mean, covariance):
    """n samples whose sample mean and sample covariance are exactly these."""
    x = RNG.standard_normal((n, len(mean)))
    x -= x.mean(axis=0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.atleast_2d(np.cov(x, rowvar=False)))).T
    return x @ np.linalg.cholesky(covariance).T + mean


def test_frechet_distance():
    # In two dimensions Tr (AB)^(1/2) = sqrt(Tr(AB) + 2 sqrt(det(AB))).
    first, second = np.array([[2, 1], [1, 3.]]), np.array([[5, -2], [-2, 1.]])
    product = first @ second
    expected = 3**2 + 6 + 5 - 2 * np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    a, b = with_moments(50, [0, 4], first), with_moments(80, [0, 1], second)
    assert metrics.frechet_distance(a, b) == pytest.approx(expected)
    # It is symmetric, and 0 from a set to itself, even if singular.
    a = RNG.standard_normal((200, 3)) @ RNG.standard_normal((3, 40))  # of rank 3 in 40 dimensions
    b = RNG.standard_normal((200, 40))
    assert metrics.frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert metrics.frechet_distance(a, b) == pytest.approx(metrics.frechet_distance(b, a))


def groups_on_a_line(*centres, n=10):
    """n points around each centre, 0.01 apart."""
    return np.array([[centre + 0.01 * i] for centre in centres for i in range(n)])


def test_precision_and_recall():
    # A missing class costs recall, images of nothing cost precision.
    real, generated = groups_on_a_line(0, 1, 2, 3), groups_on_a_line(0, 9)
    (precision, error), (recall, _) = metrics.precision_and_recall(generated, real)
    assert (precision, recall) == (50, 25) and error == pytest.approx(100 * np.sqrt(0.25 / 20))
    # One image again and again has no variety: itself, of 20 real ones.
    (precision, _), (recall, _) = metrics.precision_and_recall(np.full((20, 1), 0.02), groups_on_a_line(0, 1))
    assert (precision, recall) == (100, 5)
    # The neighbourhood reaches to the third nearest. From 0 the others are at 1, 2, 4 and 8; 4 is also the reach of 8,
    # and those between see less far.
    real = np.array([[0.], [1], [2], [4], [8]])
    (inside, _), _ = metrics.precision_and_recall(np.full((10, 1), -3.9), real)
    (outside, _), _ = metrics.precision_and_recall(np.full((10, 1), -4.1), real)
    assert (inside, outside) == (100, 0)


def test_percentages_means_and_class_shares():
    assert metrics.percentage(np.array([1, 1, 1, 0])) == pytest.approx((75, 100 * np.sqrt(0.75 * 0.25 / 4)))
    assert metrics.mean_and_error(np.array([1., 2, 3])) == pytest.approx((2, 1 / np.sqrt(3)))
    assert metrics.class_shares(np.eye(4)[[0, 0, 0, 3]]).tolist() == [0.75, 0, 0, 0.25]
    assert metrics.total_variation(np.eye(4)[[0, 0, 0, 3]]) == pytest.approx(0.5)
    assert metrics.total_variation(one_hot_logits(np.zeros(20, int))) == pytest.approx(0.9)


def test_jackknife_error_of_a_mean_whatever_the_order_of_the_classes():
    x = RNG.standard_normal(20)  # each a group of its own
    assert metrics.jackknife(np.mean, x) == pytest.approx((x.mean(), x.std(ddof=1) / np.sqrt(20)))
    value, error = metrics.jackknife(lambda a, b: np.mean(a) - np.mean(b), x, x**2)  # both leave out the same group
    assert (value, error) == pytest.approx((np.mean(x - x**2), np.std(x - x**2, ddof=1) / np.sqrt(20)))
    # 20 classes in turn: groups taken in turn as well would each be one class. The error itself varies by a sixth.
    x = np.tile(np.arange(20.), 100)
    assert metrics.jackknife(np.mean, x)[1] == pytest.approx(x.std() / np.sqrt(2000), rel=0.5)


def test_nearest_neighbour_error_by_hand():
    samples = np.zeros((3, 2, 2))
    samples[1, 0, 0], samples[2, 1, 1] = 1, 1
    images = np.zeros((4, 2, 2))
    images[0, 0, 0], images[1, 1, 1], images[2, 0, 0] = 0.6, 0.9, 0.4
    labels = np.array([8, 9, 8, 7])
    error, standard_error = metrics.nearest_neighbour_error(samples, np.array([7, 8, 9]), images, labels)
    assert error == 25  # the third is nearer to black, a 7
    assert standard_error == pytest.approx(100 * np.sqrt(0.75 * 0.25 / 4))


def test_distances_are_those_of_scipy_in_parts_too():
    points, others = RNG.random((120, 2, 3)), RNG.random((200_000, 2, 3), np.float32)  # in parts of 50 points
    parts = list(metrics.squared_distances(points, others))
    assert [len(part) for part in parts] == [50, 50, 20]
    some = others[::10_000]
    expected = spatial.distance.cdist(points.reshape(120, 6), some.reshape(20, 6), 'sqeuclidean')
    np.testing.assert_allclose(np.concatenate(parts)[:, ::10_000], expected, atol=1e-4)


def test_best_assignment_of_a_known_confusion_matrix():
    # Row by row the best are classes 0, 0, 2, but two codes may not share a class:
    # 8 + 5 + 7 = 20 right of 38 is less than 6 + 9 + 7 = 22.
    assert metrics.best_assignment(np.array([[8, 6, 0],
                                             [9, 5, 0],
                                             [0, 3, 7]])).tolist() == [1, 0, 2]
    # Codes that are left over take the class of most of their images.
    assert metrics.best_assignment(np.array([[8, 0], [5, 1], [2, 3], [1, 9]])).tolist() == [0, 0, 1, 1]
    assert metrics.best_assignment(np.array([[1, 2, 3], [4, 9, 5]])).tolist() == [2, 1]  # and classes may be left over


def test_categorical_information():
    codes = np.arange(1000) % 10
    bound, error = metrics.categorical_information(one_hot_logits(codes), codes)
    assert (bound, error) == pytest.approx((np.log(10), 0))
    assert metrics.categorical_information(np.zeros((1000, 10)), codes)[0] == pytest.approx(0)
    bound, error = metrics.categorical_information(RNG.standard_normal((1000, 10)), codes)
    assert bound < -2 * error  # confident and wrong
    # By hand: q is right with probability 3/4 on two categories.
    bound, _ = metrics.categorical_information(np.log([[3, 1], [1, 3]]), np.array([0, 1]))
    assert bound == pytest.approx(np.log(2) + np.log(0.75))


def test_gaussian_information_is_that_of_a_noisy_channel():
    # c = mean + noise with variances 0.99 and 0.01: the information is -0.5 log 0.01.
    mean, noise = with_moments(1000, [0, 0], np.diag([0.99, 0.01])).T
    bound, error = metrics.gaussian_information(mean, mean + noise)
    assert bound == pytest.approx(-0.5 * np.log(0.01), abs=1e-3)
    assert error == pytest.approx(np.std(noise**2 / 0.02) / np.sqrt(1000), rel=0.01)
    # A code that cannot be read off has none.
    assert metrics.gaussian_information(0 * mean, mean / np.sqrt(0.99))[0] == pytest.approx(0, abs=1e-3)


def bar(degrees, width, size=28):
    """A bar from near the top to near the bottom that leans to the right, with smooth edges."""
    y, x = np.indices((size, size)) - (size - 1) / 2
    distance = np.abs(x + y * np.tan(np.radians(degrees))) * np.cos(np.radians(degrees))
    return np.clip(width / 2 + 0.5 - distance, 0, 1) * (np.abs(y) < size / 2 - 4)


def test_slant():
    for degrees in (-30, -5, 0, 25):
        images = np.array([bar(degrees, width) for width in (1.5, 2, 3, 4)])
        assert metrics.slants(images) == pytest.approx(np.full(4, degrees), abs=0.6)
    # It is that of a shear wherever the digit, here a cross, stands, and ignores faint grey.
    image, shear = np.clip(bar(0, 3) + ndimage.rotate(bar(0, 3), 90), 0, 1), np.tan(np.radians(15))
    sheared = ndimage.affine_transform(image, [[1, 0], [shear, 1]], [0, -shear * 13.5], order=1)
    moved = np.roll(sheared, (2, -3), (0, 1)) + 0.05 * RNG.random((28, 28))
    assert metrics.slants(moved[None])[0] == pytest.approx(15, abs=1)


def test_stroke_width_of_drawn_bars():
    for width in (1, 2, 3, 4, 6):
        image = np.zeros((28, 28))
        image[2:26, 10:10 + width] = 1
        # The ends take off a little, the more so the wider the bar is.
        assert metrics.stroke_widths(image[None])[0] == pytest.approx(width - width**2 / 72, rel=0.02)
    for degrees in (0, 12, 30):
        widths = metrics.stroke_widths(np.array([bar(degrees, width) for width in (2, 2.5, 3, 3.5)]))
        assert widths == pytest.approx([2, 2.5, 3, 3.5], rel=0.12) and (np.diff(widths) > 0.3).all()
    # Odd images.
    blank, full = np.zeros((1, 28, 28)), np.ones((1, 28, 28))
    assert np.isnan(metrics.slants(blank)[0]) and np.isnan(metrics.stroke_widths(blank)[0])
    assert metrics.slants(full)[0] == pytest.approx(0)
    assert metrics.stroke_widths(full)[0] == pytest.approx(4 * 28 / 6, rel=0.01)  # a square's mean distance is side/6


def test_correlation_and_its_error():
    x = RNG.standard_normal(500)
    y = 0.5 * x + RNG.standard_normal(500)
    r, error = metrics.correlation(x, y)
    interval = stats.pearsonr(x, y).confidence_interval(0.95)
    assert r == pytest.approx(stats.pearsonr(x, y).statistic)
    assert (interval.high - interval.low) / 2 / 1.96 == pytest.approx(error, rel=0.02)
    assert metrics.correlation(np.append(x, 5), np.append(y, np.nan)) == (r, error)  # finite pairs only
    assert np.isnan(metrics.correlation(x, np.ones(500))).all()


def test_parzen_of_images_whose_density_fits_no_float():
    samples, images = RNG.random((100, 28, 28)), RNG.random((30, 28, 28))
    squares = np.sum((images[:, None] - samples)**2, axis=(2, 3))
    for bandwidth, densities in zip((0.1, 0.5), metrics.parzen_log_densities(samples, images, (0.1, 0.5))):
        expected = (logsumexp(-squares / (2 * bandwidth**2), axis=1)
                    - np.log(100) - 784 * np.log(bandwidth * np.sqrt(2 * np.pi)))
        assert densities == pytest.approx(expected, rel=1e-5)
