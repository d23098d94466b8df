"""The objective about whole trajectories that begin nobody knows where."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from rltransfer.mapping.networks import Network
from rltransfer.mapping.objectives.objective import Objective
from rltransfer.mapping.rows import Trajectories


@final
@dataclass(frozen=True, eq=False)
class TrajectoryAgreement(Objective[Network, Trajectories]):
    """Penalises mapped trajectories that the source cannot take under these actions.

    The source's trajectories have a mean and a covariance C, by where they begin. What
    is off by r from the mean costs n² rᵀ(C + n²)⁻¹r, which is generalised least squares
    (Aitken, 1936): along directions in which beginnings differ anything goes, and what
    is left must follow from the actions. Plain least squares would pull every mapped
    state towards the mean, by as much as beginnings differ.

    Args:
        noise: n, how far trajectories may be off what the source's model says, in the
            units of the outputs.
    """

    noise: float = 0.05

    def __post_init__(self) -> None:
        if not self.noise > 0:
            raise ValueError(f"noise must be above 0, got {self.noise}")

    @override
    def terms(
        self, network: Network, rows: Trajectories
    ) -> dict[str, Float[Tensor, "*copies"]]:
        mapped = network(rows.inputs.flatten(0, 1)).unflatten(-2, rows.inputs.shape[:2])
        off = (mapped - rows.mean) * rows.there.unsqueeze(-1)
        along = torch.einsum("rdto,...rto->...rd", rows.directions, off)
        free = rows.variance / (rows.variance + self.noise**2)
        squares = off.square().sum(dim=(-3, -2, -1))
        explained = (free * along.square()).sum(dim=(-2, -1))
        numbers = rows.there.sum() * mapped.shape[-1]
        return {"trajectory": (squares - explained) / numbers}
