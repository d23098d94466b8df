"""Fitted mappings, and which of them are different enough to be worth acting with."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from rltransfer.domain import Transitions
from rltransfer.mapping import DomainMapping

_DIFFERENT = 0.2
"""Share of a map's size that the difference to another must have."""

SIMPLEST_FIRST = ("identity", "same sensors", "signed order", "affine", "residual")
"""Rungs of the ladder by what they take to be unknown."""


@final
@dataclass(frozen=True, eq=False)
class Candidate:
    """One mapping between white coordinates, and how it was found.

    Args:
        mapping: one copy.
        rung: of the ladder, by name.
        mismatch: relative one-step error, with the cues: lower is better.
    """

    mapping: DomainMapping
    family: str
    alignment_error: float

    @property
    def trusts_sensors(self) -> bool:
        """Whether observations are taken for what they seem."""
        return self.family in ("identity", "same sensors")


def by_alignment_error(candidate: Candidate) -> float:
    """Returns what candidates are ordered by."""
    return candidate.alignment_error


def by_simplicity(candidate: Candidate) -> int:
    """Returns how much a candidate assumes to be unknown; less is simpler."""
    return SIMPLEST_FIRST.index(candidate.family)


def different(
    candidates: Iterable[Candidate], rows: Transitions, count: int
) -> list[Candidate]:
    """Returns the first `count` candidates that carry states to different places.

    Symmetric worlds have several maps of equal error, and only returns tell them
    apart: acting with near copies of one map would leave the others untried.

    Args:
        candidates: in the order of preference.
        rows: seen in the target, in white coordinates.
        count: most candidates to return.
    """
    chosen: list[Candidate] = []
    places: list[Tensor] = []
    for candidate in candidates:
        with torch.no_grad():
            place = candidate.mapping.state(rows.observation)
        size = place.norm()
        if all(
            (place - other).norm() > _DIFFERENT * size
            or candidate.family != rival.family
            for rival, other in zip(chosen, places, strict=True)
        ):
            chosen.append(candidate)
            places.append(place)
        if len(chosen) == count:
            break
    return chosen
