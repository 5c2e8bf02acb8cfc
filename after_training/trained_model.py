"""A trained model, loaded from a checkpoint that a training script wrote.

The training is not needed for it: only the generator (for InfoGAN also the
discriminator, which recognizes the codes) is built, by the script's own
function, and given the weights of the checkpoint.
"""

import importlib
import os
import sys
import tempfile

import numpy as np

from common import checkpoints, convolutions
from common.arguments import add_data_arguments, positive_int
from common.errors import UserError, reason
from common.settings import read_settings, settings_file
from common.tensorflow1 import session_config, tf

SCRIPTS = {'vanilla': 'vanilla_gan', 'dcgan': 'dcgan', 'cgan': 'cgan', 'infogan': 'infogan'}
_GENERATED_AT_ONCE = 500  # images; more of them need memory and gain no speed
_RECOGNIZED_AT_ONCE = 128  # at least; the training's batch size


# For an option that has another default with each run.
OF_THE_RUN = 'that of the training'


def model_name(text):
    """A name in SCRIPTS; the vanilla model also goes by that of its script."""
    return 'vanilla' if text == 'vanilla_gan' else text


def add_model_arguments(parser):
    """MODEL, --logdir and --checkpoint, which say what `load_trained_model` is to load."""
    parser.add_argument('model', metavar='MODEL', type=model_name, choices=tuple(SCRIPTS),
                        help=f'one of {", ".join(SCRIPTS)}')
    parser.add_argument('--logdir', default='./logdir', metavar='DIR',
                        help='the --logdir of the training (default: %(default)s)')
    parser.add_argument('--checkpoint', type=positive_int, metavar='EPOCH',
                        help='use the kept checkpoint of the end of EPOCH (default: the newest)')


def add_data_arguments_of_run(parser):
    """--data-dir and --dataset, which `data_of_run` completes."""
    add_data_arguments(parser)
    parser.set_defaults(data_dir=OF_THE_RUN, dataset=OF_THE_RUN)


def data_of_run(args, trained):
    """--data-dir and --dataset, or, where they were left out, those of the training of `trained`."""
    return [trained.settings[name] if getattr(args, name) == OF_THE_RUN else getattr(args, name)
            for name in ('data_dir', 'dataset')]


def load_trained_model(model, logdir='./logdir', epoch=None):
    """Load the model of a run; a damaged newest checkpoint is told on stderr and the one before is loaded.

    @param model: a name in SCRIPTS, or 'vanilla_gan'
    @param logdir: the --logdir of the training
    @param epoch: load the kept checkpoint of the end of this epoch; None: the newest, also one within an epoch
    @return: TrainedModel
    @raise UserError: where there is no such run, checkpoint or epoch, or it is damaged; lists what there is
    """
    model = model_name(model)
    if model not in SCRIPTS:
        raise UserError(f'there is no model {model!r}: choose from {", ".join(SCRIPTS)}')
    run_dir = os.path.join(logdir, model)
    if not os.path.lexists(settings_file(run_dir)):
        there = ', '.join(name for name in SCRIPTS if os.path.lexists(settings_file(os.path.join(logdir, name))))
        raise UserError(f'there is no run of {model} in {logdir} (found: {there or "none of any model"}): '
                        f'train one with python {SCRIPTS[model]}.py, or name another folder with --logdir')
    saved = read_settings(run_dir)
    if saved['model'] != model:
        raise UserError(f'{run_dir} holds a run of {saved["model"]}, not of {model}: move it or ask for that model')

    directory = os.path.join(run_dir, 'checkpoints')
    candidates = (checkpoints.list_checkpoints(directory)[::-1] if epoch is None
                  else [checkpoints.find_epoch(directory, epoch)])
    for checkpoint in candidates:
        try:
            return TrainedModel(model, run_dir, saved['settings'], checkpoint)
        except checkpoints.DamagedCheckpoint as error:
            if epoch is not None:
                there = ', '.join(map(str, checkpoints.kept_epochs(directory)))
                raise UserError(f'{checkpoint.path} is damaged ({error}): choose another of the epochs {there}')
            print(f'{checkpoint.path} is damaged ({error}): trying the one before', file=sys.stderr, flush=True)
    raise UserError(f'there is no usable checkpoint in {directory} ({len(candidates)} damaged): '
                    f'continue the training with python {SCRIPTS[model]}.py --resume, or start it anew')


