"""A trained model: its script's `build_graph`, with the weights of a checkpoint or of a pretrained generator."""

import contextlib
import json
import math
import os
import zipfile

import numpy as np

from common import checkpoints, winograd
from common.arguments import arguments_of_run, path, positive_int
from common.errors import UserError, one_line
from common.run_folder import read_settings
from common.scripts import ROOT, SCRIPTS, generator_inputs, load_script
from common.tensorflow1 import session_config

import tensorflow.compat.v1 as tf

PRETRAINED = os.path.join(ROOT, 'pretrained')
_GENERATED_AT_ONCE = 500  # images; more of them need memory and gain no speed
_RECOGNIZED_AT_ONCE = 128  # the training's batch size


def add_model_arguments(parser):
    """MODEL, --logdir, --checkpoint and --pretrained, for `load_model`; returns the exclusive group of the last two."""
    parser.add_argument('model', metavar='MODEL', choices=tuple(SCRIPTS), help=f'one of {", ".join(SCRIPTS)}')
    parser.add_argument('--logdir', type=path, default='./logdir', metavar='DIR',
                        help='the --logdir of the training (default: %(default)s)')
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument('--checkpoint', type=epoch_number, metavar='EPOCH',
                         help='use the kept checkpoint of the end of EPOCH (default: the newest)')
    weights.add_argument('--pretrained', action='store_true',
                         help='the generator in pretrained/, instead of one that was trained here')
    return weights


def epoch_number(text):
    """An argparse type: the number of an epoch, or the name of its checkpoint as messages print it, epoch_0010."""
    return positive_int(text.removeprefix('epoch_'))


def load_model(args):
    """The TrainedModel that the arguments of `add_model_arguments` name."""
    if args.pretrained:
        return load_pretrained(args.model, args.logdir)
    return load_trained_model(args.model, args.logdir, args.checkpoint)


def load_trained_model(model, logdir='./logdir', epoch=None):
    """A TrainedModel from a run; where the newest checkpoint is damaged, a line on stderr says so, and the one before.

    model: a name in SCRIPTS. logdir: the --logdir of the training. epoch: one whose last checkpoint was kept;
    None: the newest, also one within an epoch. Raises UserError where there is no such run or checkpoint.
    """
    run_dir = os.path.join(logdir, model)
    trained = TrainedModel(model, read_settings(run_dir), run_dir)
    trained.restore(epoch)
    return trained


def load_pretrained(model, logdir='./logdir'):
    """A TrainedModel from pretrained/; logdir: its pictures go there. Raises UserError where the file is of no use."""
    file = os.path.join(PRETRAINED, f'{model}.npz')
    try:
        with np.load(file, allow_pickle=False) as content:
            weights = {name: content[name].astype(np.float32) for name in content.files if name != 'about'}
            about = json.loads(str(content['about']))
        trained = TrainedModel(model, about, os.path.join(logdir, model))
        trained.take(weights, file)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f'{file} is missing, damaged or of other networks ({one_line(error)}): get it, or train one')
    return trained


