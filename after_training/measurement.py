"""A measured number, and the table of all of them."""

from dataclasses import dataclass
from typing import Optional

import numpy as np

from after_training.tables import markdown_table


@dataclass
class Measurement:
    """A line of the report.

    name: with the unit
    value, error: of the generated images, and its standard error where it has one
    interval: (low, high) with 95 % confidence, instead of the error
    samples: generated images it comes from; for the error of InfoGAN's category the real ones
    real, real_error: the same measure of real images, where that makes sense
    paper: what papers report of MNIST
    """
    name: str
    value: float
    error: Optional[float] = None
    interval: Optional[tuple] = None
    samples: Optional[int] = None
    real: Optional[float] = None
    real_error: Optional[float] = None
    paper: str = ''


def percentage(name, share, real=None, **rest):
    """A Measurement in %.

    @param share, real: (share, standard error) in [0, 1]; the error may be None
    """
    (value, error), (real, real_error) = ([None if part is None else 100 * part for part in pair]
                                          for pair in (share, real or (None, None)))
    return Measurement(name, value, error, real=real, real_error=real_error, **rest)


def report(result):
    """The measurements as a table, and the shares of the classes.

    @param result: from `evaluate`
    """
    rows = [(line.name, with_error(line.value, line.error, line.interval), f'{line.samples:,}',
             '' if line.real is None else with_error(line.real, line.real_error), line.paper)
            for line in result['measurements']]
    names, title = result['class_names'], f'{result["model"]}, epoch {result["epoch"]}'
    text = [markdown_table(rows, (title, 'generated ± standard error', 'samples', 'real images', 'papers')),
            'shares of the classes: ' + ', '.join(
                f'{name} {share:.3f}' for name, share in zip(names, result['class_shares'])),
            'the test images were among those of the training' if result['test_images_seen'] else
            'the test images were not among those of the training']
    if 'category_to_class' in result:
        text.append('classes of the categories: ' + ', '.join(
            f'{category} = {names[label]}' for category, label in enumerate(result['category_to_class'])))
    return '\n'.join(text)


def with_error(value, error=None, interval=None):
    """A value with as many digits as its standard error supports."""
    if interval is not None:
        return '{:.3f} (95 %: {:.3f} to {:.3f})'.format(value, *interval)
    if not error or error < 1e-9 * abs(value):
        return f'{value:.4g}'
    decimals = max(0, 1 - int(np.floor(np.log10(error))))
    return f'{value:.{decimals}f} ± {error:.{decimals}f}'
