"""Coordinates in which observations have mean zero and covariance one."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from rltransfer.mapping import Transitions


@final
@dataclass(frozen=True, eq=False)
class Whitening:
    """Coordinates in which a sample has mean zero and covariance one (ZCA-cor).

    Sensors are first scaled to deviation one, so that their units do not matter.
    Directions in which the scaled sample hardly varies are left as small as they are:
    blowing noise up to the size of a signal would hide the signal.
    """

    mean: Float[Tensor, " observation"]
    matrix: Float[Tensor, "observation observation"]
    inverse: Float[Tensor, "observation observation"]

    @classmethod
    def of(
        cls, sample: Float[Tensor, "step observation"], floor: float = 1e-6
    ) -> "Whitening":
        """Returns the whitening of `sample`.

        Args:
            sample: at least two observations.
            floor: smallest variance that is brought to one, relative to the largest.
        """
        if len(sample) < 2:
            raise ValueError(f"a covariance needs 2 observations, got {len(sample)}")
        mean = sample.double().mean(dim=0)
        deviation = sample.double().std(dim=0)
        # A sensor that never moved has no unit of its own yet; one is as good as any.
        still = deviation <= 1e-7 * (1 + mean.abs())
        deviation = torch.where(still, 1.0, deviation)
        scaled = (sample.double() - mean) / deviation
        values, vectors = torch.linalg.eigh(scaled.T.cov().reshape(len(mean), -1))
        values = torch.where(values < floor * values.max(), 1.0, values).clamp_min(
            1e-12
        )
        matrix = vectors @ torch.diag(values.rsqrt()) @ vectors.T / deviation[:, None]
        inverse = vectors @ torch.diag(values.sqrt()) @ vectors.T * deviation
        return cls(mean.float(), matrix.float(), inverse.float())

    @classmethod
    def unchanged(cls, size: int) -> "Whitening":
        """Returns coordinates that are those of the domain itself."""
        turn = torch.eye(size)
        return cls(torch.zeros(size), turn, turn)

    @cached_property
    def changes_nothing(self) -> bool:
        """Whether these are the domain's own coordinates, as those of pictures are."""
        ones = bool((self.matrix.diagonal() == 1).all() and (self.mean == 0).all())
        return ones and int(self.matrix.count_nonzero()) == len(self.mean)

    def whiten(
        self, observation: Float[Tensor, "*step observation"]
    ) -> Float[Tensor, "*step observation"]:
        """Returns `observation` in white coordinates."""
        if self.changes_nothing:
            return observation
        return (observation - self.mean) @ self.matrix

    def unwhiten(
        self, white: Float[Tensor, "*step observation"]
    ) -> Float[Tensor, "*step observation"]:
        """Returns white coordinates as the domain shows them: undoes `whiten`."""
        if self.changes_nothing:
            return white
        return white @ self.inverse + self.mean

    def unwhitened(self, rows: Transitions) -> Transitions:
        """Returns steps in white coordinates as the domain shows them."""
        return replace(
            rows,
            observation=self.unwhiten(rows.observation),
            next_observation=self.unwhiten(rows.next_observation),
        )
