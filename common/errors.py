"""What a user can mend is told in one sentence, never as a traceback."""


class UserError(Exception):
    """A mistake or an obstacle that the user can mend.

    The message is one sentence that says what is wrong and what to do. The
    scripts print it on stderr and leave with `exit_status` (2: nothing was
    started; 1: a run that was under way had to stop).
    """

    def __init__(self, message, exit_status=2):
        super().__init__(message)
        self.exit_status = exit_status
