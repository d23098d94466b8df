"""How likely a view of the source is, given copies of the target's episodes in it.

Of each episode the copies that went most like it are an ensemble, and its states are
taken for one Gaussian draw of what they span. Then the target's observations, which are
the states through the view and some noise, are Gaussian too, and what they say of the
states is a linear regression (an ensemble smoother: Evensen & van Leeuwen, 2000).
"""

from collections.abc import Sequence
from typing import final

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from rltransfer.alignment.response_config import HistoryConfig
from rltransfer.alignment.responses import Array
from rltransfer.alignment.simulation import distances


@final
class Likelihood:
    """How likely episodes are, each one of a Gaussian ensemble seen with some noise.

    Args:
        shown: states of each episode, in units of their deviation.
        ensembles: mean and spread of the states behind each, as `ensemble` has them.
        least: smallest variance of the noise.
    """

    def __init__(
        self,
        shown: Sequence[Array],
        ensembles: Sequence[tuple[Array, Array]],
        least: float,
    ) -> None:
        self._steps = [len(mean) for mean, _ in ensembles]
        self._least, longest = least, max(self._steps)

        def padded(parts: Sequence[Array]) -> Tensor:
            filled = np.zeros(
                (len(parts), *parts[0].shape[:-2], longest, parts[0].shape[-1])
            )
            for place, (part, steps) in enumerate(zip(parts, self._steps, strict=True)):
                filled[place, ..., :steps, :] = part[..., :steps, :]
            return torch.from_numpy(filled)

        self._shown = padded(shown)
        self._mean = padded([mean for mean, _ in ensembles])
        self._spread = padded([spread for _, spread in ensembles])
        self._count = sum(self._steps) * self._shown.shape[2]

    def highest(
        self, weight: Tensor, level: Tensor, iterations: int
    ) -> tuple[Tensor, Tensor]:
        """Returns the weight and the variance of the noise that make it highest.

        Args:
            weight: to start from.
            level: variance of the noise to start from.
            iterations: of L-BFGS (Liu & Nocedal, 1989).
        """
        weight = weight.clone().requires_grad_()
        log_level = level.log().requires_grad_()
        search = torch.optim.LBFGS(
            [weight, log_level], max_iter=iterations, line_search_fn="strong_wolfe"
        )

        def cost() -> Tensor:
            search.zero_grad()
            gap, seen, factor, pull, variance = self._parts(weight, log_level.exp())
            cost = (gap * (gap - (seen.mT @ pull))).sum() / variance
            cost = cost + 2 * factor.diagonal(dim1=1, dim2=2).log().sum()
            cost = (cost + self._count * variance.log()) / self._count
            cost.backward()
            return cost

        search.step(cost)
        return weight.detach(), log_level.detach().exp()

    def left(self, weight: Tensor, level: Tensor) -> list[Array]:
        """Returns what the likeliest states of each episode leave open."""
        gap, seen, _, pull, _ = self._parts(weight, level)
        left = (gap - seen.mT @ pull).reshape(self._shown.shape).numpy()
        return [rows[:steps] for rows, steps in zip(left, self._steps, strict=True)]

    def states(
        self, weight: Tensor, level: Tensor
    ) -> tuple[
        Float64[Tensor, "episode step source_and_one"],
        Float64[Tensor, "episode step source_and_one"],
    ]:
        """Returns the mean of each ensemble, and how far the likeliest states are off.

        Both are zero after an episode's end.
        """
        pull = self._parts(weight, level)[3][..., 0]
        return self._mean, torch.einsum("ec,ects->ets", pull, self._spread)

    def _parts(self, weight: Tensor, level: Tensor) -> tuple[Tensor, ...]:
        """Returns gap, spread as it is seen, Cholesky factor, pull, and variance."""
        variance = level + self._least
        seen = (self._spread @ weight).flatten(start_dim=2)
        gap = (self._shown - self._mean @ weight).flatten(start_dim=1)[..., None]
        doubt = torch.eye(seen.shape[1]).double() + seen @ seen.mT / variance
        factor = torch.linalg.cholesky(doubt)
        pull = torch.cholesky_solve(seen @ gap / variance, factor)
        return gap, seen, factor, pull, variance


def ensemble(
    rows: Array, copies: Sequence[Array], weight: Array, config: HistoryConfig
) -> tuple[Array, Array]:
    """Returns the mean of the likeliest copies, and how far each is from it.

    So many that the sum of their products is the covariance. A constant one is added
    to every state; what is returned ends with the first of these copies.
    """
    padded = [np.hstack([one, np.ones((len(one), 1))]) for one in copies]
    costs = distances(rows, [one @ weight for one in padded], config.outlier)
    near = np.argsort(costs, kind="stable")[: config.near * (padded[0].shape[1] - 1)]
    end = min(len(rows), *(len(padded[place]) for place in near))
    states = np.stack([padded[place][:end] for place in near])
    mean: Array = states.mean(axis=0)
    return mean, (states - mean) / np.sqrt(len(states))
