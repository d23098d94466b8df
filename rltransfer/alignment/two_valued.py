"""Variables with two values, such as contacts, told from what the others leave open.

How the target shows a variable that hardly moves while acting at random cannot be told
from how much it moves there. But one that has two values shows at once: whatever the
others do not explain is the same whenever it has its second value. Which step has which
is a mixture with known weights, fitted by hard assignment (as k-means: Lloyd, 1982),
from what the source says to expect in like states.
"""

from dataclasses import dataclass
from itertools import product
from typing import final

import numpy as np
from jaxtyping import Bool, Float64

from rltransfer.alignment.responses import Array


def has_two_values(
    states: Float64[Array, "step state"],
) -> Bool[np.ndarray, " state"]:
    """Returns which variables take two values and no other."""
    low, high = states.min(axis=0), states.max(axis=0)
    # States that were in white coordinates come back with errors of rounding.
    near = 1e-3 * (high - low)
    either = (states <= low + near) | (states >= high - near)
    found: Bool[np.ndarray, " state"] = (high - low > 1e-6) & either.all(axis=0)
    return found


@final
@dataclass(frozen=True, eq=False)
class SecondValues:
    """Where variables had the second of their two values, and how that shows.

    Args:
        there: one where they had.
        weight: what each adds to what was left open.
        explained: share of what was left open.
    """

    there: Float64[Array, "step variable"]
    weight: Float64[Array, "variable direction"]
    explained: float


def second_values(
    left_open: Float64[Array, "step direction"],
    expected: Float64[Array, "step variable"],
    rounds: int,
) -> SecondValues:
    """Returns where variables have their second value, and what they show then.

    Setting them and regressing what they show take turns.

    Args:
        left_open: by the other variables, in directions that these do not show in.
        expected: chance of the second value, by what is known of the source.
        rounds: most turns.
    """
    ways = np.array(list(product((0.0, 1.0), repeat=expected.shape[1])))
    there = expected
    weight = _regressed(there, left_open)
    for _ in range(rounds):
        gaps = left_open[:, None] - (ways @ weight)[None]
        before, there = there, ways[(gaps**2).sum(axis=2).argmin(axis=1)]
        weight = _regressed(there, left_open)
        if np.array_equal(before, there):
            break
    missed = float(((left_open - there @ weight) ** 2).sum())
    size = float((left_open**2).sum())
    return SecondValues(there, weight, 1 - missed / max(size, 1e-12))


def _regressed(inputs: Array, outputs: Array) -> Array:
    weight = np.linalg.lstsq(inputs, outputs, rcond=None)[0]
    return weight.astype(np.float64)
