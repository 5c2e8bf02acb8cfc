"""Shares, means and correlations, each with how uncertain it is."""

import numpy as np


def accuracy(predictions, labels):
    """Share of correct predictions and its standard error (binomial).

    @param predictions, labels: integers (N,)
    @return: (share, standard error)
    """
    return share_and_error(predictions == labels)


def share_and_error(hits):
    """Share of True in (N,) independent booleans, and its standard error (binomial)."""
    share = float(np.mean(hits))
    return share, float(np.sqrt(share * (1 - share) / len(hits)))


def mean_and_error(values):
    """Mean of (N,) independent values, and its standard error."""
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))


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
