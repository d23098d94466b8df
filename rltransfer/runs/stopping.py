"""The signals that ask a run to stop, and not to hear them in their own wake."""

import atexit
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

ASKING = (signal.SIGINT, signal.SIGTERM)
DEAF_SECONDS = 2.0
"""After a stop that was obeyed: whoever asks twice in a row means one stop."""


def deaf(handler: Any) -> Callable[[int, FrameType | None], None]:
    """Returns a handler that hands signals on to `handler` after a while.

    A second Ctrl-C that comes while the process ends would hide how to go on, or the
    exit status.
    """
    atexit.register(_ignore)
    until = time.monotonic() + DEAF_SECONDS

    def hand_on(number: int, frame: FrameType | None) -> None:
        del frame
        if time.monotonic() > until:
            signal.signal(number, handler)
            signal.raise_signal(number)

    return hand_on


def _ignore() -> None:
    # Python takes its own handlers away at its end, which takes a while.
    for number in ASKING:
        signal.signal(number, signal.SIG_IGN)
