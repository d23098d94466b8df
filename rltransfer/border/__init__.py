"""The border to environments: what crosses it is sound and in time, or a named fault.

Knows neither tensors nor agents, so that whoever steps an environment can stand here.
"""

from rltransfer.border.apart import Apart
from rltransfer.border.checking import Border, Step, Taken, sound_together
from rltransfer.border.hanging import (
    START_SECONDS,
    STEP_SECONDS,
    HangAlarm,
    made_in_time,
)
from rltransfer.border.processes import pipe, preload, start_process
from rltransfer.border.workers import Lost, Serve, Worker

__all__ = [
    "START_SECONDS",
    "STEP_SECONDS",
    "Apart",
    "Border",
    "HangAlarm",
    "Lost",
    "Serve",
    "Step",
    "Taken",
    "Worker",
    "made_in_time",
    "pipe",
    "preload",
    "sound_together",
    "start_process",
]
