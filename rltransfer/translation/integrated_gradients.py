"""What of an input a network's output rests on: integrated gradients.

Sundararajan, Taly & Yan (ICML 2017), equation 1.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

STEPS = 128
"""Along the way from the baseline, at the middles of as many equal pieces."""


class Attributions(NamedTuple):
    """How far each input moved each output away from what it is at the baseline."""

    values: Float[Tensor, "row output input"]
    gap: float
    """How far they are from complete: the mean distance between their sum over inputs
    and the change of the output, relative to the mean size of that change.
    """


def integrated_gradients(
    function: Callable[[Tensor], Tensor],
    inputs: Float[Tensor, "row input"],
    baseline: Float[Tensor, " input"],
    steps: int = STEPS,
) -> Attributions:
    """Returns (x - b) times the mean gradient on the straight way from b to x.

    By the theorem of completeness they sum to f(x) - f(b); what the finite number of
    steps leaves of that is `gap`.

    Args:
        function: takes rows to rows of outputs, each row by itself.
        inputs: x, one point each.
        baseline: b, of all rows.
        steps: of the sum that stands for the integral.
    """
    away = inputs - baseline
    shares = (torch.arange(steps) + 0.5) / steps
    way = baseline + shares[:, None, None] * away
    points = way.reshape(-1, inputs.shape[1]).detach().requires_grad_()
    outputs = function(points)
    gradients = torch.stack(
        [
            torch.autograd.grad(outputs[:, place].sum(), points, retain_graph=True)[0]
            for place in range(outputs.shape[1])
        ],
        dim=1,
    )
    mean = gradients.reshape(steps, len(inputs), *gradients.shape[1:]).mean(dim=0)
    values = mean * away[:, None, :]
    with torch.no_grad():
        change = function(inputs) - function(baseline[None])
    missing = (values.sum(dim=2) - change).abs().mean()
    size = change.abs().mean()
    return Attributions(values, float(missing / size) if size > 0 else float(missing))
