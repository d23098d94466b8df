"""Fitting a dynamics model to what was seen in its domain."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import override

from rltransfer.dynamics.model import DynamicsModel
from rltransfer.errors import InputError
from rltransfer.experience import Transitions
from rltransfer.mapping import FitConfig, Objective, fit


@final
@dataclass(frozen=True)
class LearnConfig:
    """How large a dynamics model is and how long it learns."""

    width: int = 64
    updates: int = 2500
    batch_size: int = 512
    learning_rate: float = 4e-3

    def __post_init__(self) -> None:
        if min(self.width, self.updates, self.batch_size) < 1:
            raise InputError(f"sizes and updates must be at least 1, got {self}")


@final
class PredictSteps(Objective[DynamicsModel, Transitions]):
    """Wants one step predicted: change, reward and ending.

    The error is Huber's: one collision must not outweigh a flight.
    """

    @override
    def terms(
        self, network: DynamicsModel, rows: Transitions
    ) -> dict[str, Float[Tensor, ""]]:
        change, reward, ending = network(rows.observation, rows.action)
        seen = (rows.next_observation - rows.observation) / network.scale
        return {
            "change": F.smooth_l1_loss(change, seen, beta=0.5),
            "reward": F.smooth_l1_loss(reward, rows.reward),
            "ending": F.binary_cross_entropy_with_logits(
                ending, rows.terminated.to(ending.dtype)
            ),
        }


def learn_dynamics(
    rows: Transitions, config: LearnConfig, generator: torch.Generator
) -> DynamicsModel:
    """Returns a frozen model of the domain that `rows` were seen in.

    Args:
        rows: of acting at random, of the policy itself, and of mixtures: where the
            policy goes is where a mapping must be right.
        config: size and effort.
        generator: of weights and batches.
    """
    model = DynamicsModel.untrained(rows, config.width, generator)
    fit(
        model,
        PredictSteps(),
        model.standardised(rows),
        FitConfig(
            updates=config.updates,
            batch_size=config.batch_size,
            learning_rate=config.learning_rate,
        ),
        generator=generator,
    )
    return model.requires_grad_(False)
