"""What the images of a model are worth: small pure functions on arrays.

A metric that is a mean over samples returns (value, standard error). For the
others `standard_error` estimates it. Images are (N, 28, 28) with ink in [0, 1]
unless a function says otherwise; logarithms are natural, so information and
log-likelihood are in nats. Libraries that take long to import are imported
where they are used.
"""

from after_training.metrics.appearance import (as_ink, class_shares, classifier_score, frechet_distance, mode_coverage,
                                               precision_and_recall, total_variation)
from after_training.metrics.codes import (best_assignment, categorical_information, confusion_matrix,
                                          gaussian_information, slants, stroke_widths)
from after_training.metrics.likelihood import choose_bandwidth, parzen_log_likelihood
from after_training.metrics.neighbours import (nearest_distances, nearest_neighbour_error, share_nearer,
                                               squared_distances)
from after_training.metrics.statistics import accuracy, correlation, mean_and_error, standard_error

__all__ = ['accuracy', 'as_ink', 'best_assignment', 'categorical_information', 'choose_bandwidth', 'class_shares',
           'classifier_score', 'confusion_matrix', 'correlation', 'frechet_distance', 'gaussian_information',
           'mean_and_error', 'mode_coverage', 'nearest_distances', 'nearest_neighbour_error', 'parzen_log_likelihood',
           'precision_and_recall', 'share_nearer', 'slants', 'squared_distances', 'standard_error', 'stroke_widths',
           'total_variation']
