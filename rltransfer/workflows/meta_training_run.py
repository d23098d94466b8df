"""A match network in training, with its folder and its time."""

import time
from contextlib import closing
from pathlib import Path
from typing import Any, final

from rltransfer.alignment.matching.match_training import MatchTraining
from rltransfer.alignment.matching.match_weights import write_match_network
from rltransfer.errors import ArtifactRefused, Stopped
from rltransfer.io import installed_versions, make_folder
from rltransfer.io.event_files import EventFile, event_path
from rltransfer.io.tensor_files import read_tensor_file, write_tensor_file
from rltransfer.resume.stop_signals import StopSignals
from rltransfer.workflows.example_process import drawn_examples
from rltransfer.workflows.progress_bars import progress_bars
from rltransfer_agents.loading.agent_files import mark_of

WEIGHTS, UNFINISHED = "matcher.safetensors", "training.safetensors"
_KIND = "rltransfer-match-training-1"
_SAVE_SECONDS = 60.0
_SHOW_EXAMPLES = 20
"""Examples between two lines of progress, which are their means."""


@final
class MetaTrainingRun:
    """A training with its folder and its time.

    Args:
        training: under way.
        folder: of the run.
        total: seconds in all.
        logs: folder for TensorBoard.
    """

    def __init__(
        self, training: MatchTraining, folder: Path, total: float, logs: Path
    ) -> None:
        self.training, self.folder, self.total, self.logs = (
            training,
            folder,
            total,
            logs,
        )
        self.seconds = 0.0
        self.processor_seconds = 0.0

    @classmethod
    def read(cls, folder: Path) -> "MetaTrainingRun":
        """Returns a run as it was saved last."""
        path = folder / UNFINISHED
        found = read_tensor_file(path, _KIND)
        said = found.content
        try:
            run = cls(
                MatchTraining(int(said["seed"])),
                folder,
                60 * float(said["minutes"]),
                Path(said["logs"]),
            )
            run.seconds = float(said["seconds"])
            run.processor_seconds = float(said["processor_seconds"])
            run.training.restore(
                found.arrays, int(said["updates"]), int(said["examples"])
            )
        except (KeyError, TypeError, ValueError, RuntimeError) as fault:
            raise ArtifactRefused(
                f"{path} is no training of this version ({fault}); go on with the "
                "version that wrote it, or start a new run"
            ) from fault
        return run

    @property
    def about(self) -> dict[str, Any]:
        """How the network was trained so far, as JSON."""
        return {
            "command": f"rltransfer meta-train --minutes {self.total / 60:g} "
            f"--seed {self.training.seed}",
            "seed": self.training.seed,
            "minutes": self.total / 60,
            "seconds": self.seconds,
            "processor_seconds": self.processor_seconds,
            "updates": self.training.updates,
            "examples": self.training.examples,
            "versions": installed_versions(),
        }

    def save(self) -> None:
        """Writes all that it goes on from."""
        about = {**self.about, "logs": str(self.logs)}
        path = self.folder / UNFINISHED
        write_tensor_file(path, _KIND, about, self.training.arrays())

    def train(self, shown: bool, stop: StopSignals) -> None:
        """Learns until the time is over, and writes the network.

        Args:
            shown: whether to show progress on standard error.
            stop: is asked after each example.

        Raises:
            Stopped: a signal asked for it; what was learned is kept.
        """
        training, means = self.training, _Means()
        make_folder(self.logs)
        path = event_path(self.logs, mark_of(self.folder))
        examples = drawn_examples(training.example_root, training.examples)
        with (
            closing(EventFile(path)) as events,
            progress_bars(shown) as bars,
            examples as coming,
        ):
            bar = bars.add_task("seconds", total=round(self.total), note="")
            saved = last = time.monotonic()
            spent = time.process_time()
            while self.seconds < self.total:
                score = training.learn(next(coming), self.seconds / self.total)
                now = time.monotonic()
                self.seconds += now - last
                self.processor_seconds += time.process_time() - spent
                last, spent = now, time.process_time()
                means.add(float(score.loss), float(score.right))
                if means.count == _SHOW_EXAMPLES:
                    loss, right = means.read()
                    events.add(
                        {"meta-train/loss": loss, "meta-train/right": right},
                        training.updates,
                    )
                    note = (
                        f"new systems: loss {loss:.2f}, {right:.0%} of variables right"
                    )
                    bars.update(bar, completed=round(self.seconds), note=note)
                if stop.asked or now - saved > _SAVE_SECONDS:
                    self.save()
                    saved = now
                if stop.asked:
                    raise Stopped("stopped before the end")
        self._finish()

    def _finish(self) -> None:
        """Writes the network, and removes what it would have gone on from."""
        path = self.folder / WEIGHTS
        write_match_network(path, self.training.network, self.about)
        (self.folder / UNFINISHED).unlink(missing_ok=True)


@final
class _Means:
    """Means of what the latest examples gave."""

    def __init__(self) -> None:
        self.count, self._loss, self._right = 0, 0.0, 0.0

    def add(self, loss: float, right: float) -> None:
        """Adds one example."""
        self.count += 1
        self._loss += loss
        self._right += right

    def read(self) -> tuple[float, float]:
        """Returns the means of both, and begins anew."""
        means = self._loss / self.count, self._right / self.count
        self.count, self._loss, self._right = 0, 0.0, 0.0
        return means