class TrainedModel:
    """A generator with its weights; several may live side by side, each has a graph and a session of its own.

    model, script, args: its name in SCRIPTS, the module of its script, the Namespace of the training's arguments
    saved, run_dir: the content of the run's settings.json, and the folder of the run
    class_names: of the training data, in the order of their labels, or []
    n_classes: of the labels that it takes, or of InfoGAN's categories; 0 where it takes neither
    n_cont: number of continuous codes in front of the one-hot part of its condition, 0 where it takes labels
    image_size: height and width of its images, 28 or 32
    name, source, epoch, step_in_epoch: where the weights are from: 'epoch_0025' or 'pretrained', the folder or file,
    the completed epochs and the steps into the next one; set by `restore` or `take`
    """

    def __init__(self, model, saved, run_dir):
        self.model, self.saved, self.run_dir = model, saved, run_dir
        self.script = load_script(model)
        self.args = arguments_of_run(self.script.parser(), saved)
        self.class_names = saved['data'].get('class_names', [])
        names = generator_inputs(self.script)
        self.n_cont = self.script.n_cont if 'c' in names else 0
        self.n_classes = self.args.n_classes if 'c' in names else len(self.class_names) if 'y' in names else 0

        # An exported model may run elsewhere, where TensorFlow's own convolutions are the safe choice.
        with tf.Graph().as_default() as graph, winograd.direct():
            arguments = (self.args, self.n_classes) if 'y' in names else (self.args,)
            self._gan = self.script.build_graph(*arguments)
            self._codes = [self._gan.d_real_cont, self._gan.d_real_cat] if 'c' in names else []
            needed = tf.graph_util.extract_sub_graph(
                graph.as_graph_def(), [tensor.op.name for tensor in (self._gan.samples, *self._codes)])
            needed = {node.name for node in needed.node}  # nothing of the optimizers
            self._variables = [variable for variable in tf.global_variables() if variable.op.name in needed]
            self._saver = tf.train.Saver(self._variables)
            self._sess = tf.Session(graph=graph, config=session_config())
            graph.finalize()
        self._of_generator = [variable for variable in self._variables if variable.op.name.startswith('generator/')]
        self._inputs = {name: getattr(self._gan, name) for name in names}
        self.image_size = math.isqrt(self._gan.X_real.shape[1:].num_elements())

    def restore(self, epoch=None):
        """Take the weights of a checkpoint of the run, see `checkpoints.load`."""
        with self._sess.graph.as_default():  # outside of it, TensorFlow 2 would take the saver for one of its own
            checkpoint = checkpoints.load(self._saver, self._sess, self._variables,
                                          os.path.join(self.run_dir, 'checkpoints'), epoch)
        self.name, self.source, self.epoch, self.step_in_epoch = checkpoint.name, *checkpoint

    def take(self, weights, source):
        """Take the weights {name: array} of a generator, from `source`; KeyError or ValueError if of other networks."""
        with self._sess.graph.as_default():
            self._sess.run([variable.initializer for variable in self._of_generator],
                           {variable.initial_value: weights[variable.op.name] for variable in self._of_generator})
        self.name, self.source, self.epoch, self.step_in_epoch = 'pretrained', source, self.saved['epoch'], 0

    def evaluation(self):
        """What evaluate.py found of these weights, a dict, empty where it has not measured them."""
        if self.name == 'pretrained':
            return self.saved['evaluation']
        with contextlib.suppress(OSError, ValueError):
            with open(os.path.join(self.source, 'evaluation.json'), encoding='utf-8') as content:
                return json.load(content)
        return {}

    def class_order(self):
        """The classes' numbers and names; InfoGAN's categories in the order of the classes that evaluate.py found."""
        numbers = np.arange(self.n_classes)
        if not self.n_cont:
            return numbers, self.class_names
        found = self.evaluation()
        if 'category_to_class' not in found:  # or the data have no classes
            print('evaluate.py has not found yet which class each category stands for: they are drawn as 0, 1, 2, ...')
            return numbers, [f'category {number}' for number in numbers]
        classes = found['category_to_class']
        order = np.argsort(classes, kind='stable')
        names = [found['class_names'][classes[category]] for category in order]
        print('class = category, as evaluate.py has found it:', ', '.join(map('{} = {}'.format, names, order)))
        return order, names

    def generator_weights(self):
        """All that the images depend on, {name: float32 array}."""
        values = self._sess.run(self._of_generator)
        return {variable.op.name: value for variable, value in zip(self._of_generator, values)}

    def generate(self, z, condition=None):
        """Generate images; each depends on its own row of the inputs only.

        z: noise, (N, noise_size) in [-1, 1]. condition: labels y, one-hot (N, n_classes), or codes c,
        (N, n_cont + n_classes): first the continuous ones, then the category, one-hot; None where the model takes
        neither. Returns float32 (N, image_size, image_size) in [-1, 1].
        """
        values = [z] if condition is None else [z, condition]
        images = np.empty((len(z), self.image_size, self.image_size), np.float32)
        for start in range(0, len(z), _GENERATED_AT_ONCE):
            part = slice(start, start + _GENERATED_AT_ONCE)
            feed = {tensor: value[part] for tensor, value in zip(self._inputs.values(), values, strict=True)}
            images[part] = self._sess.run(self._gan.samples, feed).reshape(-1, self.image_size, self.image_size)
        return images

    def recognize(self, images):
        """The codes that InfoGAN's discriminator reads from images, which are all real or all generated.

        images: at least 128, (N, 32, 32) in [-1, 1]. Returns the mean of the continuous codes (N, n_cont) and the
        logits of the category (N, n_classes), both float32.
        """
        # Statistics of batches of 128 to 255, as in training: the moving averages mix real and generated images.
        n_batches = max(len(images) // _RECOGNIZED_AT_ONCE, 1)
        found = [np.empty((len(images), codes.shape[1]), np.float32) for codes in self._codes]
        for i in range(n_batches):
            found[0][i::n_batches], found[1][i::n_batches] = self._sess.run(
                self._codes, {self._gan.X_real: images[i::n_batches, ..., None]})
        return tuple(found)

    def export(self, directory):
        """Write the generator as a SavedModel, whose signature takes z (and y or c), as `generate`."""
        frozen = tf.graph_util.convert_variables_to_constants(
            self._sess, self._sess.graph.as_graph_def(), [self._gan.samples.op.name])
        with tf.Graph().as_default(), tf.Session() as sess:
            inputs = {name: tf.placeholder(tf.float32, tensor.shape, name=name)
                      for name, tensor in self._inputs.items()}
            [samples] = tf.import_graph_def(
                frozen, {tensor.op.name: inputs[name] for name, tensor in self._inputs.items()},
                [self._gan.samples.name], name='generator')
            images = tf.reshape(samples, (-1, self.image_size, self.image_size), name='images')
            tf.saved_model.simple_save(sess, directory, inputs, {'images': images})


def default_condition(trained, n, rng):
    """Codes of n images as in training, or labels in turn, all equally frequent; None where it takes neither."""
    if trained.n_cont:
        return trained.script.gen_condition_variable(n, trained.n_classes, trained.n_cont, rng)
    return np.eye(trained.n_classes)[np.arange(n) % trained.n_classes] if trained.n_classes else None


def random_inputs(trained, n, rng):
    """What to measure a model on: noise (n, noise_size), and the condition as `TrainedModel.generate` takes it."""
    return rng.uniform(-1, 1, size=(n, trained.args.noise_size)), default_condition(trained, n, rng)
