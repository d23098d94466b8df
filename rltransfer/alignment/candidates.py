"""Fitted mappings, and which of them are different enough to be worth acting with."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from rltransfer.experience import Transitions
from rltransfer.mapping import DomainMapping

_DIFFERENT = 0.2
"""Share of a map's size that the difference to another must have."""


@final
@dataclass(frozen=True, eq=False)
class Candidate:
    """One mapping between white coordinates, and how it was found.

    Args:
        mapping: one copy.
        rung: of the ladder, by name.
        height: of that rung; lower is simpler.
        mismatch: relative one-step error, with the cues: lower is better.
    """

    mapping: DomainMapping
    rung: str
    height: int
    mismatch: float


def by_mismatch(candidate: Candidate) -> float:
    """Returns what candidates are ordered by."""
    return candidate.mismatch


def by_height(candidate: Candidate) -> int:
    """Returns how far up the ladder a candidate is."""
    return candidate.height


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
            (place - other).norm() > _DIFFERENT * size or candidate.rung != rival.rung
            for rival, other in zip(chosen, places, strict=True)
        ):
            chosen.append(candidate)
            places.append(place)
        if len(chosen) == count:
            break
    return chosen
