"""A policy that acts and does nothing else."""

from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np
from gymnasium import spaces
from jaxtyping import Float
from numpy.typing import NDArray

from rltransfer_agents.policies.activations import Dense
from rltransfer_agents.policies.continuous_heads import Head
from rltransfer_agents.policies.observation_encoders import Encoder


@final
@dataclass(frozen=True, eq=False)
class FrozenPolicy:
    """The acting part of an agent: encoder, hidden layers, head.

    `predict` has the signature of Stable-Baselines3's and gives the same actions, from
    raw observations: normalisation is part of the encoder.
    """

    observation_space: spaces.Space[Any]
    action_space: spaces.Space[Any]
    encoder: Encoder
    layers: tuple[Dense, ...]
    head: Head
    generator: np.random.Generator = field(
        default_factory=lambda: np.random.default_rng(0)
    )
    """Draws stochastic actions; `seeded` returns a policy with another one."""

    def predict(
        self,
        observation: Any,
        state: tuple[NDArray[Any], ...] | None = None,
        episode_start: NDArray[Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[Any], tuple[NDArray[Any], ...] | None]:
        """Returns the action for one observation, or one for each of a batch.

        Args:
            observation: as the environment gives it, before any normalisation.
            state: handed back as it came; there is no recurrence here.
            episode_start: has no effect, for the same reason.
            deterministic: the likeliest action instead of a drawn one.
        """
        latent = self._latent(observation)
        if deterministic:
            return self.head.mode(latent), state
        return self.head.sample(latent, self.generator), state

    def outputs(self, observation: Any) -> Float[NDArray[np.float32], "*batch output"]:
        """Returns what the choice is made from: logits, action values or means."""
        return self.head.outputs(self._latent(observation))

    def action_probabilities(
        self, observation: Any
    ) -> Float[NDArray[np.floating], "*batch action"]:
        """Returns how likely `predict` draws each action of a Discrete space.

        Raises:
            TypeError: if the action space is not Discrete.
        """
        return self.head.probabilities(self._latent(observation))

    def seeded(self, seed: int) -> "FrozenPolicy":
        """Returns this policy with its own stream of random numbers from `seed`."""
        generator = np.random.default_rng(seed)
        return replace(
            self, generator=generator, head=self.head.with_new_noise(generator)
        )

    def _latent(self, observation: Any) -> Float[NDArray[np.float32], "*batch unit"]:
        latent = self.encoder(observation)
        for layer in self.layers:
            latent = layer(latent)
        return latent
