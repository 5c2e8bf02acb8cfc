"""What the training scripts share: data, batches, layers, pictures, and the care for a training run."""

from common.terminal import quiet_ctrl_c

quiet_ctrl_c()  # before the imports that take time

from common.tensorflow1 import tf
from common.arguments import nonnegative_float, number, run_script, training_parser
from common.batches import count_batches, gen_batches, gen_batches_label
from common.datasets import load_dataset, load_dataset_label, load_dataset_label_pad, load_dataset_pad
from common.images import display_images
from common.layers import batch_norm, conv2d, dense, transpose_conv2d, update_ops
from common.random_streams import random_stream
from common.settings import parse_arguments
from common.training_run import TrainingRun

__all__ = ['TrainingRun', 'batch_norm', 'conv2d', 'count_batches', 'dense', 'display_images', 'gen_batches',
           'gen_batches_label', 'load_dataset', 'load_dataset_label', 'load_dataset_label_pad', 'load_dataset_pad',
           'nonnegative_float', 'number', 'parse_arguments', 'random_stream', 'run_script', 'tf', 'training_parser',
           'transpose_conv2d', 'update_ops']
