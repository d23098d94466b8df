"""What came of a transfer, as Python, `--json` and the table say it."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

from rich.console import Group, RenderableType
from rich.text import Text
from typing_extensions import override

from rltransfer.domain import Policy
from rltransfer.evaluation import ReturnSummary
from rltransfer.io import copy_run
from rltransfer.report import Result
from rltransfer.report.learning_curve import CurveShown
from rltransfer.report.tables import (
    SOURCE_COLUMNS,
    facts,
    logged_steps,
    plain_table,
    returns_table,
    source_cells,
    steps_by_purpose,
)
from rltransfer.resume.reproducibility import Resumed
from rltransfer.workflows.environments import EnvironmentChoice
from rltransfer.workflows.learning_record import LearningRecord, record_part
from rltransfer.wrappers import SEEDS_IGNORED

RECORD = "transfer.json"


@final
@dataclass(frozen=True)
class SourceRecord:
    """What is known of one source; only the mapping of the kept one is tested."""

    source: str
    path: str
    sha256: str
    family: str | None
    """Of its best candidate, by name; None where every fit diverged."""
    alignment_error: float | None
    trials: int
    """Candidates of it that acted."""
    trial_return: float | None
    """What the best of them earned in its trial; None where none acted."""
    acceptance_return: float | None
    """Mean over the acceptance test; None where no episode of it was tested."""
    acceptance_stopped: bool
    """Whether episodes of it were stopped early: the mean is at least that."""
    home_return: float
    """Mean return in its own environment."""
    random_home_return: float
    """There, of random actions."""
    target_steps: int
    """Taken for it alone; exploring is shared."""
    accepted: bool | None
    kept: bool
    verdict: str
    """Of the test; of a source that was not kept, why there was none."""
    members: int = 0
    """Of the ensemble that is the answer; 0 where that is one mapping."""
    say: float | None = None
    """Their share in its actions, from 0 to 1; None where there are none."""


@final
@dataclass(frozen=True)
class TransferResult(Result):
    """One transfer; figures rest on fresh episodes that chose nothing."""

    policy: Policy
    """Acts in the target; its `predict` is that of a Stable-Baselines3 model."""
    folder: Path
    source: str
    source_environment: EnvironmentChoice
    target: EnvironmentChoice
    accepted: bool | None
    """Whether the mapping is better than random with confidence; None: not tested."""
    verdict: str
    budget: int
    steps: Mapping[str, int]
    """Counted target steps by purpose, of all sources."""
    reported_steps: int
    """Target steps of the episodes behind the figures; not counted."""
    seed: int
    report_seed: int
    """Of the first reported episode; episode i is reset with this + i."""
    random: ReturnSummary | None
    """None, as `zero_shot` is, where the target was never acted in."""
    source_at_home: ReturnSummary
    random_at_home: ReturnSummary
    zero_shot: ReturnSummary | None
    improved: ReturnSummary | None
    """Of what came out of learning on; None without `improve`."""
    sources: tuple[SourceRecord, ...]
    learning: LearningRecord | None = None
    """How learning on went; None without `improve`."""
    target_data: Mapping[str, Any] | None = None
    """Where logged steps of the target are from, with their hash; None without."""
    source_data: Mapping[str, Any] | None = None
    """Likewise of the kept source's environment."""
    notes: tuple[str, ...] = ()
    """What a reader of the figures should know."""
    picture: Path | None = None
    report: Path | None = None
    seconds: float = 0.0
    resumed: Resumed = "no"
    reproducibility_warnings: tuple[str, ...] = ()
    """Why the run may differ from one that was never interrupted."""
    seeds_ignored: tuple[str, ...] = ()
    """Environments in which two resets with one seed show different observations."""
    steps_taken_again: int = 0
    """Target steps lost to an interruption, as far as they are known.

    They changed nothing and are in no other count; `kill -9` leaves no count of them.
    """

    @property
    def target_steps(self) -> int:
        """Every step from which something was learned or chosen."""
        return sum(self.steps.values())

    @property
    def alignment_steps(self) -> int:
        """Those of them that finding and testing mappings took."""
        learning = self.learning
        return self.target_steps if learning is None else learning.alignment_steps

    @property
    def winner(self) -> str | None:
        """`mapped`, `student`, `scratch` or `refitted`: which `policy` is."""
        return None if self.learning is None else self.learning.winner

    @property
    def student(self) -> Path | None:
        """Zip of the Stable-Baselines3 model that came out, if one did."""
        return None if self.learning is None else self.learning.student

    @property
    def figures(self) -> dict[str, ReturnSummary]:
        """Returns of each policy, by the name that tables and pictures show."""
        named = {
            "random": self.random,
            "zero-shot": self.zero_shot,
            "improved": self.improved,
            "source at home": self.source_at_home,
            "random at home": self.random_at_home,
        }
        return {name: one for name, one in named.items() if one is not None}

    @property
    def learned(self) -> str | None:
        """What is said of learning on, with its caveats; None without `improve`."""
        if self.learning is None or self.improved is None or self.zero_shot is None:
            return None
        means = self.zero_shot.mean_return, self.improved.mean_return
        return self.learning.said(*means, accepted=self.accepted is True)

    @property
    def curve(self) -> CurveShown | None:
        """The learning curve as pictures show it; None without `improve`."""
        if self.learning is None:
            return None
        still = ("random", "zero-shot", "source at home")
        return self.learning.shown({n: self.figures[n].mean_return for n in still})

    def save(self, path: str | Path) -> Path:
        """Copies the run's folder to `path`, which must not exist, and returns it."""
        return copy_run(self.folder, Path(path))

    @override
    def as_json(self) -> dict[str, Any]:
        """Returns the object that `--json` prints."""
        figures = {
            re.sub(r"\W", "_", name): summary.as_json()
            for name, summary in self.figures.items()
        }
        return {
            "run": str(self.folder),
            "accepted": self.accepted,
            "verdict": self.verdict,
            "target_steps": self.target_steps,
            "alignment_steps": self.alignment_steps,
            "seconds": self.seconds,
            **dict.fromkeys(("random", "zero_shot", "improved")),
            **figures,
            **record_part(self.learning),
            "source": self.source,
            "source_env": self.source_environment.env_id,
            "source_kwargs": dict(self.source_environment.kwargs),
            "target": self.target.title,
            "seed": self.seed,
            "report_seed": self.report_seed,
            "target_data": self.target_data and dict(self.target_data),
            "source_data": self.source_data and dict(self.source_data),
            "budget": self.budget,
            "steps": dict(self.steps),
            "reported_steps": self.reported_steps,
            "sources": [asdict(source) for source in self.sources],
            "notes": list(self.notes),
            "picture": None if self.picture is None else str(self.picture),
            "report": None if self.report is None else str(self.report),
            "resumed": self.resumed,
            "reproducibility_warnings": list(self.reproducibility_warnings),
            "steps_taken_again": self.steps_taken_again,
            "seeds_ignored": list(self.seeds_ignored),
        }

    @override
    def __rich__(self) -> RenderableType:
        """Returns figures, steps and the verdict; sources where there are several."""
        parts: list[RenderableType] = [
            *(Text(f"note: {note}", style="yellow") for note in self.notes),
            returns_table(self.figures, title=f"{self.source} → {self.target.title}"),
        ]
        if len(self.sources) > 1:
            parts.append(_sources_table(self.sources))
        learning = self.learning
        if learning is not None:
            parts.append(learning.arms_table())
        steps = f"{self.target_steps:,} of {self.budget:,}: "
        steps = steps + steps_by_purpose(self.steps) if self.budget else "none"
        resumed = [self.resumed, *self.reproducibility_warnings]
        entries = [
            ("source at home", f"in {self.source_environment.title}"),
            ("target steps", steps),
            ("logged steps", logged_steps(self.target_data)),
            ("logged in source", logged_steps(self.source_data)),
            *(learning.facts() if learning is not None else ()),
            (
                "not counted",
                f"{self.reported_steps:,} in the fresh episodes above"
                + ("" if learning is None else " and of the learning curve")
                + ", which chose nothing"
                if self.budget
                else None,
            ),
            ("time", f"{self.seconds:.1f} s"),
            ("run", self.folder),
            ("picture", self.picture),
            ("report", self.report),
            *(("note", f"{name}: {SEEDS_IGNORED}") for name in self.seeds_ignored),
            ("resume", "; ".join(resumed) if self.resumed != "no" else None),
        ]
        colour = "green" if self.accepted else "yellow"
        verdict = Text(f"\n{self.verdict}", style=colour)
        learned = () if self.learned is None else (Text(self.learned),)
        return Group(*parts, facts(entries), verdict, *learned)


def _sources_table(sources: tuple[SourceRecord, ...]) -> RenderableType:
    table = plain_table(*SOURCE_COLUMNS)
    for row in sources:
        table.add_row(*source_cells(asdict(row)))
    return table
