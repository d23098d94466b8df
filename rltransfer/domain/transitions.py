"""What acting leaves behind: rows of steps, and the returns of their episodes."""

from dataclasses import dataclass, fields
from typing import final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from numpy.typing import NDArray
from torch import Tensor


@final
@dataclass(frozen=True, eq=False)
class Transitions:
    """Steps taken in one domain, one row each.

    Observations are flat; actions are encoded as `rltransfer.domain` encodes them:
    one-hot where they are discrete, scaled to [-1, 1] where they are continuous.
    A truncated step is not terminated: its next observation still has a future.
    """

    episode: Int64[Tensor, " step"]
    """Number of the episode that the step belongs to; its steps stand in order."""
    observation: Float[Tensor, "step observation"]
    action: Float[Tensor, "step action"]
    reward: Float[Tensor, " step"]
    next_observation: Float[Tensor, "step observation"]
    terminated: Bool[Tensor, " step"]
    truncated: Bool[Tensor, " step"]

    def __post_init__(self) -> None:
        rows = {f.name: len(getattr(self, f.name)) for f in fields(self)}
        if len(set(rows.values())) > 1:
            raise ValueError(f"every field needs one row per step, got {rows}")

    def __len__(self) -> int:
        return len(self.reward)

    def __getitem__(self, rows: slice | Tensor) -> "Transitions":
        return Transitions(*(getattr(self, f.name)[rows] for f in fields(self)))

    @classmethod
    def join(cls, *parts: "Transitions") -> "Transitions":
        """Returns the rows of all `parts`, in their order.

        Episodes are numbered anew, part after part: equal numbers in two parts are two
        episodes.
        """
        columns = {
            f.name: torch.cat([getattr(part, f.name) for part in parts])
            for f in fields(cls)
        }
        episodes, first = [], 0
        for part in parts:
            episodes.append(part.episode + first)
            first += int(part.episode.max()) + 1 if len(part) else 0
        return cls(**columns | {"episode": torch.cat(episodes)})


@final
@dataclass(frozen=True, eq=False)
class Rollout:
    """What one stretch of acting left behind."""

    transitions: Transitions
    returns: NDArray[np.float64]
    """Undiscounted return of each finished episode, as the environment pays."""
    unfinished_return: float
    """Paid so far in the episode that the last step did not finish."""
    unfinished_steps: int

    @property
    def mean_return(self) -> float:
        """Mean over finished episodes; what was paid so far where there is none."""
        return (
            float(self.returns.mean()) if len(self.returns) else self.unfinished_return
        )
