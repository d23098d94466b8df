"""Heads for actions in a Box."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray
from typing_extensions import override

from rltransfer_agents.frozen.bounds import ActionBounds
from rltransfer_agents.frozen.heads.head import Head, Latent, Outputs
from rltransfer_agents.frozen.layers import Dense

# Stable-Baselines3 caps the learned deviation of SAC and TQC at these logarithms.
_LOG_DEVIATION_MIN = -20.0
_LOG_DEVIATION_MAX = 2.0


@final
@dataclass(frozen=True, eq=False)
class Deterministic(Head):
    """Gives its mean, drawn or not (TD3, DDPG, ARS)."""

    mean: Dense
    bounds: ActionBounds

    @override
    def outputs(self, latent: Latent) -> Outputs:
        return self.mean(latent)

    @override
    def mode(self, latent: Latent) -> NDArray[Any]:
        mean = self.mean(latent)
        return self.bounds.actions(np.tanh(mean) if self.bounds.squashed else mean)

    @override
    def sample(self, latent: Latent, generator: np.random.Generator) -> NDArray[Any]:
        del generator  # exploration noise belongs to training, not to the policy
        return self.mode(latent)


@final
@dataclass(frozen=True, eq=False)
class Gaussian(Head):
    """Adds noise of a learned, constant deviation to the mean (PPO, A2C, TRPO)."""

    mean: Dense
    deviation: Float32[NDArray[np.float32], " action"]
    bounds: ActionBounds

    @override
    def outputs(self, latent: Latent) -> Outputs:
        return self.mean(latent)

    @override
    def mode(self, latent: Latent) -> NDArray[Any]:
        return self.bounds.actions(self.mean(latent))

    @override
    def sample(self, latent: Latent, generator: np.random.Generator) -> NDArray[Any]:
        mean = self.mean(latent)
        noise = generator.standard_normal(mean.shape, np.float32)
        return self.bounds.actions(mean + self.deviation * noise)


@final
@dataclass(frozen=True, eq=False)
class SquashedGaussian(Head):
    """Draws around the mean with a deviation of its own for each state (SAC, TQC)."""

    mean: Dense
    log_deviation: Dense
    bounds: ActionBounds

    @override
    def outputs(self, latent: Latent) -> Outputs:
        return self.mean(latent)

    @override
    def mode(self, latent: Latent) -> NDArray[Any]:
        mean = self.mean(latent)
        return self.bounds.actions(np.tanh(mean, out=mean))

    @override
    def sample(self, latent: Latent, generator: np.random.Generator) -> NDArray[Any]:
        mean = self.mean(latent)
        deviation = np.exp(
            np.clip(self.log_deviation(latent), _LOG_DEVIATION_MIN, _LOG_DEVIATION_MAX)
        )
        noise = generator.standard_normal(mean.shape, np.float32)
        return self.bounds.actions(np.tanh(mean + deviation * noise))