class TrainedModel:
    """What `load_trained_model` returns; several may live side by side, each has graphs and sessions of its own.

    model: its name in SCRIPTS
    script: the module of its training script
    run_dir: folder of the run
    settings: {argument: value} of the training, with `noise_size` and `seed`
    checkpoint: the Checkpoint it comes from
    epoch: number of completed epochs
    image_size: height and width of its images, 28 or 32
    """

    def __init__(self, model, run_dir, settings, checkpoint):
        self.model, self.run_dir, self.settings, self.checkpoint = model, run_dir, settings, checkpoint
        self.script = importlib.import_module(SCRIPTS[model])
        self.epoch = checkpoint.epoch
        self.image_size = 32 if model in ('dcgan', 'infogan') else 28
        for name in ('noise_size', 'seed'):
            if not isinstance(settings.get(name), int):
                raise UserError(f'{settings_file(run_dir)} does not give the {name} of the run: mend it')
        self._generator = _Network(self._build_generator, checkpoint)
        self._recognizer = _Network(self._build_recognizer, checkpoint) if model == 'infogan' else None

    def _build_generator(self):
        inputs = {'z': tf.placeholder(tf.float32, (None, self.settings['noise_size']), name='z')}
        if self.model == 'cgan':
            inputs['y'] = tf.placeholder(tf.float32, (None, self.script.n_classes), name='y')
        if self.model == 'infogan':
            inputs['c'] = tf.placeholder(tf.float32, (None, self.script.n_cont + self.script.n_classes), name='c')
        # Normalized with the moving averages, so that an image depends on its own inputs only.
        batch_norm = {'n_channel': 1, 'training': False} if self.image_size == 32 else {}
        with convolutions.direct():  # a few images gain nothing from the fast way, and an export may run elsewhere
            images = self.script.generator(*inputs.values(), **batch_norm)
        return inputs, tf.reshape(images, (-1, self.image_size, self.image_size), name='images')

    def _build_recognizer(self):
        images = tf.placeholder(tf.float32, (None,) + self.script.image_size, name='images')
        # The discriminator's moving averages mix real and generated batches, those of a batch are of one kind only.
        _, cont, cat = self.script.discriminator(images, self.script.n_classes, self.script.n_cont, training=True)
        return {'images': images}, [cont, cat]

    def generate(self, z, condition=None):
        """
        Generate images; each depends on its own row of the inputs only
        @param z: noise, (N, noise_size) in [-1, 1]
        @param condition: for CGAN the labels y, one-hot (N, 10); for InfoGAN the codes c, (N, 11): first the
            continuous one, then the category, one-hot; None for the others
        @return: float32 (N, image_size, image_size) in [-1, 1]
        @raise ValueError: where `condition` is missing or too much, or of another length than z
        """
        values = [z] if condition is None else [z, condition]
        if len(values) != len(self._generator.inputs) or len({len(value) for value in values}) != 1:
            raise ValueError(f'{self.model} takes {" and ".join(self._generator.inputs)} of one length')
        images = np.empty((len(z), self.image_size, self.image_size), np.float32)
        for start in range(0, len(z), _GENERATED_AT_ONCE):
            part = slice(start, start + _GENERATED_AT_ONCE)
            images[part] = self._generator.run(*(value[part] for value in values))
        return images

    def recognize(self, images):
        """
        The codes that InfoGAN's discriminator reads from images

        It normalizes with statistics of batches of 128 to 255 images, as in training. A batch takes images from
        all over `images`, which may be sorted by class; they should be all real or all generated.
        @param images: at least 128, (N, 32, 32) or (N, 32, 32, 1) in [-1, 1]
        @return: mean of the continuous code (N, 1), logits of the category (N, 10), both float32
        @raise ValueError: where there are fewer images, or the model is another
        """
        if self._recognizer is None:
            raise ValueError(f'{self.model} recognizes no codes')
        n_batches = len(images) // _RECOGNIZED_AT_ONCE
        if not n_batches:
            raise ValueError(f'batch statistics need at least {_RECOGNIZED_AT_ONCE} images, not {len(images)}')
        images = np.reshape(images, (-1,) + self.script.image_size)
        cont = np.empty((len(images), self.script.n_cont), np.float32)
        cat = np.empty((len(images), self.script.n_classes), np.float32)
        for i in range(n_batches):
            cont[i::n_batches], cat[i::n_batches] = self._recognizer.run(images[i::n_batches])
        return cont, cat

    def export(self, directory):
        """Write the generator as a SavedModel, complete or not at all.

        Its signature `serving_default` takes z (and y or c) and returns images, all as in `generate`.
        @param directory: a new or an empty folder
        @raise OSError, tf.errors.OpError: where it cannot be written
        """
        directory = os.path.abspath(directory)
        os.makedirs(os.path.dirname(directory), exist_ok=True)
        with tempfile.TemporaryDirectory(prefix='.unfinished-', dir=os.path.dirname(directory)) as unfinished:
            complete = os.path.join(unfinished, 'model')
            self._generator.export(complete, 'images')
            if os.path.isdir(directory):
                os.rmdir(directory)  # fails where it is not empty
            os.rename(complete, directory)

    def close(self):
        """Free the memory; the model is of no use afterwards."""
        for network in filter(None, (self._generator, self._recognizer)):
            network.sess.close()


class _Network:
    """A network with the weights of a checkpoint, in a graph and a session of its own.

    @param build: function that builds it in the default graph and returns ({name: placeholder}, outputs)
    @raise DamagedCheckpoint: also where the checkpoint does not fit the network
    """

    def __init__(self, build, checkpoint):
        with tf.Graph().as_default() as graph:
            self.inputs, self.outputs = build()
            variables = tf.global_variables()
            self._saver = tf.train.Saver()
            self.sess = tf.Session(config=session_config())
            graph.finalize()
        try:
            checkpoints.restore(self._saver, self.sess, checkpoint)
            # A variable takes whatever shape the checkpoint has; the first run would fail then.
            shapes = tf.train.load_checkpoint(os.path.join(checkpoint.path, 'model.ckpt')).get_variable_to_shape_map()
            for variable in variables:
                if shapes[variable.op.name] != variable.shape.as_list():
                    raise ValueError(f'{variable.op.name} is {shapes[variable.op.name]} instead of {variable.shape}')
        except (tf.errors.OpError, ValueError) as error:
            raise checkpoints.DamagedCheckpoint(f'it does not hold the weights of this network: {reason(error)}')

    def run(self, *values):
        return self.sess.run(self.outputs, dict(zip(self.inputs.values(), values)))

    def export(self, directory, output_name):
        signature = tf.saved_model.predict_signature_def(self.inputs, {output_name: self.outputs})
        builder = tf.saved_model.Builder(directory)
        with self.sess.graph.as_default():
            builder.add_meta_graph_and_variables(
                self.sess, [tf.saved_model.tag_constants.SERVING],
                {tf.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY: signature}, saver=self._saver)
        builder.save()
