"""A model of one step that is affine in the action, and fitting it to what was seen."""

from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from rltransfer.domain import Transitions, Whitening
from rltransfer.errors import InputError
from rltransfer.mapping import FitConfig, Mlp, Objective, fit

# Contacts make rare, huge steps. The scale of a dimension is that of its ordinary
# steps, but never so small that the huge ones are everything.
_ORDINARY, _LEAST = 0.8, 0.05


@final
class DynamicsModel(nn.Module):
    """One step of a domain, affine in the action, in white coordinates.

    The change is `drift(z) + gain(z) a`, in units of `scale`: exact for discrete
    actions, which are one-hot, and for bodies driven by forces and torques.

    Args:
        whitening: of the observations.
        scale: size of an ordinary change of each white dimension in one step.
        reward_mean: of the rewards that `reward` is standardised by.
        reward_deviation: of the same rewards.
        action_size: length of an encoded action.
        width: of the two hidden layers.
        generator: of the first weights.
    """

    scale: Tensor

    def __init__(
        self,
        whitening: Whitening,
        scale: Float[Tensor, " observation"],
        reward_mean: float,
        reward_deviation: float,
        action_size: int,
        width: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.whitening = whitening
        self.register_buffer("scale", scale)
        self.reward_mean, self.reward_deviation = reward_mean, reward_deviation
        self.observation_size, self.action_size = len(scale), action_size
        entries = (self.observation_size + 1) * (action_size + 1) + 1
        self.trunk = Mlp(
            self.observation_size, (width, width), entries, generator=generator
        )

    @classmethod
    def untrained(
        cls, rows: Transitions, width: int, generator: torch.Generator
    ) -> "DynamicsModel":
        """Returns a model in the coordinates of `rows` that knows nothing yet."""
        whitening = Whitening.of(rows.observation)
        change = whitening.whiten(rows.next_observation) - whitening.whiten(
            rows.observation
        )
        ordinary = change.abs().quantile(_ORDINARY, dim=0)
        scale = torch.maximum(ordinary, _LEAST * change.std(dim=0)).clamp_min(1e-6)
        return cls(
            whitening,
            scale,
            float(rows.reward.mean()),
            float(rows.reward.std()) + 1e-3,
            rows.action.shape[1],
            width,
            generator,
        )

    def forward(
        self,
        state: Float[Tensor, "*rows observation"],
        action: Float[Tensor, "*rows action"],
    ) -> tuple[
        Float[Tensor, "*rows observation"],
        Float[Tensor, "*rows"],
        Float[Tensor, "*rows"],
    ]:
        """Returns the change in units of `scale`, the reward, the logit of ending.

        Args:
            state: in white coordinates.
            action: encoded.
        """
        table, ending = self._parts(state)
        linear = (table[..., 1:] * action.unsqueeze(-2)).sum(dim=-1)
        step = table[..., 0] + linear
        return step[..., :-1], step[..., -1], ending

    def standardised(self, rows: Transitions) -> Transitions:
        """Returns `rows` in the model's coordinates: white states, standard rewards."""
        return replace(
            rows,
            observation=self.whitening.whiten(rows.observation),
            reward=(rows.reward - self.reward_mean) / self.reward_deviation,
            next_observation=self.whitening.whiten(rows.next_observation),
        )

    def _parts(
        self, state: Float[Tensor, "*rows observation"]
    ) -> tuple[Tensor, Tensor]:
        entries = self.trunk(state)
        shape = (*state.shape[:-1], self.observation_size + 1, self.action_size + 1)
        return entries[..., :-1].reshape(shape), entries[..., -1]


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
