"""An environment behind unknown sensors and unknown wiring of its motors.

What it does is known exactly, which makes it the smallest honest test of alignment:
there is one right answer, and an agent of the base reaches its full return through it.
"""

from rltransfer_envs.scrambled.environment import (
    Scrambled,
    TrueMapping,
    scramble,
    true_mapping,
)
from rltransfer_envs.scrambled.sensors import Sensors
from rltransfer_envs.scrambled.wiring import ContinuousWiring, DiscreteWiring, Wiring

__all__ = [
    "ContinuousWiring",
    "DiscreteWiring",
    "Scrambled",
    "Sensors",
    "TrueMapping",
    "Wiring",
    "scramble",
    "true_mapping",
]
