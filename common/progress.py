"""How far a run is: a progress bar in a terminal, plain lines elsewhere."""

import contextlib
import sys
import time

from tqdm import tqdm

from common.terminal import say


class Progress:
    """Shows epoch, losses, images per second and the time left.

    @param steps: steps already done
    @param total: steps at the end of the training
    @param batch_size: images in a step
    """

    def __init__(self, steps, total, batch_size):
        self._steps, self._total, self._batch_size = steps, total, batch_size
        self._measured_steps, self._measured_at = steps, time.monotonic()
        self._bar = tqdm(total=total * batch_size, initial=steps * batch_size, unit=' images', unit_scale=True,
                         disable=not (sys.stderr and sys.stderr.isatty()), dynamic_ncols=True, smoothing=0.05)

    def step(self, epoch, epochs, d_loss, g_loss):
        """One step done in epoch number `epoch` of `epochs`."""
        self._steps += 1
        if not self._bar.disable:
            self._bar.set_description(f'Epoch {epoch}/{epochs}', refresh=False)
            self._bar.set_postfix_str(f'd_loss {d_loss:.3f}, g_loss {g_loss:.3f}', refresh=False)
            with contextlib.suppress(OSError):  # the terminal may have been closed
                self._bar.update(self._batch_size)

    def print(self, line):
        """Print a line above the bar; at once, also into a file or a pipe."""
        if self._bar.disable:
            say(line)
        else:
            with contextlib.suppress(OSError, ValueError):
                tqdm.write(line)

    def speed(self):
        """'1234 images/s, 1:02:03 left', from the steps since this was last asked, such as an epoch's."""
        done, now = self._steps - self._measured_steps, time.monotonic()
        if not done:
            return 'no step yet'
        seconds_a_step = (now - self._measured_at) / done
        self._measured_steps, self._measured_at = self._steps, now
        left = tqdm.format_interval((self._total - self._steps) * seconds_a_step)
        return f'{self._batch_size / seconds_a_step:.0f} images/s, {left} left'

    def close(self):
        with contextlib.suppress(OSError):
            self._bar.close()
