"""What a map makes of each variable, what is alike in a mirror, and what matters."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

from matplotlib.figure import Figure
from rich.console import Group, RenderableType
from rich.text import Text
from typing_extensions import override

from rltransfer.report import Result
from rltransfer.report.linear_maps import Meaning
from rltransfer.report.tables import facts, plain_table


@final
@dataclass(frozen=True)
class Weight:
    """How much of what the action rests on is one target variable."""

    target: str
    share: float
    """Of the attributions to all of them, sizes without signs, over the states seen."""


@final
@dataclass(frozen=True)
class NamedMirror:
    """A mirror image under which the source moves as it does."""

    sensors: tuple[str, ...]
    """Source variables whose sign changes."""
    actions: tuple[str, ...]
    """What changes places, as `a ↔ b`, or the motors whose sign changes."""

    def __str__(self) -> str:
        return ", ".join([*(f"-{name}" for name in self.sensors), *self.actions])


@final
@dataclass(frozen=True)
class Explanation(Result):
    """A map in words and shares, or why it is not explained."""

    run: Path
    source: str
    target: str
    reason: str | None
    """Why nothing is explained; None where it is."""
    observations: tuple[Meaning, ...] = ()
    actions: tuple[Meaning, ...] = ()
    weights: tuple[Weight, ...] = ()
    """One for each target variable, in order; then of remembered actions, if any."""
    states: int = 0
    """Over how many states gradients were integrated."""
    completeness_gap: float = 0.0
    """See `rltransfer.translation.integrated_gradients.Attributions`."""
    mirrors: tuple[NamedMirror, ...] | None = ()
    """None where that cannot be told."""

    @override
    def as_json(self) -> dict[str, Any]:
        """Returns the object that `--json` prints."""
        mirrors = self.mirrors
        return {
            "run": str(self.run),
            "source": self.source,
            "target": self.target,
            "explained": self.reason is None,
            "reason": self.reason,
            "observations": [asdict(one) for one in self.observations],
            "actions": [asdict(one) for one in self.actions],
            "importance": [asdict(one) for one in self.weights],
            "states": self.states,
            "completeness_gap": self.completeness_gap,
            "symmetries": mirrors and [asdict(one) for one in mirrors],
        }

    @override
    def __rich__(self) -> RenderableType:
        """Returns a row for each target variable and action, then the symmetries."""
        entries: list[tuple[str, object]] = [
            ("source", self.source),
            ("target", self.target),
            ("not explained", self.reason),
        ]
        if self.reason is not None:
            return facts(entries)
        columns = "became", "share", "candidates that agree"
        table = plain_table("target variable", *columns, "matters")
        for place, weight in enumerate(self.weights):
            cells: list[Text | str] = [Text(weight.target), "", "", ""]
            if place < len(self.observations):
                cells = _cells(self.observations[place])
            table.add_row(*cells, f"{weight.share:.0%}")
        taken = plain_table("target action", *columns)
        for one in self.actions:
            taken.add_row(*_cells(one))
        entries += [("symmetry", text) for text in self.mirror_texts]
        entries.append(("matters", self.weight_text))
        return Group(table, taken, facts(entries))

    @property
    def mirror_texts(self) -> tuple[str, ...]:
        """What is said of symmetries, one line each."""
        if self.mirrors is None:
            return (
                "not told: the source has too many variables, or its model is too poor",
            )
        if not self.mirrors:
            return ("none found",)
        return tuple(f"the source moves alike with {one}" for one in self.mirrors)

    @property
    def weight_text(self) -> str:
        """What the shares are, and how exact."""
        return (
            "integrated gradients of what the source's policy asks for, over "
            f"{self.states} visited states, from their mean; complete to "
            f"{self.completeness_gap:.1%}. Which target action is then nearest in "
            "effect is left out"
        )

    def draw(self, figure: Figure) -> None:
        """Draws what matters as bars, the first variable at the top."""
        axes = figure.add_subplot()
        shares = [100 * one.share for one in self.weights]
        bars = axes.barh(range(len(shares)), shares, color="tab:blue")
        axes.bar_label(bars, [f"{share:.0f} %" for share in shares], padding=3)
        axes.set_yticks(range(len(shares)), [one.target for one in self.weights])
        axes.invert_yaxis()
        axes.margins(x=0.15)
        axes.set_xlabel("share of what the action rests on, %")


def _cells(one: Meaning) -> list[Text | str]:
    became = f"{'-' if one.reversed else ''}{one.source}"
    share = "-" if one.share is None else f"{one.share:.0%}"
    agree = f"{one.agreeing} of {one.candidates}"
    return [Text(cell) for cell in (one.target, became, share, agree)]
