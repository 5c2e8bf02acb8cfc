"""Signals that ask a training to stop."""

import contextlib
import signal
import threading

# Ctrl-C; a terminal that is closed; and what batch queues send before the time is up.
SIGNALS = [getattr(signal, name) for name in ('SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGXCPU')
           if hasattr(signal, name)]


class StopRequest:
    """`number` is that of the signal that has asked the training to stop after the step that is under way, or None."""

    number = None

    @contextlib.contextmanager
    def caught(self):
        """Catch signals for the length of a `with`; a second one of the same kind stops at once, as if uncaught."""
        with contextlib.ExitStack() as before:
            if threading.current_thread() is threading.main_thread():  # others may not
                for number in SIGNALS:
                    if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
                        before.callback(signal.signal, number, signal.signal(number, self._note))
            yield

    def _note(self, number, _):
        self.number = number
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
