"""One transfer as a page: the verdict first, then what it rests on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, final

from markupsafe import Markup
from matplotlib.figure import Figure

from rltransfer.evaluation import ReturnSummary
from rltransfer.report.explanation import Explanation
from rltransfer.report.filming import Clip
from rltransfer.report.html_page import WIDTH, data_uri, figure_svg, rendered
from rltransfer.report.learning_curve import CurveShown, draw_curve
from rltransfer.report.linear_maps import Meaning
from rltransfer.report.return_chart import charted, draw_returns
from rltransfer.report.tables import (
    SOURCE_COLUMNS,
    logged_steps,
    source_cells,
    steps_by_purpose,
)
from rltransfer.report.transfer_picture import (
    Attempt,
    LinearMap,
    draw_attempts,
    draw_map,
)

_INCH_A_CELL, _MOST_INCHES = 0.42, 11.0
_FIRST_ROWS = 12
"""Of a long table; the others are shown when asked for."""


@final
@dataclass(frozen=True, eq=False)
class TransferPage:
    """What a page about a transfer says; names may be anything."""

    record: Mapping[str, Any]
    """What `transfer --json` prints."""
    figures: Mapping[str, ReturnSummary]
    """Returns of policies, by name."""
    home: str
    """Environment of the source."""
    state_map: LinearMap
    action_map: LinearMap
    meanings: Sequence[Meaning]
    explanation: Explanation
    attempts: Sequence[Attempt]
    learned: str | None
    """What is said of learning on, with its caveats; None without it."""
    curve: CurveShown | None
    """Of learning on."""
    clip: Clip | str
    """Or why there is none."""
    command: str
    """That makes it again."""
    facts: Mapping[str, str]
    """Versions, seeds and hashes, by name."""

    def html(self) -> bytes:
        """Returns the page."""
        verdict, _, reason = str(self.record["verdict"]).partition(": ")
        word = verdict.partition(",")[0].capitalize()
        if self._refused and self.record["winner"] == "scratch":
            word += "; learned from scratch"
        clip = {"clip": None, "still": None, "no_clip": self.clip}
        if isinstance(self.clip, Clip):
            clip["clip"] = data_uri("image/gif", self.clip.animation)
            clip["still"] = data_uri("image/png", self.clip.still)
        return rendered(
            "transfer.html",
            page={
                **clip,
                "title": f"{self.record['source']} → {self.record['target']}",
                "word": word,
                "kind": self._kind,
                "reason": reason or verdict,
                "learned": self.learned,
                "numbers": self._numbers(),
                "notes": self._notes(),
                "returns": self._returns(),
                "returns_rows": self._returns_rows(),
                "learning": self.curve and self._learning(self.curve),
                "arms": self.record["arms"],
                "home": self.home,
                "target": self.record["target"],
                "actor": self._actor,
                "steps": self._steps() if self.record["budget"] else None,
                "steps_text": self._steps_text(),
                "meanings": self.meanings[:_FIRST_ROWS],
                "more_meanings": self.meanings[_FIRST_ROWS:],
                "maps": self._maps(),
                "map_texts": self._map_texts(),
                "explanation": self.explanation,
                "weights": self._weights(),
                "attempts": self._attempts() if len(self.attempts) > 1 else None,
                "sources": self.record["sources"],
                "source_columns": SOURCE_COLUMNS,
                "source_cells": source_cells,
                "command": self.command,
                "facts": self.facts,
            },
        )

    @property
    def _refused(self) -> bool:
        return self.record["accepted"] is False

    @property
    def _kind(self) -> str:
        # Without a test it is neither.
        unproved = self.record["accepted"] is None
        return "unproved" if unproved else "bad" if self._refused else "good"

    @property
    def _actor(self) -> str:
        winner = self.record["winner"]
        if winner in ("student", "scratch"):
            return "the student" if winner == "student" else "learned from scratch"
        if winner == "refitted":
            return "through the mapping that was fitted anew"
        return "zero-shot, refused" if self._refused else "zero-shot"

    def _numbers(self) -> dict[str, str]:
        record = self.record
        named = "improved" if "improved" in self.figures else "zero-shot"
        shown = {f"{named} return": named, "random": "random"}
        returns = {
            text: f"{self.figures[name].mean_return:.1f}"
            for text, name in shown.items()
            if name in self.figures
        }
        log = record["target_data"]
        numbers = {
            **(returns or {"zero-shot return": "never tried"}),
            "target steps": f"{record['target_steps']:,} of {record['budget']:,}",
            **({} if log is None else {"logged steps": f"{log['used_steps']:,}"}),
            "time": f"{record['seconds']:.0f} s",
        }
        if record["threshold"] is not None:
            reached = record["steps_to_threshold"]
            words = "not reached" if reached is None else f"{reached:,} steps"
            numbers[f"to a return of {record['threshold']:g}"] = words
        return numbers

    def _notes(self) -> list[str]:
        record = self.record
        notes = [*record["notes"], *record["reproducibility_warnings"]]
        ignored = (
            f"{name} ignores the seed of reset" for name in record["seeds_ignored"]
        )
        few = (figure.warning for figure in self.figures.values())
        return [*notes, *ignored, *dict.fromkeys(filter(None, few))]

    def _returns(self) -> Markup:
        shown = charted(self.figures)

        def draw(figure: Figure) -> None:
            axes = figure.add_subplot()
            draw_returns(axes, shown, self.record["accepted"])
            axes.set_title("")

        told = ", ".join(f"{n} {one.mean_return:.1f}" for n, one in shown.items())
        height = 1.2 + 0.55 * len({"zero-shot", *shown})
        return figure_svg("returns", f"Mean returns: {told}", draw, height)

    def _returns_rows(self) -> list[dict[str, Any]]:
        rows = []
        for name, one in self.figures.items():
            low, high = one.ci95 or (None, None)
            interval = "n/a" if low is None else f"{low:.1f} to {high:.1f}"
            refused = name == "zero-shot" and self._refused
            rows.append(
                {
                    "name": f"{name} (refused)" if refused else name,
                    "refused": refused,
                    "mean": f"{one.mean_return:.1f}",
                    "interval": interval,
                    "iqm": f"{one.iqm:.1f}",
                    "episodes": one.episodes,
                }
            )
        return rows

    def _learning(self, curve: CurveShown) -> Markup:
        def draw(figure: Figure) -> None:
            axes = figure.add_subplot()
            draw_curve(axes, curve)
            axes.set_title("")
            legend = axes.get_legend()
            assert legend is not None
            legend.remove()
            # Beside it there is no room on a phone.
            figure.legend(loc="outside lower left", ncols=2)

        label = f"Learning curve, in the end {curve.points[-1][1]:.1f}"
        return figure_svg("learning", label, draw, 4.0)

    def _steps(self) -> Markup:
        steps = dict(self.record["steps"])
        left = self.record["budget"] - sum(steps.values())
        if left > 0:
            steps["not used"] = left

        def draw(figure: Figure) -> None:
            axes = figure.add_subplot()
            colours = ["tab:blue"] * len(steps)
            if left > 0:
                colours[-1] = "lightgray"
            bars = axes.barh(list(steps), list(steps.values()), color=colours)
            axes.bar_label(bars, [f"{count:,}" for count in steps.values()], padding=3)
            axes.invert_yaxis()
            axes.margins(x=0.25)
            axes.set_xlabel("target steps")

        height = 0.7 + 0.32 * len(steps)
        return figure_svg("steps", steps_by_purpose(steps), draw, height)

    def _steps_text(self) -> str:
        record = self.record
        logs = [logged_steps(record[f"{of}_data"]) for of in ("target", "source")]
        told = zip(logs, ("target", "source"), strict=True)
        logged = "".join(f" Logged in the {of}: {log}." for log, of in told if log)
        if not record["budget"]:
            return f"No step was taken in the target, not even to report.{logged}"
        text = (
            f"{record['target_steps']:,} of {record['budget']:,} target steps were "
            f"taken: {steps_by_purpose(record['steps'])}. {record['reported_steps']:,} "
            f"more behind the reported figures chose nothing and are not counted."
            f"{logged}"
        )
        again = record["steps_taken_again"]
        return f"{text} {again:,} were lost to an interruption." if again else text

    @property
    def _named_maps(self) -> tuple[tuple[LinearMap, str, str], ...]:
        return (
            (self.state_map, "State map", "variable"),
            (self.action_map, "Action map", "action"),
        )

    def _maps(self) -> list[dict[str, Any]]:
        found = []
        for linear, title, of in self._named_maps:
            if not linear.worth_showing:
                continue
            rows, columns = linear.values.shape
            height = min(1.7 + _INCH_A_CELL * rows, _MOST_INCHES)
            width = min(max(WIDTH, 1.9 + _INCH_A_CELL * columns), _MOST_INCHES)
            # Beside a small figure there is no room for it.
            shown = replace(linear, unit="")
            draw = partial(_draw_map, linear=shown, title=title, of=of)
            label = f"{title}: {columns} target to {rows} source numbers"
            found.append(
                {
                    "figure": figure_svg(title, label, draw, height, width),
                    "unit": " ".join(linear.unit.split()),
                    "wide": width > WIDTH,
                }
            )
        return found

    def _map_texts(self) -> list[str]:
        texts = []
        for linear, title, of in self._named_maps:
            if linear.changes_nothing:
                same = f"each target {of} is taken for the source's in the same place"
                texts.append(f"{title}: {same}.")
            elif not linear.worth_showing:
                value = f"{linear.values.item():.2f}"
                unit = " ".join(linear.unit.split())
                texts.append(f"{title}: one number, {value} ({unit}).")
        return texts

    def _weights(self) -> Markup | None:
        told = self.explanation
        if told.reason is not None:
            return None
        text = ", ".join(f"{one.target} {one.share:.0%}" for one in told.weights)
        height = min(0.8 + 0.28 * len(told.weights), _MOST_INCHES)
        return figure_svg("weights", f"What matters: {text}", told.draw, height)

    def _attempts(self) -> Markup:
        def draw(figure: Figure) -> None:
            grid = figure.add_gridspec(2, 1, height_ratios=(2, 1))
            returns = figure.add_subplot(grid[0])
            errors = figure.add_subplot(grid[1], sharex=returns)
            draw_attempts(returns, errors, self.attempts, self.figures.get("random"))
            returns.set_title("")

        label = f"Returns and alignment errors of {len(self.attempts)} candidates"
        return figure_svg("attempts", label, draw, 4.0)


def _draw_map(figure: Figure, *, linear: LinearMap, title: str, of: str) -> None:
    draw_map(figure.add_subplot(), linear, title, of)
