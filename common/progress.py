"""How far a run is, and whether a signal asks it to stop."""

import contextlib
import signal
import sys
import threading
import time

from tqdm import tqdm

# Ctrl-C; a terminal that is closed; and what batch queues send before the time is up.
SIGNALS = [getattr(signal, name) for name in ('SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGXCPU')
           if hasattr(signal, name)]


class StopTraining(Exception):
    """Ends the loop at a step where everything can be saved."""


class StopRequest:
    """Whether a signal has asked the training to stop after the step that is under way.

    `number` is that signal, or None.
    """

    number = None

    @contextlib.contextmanager
    def caught(self):
        """Catch signals for the length of a `with`; a second one of the same kind stops at once, as if uncaught.

        Outside the main thread, which alone may catch signals, nothing is caught.
        """
        with contextlib.ExitStack() as before:
            if threading.current_thread() is threading.main_thread():
                for number in SIGNALS:
                    if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
                        before.callback(signal.signal, number, signal.signal(number, self._note))
            yield

    def _note(self, number, _):
        self.number = number
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


class Progress:
    """Shows epoch, losses, images per second and the time left: a bar in a terminal, plain lines elsewhere.

    steps: steps already done; total: steps at the end of the training; batch_size: images in a step.
    """

    def __init__(self, steps, total, batch_size):
        self._steps, self._total, self._batch_size = steps, total, batch_size
        self._measured_steps, self._measured_at = steps, time.monotonic()
        # disable=None: no bar where stderr is no terminal
        self._bar = tqdm(total=total * batch_size, initial=steps * batch_size, unit=' images', unit_scale=True,
                         disable=None if sys.stderr else True, dynamic_ncols=True, smoothing=0.05)

    def step(self, epoch, epochs, d_loss, g_loss):
        """One step done in epoch number `epoch` of `epochs`."""
        self._steps += 1
        if not self._bar.disable:
            self._bar.set_description(f'Epoch {epoch}/{epochs}', refresh=False)
            self._bar.set_postfix_str(f'd_loss {d_loss:.3f}, g_loss {g_loss:.3f}', refresh=False)
            with contextlib.suppress(OSError):  # the terminal may have been closed
                self._bar.update(self._batch_size)

    def speed(self):
        """'1234 images/s, 1:02:03 left', from the steps since this was last asked, such as an epoch's."""
        done, now = self._steps - self._measured_steps, time.monotonic()
        if not done:
            return 'no step yet'
        seconds_per_step = (now - self._measured_at) / done
        self._measured_steps, self._measured_at = self._steps, now
        left = tqdm.format_interval((self._total - self._steps) * seconds_per_step)
        return f'{self._batch_size / seconds_per_step:.0f} images/s, {left} left'

    def close(self):
        with contextlib.suppress(OSError):
            self._bar.close()
