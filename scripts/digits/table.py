"""The table of listing 2."""

from collections.abc import Mapping, Sequence

import torch

COLUMNS = ("source", "zero-shot", "mapped", "scratch")

Rows = Mapping[str, Sequence[tuple[float, ...]]]
"""By the number of labels: accuracies in the order of `COLUMNS`, for every seed."""


def table(title: str, rows: Rows) -> str:
    """Returns the means over seeds under their columns."""
    lines = [title, " ".join([f"{'labels':>6}", *(f"{name:>10}" for name in COLUMNS)])]
    for size, figures in rows.items():
        means = _means(figures)
        lines.append(" ".join([f"{size:>6}", *(f"{mean:10.2f}" for mean in means)]))
    return "\n".join(lines)


def verdict(rows: Rows) -> str:
    """Returns how often scratch beats the mapping, where it is expected to."""
    wins = sum(mapped < scratch for *_, mapped, scratch in map(_means, rows.values()))
    found = f"at {wins} of {len(rows)} sizes scratch beats the mapping"
    if 2 * wins > len(rows):
        return f"Negative transfer, as expected: {found}."
    return f"Negative transfer was expected, but only {found}."


def _means(figures: Sequence[tuple[float, ...]]) -> list[float]:
    means: list[float] = torch.tensor(figures).mean(dim=0).tolist()
    return means
