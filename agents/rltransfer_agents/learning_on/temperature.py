"""What SAC pays for drawing its actions widely (Haarnoja et al., 2018)."""

from typing import final

import numpy as np

_FIRST = 0.1


@final
class Temperature:
    """What SAC pays for width, learned so that actions are drawn this widely."""

    def __init__(self, entropy: float, rate: float) -> None:
        self._entropy, self._rate = entropy, rate
        self._log = float(np.log(_FIRST))
        self._mean = self._square = self._updates = 0.0

    @property
    def value(self) -> float:
        """What one unit of entropy is worth, in units of the value."""
        return float(np.exp(self._log))

    def update(self, log_density: float) -> None:
        """Makes one step of Adam."""
        slope = -(log_density + self._entropy)
        self._updates += 1
        self._mean += 0.1 * (slope - self._mean)
        self._square += 0.001 * (slope * slope - self._square)
        mean = self._mean / (1 - 0.9**self._updates)
        square = self._square / (1 - 0.999**self._updates)
        self._log -= self._rate * mean / (np.sqrt(square) + 1e-8)
