"""Rows of several systems in standard units, and how they go together over time."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rltransfer.domain import Transitions

OBSERVATION, ACTION, REWARD, TERMINATION = range(4)
"""Kinds of variables, in the order in which they stand in a graph."""
_LARGEST = 4.0
"""Deviations beyond which a value counts as that many: one odd row must not decide."""


@final
@dataclass(frozen=True, eq=False)
class Stretches:
    """Rows of several systems of one size, each in the order of time."""

    observation: Float[Tensor, "system row observation"]
    action: Float[Tensor, "system row action"]
    reward: Float[Tensor, "system row"]
    next_observation: Float[Tensor, "system row observation"]
    terminated: Float[Tensor, "system row"]
    begins: Bool[Tensor, "system row"]
    """Whether a row is the first one of its episode."""
    discrete: bool
    """Whether actions are one-hot."""

    @classmethod
    def of(cls, rows: Transitions, *, discrete: bool) -> "Stretches":
        """Returns the rows of one domain."""
        begins = torch.ones(len(rows), dtype=torch.bool)
        begins[1:] = rows.episode[1:] != rows.episode[:-1]
        return cls(
            rows.observation[None].float(),
            rows.action[None].float(),
            rows.reward[None].float(),
            rows.next_observation[None].float(),
            rows.terminated[None].float(),
            begins[None],
            discrete,
        )

    def part(
        self, systems: slice, rows: int, observations: Int[Tensor, " kept"]
    ) -> "Stretches":
        """Returns the first rows of some systems, with these observations only."""
        kept = systems, slice(rows)
        return Stretches(
            self.observation[kept][..., observations],
            self.action[kept],
            self.reward[kept],
            self.next_observation[kept][..., observations],
            self.terminated[kept],
            self.begins[kept],
            self.discrete,
        )


def in_deviations(values: Tensor) -> Tensor:
    """Returns columns of rows with mean 0 and deviation 1."""
    centred = values - values.mean(dim=1, keepdim=True)
    return centred / (centred.square().mean(dim=1, keepdim=True).sqrt() + 1e-6)


@final
class StandardRows:
    """Rows in standard units: levels of all variables, and their moves in one step."""

    def __init__(self, rows: Stretches) -> None:
        self.rows = rows
        shape = rows.observation.shape
        self.systems, self.count, self.observations = shape
        self.actions = rows.action.shape[-1]
        self.nodes = self.observations + self.actions + 2
        mean = rows.observation.mean(dim=1, keepdim=True)
        spread = rows.observation.std(dim=1, keepdim=True)
        # What never moves would be divided by the noise of its digits.
        still = spread < 1e-6 * (1 + mean.abs())
        spread = torch.where(still, torch.ones_like(spread), spread)
        self.states = ((rows.observation - mean) / spread).clamp(-_LARGEST, _LARGEST)
        self.steps = (rows.next_observation - rows.observation) / spread
        paid, ended = rows.reward[..., None], rows.terminated[..., None]
        others = [in_deviations(part) for part in (rows.action, paid, ended)]
        self.levels = torch.cat([self.states, *others], -1).clamp(-_LARGEST, _LARGEST)
        size = self.steps.std(dim=1, keepdim=True) + 1e-6
        moves = torch.cat([self.steps / size, *others], -1).clamp(-_LARGEST, _LARGEST)
        self.raw_moves = moves
        self.moves = moves - moves.mean(dim=1, keepdim=True)
        self.episode = rows.begins.cumsum(dim=1)
        kinds = [OBSERVATION] * self.observations + [ACTION] * self.actions
        self.kind = torch.tensor([*kinds, REWARD, TERMINATION])
        # What an action can change: observations, the reward, and the end.
        self.results = torch.cat(
            [torch.arange(self.observations), torch.tensor([-2, -1]) + self.nodes]
        )

    def lagged(self, earlier: Tensor, later: Tensor, lag: int) -> Tensor:
        """Returns E[earlier(t) · later(t + lag)], within episodes."""
        if lag == 0:
            return earlier.transpose(1, 2) @ later / self.count
        together = self.episode[:, lag:] == self.episode[:, :-lag]
        weight = together.float()[..., None]
        total = weight.sum(dim=1, keepdim=True).clamp_min(1)
        product = (earlier[:, :-lag] * weight).transpose(1, 2) @ later[:, lag:]
        return product / total

    def autocorrelation(self, values: Tensor, lag: int) -> Tensor:
        """Returns E[value(t) · value(t + lag)] of each column, within episodes."""
        together = (self.episode[:, lag:] == self.episode[:, :-lag]).float()[..., None]
        product = (values[:, :-lag] * values[:, lag:] * together).sum(dim=1)
        return product / together.sum(dim=1).clamp_min(1)
