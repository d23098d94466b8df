"""Why a run that was interrupted may end otherwise than one that was not."""

import platform
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from rltransfer.errors import ArtifactRefused
from rltransfer.io import installed_versions

Resumed: TypeAlias = Literal["no", "exact", "approximate"]
"""Whether a run was interrupted, and whether that can be seen in its result."""


def resumed(interrupted: bool, warnings: list[str]) -> Resumed:
    """Returns how a run went on, from the reasons why it may differ."""
    if not interrupted:
        return "no"
    return "approximate" if warnings else "exact"


def computing_versions() -> dict[str, str]:
    """Returns what the last bits of a fit depend on, besides seeds."""
    vector = torch.backends.cpu.get_cpu_capability()
    return {
        **installed_versions(),
        "processor": f"{platform.machine()} {vector}",
    }


def changed_versions(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Returns a warning for each version or processor that is not what it was."""
    return [
        f"{name} was {before.get(name, 'absent')} and is {now.get(name, 'absent')}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]


def require_same(place: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises unless what a run goes on with is what it was begun with.

    Args:
        place: where `before` was read, for the message.
        before: as JSON.
        now: as JSON.
    """
    ours, theirs = dict(_leaves(now)), dict(_leaves(before))
    for name in sorted({*ours, *theirs}):
        if ours.get(name) != theirs.get(name):
            raise ArtifactRefused(
                f"a run goes on with what it was begun with, {place} has "
                f"{name}={theirs.get(name)!r} and now it is {ours.get(name)!r}; go on "
                "with the same options and version, or start a new run"
            )


def _leaves(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, part in value.items():
        if isinstance(part, Mapping) and part:
            yield from _leaves(part, f"{prefix}{name}.")
        else:
            yield prefix + name, part


_SAME_ACTION = 1e-3
_MOST_OTHER_ACTIONS = 0.1
"""Share of other actions above which it is another policy."""


def compare_actions(chosen: NDArray[Any], recorded: NDArray[Any]) -> str | None:
    """Returns a warning where a policy that was fitted again acts otherwise.

    Args:
        chosen: its actions now, a row for each observation.
        recorded: its actions before the run was interrupted.

    Raises:
        ArtifactRefused: if so many differ that it is another policy.
    """
    gaps = np.abs(chosen - recorded).max(axis=1)
    if not gaps.any():
        return None
    share = float((gaps > _SAME_ACTION).mean())
    if share > _MOST_OTHER_ACTIONS:
        raise ArtifactRefused(
            "a mapping that is fitted again must choose as it did before the stop, "
            f"{share:.0%} of its actions are others; go on with the machine and the "
            "versions that the run was begun with, or start a new run"
        )
    return f"a mapping fitted again acts otherwise, by up to {gaps.max():.1g} a step"
