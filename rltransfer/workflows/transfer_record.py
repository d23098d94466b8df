"""What came of a transfer, as `--json` and the table say it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, final

from pydantic import AfterValidator, TypeAdapter, ValidationError
from rich.console import Group, RenderableType
from rich.text import Text

from rltransfer.alignment import Alignment
from rltransfer.errors import ArtifactRefused
from rltransfer.evaluation import ReturnSummary
from rltransfer.io import FirstError, read_json
from rltransfer.report.tables import facts, plain_table, returns_table, steps_told
from rltransfer.resume.reproducibility import Resumed
from rltransfer.workflows.environment_choice import EnvironmentChoice
from rltransfer.workflows.source_agents import LoadedPolicy


@final
@dataclass(frozen=True)
class SourceRecord:
    """How the alignment with one source went."""

    source: str
    path: str
    family: str
    """Of its best candidate, by name."""
    alignment_error: float
    acceptance_return: float | None
    """Mean over the episodes of the acceptance test; None where there were none."""
    target_steps: int
    accepted: bool
    kept: bool
    verdict: str


@final
@dataclass(frozen=True)
class TransferRecord:
    """One transfer; figures rest on fresh episodes that chose nothing."""

    run: Path
    source: str
    target: str
    accepted: bool
    verdict: str
    budget: int
    steps: Mapping[str, int]
    """Counted target steps by purpose, of all sources."""
    reported_steps: int
    """Target steps of the episodes behind the figures; not counted."""
    seconds: float
    seed: int
    random: ReturnSummary
    source_at_home: ReturnSummary
    zero_shot: ReturnSummary
    improved: ReturnSummary | None
    sources: tuple[SourceRecord, ...]
    picture: Path | None = None
    resumed: Resumed = "no"
    reproducibility_warnings: tuple[str, ...] = ()
    """Why the run may differ from one that was never interrupted."""
    steps_taken_again: int = 0
    """Target steps of stretches that a stop broke off, as far as they are known.

    They changed nothing and are in no other count; `kill -9` leaves none to know of.
    """

    @property
    def target_steps(self) -> int:
        """Every step from which something was learned or chosen."""
        return sum(self.steps.values())

    def as_json(self) -> dict[str, Any]:
        """Returns the object that `--json` prints."""
        improved = self.improved
        return {
            "run": str(self.run),
            "accepted": self.accepted,
            "verdict": self.verdict,
            "target_steps": self.target_steps,
            "seconds": self.seconds,
            "random": self.random.as_json(),
            "source_at_home": self.source_at_home.as_json(),
            "zero_shot": self.zero_shot.as_json(),
            "improved": None if improved is None else improved.as_json(),
            "source": self.source,
            "target": self.target,
            "seed": self.seed,
            "budget": self.budget,
            "steps": dict(self.steps),
            "reported_steps": self.reported_steps,
            "sources": [asdict(source) for source in self.sources],
            "picture": None if self.picture is None else str(self.picture),
            "resumed": self.resumed,
            "reproducibility_warnings": list(self.reproducibility_warnings),
            "steps_taken_again": self.steps_taken_again,
        }

    def as_table(self) -> RenderableType:
        """Returns figures, steps and the verdict; sources where there are several."""
        rows = [
            ("random", self.random),
            ("zero-shot", self.zero_shot),
            ("source at home", self.source_at_home),
        ]
        if self.improved is not None:
            rows.insert(2, ("improved", self.improved))
        parts: list[RenderableType] = [
            returns_table(rows, title=f"{self.source} → {self.target}")
        ]
        if len(self.sources) > 1:
            parts.append(self._sources_table())
        steps = f"{self.target_steps:,} of {self.budget:,}: {steps_told(self.steps)}"
        reported = f"{self.reported_steps:,} in the fresh episodes above"
        told = [
            ("target steps", steps),
            ("not counted", f"{reported}, which chose nothing"),
            ("time", f"{self.seconds:.1f} s"),
            ("run", str(self.run)),
        ]
        if self.picture is not None:
            told.append(("picture", str(self.picture)))
        if self.resumed != "no":
            told.append(
                ("resume", "; ".join((self.resumed, *self.reproducibility_warnings)))
            )
        colour = "green" if self.accepted else "yellow"
        return Group(*parts, facts(told), Text(f"\n{self.verdict}", style=colour))

    def _sources_table(self) -> RenderableType:
        table = plain_table(
            "source",
            "family",
            "alignment error",
            "acceptance test",
            "target steps",
            "verdict",
            "kept",
        )
        for row in self.sources:
            acceptance = (
                "-" if row.acceptance_return is None else f"{row.acceptance_return:.1f}"
            )
            table.add_row(
                row.source,
                row.family,
                f"{row.alignment_error:.3f}",
                acceptance,
                f"{row.target_steps:,}",
                "accepted" if row.accepted else "refused",
                "yes" if row.kept else "no",
            )
        return table


RECORD = "transfer.json"


def _with_verdict(record: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(record.get("verdict"), str):
        raise ValueError("it has no verdict")
    return record


_ADAPTER: TypeAdapter[dict[str, Any]] = TypeAdapter(
    Annotated[dict[str, Any], AfterValidator(_with_verdict)]
)


@final
@dataclass(frozen=True)
class FinishedTransfer:
    """What a finished run says about itself; nothing was done."""

    folder: Path
    record: dict[str, Any]

    @classmethod
    def at(cls, folder: Path) -> "FinishedTransfer":
        """Returns the finished run in `folder`."""
        path = folder / RECORD
        if not path.is_file():
            raise _refusal(path, "the file is gone")
        try:
            return cls(folder, _ADAPTER.validate_python(read_json(path)))
        except ValidationError as fault:
            raise _refusal(path, FirstError.of(fault).message) from fault

    def as_json(self) -> dict[str, Any]:
        """Returns the object that the run printed at its end."""
        return self.record

    def as_table(self) -> RenderableType:
        """Returns that there was nothing to do, and the verdict."""
        return facts(
            [
                ("resume", "nothing to do, the run is finished"),
                ("verdict", self.record["verdict"]),
                ("run", str(self.folder)),
            ]
        )


def _refusal(path: Path, reason: str) -> ArtifactRefused:
    return ArtifactRefused(
        f"{path} does not tell what came of the transfer ({reason}); restore the file, "
        "or make the transfer again with the same options"
    )


@final
@dataclass(frozen=True, eq=False)
class Attempted:
    """One source, and how aligning it went."""

    loaded: LoadedPolicy
    home: EnvironmentChoice
    alignment: Alignment

    @property
    def rank(self) -> tuple[bool, float]:
        """Smaller is better: accepted first, then by measured return."""
        return self.alignment.rank

    def record(self, kept: bool) -> SourceRecord:
        """Returns its row in the table of sources."""
        acceptance, chosen = self.alignment.acceptance, self.alignment.chosen
        return SourceRecord(
            source=self.loaded.title,
            path=str(self.loaded.path),
            family=chosen.candidate.family.name,
            alignment_error=chosen.candidate.alignment_error,
            acceptance_return=float(acceptance.returns.mean())
            if len(acceptance.returns)
            else None,
            target_steps=self.alignment.target.meter.used,
            accepted=acceptance.accepted,
            kept=kept,
            verdict=acceptance.verdict,
        )
