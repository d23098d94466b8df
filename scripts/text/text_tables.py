"""What `text_mapping.py` prints and draws."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np

from rltransfer.io import write_atomically
from text.retrieval import Found

Classes = dict[tuple[str, str], float]
"""Per cent right, by row and by number of pairs or labels (or none)."""
MAPPING = "mapped, affine, own pairs too"
"""The row whose networks the classifier is behind, and that the goals are about."""
IDENTITY = "least squares, from the identity"
"""The row of the linear map that starts where the mapping does."""
COLUMNS = ("at 1", "at 5", "unlike at 5", "asked at 1", "asked at 5")


def _summary(figures: Sequence[float]) -> str:
    return f"{np.mean(figures):.1f} ± {np.std(figures):.1f}"


def print_found(seeds: Sequence[Mapping[str, Found]]) -> None:
    """Prints the precision of every row, mean ± deviation of seeds."""
    print(" ".join([f"{'':42}", *(f"{column:>12}" for column in COLUMNS)]))
    for name in seeds[0]:
        cells = map(_summary, zip(*(found[name] for found in seeds), strict=True))
        print(" ".join([f"{name:42}", *(f"{cell:>12}" for cell in cells)]))


def print_classes(seeds: Sequence[Classes]) -> None:
    """Prints accuracies, mean ± deviation of seeds, a row per name."""
    for row in dict.fromkeys(name for name, _ in seeds[0]):
        cells = [
            f"{amount + ':' if amount else '':>5}"
            f"{_summary([reached[name, amount] for reached in seeds]):>12}"
            for name, amount in seeds[0]
            if name == row
        ]
        print(f"{row:24}", *cells)


def print_goals(
    found: Sequence[Mapping[str, Found]], reached: Sequence[Classes]
) -> None:
    """Prints what 200 pairs are beside overlap, and beside 20 labels."""
    name = f"200 pairs: {MAPPING}"
    if name not in found[0]:
        print("Fewer than 200 pairs: nothing is compared.")
        return
    mapped, alone = (np.mean([x[n].at_5 for x in found]) for n in (name, "overlap"))
    print(
        f"200 pairs: precision at 5 is {mapped / alone:.2f} times that of overlap; "
        f"100 % would be {100 / alone:.2f} times."
    )
    shot = np.mean([x["zero-shot, by pairs", "200"] for x in reached])
    rows = ("scratch, same network", "scratch, linear")
    best = max(np.mean([x[row, "20"] for x in reached]) for row in rows)
    print(
        f"Zero-shot by 200 pairs: {shot:.1f} % of classes right, "
        f"by training on 20 labels: {best:.1f} %."
    )


def picture(
    path: Path,
    found: Sequence[Mapping[str, Found]],
    reached: Sequence[Classes],
    title: str,
) -> None:
    """Draws precision by pairs and accuracy by labels, means of seeds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    amounts = [
        a for a in ("50", "200", "all") if f"{a} pairs: least squares" in found[0]
    ]
    for name in (MAPPING, "mapped, affine", IDENTITY):
        heights = [
            np.mean([x[f"{amount} pairs: {name}"].at_5 for x in found])
            for amount in amounts
        ]
        if name.startswith("mapped"):
            start = "0 pairs: own pairs" if name == MAPPING else "0 pairs: identity"
            heights.insert(0, np.mean([x[start].at_5 for x in found]))
        left.plot(["0", *amounts][-len(heights) :], heights, "o-", label=name)
    alone = np.mean([x["overlap"].at_5 for x in found])
    left.axhline(float(alone), color="grey", linestyle="--", label="overlap")
    left.set(xlabel="pairs", ylabel="translation among the first 5, %", ylim=(0, 100))
    for row in ("mapped", "fine-tuned", "scratch, linear", "scratch, same network"):
        places = [amount for name, amount in reached[0] if name == row]
        right.plot(
            places,
            [np.mean([x[row, amount] for x in reached]) for amount in places],
            "o-",
            label=row,
        )
    lines = {"zero-shot, 200 pairs": ("zero-shot, by pairs", "200")}
    lines["commonest class"] = ("commonest class", "")
    for (name, key), style in zip(lines.items(), ("--", ":"), strict=True):
        if key in reached[0]:
            height = float(np.mean([x[key] for x in reached]))
            right.axhline(height, color="grey", linestyle=style, label=name)
    right.set(xlabel="labels", ylabel="class right, %", ylim=(0, 100))
    for axes in (left, right):
        axes.legend(fontsize=8, loc="lower right")
    figure.suptitle(title, fontsize=10)
    drawn = BytesIO()
    figure.savefig(drawn, format="png", dpi=90)
    write_atomically(path, drawn.getvalue())
