"""A trained model, loaded from a checkpoint that a training script wrote.

The script itself says what its model is: its `build_graph` is called with the
arguments of the training, and given the weights that the images depend on.
"""

import math
import os

import numpy as np

from after_training.trained_run import find_run
from common import checkpoints, convolutions
from common.errors import UserError, one_line
from common.files import whole_folder
from common.scripts import SCRIPTS
from common.tensorflow1 import tf

_GENERATED_AT_ONCE = 500  # images; more of them need memory and gain no speed
_RECOGNIZED_AT_ONCE = 128  # at least; the training's batch size


def load_trained_model(model, logdir='./logdir', epoch=None):
    """Load the model of a run; a damaged newest checkpoint is told on stderr and the one before is loaded.

    @param model: a name in SCRIPTS, or that of its script
    @param logdir: the --logdir of the training
    @param epoch: load the kept checkpoint of the end of this epoch; None: the newest, also one within an epoch
    @return: TrainedModel
    @raise UserError: where there is no such run, checkpoint or epoch, or it is damaged; lists what there is
    """
    return load(find_run(model, logdir), epoch)


def load(run, epoch=None):
    """As `load_trained_model`, from what `find_run` returned."""
    if run.weights is not None:
        trained = TrainedModel(run)
        try:
            trained.take(run.weights)
        except checkpoints.DamagedCheckpoint as error:
            raise UserError(f'the ready-made {run.model} is damaged ({error}): get its file again, or train the model')
        return trained
    directory = os.path.join(run.run_dir, 'checkpoints')
    wanted = checkpoints.find_epoch(directory, epoch) if epoch is not None else None
    trained = TrainedModel(run)
    if wanted:
        try:
            trained.restore(wanted)
            return trained
        except checkpoints.DamagedCheckpoint as error:
            there = ', '.join(map(str, checkpoints.kept_epochs(directory)))
            raise UserError(f'{wanted.path} is damaged ({error}): choose another of the epochs {there}')
    candidates = checkpoints.list_checkpoints(directory)[::-1]
    if checkpoints.load_newest_good(candidates, trained.restore) is None:
        raise UserError(f'there is no usable checkpoint in {directory} ({len(candidates)} damaged): '
                        f'continue the training with python {SCRIPTS[run.model]}.py --resume, or start it anew')
    return trained


