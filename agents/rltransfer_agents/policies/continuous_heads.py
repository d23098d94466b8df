"""From the last hidden layer to an action in a Box."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from gymnasium import spaces
from jaxtyping import Float, Float32, Shaped
from numpy.typing import NDArray
from typing_extensions import override

from rltransfer_agents.policies.activations import Dense


@final
@dataclass(frozen=True, eq=False)
class ActionBounds:
    """The limits of a Box, and whether outputs are scaled to them or cut off."""

    low: Shaped[NDArray[Any], " action"]
    high: Shaped[NDArray[Any], " action"]
    shape: tuple[int, ...]
    squashed: bool
    """Outputs lie in [-1, 1] and are stretched; otherwise they are clipped."""

    @classmethod
    def of(cls, space: spaces.Box, *, squashed: bool) -> "ActionBounds":
        """Returns the bounds of `space`."""
        return cls(space.low.ravel(), space.high.ravel(), space.shape, squashed)

    def actions(
        self, outputs: Float[NDArray[np.floating], "*batch action"]
    ) -> NDArray[Any]:
        """Returns actions within the bounds, in the shape of the space."""
        if self.squashed:
            # The order of operations is Stable-Baselines3's, for equal rounding.
            actions: NDArray[Any] = self.low + (
                0.5 * (outputs + 1.0) * (self.high - self.low)
            )
        else:
            actions = np.minimum(np.maximum(outputs, self.low), self.high)
        if len(self.shape) == 1:
            return actions
        return actions.reshape(*actions.shape[:-1], *self.shape)


Latent = Float32[NDArray[np.float32], "*batch latent"]
Outputs = Float32[NDArray[np.float32], "*batch output"]


class Head(ABC):
    """Chooses an action from the last hidden layer; one row or a batch of rows."""

    @abstractmethod
    def outputs(self, latent: Latent) -> Outputs:
        """Returns what the choice is made from: logits, action values or means."""

    @abstractmethod
    def mode(self, latent: Latent) -> NDArray[Any]:
        """Returns the likeliest action."""

    @abstractmethod
    def sample(self, latent: Latent, generator: np.random.Generator) -> NDArray[Any]:
        """Returns an action drawn with `generator`."""

    def probabilities(
        self, latent: Latent
    ) -> Float[NDArray[np.floating], "*batch action"]:
        """Returns how likely `sample` gives each action of a Discrete space."""
        del latent
        raise TypeError(
            "only Discrete actions have probabilities, "
            f"this policy ends in {type(self).__name__}; ask for outputs instead"
        )

    def with_new_noise(self, generator: np.random.Generator) -> "Head":
        """Returns the head with noise drawn afresh, where it keeps noise over steps."""
        del generator
        return self


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


@final
@dataclass(frozen=True, eq=False)
class StateDependentNoise(Head):
    """Adds noise that is a linear function of the state, the same one until redrawn."""

    mean: Dense
    deviation: Float32[NDArray[np.float32], "latent action"]
    """Of each entry of the noise matrix."""
    noise: Float32[NDArray[np.float32], "latent action"]
    bounds: ActionBounds
    mean_limit: float | None = None
    """Means are cut to ± this before noise is added (SAC and TQC)."""

    @classmethod
    def of(
        cls,
        mean: Dense,
        deviation: Float32[NDArray[np.float32], "latent columns"],
        bounds: ActionBounds,
        mean_limit: float | None = None,
    ) -> "StateDependentNoise":
        """Returns a head without noise yet; one column may serve all actions."""
        spread = np.broadcast_to(deviation, mean.weight.shape)
        return cls(mean, spread, np.zeros_like(spread), bounds, mean_limit)

    @override
    def outputs(self, latent: Latent) -> Outputs:
        mean = self.mean(latent)
        if self.mean_limit is not None:
            np.clip(mean, -self.mean_limit, self.mean_limit, out=mean)
        return mean

    @override
    def mode(self, latent: Latent) -> NDArray[Any]:
        return self._action(self.outputs(latent))

    @override
    def sample(self, latent: Latent, generator: np.random.Generator) -> NDArray[Any]:
        del generator  # drawn once for many steps: that is the point of the method
        drawn = self.outputs(latent)
        drawn += latent @ self.noise
        return self._action(drawn)

    @override
    def with_new_noise(self, generator: np.random.Generator) -> "StateDependentNoise":
        drawn = generator.standard_normal(self.deviation.shape, np.float32)
        return replace(self, noise=drawn * self.deviation)

    def _action(self, outputs: Outputs) -> NDArray[Any]:
        return self.bounds.actions(
            np.tanh(outputs) if self.bounds.squashed else outputs
        )
