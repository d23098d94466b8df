"""The border to environments: what crosses it is sound and in time, or a named fault.

Knows neither tensors nor agents, so that whoever steps an environment can stand here.
"""

from rltransfer.border.apart import START_SECONDS, Apart
from rltransfer.border.checking import Border, Step, Taken, sound_together
from rltransfer.border.hanging import STEP_SECONDS, HangAlarm
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
    "pipe",
    "preload",
    "sound_together",
    "start_process",
]