class TrainedModel:
    """What `load_trained_model` returns; several may live side by side, each has a graph and a session of its own.

    run, and its model, script, args, class_names, run_dir: see TrainedRun
    checkpoint: the Checkpoint it comes from, None where the run has its weights at hand
    epoch: number of completed epochs
    image_size: height and width of its images, 28 or 32
    image_shape: shape of an image as the discriminator takes it, (784,) or (32, 32, 1)
    n_cont: number of continuous codes in front of the one-hot part of its condition, 0 where it takes labels

    It has no weights before `restore` or `take`.
    """

    def __init__(self, run):
        self.run, self.checkpoint, self.epoch = run, None, run.epoch
        self.model, self.script, self.args = run.model, run.script, run.args
        self.class_names, self.run_dir = run.class_names, run.run_dir
        with convolutions.direct():  # a few images gain nothing from the fast way, and an export may run elsewhere
            self._gan = self.script.build_graph(self.args)
        tf.reset_default_graph()
        self._inputs = {name: getattr(self._gan, name) for name in self.script.INPUTS}
        self.image_shape = tuple(self._gan.X_real.shape[1:].as_list())
        self.image_size = int(math.prod(self.image_shape) ** 0.5)
        widths = [tensor.shape[1] for name, tensor in self._inputs.items() if name != 'z']
        self.n_cont = widths[0] - self.args.n_classes if widths else 0

        # Ready-made weights are those of a generator, which recognizes nothing.
        recognizes = hasattr(self._gan, 'd_real_cat') and run.weights is None
        self._codes = [self._gan.d_real_cont, self._gan.d_real_cat] if recognizes else []
        with self._gan.z.graph.as_default() as graph:
            self._variables = _variables_behind(graph, [self._gan.samples, *self._codes])
            self._saver = tf.train.Saver(self._variables)
            self._sess = tf.Session(graph=graph)
            graph.finalize()

    def restore(self, checkpoint):
        """Take the weights of a checkpoint.

        @return: the checkpoint
        @raise DamagedCheckpoint: also where it does not hold the weights of this model
        """
        try:
            checkpoints.restore(self._saver, self._sess, checkpoint)
            # A variable takes whatever shape the checkpoint has; the first run would fail then.
            for variable, value in zip(self._variables, self._sess.run(self._variables)):
                if value.shape != variable.shape:
                    raise ValueError(f'{variable.op.name} is {value.shape} instead of {variable.shape}')
        except (tf.errors.OpError, ValueError) as error:
            raise checkpoints.DamagedCheckpoint(f'it does not hold the weights of this network: {one_line(error)}')
        self.checkpoint, self.epoch = checkpoint, checkpoint.epoch
        return checkpoint

    def take(self, weights):
        """Take the weights that are at hand.

        @param weights: {name: array}
        @raise DamagedCheckpoint: where they are not those of this model
        """
        try:
            self._sess.run([variable.initializer for variable in self._variables],
                           {variable.initial_value: weights[variable.op.name] for variable in self._variables})
        except (KeyError, ValueError) as error:
            raise checkpoints.DamagedCheckpoint(f'it does not hold the weights of this network: {one_line(error)}')

    @property
    def name(self):
        """Where the weights are from: 'epoch_0025', or 'pretrained'."""
        return os.path.basename(self.checkpoint.path) if self.checkpoint else 'pretrained'

    @property
    def source(self):
        """The file or folder that the weights are from."""
        return self.checkpoint.path if self.checkpoint else self.run.source

    def generator_weights(self):
        """{name: float32 array} of all that the images depend on."""
        variables = _variables_behind(self._sess.graph, [self._gan.samples])
        return {variable.op.name: value for variable, value in zip(variables, self._sess.run(variables))}

    def generate(self, z, condition=None):
        """
        Generate images; each depends on its own row of the inputs only
        @param z: noise, (N, noise_size) in [-1, 1]
        @param condition: labels y, one-hot (N, n_classes), or codes c, (N, n_cont + n_classes): first the continuous
            ones, then the category, one-hot; None where the model takes neither
        @return: float32 (N, image_size, image_size) in [-1, 1]
        @raise ValueError: where `condition` is missing or too much, or of another length than z
        """
        values = [z] if condition is None else [z, condition]
        if len(values) != len(self._inputs) or len({len(value) for value in values}) != 1:
            raise ValueError(f'{self.model} takes {" and ".join(self._inputs)} of one length')
        images = np.empty((len(z), self.image_size, self.image_size), np.float32)
        for start in range(0, len(z), _GENERATED_AT_ONCE):
            part = slice(start, start + _GENERATED_AT_ONCE)
            feed = {tensor: value[part] for tensor, value in zip(self._inputs.values(), values)}
            images[part] = self._sess.run(self._gan.samples, feed).reshape(-1, self.image_size, self.image_size)
        return images

    def recognize(self, images):
        """
        The codes that InfoGAN's discriminator reads from images

        It normalizes with statistics of batches of 128 to 255 images, as in training: its moving averages mix real
        and generated batches, those of a batch are of one kind only. A batch takes images from all over `images`,
        which may be sorted by class; they should be all real or all generated.
        @param images: at least 128, (N, 32, 32) or (N, 32, 32, 1) in [-1, 1]
        @return: mean of the continuous codes (N, n_cont), logits of the category (N, n_classes), both float32
        @raise ValueError: where there are fewer images, or the model recognizes no codes
        """
        if not self._codes:
            raise ValueError(f'this {self.model} recognizes no codes')
        n_batches = len(images) // _RECOGNIZED_AT_ONCE
        if not n_batches:
            raise ValueError(f'batch statistics need at least {_RECOGNIZED_AT_ONCE} images, not {len(images)}')
        images = np.reshape(images, (-1,) + self.image_shape)
        found = [np.empty((len(images), codes.shape[1]), np.float32) for codes in self._codes]
        for i in range(n_batches):
            found[0][i::n_batches], found[1][i::n_batches] = self._sess.run(
                self._codes, {self._gan.X_real: images[i::n_batches]})
        return tuple(found)

    def export(self, directory):
        """Write the generator as a SavedModel, whole or not at all; its weights are constants in it.

        Its signature `serving_default` takes z (and y or c) and returns images, all as in `generate`.
        @param directory: a new or an empty folder
        @raise OSError, tf.errors.OpError: where it cannot be written
        """
        frozen = tf.graph_util.convert_variables_to_constants(
            self._sess, self._sess.graph.as_graph_def(), [self._gan.samples.op.name])
        with tf.Graph().as_default(), tf.Session() as sess:
            inputs = {name: tf.placeholder(tf.float32, tensor.shape, name=name)
                      for name, tensor in self._inputs.items()}
            [samples] = tf.import_graph_def(
                frozen, {tensor.op.name: inputs[name] for name, tensor in self._inputs.items()},
                [self._gan.samples.name], name='generator')
            images = tf.reshape(samples, (-1, self.image_size, self.image_size), name='images')
            os.makedirs(os.path.dirname(os.path.abspath(directory)), exist_ok=True)
            with whole_folder(directory) as unfinished:
                tf.saved_model.simple_save(sess, unfinished, inputs, {'images': images})

    def close(self):
        """Free the memory; the model is of no use afterwards."""
        self._sess.close()


def _variables_behind(graph, tensors):
    """The variables that some tensors are computed from."""
    needed = tf.graph_util.extract_sub_graph(graph.as_graph_def(), [tensor.op.name for tensor in tensors])
    names = {node.name for node in needed.node if node.op == 'VarHandleOp'}
    with graph.as_default():
        return [variable for variable in tf.global_variables() if variable.op.name in names]
