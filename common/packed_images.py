"""Images in memory as the bytes they are stored in, a quarter of what float32 takes."""

import numpy as np


class PackedImages:
    """Reads like a float32 array of images in [-1, 1], scaled when a part of it is taken.

    Taking a batch of 128 images this way costs a hundredth of a training step.

    @param images: uint8 (N, h, w) in 0..255
    @param shape: of one image as it comes out: (h * w,), or (height, width, 1) with a border of 0 around h x w
    """

    dtype = np.dtype(np.float32)

    def __init__(self, images, shape):
        self._images = images
        self.shape = (len(images),) + shape

    def __len__(self):
        return len(self._images)

    def __getitem__(self, index):
        """@param index: a slice or an array of numbers; @return: float32 (n,) + shape of an image"""
        images = self._images[index]
        n, height, width = images.shape
        out = np.zeros((n,) + self.shape[1:], np.float32)
        if len(self.shape) == 2:
            part = out.reshape(n, height, width)
        else:
            top, left = (self.shape[1] - height) // 2, (self.shape[2] - width) // 2
            part = out[:, top:top + height, left:left + width, 0]
        np.divide(images, np.float32(255), out=part)
        part *= 2
        part -= 1
        return out
