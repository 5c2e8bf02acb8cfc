"""`python -m benchmark.worker VARIANT`: prepares one variant, then does as many steps as each line on stdin says."""

import argparse
import json
import os
import signal
import sys
import time
from functools import partial

from benchmark import listing, matrix_product, ours, pytorch
from benchmark.machine import memory_mb

# A step of a model: functions of model, batch_size and data_dir.
MODELS = {'ours': ours.prepare,
          'ours_mixed': partial(ours.prepare, mixed_precision=True),
          'listing': listing.prepare,
          'torch': pytorch.prepare,
          'torch_unfrozen': partial(pytorch.prepare, freeze=False),
          'torch_mixed': partial(pytorch.prepare, bfloat16=True)}
# A large matrix product: functions of nothing.
PRODUCTS = {'tensorflow': matrix_product.prepare_tensorflow,
            'numpy': matrix_product.prepare_numpy,
            'torch': matrix_product.prepare_torch,
            'tensorflow_bfloat16': partial(matrix_product.prepare_tensorflow, bfloat16=True),
            'torch_bfloat16': partial(matrix_product.prepare_torch, bfloat16=True)}


def parser():
    result = argparse.ArgumentParser(description=__doc__)
    kinds = result.add_subparsers(dest='kind', required=True)
    model = kinds.add_parser('model')
    model.add_argument('variant', choices=MODELS)
    model.add_argument('model')
    model.add_argument('batch_size', type=int)
    model.add_argument('data_dir')
    kinds.add_parser('product').add_argument('variant', choices=PRODUCTS)
    return result


def serve(prepare):
    """Answer each number on stdin with the seconds of a step, until stdin ends with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends this process
    with os.fdopen(os.dup(1), 'w') as answers:
        os.dup2(2, 1)  # what else prints does not come between the answers
        step = prepare()
        for line in sys.stdin:
            step()  # brings the caches back after the others' turns
            start = time.perf_counter()
            for _ in range(int(line)):
                step()
            seconds = (time.perf_counter() - start) / int(line)
            print(json.dumps({'seconds': seconds, 'memory_mb': memory_mb()}), file=answers, flush=True)


if __name__ == '__main__':
    args = parser().parse_args()
    serve(PRODUCTS[args.variant] if args.kind == 'product'
          else partial(MODELS[args.variant], args.model, args.batch_size, args.data_dir))
