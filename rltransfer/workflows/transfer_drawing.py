"""The picture of a transfer, from what the transfer left behind."""

from pathlib import Path

from rltransfer.report.linear_maps import action_map, state_map
from rltransfer.report.returns_plot import Attempt, Bar
from rltransfer.report.transfer_picture import TransferPicture, draw_transfer
from rltransfer.workflows.environment_choice import EnvironmentChoice
from rltransfer.workflows.transfer_record import Attempted, TransferRecord


def draw(
    path: Path,
    target: EnvironmentChoice,
    best: Attempted,
    record: TransferRecord,
) -> None:
    """Draws the transfer that was kept."""
    alignment = best.alignment
    word = "accepted" if record.accepted else "refused"
    bars = [
        Bar("random", record.random),
        Bar("zero-shot", record.zero_shot),
        Bar("source at home", record.source_at_home),
    ]
    if record.improved is not None:
        bars.insert(2, Bar("improved", record.improved))
    draw_transfer(
        TransferPicture(
            title=f"{record.source} → {record.target}: {word}, "
            f"{record.target_steps:,} target steps",
            state_map=state_map(alignment, best.home, target),
            action_map=action_map(alignment, best.home, target),
            attempts=_attempts(best),
            bars=tuple(bars),
        ),
        path,
    )


def _attempts(best: Attempted) -> tuple[Attempt, ...]:
    alignment = best.alignment
    used = alignment.target.meter.taken.get("exploration", 0)
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
