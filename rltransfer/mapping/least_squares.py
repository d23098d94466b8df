"""Nonlinear least squares near a start: of few parameters, in far fewer steps."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import jacrev, vmap

_FIRST_DAMPING, _LEAST_DAMPING = 1e-6, 1e-12
_TRIES = 8
"""Dampings tried for one step, each ten times the one before."""
_WORTH = 1e-3
"""Share of the sum by which a step must lower it, or it is the last one."""


def least_squares_near(
    start: Float[Tensor, " parameter"],
    residuals: Callable[..., Tensor],
    *rows: Float[Tensor, "row _"],
    ridge: float,
    iterations: int,
) -> Float[Tensor, " parameter"]:
    """Returns parameters that minimise Σ ‖residuals‖² + ridge ‖parameters - start‖².

    The sum is over rows. Gauss-Newton steps, damped as far as the sum falls (Levenberg,
    1944; Marquardt, 1963). What is not finite is never stepped to, so the sum at what
    is returned is at most that at `start`. Where the residuals say nothing, parameters
    stay.

    Args:
        start: where it begins, and what it stays near.
        residuals: of the parameters and one row of each of `rows`; of shape
            (residual,).
        rows: what the residuals are of, equally many of each.
        ridge: above 0.
        iterations: steps at most.
    """
    if not ridge > 0:
        raise ValueError(f"ridge must be above 0, got {ridge}")
    over_rows = None, *(0 for _ in rows)
    of_all = vmap(residuals, over_rows)
    # By row, as no residual depends on another row: as many backward passes as a row
    # has residuals, and not as there are residuals in all.
    slopes = vmap(jacrev(residuals), over_rows)

    def total(parameters: Tensor) -> float:
        near = (parameters - start).square().sum()
        return float(of_all(parameters, *rows).square().sum() + ridge * near)

    found: Tensor = start
    damping, unit = _FIRST_DAMPING, torch.eye(len(start)).double()
    least = total(found)
    for _ in range(iterations):
        slope = slopes(found, *rows).detach().reshape(-1, len(start))
        error = of_all(found, *rows).detach().reshape(-1)
        curvature = (slope.T @ slope).double() + ridge * unit
        downhill = (slope.T @ error + ridge * (found - start)).double()
        for _ in range(_TRIES):
            # A singular one comes back not finite, and is not stepped to.
            step, _info = torch.linalg.solve_ex(curvature + damping * unit, downhill)
            tried = found - step.to(found.dtype)
            there = total(tried)
            if there < least:
                break
            damping = max(10 * damping, _FIRST_DAMPING)
        else:
            return found
        worth = there < (1 - _WORTH) * least
        found, least = tried, there
        damping = max(damping / 10, _LEAST_DAMPING)
        if not worth:
            return found
    return found
