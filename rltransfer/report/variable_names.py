"""Names of the variables of well-known environments."""

import re
from collections.abc import Mapping
from types import MappingProxyType

OBSERVATIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Acrobot": (
            "cos upper angle",
            "sin upper angle",
            "cos lower angle",
            "sin lower angle",
            "upper velocity",
            "lower velocity",
        ),
        "CartPole": ("cart position", "cart velocity", "pole angle", "pole velocity"),
        "InvertedPendulum": (
            "cart position",
            "pole angle",
            "cart velocity",
            "pole velocity",
        ),
        "LunarLander": (
            "x",
            "y",
            "x velocity",
            "y velocity",
            "angle",
            "angular velocity",
            "left leg",
            "right leg",
        ),
        "MountainCar": ("position", "velocity"),
        "MountainCarContinuous": ("position", "velocity"),
        "Pendulum": ("cos angle", "sin angle", "angular velocity"),
    }
)
ACTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Acrobot": ("torque -1", "torque 0", "torque +1"),
        "CartPole": ("push left", "push right"),
        "InvertedPendulum": ("force",),
        "LunarLander": ("nothing", "left engine", "main engine", "right engine"),
        "MountainCar": ("push left", "nothing", "push right"),
        "MountainCarContinuous": ("force",),
        "Pendulum": ("torque",),
    }
)
# With `continuous=True` the same environment has other actions: their number tells.
_CONTINUOUS_LANDER = ("main engine", "side engines")


def observation_names(env_id: str, size: int) -> tuple[str, ...]:
    """Returns a name for each number of an observation.

    Args:
        env_id: as registered; any version.
        size: how many numbers there are. Where the table knows another number of
            them, it is about another environment of the same name.
    """
    return _named(OBSERVATIONS, env_id, size, "observation")


def action_names(env_id: str, size: int) -> tuple[str, ...]:
    """Returns a name for each action, or each number of a continuous action."""
    if _stem(env_id) == "LunarLander" and size == len(_CONTINUOUS_LANDER):
        return _CONTINUOUS_LANDER
    return _named(ACTIONS, env_id, size, "action")


def _named(
    table: Mapping[str, tuple[str, ...]], env_id: str, size: int, word: str
) -> tuple[str, ...]:
    known = table.get(_stem(env_id), ())
    return known if len(known) == size else tuple(f"{word} {n}" for n in range(size))


def _stem(env_id: str) -> str:
    return re.sub(r"-v\d+$", "", re.split(r"[/:]", env_id)[-1])
