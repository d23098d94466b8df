"""Taking a policy to where it stood after a stretch that is not acted again."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rltransfer.domain.policies import Policy, Remembering
from rltransfer.domain.transitions import Rollout
from rltransfer.errors import ArtifactRefused

_COMPARED = 64
"""Observations on which a policy must choose as it did."""
_CLOSE = 1e-3
_MOST = 0.1
"""Share of other choices above which it is another policy."""


def recalled(
    policy: Policy,
    memory: dict[str, Any] | None,
    rollout: Rollout,
    encode: Callable[[Any], NDArray[np.float32]],
) -> str | None:
    """Takes `policy` to the end of a rollout; returns a doubt, None where all is well.

    A policy without memory is asked again what it was asked then: one that was fitted
    anew must have come out as it was.

    Args:
        policy: that the rollout was acted with.
        memory: what it remembered after.
        rollout: as it was written down.
        encode: of the domain's actions.
    """
    if isinstance(policy, Remembering):
        if memory is None:
            raise ArtifactRefused(
                "a policy that draws needs its memory to go on, the journal has none; "
                "start a new run"
            )
        try:
            policy.recall(memory)
        except (LookupError, TypeError, ValueError) as fault:
            raise ArtifactRefused(
                "the journal's memory of a policy that draws fits none; start a new run"
            ) from fault
        return None
    if memory is not None:
        raise ArtifactRefused(
            "a run goes on with the policies it was begun with, the journal has the "
            "memory of one that draws; start a new run"
        )
    rows = rollout.transitions[:_COMPARED]
    if not len(rows):
        return None
    chosen = np.stack(
        [
            encode(policy.predict(observation, deterministic=True)[0])
            for observation in rows.observation.numpy()
        ]
    )
    gaps = np.abs(chosen - rows.action.numpy()).max(axis=1)
    if not gaps.any():
        return None
    share = float((gaps > _CLOSE).mean())
    if share > _MOST:
        raise ArtifactRefused(
            "a mapping that is fitted again must choose as it did before the stop, "
            f"{share:.0%} of its actions are others; go on with the machine and the "
            "versions that the run was begun with, or start a new run"
        )
    return f"a mapping fitted again acts otherwise, by up to {gaps.max():.1g} a step"
