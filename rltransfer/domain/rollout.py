"""What acting leaves behind."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from rltransfer.experience import Transitions


@final
@dataclass(frozen=True, eq=False)
class Rollout:
    """What one stretch of acting left behind."""

    transitions: Transitions
    returns: NDArray[np.float64]
    """Undiscounted return of each finished episode, as the environment pays."""
    unfinished_return: float
    """Paid so far in the episode that the last step did not finish."""
    unfinished_steps: int

    @property
    def mean_return(self) -> float:
        """Mean over finished episodes; what was paid so far where there is none."""
        return (
            float(self.returns.mean()) if len(self.returns) else self.unfinished_return
        )
