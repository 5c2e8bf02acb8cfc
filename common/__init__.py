"""What the training scripts share: data, batches, layers, pictures, and what surrounds a training loop."""

from common import tensorflow1  # noqa: F401  first: what must be set before TensorFlow is imported
from common.arguments import nonnegative_float, number, parse_arguments, run_script, training_parser
from common.batches import gen_batches, gen_batches_label
from common.datasets import load_dataset, load_dataset_label, load_dataset_label_pad, load_dataset_pad
from common.images import display_images
from common.layers import batch_norm, conv2d, dense, flatten, transpose_conv2d
from common.training_run import TrainingRun

__all__ = ['TrainingRun', 'batch_norm', 'conv2d', 'dense', 'display_images', 'flatten', 'gen_batches',
           'gen_batches_label', 'load_dataset', 'load_dataset_label', 'load_dataset_label_pad', 'load_dataset_pad',
           'nonnegative_float', 'number', 'parse_arguments', 'run_script', 'training_parser', 'transpose_conv2d']
