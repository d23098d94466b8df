"""A model of one step of a finite world: what was counted."""

from collections.abc import Mapping
from dataclasses import replace
from typing import final

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from rltransfer.domain import Transitions, Whitening
from rltransfer.errors import InputError
from rltransfer.mapping import Affine, Network, Prediction
from rltransfer.source_models.control_affine import LearnConfig

_SURE = 10.0
"""Logit of what always, or never, was seen to terminate."""


@final
class TabularModel:
    """The mean of what was seen to follow each action in each state.

    States and actions are one-hot, and stay as they are: no coordinates are changed.
    Where an action was never tried nothing is expected to happen.

    Args:
        after: mean of the next one-hot state.
        reward: mean, in standard units.
        termination: logit.
        units: mean and deviation of the rewards.
    """

    def __init__(
        self,
        after: Float[Tensor, "state action after"],
        reward: Float[Tensor, "state action"],
        termination: Float[Tensor, "state action"],
        units: Float[Tensor, "2"],
    ) -> None:
        self._after, self._reward, self._termination = after, reward, termination
        self._units = units
        size = len(after)
        self.whitening = Whitening.unchanged(size)
        """None in effect: one-hot states have neither units nor correlations."""
        self.scale = torch.full((size,), (2 / size) ** 0.5)
        """Such that a step to another state has a mean squared change of one."""

    @classmethod
    def restored(
        cls,
        numbers: Mapping[str, Tensor],
        observation_size: int,
        action_size: int,
        config: LearnConfig,
    ) -> "TabularModel":
        """Returns the model that has these numbers; see `numbers`.

        Raises:
            LookupError, ValueError: they are not of such a model.
        """
        del config
        pairs = (observation_size, action_size)
        shapes = {
            "after": (*pairs, observation_size),
            "reward": pairs,
            "termination": pairs,
            "units": (2,),
        }
        for name, shape in shapes.items():
            if numbers[name].shape != shape or not numbers[name].isfinite().all():
                raise ValueError(f"{name} must be finite numbers of shape {shape}")
        return cls(*(numbers[name] for name in shapes))

    @property
    def numbers(self) -> dict[str, Tensor]:
        """All that it consists of, by name; see `SourceModel`."""
        return {
            "after": self._after,
            "reward": self._reward,
            "termination": self._termination,
            "units": self._units,
        }

    @property
    def gain(self) -> Network:
        """Where actions lead, as a network of the one-hot state; see `SourceModel`."""
        size = len(self._after)
        weight = (self._after / self.scale).transpose(1, 2).reshape(size, -1)
        return Affine.of(weight, torch.zeros(weight.shape[1]))

    def predict(
        self,
        state: Float[Tensor, "*rows observation"],
        action: Float[Tensor, "*rows action"],
    ) -> Prediction:
        """Returns what one step brings, by the likeliest state and action of each."""
        pair = state.argmax(dim=-1), action.argmax(dim=-1)
        delta = (self._after[pair] - state) / self.scale
        return Prediction(delta, self._reward[pair], self._termination[pair])

    def standardised(self, rows: Transitions) -> Transitions:
        """Returns `rows` with standard rewards."""
        mean, deviation = self._units
        return replace(rows, reward=(rows.reward - mean) / deviation)


def fit_tabular(
    rows: Transitions, config: LearnConfig, generator: Generator
) -> TabularModel:
    """Returns the table that `rows` leave.

    Args:
        rows: of one-hot states and actions.
        config: has no effect, nothing is fitted.
        generator: likewise.

    Raises:
        InputError: states or actions are not one-hot.
    """
    del config, generator
    for part in (rows.observation, rows.action):
        if not bool(((part == 0) | (part == 1)).all() and (part.sum(dim=1) == 1).all()):
            raise InputError(
                "a tabular source model is of numbered states and Discrete actions, "
                "got other numbers: leave learning.kind as it is"
            )
    states, actions = rows.observation.shape[1], rows.action.shape[1]
    pair = rows.observation.argmax(dim=1) * actions + rows.action.argmax(dim=1)
    count = torch.bincount(pair, minlength=states * actions).float()
    tried = count.clamp_min(1)

    def mean(column: Tensor) -> Tensor:
        total = torch.zeros(len(count), *column.shape[1:])
        total.index_add_(0, pair, column)
        return total / tried.reshape(-1, *[1] * (column.ndim - 1))

    after = mean(rows.next_observation)
    untried = count == 0
    after[untried] = torch.eye(states).repeat_interleave(actions, dim=0)[untried]
    share = mean(rows.terminated.float())
    units = torch.stack([rows.reward.mean(), rows.reward.std() + 1e-3])
    reward = torch.where(untried, 0.0, (mean(rows.reward) - units[0]) / units[1])
    return TabularModel(
        after.reshape(states, actions, states),
        reward.reshape(states, actions),
        torch.logit(share).clamp(-_SURE, _SURE).reshape(states, actions),
        units,
    )
