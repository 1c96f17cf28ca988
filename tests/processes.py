"""Processes that a test starts and ends."""

import signal


def heeds_ctrl_c() -> None:
    """For `preexec_fn`: a shell that runs the tests in the background has its children ignore SIGINT; the one to be ended must not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
