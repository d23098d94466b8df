"""Generalised state-dependent exploration, gSDE (Raffin et al., 2021)."""

from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray
from typing_extensions import override

from rltransfer_agents.frozen.bounds import ActionBounds
from rltransfer_agents.frozen.heads.head import Head, Latent, Outputs
from rltransfer_agents.frozen.layers import Dense


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
