"""Ctrl-C, SIGTERM and SIGHUP ask a training to stop after the step that is under way."""

import contextlib
import signal
import threading

SIGNALS = [getattr(signal, name) for name in ('SIGINT', 'SIGTERM', 'SIGHUP') if hasattr(signal, name)]


class StopRequest:
    """Whether a signal has asked for the end: `number` is that signal, or None."""

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
