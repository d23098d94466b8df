"""Vectors of strings from runs of letters, and how much two strings overlap."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

LONGEST = 4
"""Letters of the runs that vectors are made of."""
LONGEST_OF_OVERLAP = 3
"""Letters of the runs that overlap counts; by it the baseline is at its best."""


@cache
def runs(text: str, longest: int) -> Counter[str]:
    """Returns how often each run of up to `longest` letters is in `text`.

    Words at either end have a space beside them, as all others have. What is returned
    is shared: it is not to be changed.
    """
    text = f" {text} "
    return Counter(
        text[start : start + length]
        for length in range(1, longest + 1)
        for start in range(len(text) - length + 1)
    )


@final
@dataclass(frozen=True, eq=False)
class Embedding:
    """TF-IDF of runs of letters, on the directions in which strings differ most.

    Latent semantic analysis (Deerwester et al., 1990).
    """

    places: dict[str, int]
    weights: Float[Tensor, " run"]
    """Smoothed logarithms of how rare the runs are."""
    directions: Float[Tensor, "run size"]

    @classmethod
    def of(cls, strings: Sequence[str], size: int) -> "Embedding":
        """Returns the embedding that these strings make; no label is needed.

        Args:
            strings: as many as dimensions, at least.
            size: dimensions of a vector.
        """
        counts = [runs(text, LONGEST) for text in strings]
        files = Counter(run for found in counts for run in found)
        # A run in one string tells nothing about the others.
        common = sorted(run for run, number in files.items() if number > 1)
        places = {run: place for place, run in enumerate(common)}
        rarity = torch.tensor([(1 + len(strings)) / (1 + files[run]) for run in common])
        weights = rarity.log() + 1
        rows = _rows(counts, places, weights)
        # The right singular vectors, from the smaller side.
        values, vectors = torch.linalg.eigh(rows @ rows.T)
        scale = values[-size:].clamp(min=1e-6).sqrt()
        return cls(places, weights, rows.T @ vectors[:, -size:] / scale)

    def __call__(self, strings: Sequence[str]) -> Float[Tensor, "string size"]:
        """Returns a vector for each string, its mean square being 1 (or all zero)."""
        counts = [runs(text, LONGEST) for text in strings]
        vectors = _rows(counts, self.places, self.weights) @ self.directions
        scaled: Tensor = F.normalize(vectors, dim=1) * vectors.shape[1] ** 0.5
        return scaled


def _rows(
    counts: Sequence[Counter[str]], places: dict[str, int], weights: Tensor
) -> Float[Tensor, "string run"]:
    rows = torch.zeros(len(counts), len(places))
    for row, found in enumerate(counts):
        known = {places[run]: count for run, count in found.items() if run in places}
        rows[row, list(known)] = 1 + torch.tensor(list(known.values())).float().log()
    return F.normalize(rows * weights, dim=1)


def overlap(ones: Sequence[str], others: Sequence[str]) -> Float[Tensor, "one other"]:
    """Returns the share of runs of letters that two strings have in common.

    Dice's coefficient, 2|A ∩ B| / (|A| + |B|), a run counting as often as it occurs in
    both. It needs no mapping.
    """
    sides = [[_occurrences(text) for text in side] for side in (ones, others)]
    known = {run for found in sides[1] for run in found}
    places = {run: place for place, run in enumerate(sorted(known))}
    left, right = (torch.zeros(len(side), len(places)) for side in sides)
    for rows, side in zip((left, right), sides, strict=True):
        for row, found in zip(rows, side, strict=True):
            row[[places[run] for run in found if run in places]] = 1
    sizes = [torch.tensor([float(len(found)) for found in side]) for side in sides]
    return 2 * left @ right.T / (sizes[0].unsqueeze(1) + sizes[1])


def _occurrences(text: str) -> list[tuple[str, int]]:
    """Returns the first, second … occurrence of every run, each as one item."""
    counts = runs(text, LONGEST_OF_OVERLAP).items()
    return [(run, number) for run, count in counts for number in range(count)]
