"""Snapshots of a training: what one holds, and the last two in the run's folder."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from numbers import Real
from pathlib import Path
from typing import Annotated, Any, final

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    InstanceOf,
    NonNegativeInt,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from stable_baselines3.common.buffers import ReplayBuffer

from rltransfer.errors import ArtifactRefused, StorageError
from rltransfer.io import FirstError, make_folder, storage_faults, write_atomically
from rltransfer.io.nested_values import pack_nested, unpack_nested
from rltransfer.resume.reproducibility import changed_versions, computing_versions
from rltransfer_agents.training.algorithms import Learner
from rltransfer_agents.training.evaluations import (
    EvaluationHistory,
    Evaluations,
    PolicySnapshot,
)
from rltransfer_agents.training.learner_state import capture, restore
from rltransfer_agents.training.replay_rows import Mark, RowStore


@final
class TrainingSnapshot(BaseModel):
    """All from which a training that is between two rollouts can go on.

    The rows of a replay buffer are stored apart; they and the inside of the learner's
    state are checked where they are put back.
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    versions: dict[str, str]
    """Of packages and processor, on which the last bits depend."""
    seconds: Annotated[float, Field(ge=0)]
    """How long the run had trained by then."""
    reproducibility_warnings: list[str]
    """Why the run, if interrupted before, may differ from an uninterrupted one."""
    steps: NonNegativeInt
    learner: dict[str, Any]
    """The learner's state, item by item."""
    evaluations: EvaluationHistory
    best: PolicySnapshot | None
    log_lengths: dict[str, NonNegativeInt]
    """Bytes of each log file by its name."""
    pending_log: tuple[
        # As they are, because the kind of a number shapes the sums it goes into.
        dict[str, InstanceOf[Real]],
        dict[str, NonNegativeInt],
        dict[str, tuple[str, ...]],
    ]
    """Values, counts and exclusions that wait for the logger's next entry."""

    @model_validator(mode="after")
    def _has_a_best(self) -> "TrainingSnapshot":
        if (self.best is None) != (not self.evaluations.steps):
            raise ValueError("there must be a best agent where there are evaluations")
        return self

    def put_back(self, learner: Learner, evaluations: Evaluations) -> list[str]:
        """Puts all into this state; returns why the run may go on otherwise."""
        same_states = restore(learner, self.learner)
        evaluations.history = self.evaluations
        pending: tuple[Any, ...] = self.pending_log
        values, counts, exclusions = pending
        learner.logger.name_to_value.update(values)
        learner.logger.name_to_count.update(counts)
        learner.logger.name_to_excluded.update(exclusions)
        warnings = changed_versions(self.versions, computing_versions())
        if not same_states:
            warnings = [
                "the environments came to another state by the same actions, so their "
                "episodes were started again",
                *warnings,
            ]
        if learner.device.type != "cpu":
            warnings.append(f"sums on {learner.device.type} come in no fixed order")
        return warnings


def snapshot_of(
    learner: Learner,
    evaluations: Evaluations,
    best: PolicySnapshot | None,
    log_lengths: Mapping[str, int],
    seconds: float,
    reproducibility_warnings: Sequence[str],
) -> dict[str, Any]:
    """Returns the content of a `TrainingSnapshot` as plain data.

    Args:
        learner: between two rollouts.
        evaluations: so far.
        best: the best policy so far.
        log_lengths: bytes of each log file by its name.
        seconds: how long the run has trained.
        reproducibility_warnings: why it may differ from an uninterrupted one.
    """
    logger = learner.logger
    return {
        "versions": computing_versions(),
        "seconds": seconds,
        "reproducibility_warnings": list(reproducibility_warnings),
        "steps": learner.num_timesteps,
        "learner": capture(learner),
        "evaluations": vars(evaluations.history),
        "best": None if best is None else asdict(best),
        "log_lengths": dict(log_lengths),
        "pending_log": (
            dict(logger.name_to_value),
            dict(logger.name_to_count),
            dict(logger.name_to_excluded),
        ),
    }


def snapshot_from(state: Mapping[str, Any]) -> TrainingSnapshot:
    """Returns a snapshot from plain data; refuses one that lacks or adds a part."""
    try:
        return TrainingSnapshot.model_validate(dict(state))
    except ValidationError as fault:
        raise ArtifactRefused(
            f"the snapshot does not hold what one must ({FirstError.of(fault)}); "
            "use the version that wrote it or start a new run"
        ) from fault


_MARKS = TypeAdapter(list[Mark])

# Of the time of a training, snapshots take at most this share.
_SHARE = 0.02


@final
class SnapshotFiles:
    """The last two snapshots of one run.

    Args:
        folder: theirs alone.
        buffer: whose rows belong to them, if the algorithm has one.
        seconds: least time between two of them; 0 for one at every boundary.
    """

    def __init__(
        self, folder: Path, buffer: ReplayBuffer | None, seconds: float
    ) -> None:
        self._latest = make_folder(folder) / "state"
        self._previous = folder / "state.previous"
        self._rows = None if buffer is None else RowStore(folder / "rows", buffer)
        self._seconds = seconds
        self._next = time.monotonic() + seconds
        self._marks: list[Mark] = []
        self._latest_is_whole = False

    @property
    def due(self) -> bool:
        """Whether it is time for the next snapshot."""
        return time.monotonic() >= self._next

    def write(self, take: Callable[[], dict[str, Any]], rows_added: int) -> None:
        """Stores a snapshot; until that is done, the one before can be loaded.

        Args:
            take: takes the state, as plain data.
            rows_added: to the buffer, since the start of training.
        """
        start = time.monotonic()
        state = take()
        marks = [] if self._rows is None else self._rows.add(rows_added)
        data = pack_nested({**state, "marks": [asdict(mark) for mark in marks]})
        self._keep_previous()
        write_atomically(self._latest, data)
        self._latest_is_whole = True
        if self._rows is not None:
            self._rows.remove_all_but([*self._marks, *marks])
        self._marks = marks
        now = time.monotonic()
        rest = (now - start) / _SHARE if self._seconds else 0.0
        self._next = now + max(self._seconds, rest)

    def read(self) -> dict[str, Any] | None:
        """Returns the last snapshot that is whole, its rows put into the buffer.

        Raises:
            ArtifactRefused: if there are snapshots, but none that is whole.
        """
        faults = []
        for path in (self._latest, self._previous):
            if not path.exists():
                continue
            try:
                state = self._read(path)
            except (ArtifactRefused, StorageError) as fault:
                faults.append(f"{path}: {fault}")
            else:
                self._latest_is_whole = path == self._latest
                return state
        if faults:
            raise ArtifactRefused(
                f"no snapshot is whole ({'; '.join(faults)}); start a new run"
            )
        return None

    def _read(self, path: Path) -> dict[str, Any]:
        with storage_faults(path):
            data = path.read_bytes()
        state = unpack_nested(data)
        if not isinstance(state, dict):
            raise ArtifactRefused("not a snapshot of a training")
        try:
            marks = _MARKS.validate_python(state.pop("marks", None))
        except ValidationError as fault:
            raise ArtifactRefused("it does not say which rows belong to it") from fault
        if self._rows is not None:
            self._rows.read(marks)
        self._marks = marks
        return state

    def _keep_previous(self) -> None:
        # A damaged one gives way to the next, never to the whole one before it.
        if not self._latest_is_whole:
            return
        # A second name for the same file, so that the first one never goes missing.
        link = self._previous.with_name(f".{self._previous.name}.tmp")
        with storage_faults(self._previous):
            link.unlink(missing_ok=True)
            os.link(self._latest, link)
            os.replace(link, self._previous)
