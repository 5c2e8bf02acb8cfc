"""What a user can fix is reported in one sentence, never as a traceback."""

import re


class UserError(Exception):
    """A mistake or an obstacle that the user can fix: its message says what is wrong and what to do.

    The scripts print it on stderr and leave with `exit_status`: 2, nothing was started; 1, what was under way stopped.
    """

    def __init__(self, message, exit_status=2):
        super().__init__(message)
        self.exit_status = exit_status


def one_line(error):
    """An exception in one line of bounded length: it may quote a file, or tell the whole story of an operation."""
    if hasattr(error, 'node_def'):  # TensorFlow's
        of_a_file = re.search('^.*; (.+)$', error.message, re.MULTILINE)  # 'PATH; No space left on device'
        text = of_a_file[1] if of_a_file else error.message.partition('\n')[0]
    else:
        text = getattr(error, 'strerror', None) or str(error)
    return ' '.join(text.split())[:300] or type(error).__name__
