"""Whether an agent can act in an environment: its spaces and the environment's.

An agent of [-1, 1] that drives actuators of [-8, 8], or one that counts actions from 0
where the environment counts from 7, acts without an error and is worth nothing.
"""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from rltransfer.errors import InputError
from rltransfer.wrappers.zero_based_env import starts_at_zero, zero_based
from rltransfer_agents.loading.policy_parts import is_image
from rltransfer_agents.loading.refusal import printable

_LONGEST_TEXT = 160
_KINDS: list[type[spaces.Space[Any]]] = [spaces.Box, spaces.Discrete, spaces.Dict]
_KINDS += [spaces.MultiDiscrete, spaces.MultiBinary, spaces.Tuple]
_BOUNDS = ("low", "high")
_PICTURES = ("dtype", *_BOUNDS)


@runtime_checkable
class HasSpaces(Protocol):
    """What acts, or what is acted in."""

    @property
    def observation_space(self) -> spaces.Space[Any]:
        """Of what it sees."""
        ...

    @property
    def action_space(self) -> spaces.Space[Any]:
        """Of what it does."""
        ...


def require_same_spaces(
    agent: HasSpaces,
    env: HasSpaces,
    *,
    path: Path | str,
    env_name: str,
    remedy: Callable[[], str],
    at_home: bool = False,
) -> tuple[str, ...]:
    """Raises unless an agent can act in an environment as it stands.

    Kind, shape, n, nvec and start must agree; so must the bounds of actions, and type
    and bounds of pictures. The bounds and the float width of other observations may
    differ, since no stock policy reads them.

    Args:
        agent: what shall act.
        env: where it shall act.
        path: of the agent, for messages.
        env_name: of the environment, for messages.
        remedy: returns what to do where they disagree.
        at_home: the agent was trained in this very environment. Then its choices may
            be counted from 0 where the environment's are not: it saw them so.

    Returns:
        What differs without harm, one line for each, to be shown with the result.

    Raises:
        InputError: naming both spaces and the first difference.
    """
    seen, shown = agent.observation_space, env.observation_space
    done, taken = agent.action_space, env.action_space
    if at_home:
        shown = zero_based(shown) if starts_at_zero(seen) else shown
        taken = zero_based(taken) if starts_at_zero(done) else taken
    for word, own, other, difference in (
        ("observations", seen, shown, _observation_difference(seen, shown)),
        ("actions", done, taken, _difference(done, taken, _BOUNDS)),
    ):
        if difference is not None:
            raise InputError(
                f"the {word} of an agent and of its environment must agree, "
                f"{printable(path)} knows {space_text(own)} and {env_name} has "
                f"{space_text(other)}, which differ in {difference}; {remedy()}"
            )
    if _observation_difference(seen, shown, _PICTURES) is None:
        return ()
    return (
        f"the observations of {env_name} have other bounds or another float width "
        "than those the agent was trained with, which its policy does not read",
    )


def space_text(space: spaces.Space[Any]) -> str:
    """Returns a space in one line that is not too long."""
    text = " ".join(str(space).split())
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"


def _observation_difference(
    own: spaces.Space[Any], other: spaces.Space[Any], also: Collection[str] = ()
) -> str | None:
    """Returns the first thing in which two spaces differ, None if they agree.

    Args:
        own: of the agent.
        other: of the environment; its pictures may have their channels last.
        also: what has to agree of a Box that is no picture.
    """
    if isinstance(own, spaces.Dict) and isinstance(other, spaces.Dict):
        if set(own.spaces) != set(other.spaces):
            return "their parts"
        for name, part in own.spaces.items():
            difference = _observation_difference(part, other.spaces[name], also)
            if difference is not None:
                return f"{difference} of the part {name!r}"
        return None
    other = _channels_first(own, other)
    is_picture = is_image(own) or is_image(other)
    return _difference(own, other, _PICTURES if is_picture else also)


def _difference(
    own: spaces.Space[Any], other: spaces.Space[Any], of_boxes: Collection[str]
) -> str | None:
    if _kind(own) != _kind(other):
        return "kind"
    is_box = isinstance(own, spaces.Box)
    for name in ("shape", "n", "nvec", "start", *(of_boxes if is_box else ())):
        # `n` of MultiBinary may be a number or a shape of one; shapes come first.
        one, another = (
            np.asarray(getattr(s, name, None)).ravel() for s in (own, other)
        )
        equal = _close if name in _BOUNDS else np.array_equal
        if not equal(one, another):
            return name
    return None


def _kind(space: spaces.Space[Any]) -> str:
    # By name: subclasses of the stock spaces hold the same values.
    found = next((kind for kind in _KINDS if isinstance(space, kind)), type(space))
    return found.__name__


def _channels_first(
    own: spaces.Space[Any], other: spaces.Space[Any]
) -> spaces.Space[Any]:
    """Returns `other` with channels first if only so it has the shape of `own`."""
    if not isinstance(other, spaces.Box) or len(other.shape) != 3:
        return other
    if own.shape == other.shape:
        return other
    low, high = (np.moveaxis(bound, -1, 0) for bound in (other.low, other.high))
    moved = spaces.Box(low, high, dtype=other.dtype.type)
    return moved if moved.shape == own.shape else other


def _close(own: NDArray[Any], other: NDArray[Any]) -> bool:
    # Bounds go through float32 on their way into files.
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.allclose(own, other, rtol=1e-6, atol=0, equal_nan=True))
