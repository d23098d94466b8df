"""From source actions to target actions: the one whose effect is nearest.

The source model says what actions do: in a state z, an encoded action moves the state
by `gain(z)` times the action. Of the target's actions, which the action map takes to
source actions, the one is chosen whose effect is nearest to that of the source's own.
"""

from abc import ABC, abstractmethod
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc
from typing_extensions import override

from rltransfer.domain import ActionCodec
from rltransfer.mapping import Affine, Network
from rltransfer.translation.numpy_networks import array_map

_GRID = {1: 65, 2: 17}
"""Points along each side of a box of so few actions."""
_SOBOL_POWER = 9
"""Two to this many points in a larger box."""
RIDGE = 1e-4
"""Share of the trace added to the diagonal: some actions may have no effect."""


class ActionTranslator(ABC):
    """Chooses target actions by their effect."""

    @abstractmethod
    def __call__(self, wanted: NDArray[Any], metric: NDArray[Any]) -> NDArray[Any]:
        """Returns the encoded target action nearest in effect.

        Args:
            wanted: the source's action, encoded; shape (action,) or (row, action).
            metric: gain(z)ᵀ gain(z): how far the effects of two source actions are
                apart; shape (action, action), or one for each row.
        """


@final
class NearestListed(ActionTranslator):
    """Looks among listed target actions: all of them, or a grid over the box."""

    def __init__(self, listed: NDArray[np.float32], action_map: Network) -> None:
        self._listed = listed
        self._mapped = array_map(action_map)(listed)

    @override
    def __call__(self, wanted: NDArray[Any], metric: NDArray[Any]) -> NDArray[Any]:
        difference = self._mapped - wanted[..., None, :]
        distance = ((difference @ metric) * difference).sum(axis=-1)
        nearest: NDArray[Any] = self._listed[distance.argmin(axis=-1)]
        return nearest


@final
class LeastSquares(ActionTranslator):
    """Solves for the continuous action that an affine action map brings nearest."""

    def __init__(self, action_map: Affine) -> None:
        mapped = array_map(action_map)
        size = action_map.inputs
        self._bias = mapped(np.zeros(size, np.float32))
        self._weight = mapped(np.eye(size, dtype=np.float32)) - self._bias
        self._row = self._weight[0] if size == 1 else None
        self._ridge = RIDGE * np.eye(size)

    @override
    def __call__(self, wanted: NDArray[Any], metric: NDArray[Any]) -> NDArray[Any]:
        missing = wanted - self._bias
        if self._row is not None and metric.ndim == 2:
            # One motor, one observation: the usual case, and no need to solve.
            pull = self._row @ metric
            return np.array([pull @ missing / max(pull @ self._row, 1e-12)])
        pull = self._weight @ metric
        normal = pull @ self._weight.T
        size = normal.trace(axis1=-2, axis2=-1)[..., None, None]
        right = (pull @ missing[..., None])[..., 0]
        solved: NDArray[Any] = np.linalg.solve(
            normal + self._ridge * np.maximum(size, 1e-8), right[..., None]
        )[..., 0]
        return solved


def translator_of(action_map: Network, target: ActionCodec) -> ActionTranslator:
    """Returns the translator for these target actions.

    Args:
        action_map: encoded target action to encoded source action.
        target: how the target's actions are encoded.
    """
    if isinstance(action_map, Affine) and not target.discrete:
        return LeastSquares(action_map)
    return NearestListed(listed_actions(target), action_map)


def reordering(
    action_map: Network, source: ActionCodec, target: ActionCodec
) -> NDArray[np.float32] | None:
    """Returns what takes encoded source choices to the target's, or None.

    That is where each target choice is taken for exactly one of the source's, as many:
    nothing is nearer in effect than that very choice, whatever effects are.

    Args:
        action_map: encoded target action to encoded source action.
        source: how the source's actions are encoded.
        target: how the target's actions are encoded.
    """
    if not (source.discrete and target.discrete and source.size == target.size):
        return None
    unit = np.eye(target.size, dtype=np.float32)
    mapped: NDArray[np.float32] = array_map(action_map)(unit)
    exact = np.isin(mapped, (0, 1)).all() and np.array_equal(mapped @ mapped.T, unit)
    return mapped.T if exact else None


def listed_actions(target: ActionCodec) -> NDArray[np.float32]:
    """Returns encoded target actions: all of them, or points all over the box."""
    size = target.size
    if target.discrete:
        return np.eye(size, dtype=np.float32)
    if size in _GRID:
        side = np.linspace(-1, 1, _GRID[size], dtype=np.float32)
        axes = np.meshgrid(*[side] * size, indexing="ij")
        return np.stack(axes, axis=-1).reshape(-1, size)
    points = qmc.Sobol(size, scramble=False).random_base2(_SOBOL_POWER)
    return (2 * points - 1).astype(np.float32)
