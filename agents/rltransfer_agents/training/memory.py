"""What a snapshot of a training holds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, final

from rltransfer.domain.replay_log import surroundings
from rltransfer_agents.loading.running_statistics import statistics_from
from rltransfer_agents.training.acting import Kept
from rltransfer_agents.training.parts import Parts
from rltransfer_agents.training.snapshots import capture
from rltransfer_agents.training.snapshots.sealed import SealedBest, sealed_from


@final
@dataclass(frozen=True, eq=False)
class Memory:
    """A snapshot, read."""

    surroundings: dict[str, str]
    """Versions and processor, on which the last bits depend."""
    seconds: float
    """How long the run had trained by then."""
    doubts: list[str]
    """Why the run, interrupted before, may already have gone another way."""
    steps: int
    learner: dict[str, Any]
    evaluations: dict[str, list[Any]]
    best: Kept | None
    log_lengths: dict[str, int]
    pending: tuple[dict[str, Any], dict[str, Any], dict[str, Any]]
    """Values of the last update that wait for the next entry of the log."""


def remember(
    parts: Parts, best: Kept | None, seconds: float, doubts: list[str]
) -> dict[str, Any]:
    """Returns all from which a training that stands between rollouts can go on.

    Args:
        parts: of the training.
        best: the best agent so far.
        seconds: how long the run has trained.
        doubts: why the run may have gone another way than without interruption.
    """
    logger = parts.learner.logger
    return {
        "surroundings": surroundings(),
        "seconds": seconds,
        "doubts": list(doubts),
        "steps": parts.learner.num_timesteps,
        "learner": capture(parts.learner),
        "evaluations": parts.evaluations.history(),
        "best": None if best is None else asdict(best),
        "log_lengths": parts.logs.lengths(),
        "pending": (
            dict(logger.name_to_value),
            dict(logger.name_to_count),
            dict(logger.name_to_excluded),
        ),
    }


def memory_from(state: Mapping[str, Any]) -> Memory:
    """Returns what was remembered; refuses what no snapshot holds."""
    sealed = sealed_from(state)
    parts = {
        **vars(sealed),
        "evaluations": vars(sealed.evaluations),
        "best": None if sealed.best is None else _kept(sealed.best),
    }
    return Memory(**parts)


def _kept(best: SealedBest) -> Kept:
    seen = best.statistics
    return Kept(
        best.weights, None if seen is None else statistics_from(seen, "the snapshot")
    )
