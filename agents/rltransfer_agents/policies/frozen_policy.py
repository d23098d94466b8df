"""A policy that acts and does nothing else."""

from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from rltransfer_agents.policies.activations import Dense
from rltransfer_agents.policies.heads import Head, Latent, Outputs
from rltransfer_agents.policies.observation_encoders import Encoder


@final
@dataclass(frozen=True, eq=False)
class FrozenPolicy:
    """The acting part of an agent: encoder, hidden layers, output layer, head.

    `predict` has the signature of Stable-Baselines3's and gives the same actions, from
    raw observations: normalisation is part of the encoder.
    """

    observation_space: spaces.Space[Any]
    action_space: spaces.Space[Any]
    encoder: Encoder
    layers: tuple[Dense, ...]
    """The hidden ones."""
    output: Dense
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
        outputs = self.output(latent)
        if deterministic:
            return self.head.mode(outputs), state
        return self.head.sample(outputs, latent, self.generator), state

    def outputs(self, observation: Any) -> Outputs:
        """Returns what the choice is made from: logits, action values or means."""
        return self.output(self._latent(observation))

    def seeded(self, seed: int) -> "FrozenPolicy":
        """Returns this policy with its own stream of random numbers from `seed`."""
        generator = np.random.default_rng(seed)
        return replace(
            self, generator=generator, head=self.head.with_new_noise(generator)
        )

    def _latent(self, observation: Any) -> Latent:
        latent = self.encoder(observation)
        for layer in self.layers:
            latent = layer(latent)
        return latent
