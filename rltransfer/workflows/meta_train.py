"""Training the match network anew, and how well it then does on held-out systems."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from rich.console import Group, RenderableType
from typing_extensions import override

from rltransfer.alignment.matching.held_out import HeldOutScores, held_out_scores
from rltransfer.alignment.matching.match_training import MatchTraining
from rltransfer.alignment.matching.match_weights import (
    match_network_facts,
    read_match_network,
)
from rltransfer.argument_checks import require_at_least, require_seed
from rltransfer.errors import InputError
from rltransfer.io import (
    locked,
    next_run_folder,
    require_writable,
    sha256_of,
)
from rltransfer.one_thread import one_thread
from rltransfer.report import Result
from rltransfer.report.tables import facts, plain_table
from rltransfer.resume.stop_signals import StopSignals, resumable, resume_command
from rltransfer.workflows.meta_training_run import (
    UNFINISHED,
    WEIGHTS,
    MetaTrainingRun,
)

MINUTES, HELD_OUT = 25.0, 40


@final
@dataclass(frozen=True)
class MetaTrainingResult(Result):
    """A match network that was trained, and how well it does."""

    folder: Path
    facts: dict[str, Any]
    """How it was trained."""
    sha256: str
    """Of its file."""
    held_out: tuple[HeldOutScores, ...]

    @property
    def weights(self) -> Path:
        """Its file."""
        return self.folder / WEIGHTS

    @override
    def as_json(self) -> dict[str, Any]:
        """Returns the object that `--json` prints."""
        return {
            "run": str(self.folder),
            "weights": str(self.weights),
            "sha256": self.sha256,
            **self.facts,
            "held_out": [scores._asdict() for scores in self.held_out],
        }

    @override
    def __rich__(self) -> RenderableType:
        """Returns the held-out table and how the network was trained."""
        table = plain_table(
            "target rows",
            "pairs",
            "variables right",
            "whole map, first",
            "in a beam",
            "without network",
            "both",
            title="made-up systems that it never saw",
        )
        for one in self.held_out:
            shares = one.variables, one.first, one.beam, one.influence, one.union
            cells = [f"{share:.2f}" for share in shares]
            table.add_row(f"{one.rows:,}", str(one.pairs), *cells)
        entries = [
            ("weights", self.weights),
            ("SHA-256", self.sha256),
            ("updates", f"{self.facts['updates']:,}"),
            ("examples", f"{self.facts['examples']:,}"),
            ("seed", self.facts["seed"]),
        ]
        return Group(table, facts(entries))


def meta_train(
    *,
    minutes: float = MINUTES,
    seed: int = 0,
    held_out: int = HELD_OUT,
    log_folder: str | Path = "runs",
    tensorboard_log: str | Path | None = None,
    progress: bool = False,
    handle_signals: bool = False,
) -> MetaTrainingResult:
    """Trains a match network on made-up systems; no environment takes part.

    Args:
        minutes: how long; the learning rate falls over that time.
        seed: of weights and systems. As time decides how much is learned, two runs of
            one seed differ.
        held_out: pairs of systems that it never saw, by which it is judged.
        log_folder: the run's folder becomes `log_folder/meta-train/matcher_N`.
        tensorboard_log: folder for TensorBoard; by default in the run's folder.
        progress: whether to show it on standard error.
        handle_signals: whether SIGINT and SIGTERM stop it where nothing is lost.

    Raises:
        InputError: wrong arguments.
        Stopped: a signal ended it; what was learned is kept.
    """
    if not (math.isfinite(minutes) and minutes > 0):
        raise InputError(f"--minutes must be above 0, got {minutes}; 25 were shipped")
    require_seed(seed)
    require_at_least("--held-out", held_out, 1)
    require_writable(Path(log_folder))
    folder = next_run_folder(Path(log_folder), "meta-train", "matcher")
    logs = folder / "tensorboard" if tensorboard_log is None else Path(tensorboard_log)
    run = MetaTrainingRun(MatchTraining(seed), folder, 60 * minutes, logs)
    with locked(folder):
        run.save()
        return _finished(run, held_out, progress, handle_signals)


def resume_meta_training(
    folder: str | Path,
    *,
    held_out: int = HELD_OUT,
    progress: bool = False,
    handle_signals: bool = False,
) -> MetaTrainingResult:
    """Goes on with an interrupted training; a finished one is only evaluated.

    Args:
        folder: of the run.
        held_out: as for `meta_train`.
        progress: likewise.
        handle_signals: likewise.

    Raises:
        InputError: there is no such run.
        ArtifactRefused: its file is damaged.
    """
    folder = Path(folder)
    if not any((folder / name).is_file() for name in (WEIGHTS, UNFINISHED)):
        raise InputError(
            f"--resume takes the folder of a meta-training, got {folder}; name one "
            "such as runs/meta-train/matcher_1"
        )
    require_at_least("--held-out", held_out, 1)
    with locked(folder):
        if (folder / WEIGHTS).is_file():
            return _result(folder, held_out)
        return _finished(
            MetaTrainingRun.read(folder), held_out, progress, handle_signals
        )


def _finished(
    run: MetaTrainingRun, held_out: int, shown: bool, handle_signals: bool
) -> MetaTrainingResult:
    def command() -> str:
        # Also while a finished network is evaluated: that is then done again.
        return resume_command("meta-train", run.folder, ())

    stop = StopSignals(1, lambda: evaluating, handle_signals)
    evaluating = False
    with resumable(command, handle_signals), stop, one_thread():
        run.train(shown, stop)
        evaluating = True
        return _result(run.folder, held_out)


def _result(folder: Path, held_out: int) -> MetaTrainingResult:
    path = folder / WEIGHTS
    network = read_match_network(path)
    scores = held_out_scores(network, held_out)
    return MetaTrainingResult(
        folder, match_network_facts(path), sha256_of(path), tuple(scores)
    )
