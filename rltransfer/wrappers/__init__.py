"""The border to environments: what crosses it is sound and in time, or a named fault.

Knows neither tensors nor agents, so that whoever steps an environment can stand here.
"""

from rltransfer.wrappers.checked_env import CheckedEnv, Step, Taken, sound_together
from rltransfer.wrappers.step_timeout import (
    START_SECONDS,
    STEP_SECONDS,
    StepTimeout,
    made_in_time,
)
from rltransfer.wrappers.subprocess_env import (
    Apart,
    Lost,
    Serve,
    Worker,
    pipe,
    preload,
    start_process,
)

__all__ = [
    "START_SECONDS",
    "STEP_SECONDS",
    "Apart",
    "CheckedEnv",
    "Lost",
    "Serve",
    "Step",
    "StepTimeout",
    "Taken",
    "Worker",
    "made_in_time",
    "pipe",
    "preload",
    "sound_together",
    "start_process",
]
