"""Heads that choose among countable actions."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.special import expit, softmax
from typing_extensions import override

from rltransfer_agents.policies.activations import Dense
from rltransfer_agents.policies.continuous_heads import Head, Latent, Outputs


@final
@dataclass(frozen=True, eq=False)
class Categorical(Head):
    """Draws one of n actions by the softmax of its logits (PPO, A2C, TRPO)."""

    logits: Dense

    @override
    def outputs(self, latent: Latent) -> Outputs:
        return self.logits(latent)

    @override
    def mode(self, latent: Latent) -> NDArray[Any]:
        return np.asarray(self.logits(latent).argmax(axis=-1))

    @override
    def sample(self, latent: Latent, generator: np.random.Generator) -> NDArray[Any]:
        return _drawn(self.logits(latent), generator)

    @override
    def probabilities(
        self, latent: Latent
    ) -> Float[NDArray[np.floating], "*batch action"]:
        logits = self.logits(latent)
        return softmax(logits, axis=-1)


@final
@dataclass(frozen=True, eq=False)
class GreedyValues(Head):
    """Takes the action of highest value, now and then any other (DQN, QR-DQN, ARS)."""

    values: Dense
    exploration: float = 0.0
    """Share of drawn actions that are uniform."""

    @override
    def outputs(self, latent: Latent) -> Outputs:
        return self.values(latent)

    @override
    def mode(self, latent: Latent) -> NDArray[Any]:
        return np.asarray(self.values(latent).argmax(axis=-1))

    @override
    def sample(self, latent: Latent, generator: np.random.Generator) -> NDArray[Any]:
        greedy = self.mode(latent)
        uniform = generator.integers(len(self.values.bias), size=greedy.shape)
        explores = generator.random(greedy.shape) < self.exploration
        return np.where(explores, uniform, greedy)

    @override
    def probabilities(
        self, latent: Latent
    ) -> Float[NDArray[np.floating], "*batch action"]:
        greedy = np.eye(len(self.values.bias))[self.mode(latent)]
        uniform = self.exploration / greedy.shape[-1]
        mixture: NDArray[np.float64] = (1 - self.exploration) * greedy + uniform
        return mixture


@final
@dataclass(frozen=True, eq=False)
class MultiCategorical(Head):
    """Draws several categorical actions at once, each from its part of the logits."""

    logits: Dense
    sizes: tuple[int, ...]

    @override
    def outputs(self, latent: Latent) -> Outputs:
        return self.logits(latent)

    @override
    def mode(self, latent: Latent) -> NDArray[Any]:
        parts = self._parts(latent)
        return np.stack([part.argmax(axis=-1) for part in parts], axis=-1)

    @override
    def sample(self, latent: Latent, generator: np.random.Generator) -> NDArray[Any]:
        parts = self._parts(latent)
        return np.stack([_drawn(part, generator) for part in parts], axis=-1)

    def _parts(self, latent: Latent) -> list[Outputs]:
        boundaries = np.cumsum(self.sizes)[:-1]
        return np.split(self.logits(latent), boundaries, axis=-1)


@final
@dataclass(frozen=True, eq=False)
class Bernoulli(Head):
    """Switches each of several binary actions by its own probability."""

    logits: Dense

    @override
    def outputs(self, latent: Latent) -> Outputs:
        return self.logits(latent)

    @override
    def mode(self, latent: Latent) -> NDArray[Any]:
        # Rounded probabilities as floats: what Stable-Baselines3 returns, ties too.
        return np.round(expit(self.logits(latent)))

    @override
    def sample(self, latent: Latent, generator: np.random.Generator) -> NDArray[Any]:
        probabilities = expit(self.logits(latent))
        drawn = generator.random(probabilities.shape) < probabilities
        return drawn.astype(np.float32)


def _drawn(logits: Outputs, generator: np.random.Generator) -> NDArray[Any]:
    # The largest of logits plus Gumbel noise is a draw from their softmax: no
    # normalising, and one line for one row and for many.
    noise = generator.gumbel(size=logits.shape)
    return np.asarray((logits + noise).argmax(axis=-1))
