"""Counting the multiply-adds of a training step."""

import math

from benchmark import listing
from common import convolutions
from common.scripts import load_script
from common.tensorflow1 import tf


def layer_costs(fetches, batch_size=1):
    """
    The matrix products and convolutions that `sess.run(fetches)` computes
    @param fetches: operations and tensors of a graph whose only unknown size is that of the batch
    @param batch_size: matters where an operation does not depend on it and costs an image less in a larger batch
    @return: {operation: its multiply-adds an image}, in the order in which the operations were created
    """
    needed, todo = set(), [getattr(fetch, 'op', fetch) for fetch in fetches]
    graph = todo[0].graph
    while todo:
        op = todo.pop()
        if op not in needed:
            needed.add(op)
            todo += [tensor.op for tensor in op.inputs]
            # tf.gradients ties the gradients of a layer's inputs together, also those that nobody asked for;
            # TensorFlow drops these before it runs.
            todo += [before for before in op.control_inputs if not before.name.endswith('/group_deps')]
    # A copy of the graph with the batch size filled in, in which TensorFlow knows all shapes.
    with tf.Graph().as_default() as sized:
        inputs = {op.outputs[0].name: tf.placeholder(op.outputs[0].dtype,
                                                     [batch_size] + op.outputs[0].shape[1:].as_list())
                  for op in graph.get_operations() if op.type == 'Placeholder'}
        tf.import_graph_def(graph.as_graph_def(), input_map=inputs, name='sized')
    return {op: cost / batch_size for op in graph.get_operations()
            if op in needed and (cost := _multiply_adds(sized.get_operation_by_name(f'sized/{op.name}')))}


def _multiply_adds(op):
    if 'MatMul' in op.type:
        transposed = op.get_attr('transpose_a' if op.type == 'MatMul' else 'adj_x')
        return math.prod(op.outputs[0].shape) * op.inputs[0].shape[-2 if transposed else -1]
    # A convolution and its two gradients pair each pixel of the smaller image with the whole kernel; what falls into
    # the padding is counted, as usual.
    kernel, small = {'Conv2D': (op.inputs[1:2], op.outputs[:1]),
                     'Conv2DBackpropInput': (op.inputs[1:2], op.inputs[2:3]),
                     'Conv2DBackpropFilter': (op.outputs[:1], op.inputs[2:3])}.get(op.type, (None, None))
    return math.prod(kernel[0].shape) * math.prod(small[0].shape[:3]) if kernel else 0


def count_multiply_adds(model):
    """
    Multiply-adds of one training step an image, from the shapes of the layers, convolutions done directly

    Each layer costs the same three times: forward, gradient by its weights, gradient by its input. The discriminator
    update generates and trains the discriminator on real and on generated images; each generator update generates,
    and trains the generator through the discriminator.
    @return: {'full': all of that,
              'needed': without the gradients by the noise and by the images that the discriminator is trained on, and
              with the images of the first generator update taken from the discriminator update}
    """
    script = load_script(model)
    with convolutions.direct():
        gan = script.build_graph(script.parser().parse_args([]))
    # The layers behind each: the generator; the discriminator on its images as well; that on real images as well.
    g_layers, g_loss_layers, d_loss_layers = (
        layer_costs([tensor]) for tensor in (gan.g_sample, gan.g_loss, gan.d_loss))
    fake_layers = {op: cost for op, cost in g_loss_layers.items() if op not in g_layers}
    real_layers = {op: cost for op, cost in d_loss_layers.items() if op not in g_loss_layers}
    g, d_real, d_fake = (sum(layers.values()) for layers in (g_layers, real_layers, fake_layers))
    first_g, first_real, first_fake = (next(iter(layers.values())) for layers in (g_layers, real_layers, fake_layers))
    full = g + 3 * d_real + 3 * d_fake + 2 * (3 * g + 2 * d_fake)
    return {'full': full, 'needed': full - g - first_real - first_fake - 2 * first_g}


def count_computed(model, batch_size):
    """Multiply-adds an image of one training step as the graphs compute it, {'ours': number, 'listing': number}."""
    def total(runs):
        return sum(sum(layer_costs(fetches, batch_size).values()) for fetches in runs)

    script = load_script(model)
    args = script.parser().parse_args([])
    gan = script.build_graph(args)
    ours = total([[gan.d_opt, gan.merged, gan.d_loss]] + [[gan.g_opt, gan.g_loss]] * args.generator_updates)
    return {'ours': ours, 'listing': total(listing.runs_of_a_step(listing.build_graph(script, args)))}
