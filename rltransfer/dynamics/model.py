"""A model of one step: where it leads, what it pays, whether it ends the episode."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rltransfer.experience import Transitions, Whitening
from rltransfer.mapping import Mlp

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
        return Transitions(
            self.whitening.whiten(rows.observation),
            rows.action,
            (rows.reward - self.reward_mean) / self.reward_deviation,
            self.whitening.whiten(rows.next_observation),
            rows.terminated,
        )

    def _parts(
        self, state: Float[Tensor, "*rows observation"]
    ) -> tuple[Tensor, Tensor]:
        entries = self.trunk(state)
        shape = (*state.shape[:-1], self.observation_size + 1, self.action_size + 1)
        return entries[..., :-1].reshape(shape), entries[..., -1]
