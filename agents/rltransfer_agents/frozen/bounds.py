"""How a network's continuous outputs become actions of a Box."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from gymnasium import spaces
from jaxtyping import Float, Shaped
from numpy.typing import NDArray


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
