"""From the outputs of the last layer to an action, the likeliest or a drawn one."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from gymnasium import spaces
from jaxtyping import Float32, Shaped
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import expit
from typing_extensions import override

from rltransfer_agents.policies.activations import Dense

Latent = Float32[NDArray[np.float32], "*batch latent"]
Outputs = Float32[NDArray[np.float32], "*batch output"]
Actions = NDArray[Any]


class Head(ABC):
    """Chooses an action for one row of outputs, or one for each of a batch.

    Outputs are logits, values of actions or means. Where noise depends on the state,
    the activations of the last hidden layer say how.
    """

    @abstractmethod
    def mode(self, outputs: Outputs) -> Actions:
        """Returns the likeliest action."""

    @abstractmethod
    def sample(self, outputs: Outputs, latent: Latent, generator: Generator) -> Actions:
        """Returns an action drawn with `generator`."""

    def with_new_noise(self, generator: Generator) -> "Head":
        """Returns the head with noise drawn afresh, where it keeps noise over steps."""
        del generator
        return self


def _drawn(logits: Outputs, generator: Generator) -> Actions:
    # The largest of logits plus Gumbel noise is a draw from their softmax: no
    # normalising, and one line for one row and for many.
    noise = generator.gumbel(size=logits.shape)
    return np.asarray((logits + noise).argmax(axis=-1))


@final
@dataclass(frozen=True, eq=False)
class Categorical(Head):
    """Draws one of n actions by the softmax of its logits (PPO, A2C, TRPO)."""

    @override
    def mode(self, outputs: Outputs) -> Actions:
        return np.asarray(outputs.argmax(axis=-1))

    @override
    def sample(self, outputs: Outputs, latent: Latent, generator: Generator) -> Actions:
        return _drawn(outputs, generator)


@final
@dataclass(frozen=True, eq=False)
class GreedyValues(Head):
    """Takes the action of highest value, now and then any other (DQN, QR-DQN, ARS)."""

    exploration: float = 0.0
    """Share of drawn actions that are uniform."""

    @override
    def mode(self, outputs: Outputs) -> Actions:
        return np.asarray(outputs.argmax(axis=-1))

    @override
    def sample(self, outputs: Outputs, latent: Latent, generator: Generator) -> Actions:
        greedy = self.mode(outputs)
        uniform = generator.integers(outputs.shape[-1], size=greedy.shape)
        explores = generator.random(greedy.shape) < self.exploration
        return np.where(explores, uniform, greedy)


@final
@dataclass(frozen=True, eq=False)
class MultiCategorical(Head):
    """Draws several categorical actions at once, each from its part of the logits."""

    sizes: tuple[int, ...]

    @override
    def mode(self, outputs: Outputs) -> Actions:
        parts = self._parts(outputs)
        return np.stack([part.argmax(axis=-1) for part in parts], axis=-1)

    @override
    def sample(self, outputs: Outputs, latent: Latent, generator: Generator) -> Actions:
        parts = self._parts(outputs)
        return np.stack([_drawn(part, generator) for part in parts], axis=-1)

    def _parts(self, outputs: Outputs) -> list[NDArray[Any]]:
        return np.split(outputs, np.cumsum(self.sizes)[:-1], axis=-1)


@final
@dataclass(frozen=True, eq=False)
class Bernoulli(Head):
    """Switches each of several binary actions by its own probability."""

    @override
    def mode(self, outputs: Outputs) -> Actions:
        # Rounded probabilities as floats: what Stable-Baselines3 returns, ties too.
        return np.round(expit(outputs))

    @override
    def sample(self, outputs: Outputs, latent: Latent, generator: Generator) -> Actions:
        drawn = generator.random(outputs.shape) < expit(outputs)
        return drawn.astype(np.float32)


@final
@dataclass(frozen=True, eq=False)
class ActionBounds:
    """The limits of a Box, and whether outputs are scaled to them or cut off."""

    low: Shaped[NDArray[Any], " action"]
    high: Shaped[NDArray[Any], " action"]
    shape: tuple[int, ...]
    squashed: bool
    """Outputs are squashed by tanh and stretched; otherwise they are clipped."""

    @classmethod
    def of(cls, space: spaces.Box, *, squashed: bool) -> "ActionBounds":
        """Returns the bounds of `space`."""
        return cls(space.low.ravel(), space.high.ravel(), space.shape, squashed)

    def actions(self, outputs: Outputs) -> Actions:
        """Returns actions within the bounds, in the shape of the space."""
        if self.squashed:
            # The order of operations is Stable-Baselines3's, for equal rounding.
            actions: Actions = self.low + (
                0.5 * (np.tanh(outputs) + 1.0) * (self.high - self.low)
            )
        else:
            actions = np.minimum(np.maximum(outputs, self.low), self.high)
        if len(self.shape) == 1:
            return actions
        return actions.reshape(*actions.shape[:-1], *self.shape)


@final
@dataclass(frozen=True, eq=False)
class Deterministic(Head):
    """Gives its mean, drawn or not (TD3, DDPG, ARS)."""

    bounds: ActionBounds

    @override
    def mode(self, outputs: Outputs) -> Actions:
        return self.bounds.actions(outputs)

    @override
    def sample(self, outputs: Outputs, latent: Latent, generator: Generator) -> Actions:
        # Exploration noise belongs to training, not to the policy.
        return self.mode(outputs)


@final
@dataclass(frozen=True, eq=False)
class Gaussian(Head):
    """Adds noise of a learned, constant deviation to the mean (PPO, A2C, TRPO)."""

    bounds: ActionBounds
    deviation: Float32[NDArray[np.float32], " action"]

    @override
    def mode(self, outputs: Outputs) -> Actions:
        return self.bounds.actions(outputs)

    @override
    def sample(self, outputs: Outputs, latent: Latent, generator: Generator) -> Actions:
        noise = generator.standard_normal(outputs.shape, np.float32)
        return self.mode(outputs + self.deviation * noise)


# Stable-Baselines3 caps the learned deviation of SAC and TQC at these logarithms.
_LOG_DEVIATION_MIN = -20.0
_LOG_DEVIATION_MAX = 2.0


@final
@dataclass(frozen=True, eq=False)
class SquashedGaussian(Head):
    """Draws around the mean with a deviation of its own for each state (SAC, TQC)."""

    bounds: ActionBounds
    log_deviation: Dense

    @override
    def mode(self, outputs: Outputs) -> Actions:
        return self.bounds.actions(outputs)

    @override
    def sample(self, outputs: Outputs, latent: Latent, generator: Generator) -> Actions:
        logarithm = self.log_deviation(latent)
        np.clip(logarithm, _LOG_DEVIATION_MIN, _LOG_DEVIATION_MAX, out=logarithm)
        deviation: Outputs = np.exp(logarithm)
        noise = generator.standard_normal(outputs.shape, np.float32)
        return self.mode(outputs + deviation * noise)


@final
@dataclass(frozen=True, eq=False)
class StateDependentNoise(Head):
    """Adds noise that is a linear function of the state, the same one until redrawn."""

    bounds: ActionBounds
    deviation: Float32[NDArray[np.float32], "latent action"]
    """Of each entry of the noise matrix."""
    noise: Float32[NDArray[np.float32], "latent action"]
    mean_limit: float = np.inf
    """Means are cut to ± this before noise is added (SAC and TQC)."""

    @classmethod
    def of(
        cls,
        bounds: ActionBounds,
        deviation: Float32[NDArray[np.float32], "latent action"],
        mean_limit: float = np.inf,
    ) -> "StateDependentNoise":
        """Returns a head without noise yet."""
        return cls(bounds, deviation, np.zeros_like(deviation), mean_limit)

    @override
    def mode(self, outputs: Outputs) -> Actions:
        return self.bounds.actions(np.clip(outputs, -self.mean_limit, self.mean_limit))

    @override
    def sample(self, outputs: Outputs, latent: Latent, generator: Generator) -> Actions:
        # Noise is drawn once for many steps: that is the point of the method.
        mean = np.clip(outputs, -self.mean_limit, self.mean_limit)
        return self.bounds.actions(mean + latent @ self.noise)

    @override
    def with_new_noise(self, generator: Generator) -> "StateDependentNoise":
        drawn = generator.standard_normal(self.deviation.shape, np.float32)
        return replace(self, noise=drawn * self.deviation)
