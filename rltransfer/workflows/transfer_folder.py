"""What a finished transfer leaves: mapping, picture, record and manifest."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

from rltransfer.alignment import Alignment
from rltransfer.domain import describe_space
from rltransfer.io import (
    Manifest,
    installed_versions,
    write_json,
    write_manifest,
)
from rltransfer.report.linear_maps import action_map, state_map
from rltransfer.report.returns_plot import Attempt, Bar
from rltransfer.report.transfer_picture import TransferPicture, draw_transfer
from rltransfer.translation import save_translation
from rltransfer.workflows.transfer_description import AGAIN, MAPPING_FOLDER, REPORTED
from rltransfer.workflows.transfer_request import TransferRequest
from rltransfer.workflows.transfer_result import RECORD, SourceRecord, TransferResult
from rltransfer_agents.loading import LoadedPolicy


@final
@dataclass(frozen=True, eq=False)
class AlignedSource:
    """One source, and how aligning it went."""

    loaded: LoadedPolicy
    alignment: Alignment

    @property
    def rank(self) -> tuple[bool, float]:
        """Smaller is better: accepted first, then by measured return."""
        return self.alignment.rank

    def record(self, kept: bool) -> SourceRecord:
        """Returns its row in the table of sources."""
        acceptance, chosen = self.alignment.acceptance, self.alignment.chosen
        tested = acceptance.returns
        return SourceRecord(
            source=self.loaded.title,
            path=str(self.loaded.path),
            family=chosen.candidate.family.name,
            alignment_error=chosen.candidate.alignment_error,
            acceptance_return=float(tested.mean()) if len(tested) else None,
            target_steps=self.alignment.target.budget.used,
            accepted=acceptance.accepted,
            kept=kept,
            verdict=acceptance.verdict,
        )


def write_transfer(
    request: TransferRequest, best: AlignedSource, result: TransferResult
) -> None:
    """Writes all that a finished transfer leaves into its folder.

    Args:
        request: what was asked for.
        best: the source that was kept.
        result: what came of it.
    """
    folder, target = result.folder, best.alignment.target
    save_translation(folder / MAPPING_FOLDER, best.alignment.policy.translation)
    draw(folder / "transfer.png", best, result)
    write_json(folder / RECORD, result.as_json())
    write_manifest(
        folder,
        Manifest(
            verb="transfer",
            versions=installed_versions(),
            seeds={"transfer": request.seed},
            steps={
                **result.steps,
                REPORTED: result.reported_steps,
                AGAIN: result.steps_taken_again,
            },
            spaces={
                "observation": describe_space(target.observation_space),
                "action": describe_space(target.action_space),
            },
            settings={
                "target": request.target.env_id,
                "target_kwargs": dict(request.target.kwargs),
                "source": str(best.loaded.path.resolve()),
                "source_env": best.loaded.env_id,
                "source_kwargs": dict(best.loaded.env_kwargs),
                "source_sha256": best.loaded.sha256,
                "source_statistics": best.loaded.statistics_choice,
                "budget": request.budget,
            },
            results={
                "accepted": result.accepted,
                "verdict": result.verdict,
                "resumed": result.resumed,
                "reproducibility_warnings": list(result.reproducibility_warnings),
                "seeds_ignored": list(result.seeds_ignored),
            },
        ),
    )


def draw(path: Path, best: AlignedSource, result: TransferResult) -> None:
    """Draws the transfer that was kept, on one page."""
    alignment = best.alignment
    ids = result.source_environment.env_id, result.target.env_id
    bars = [
        Bar("random", result.random),
        Bar("zero-shot", result.zero_shot),
        Bar("source at home", result.source_at_home),
    ]
    if result.improved is not None:
        bars.insert(2, Bar("improved", result.improved))
    word = "accepted" if result.accepted else "refused"
    draw_transfer(
        TransferPicture(
            title=f"{result.source} → {result.target.title}: {word}, "
            f"{result.target_steps:,} target steps",
            state_map=state_map(alignment, *ids),
            action_map=action_map(alignment, *ids),
            attempts=_attempts(alignment),
            bars=tuple(bars),
        ),
        path,
    )


def _attempts(alignment: Alignment) -> tuple[Attempt, ...]:
    used = alignment.target.budget.taken.get("exploration", 0)
    attempts = []
    for trial in alignment.trials:
        used += len(trial.rollout.transitions)
        attempts.append(
            Attempt(
                round=trial.round + 1,
                target_steps=used,
                mean_return=trial.score,
                alignment_error=trial.candidate.alignment_error,
                chosen=trial.policy is alignment.policy,
            )
        )
    return tuple(attempts)
