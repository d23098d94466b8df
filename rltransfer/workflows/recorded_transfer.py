"""What a transfer was asked for, as its replay log keeps it until it is finished."""

import ast
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, final

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError

from rltransfer.domain import LoggedRows
from rltransfer.errors import ArtifactRefused, InputError
from rltransfer.io import MANIFEST_NAME, read_manifest
from rltransfer.resume.replay_log import is_replay_log, read_request
from rltransfer.workflows.environments import EnvironmentChoice
from rltransfer.workflows.learning_request import LearningRequest
from rltransfer.workflows.transfer_request import NO_LOG, TransferRequest
from rltransfer_agents.loading import LoadedPolicy
from rltransfer_agents.loading.agent_files import require_own_files, require_own_logs
from rltransfer_agents.loading.environment_spec import (
    require_harmless,
    require_registered,
)
from rltransfer_agents.loading.hub import is_on_hub
from rltransfer_agents.loading.refusal import printable, refusals_about

_VERB = "transfer"
_MOST_EPISODES = 10**6
_LONGEST_VALUE = 10**4


def replay_log_folder(run: Path) -> Path:
    """Returns where a run keeps what it goes on from; hidden, as it is no result."""
    return run / ".resume"


def recorded_request(
    request: TransferRequest,
    loaded: Sequence[LoadedPolicy],
    target_log: LoggedRows | None = None,
    source_logs: Sequence[LoggedRows | None] = (),
) -> dict[str, Any]:
    """Returns all that shapes the result, as JSON.

    Args:
        request: what was asked for.
        loaded: the sources.
        target_log: what was read of the target's log.
        source_logs: likewise of the sources'; empty, or one for each.
    """
    tensorboard = request.tensorboard_folder
    return {
        "verb": _VERB,
        "sources": [
            {
                "path": str(policy.path.resolve()),
                "sha256": policy.sha256,
                "statistics": policy.statistics_choice,
            }
            for policy in loaded
        ],
        "source_env": list(request.source_environments),
        "source_kwargs": _as_text(request.source_kwargs),
        "target": request.target.env_id,
        "target_kwargs": _as_text(request.target.kwargs),
        "target_data": target_log and _log(target_log),
        "source_data": [log and _log(log) for log in source_logs],
        "budget": request.budget,
        "episodes": request.episodes,
        "seed": request.seed,
        "tensorboard_log": None if tensorboard is None else str(tensorboard.resolve()),
        "hyperparams": dict(request.hyperparams),
        "weak_source": request.weak_source,
        # It changes no number, but what the replay log holds.
        "cache": request.cache,
        "report": request.report,
        "altered": request.alter is not None,
        "align": asdict(request.align_config()),
        "learning": None if request.learning is None else asdict(request.learning),
    }


def _log(log: LoggedRows) -> dict[str, str]:
    return {"origin": log.origin, "sha256": log.sha256}


def _as_text(kwargs: Mapping[str, Any]) -> dict[str, str]:
    # As literals of Python: JSON would make lists of tuples.
    return {name: repr(value) for name, value in kwargs.items()}


def require_transfer(run: Path) -> None:
    """Raises unless `run` is the folder of a transfer, finished or not."""
    # Before anything is read: what goes on here writes here.
    require_own_files(run)
    # The replay log first: a run that ends now writes its manifest before that goes.
    if is_replay_log(replay_log_folder(run)):
        return
    if (run / MANIFEST_NAME).is_file() and read_manifest(run).verb == _VERB:
        return
    raise InputError(
        "--resume takes the folder of one run of transfer, got "
        f"{printable(run)}; name a folder such as runs/transfer/Acrobot-v1_1"
    )


def interrupted_request(run: Path, typed: Collection[str]) -> TransferRequest:
    """Returns what the interrupted transfer in `run` was asked for.

    Args:
        run: its folder.
        typed: environments that the user named: what a file may not import by itself.
    """
    try:
        request = read_request(replay_log_folder(run))["request"]
        recorded = _ADAPTER.validate_python(request)
    except (KeyError, ValidationError) as fault:
        raise ArtifactRefused(
            f"{printable(run)} holds no request of a transfer; start a new run"
        ) from fault
    if recorded.altered:
        raise InputError(
            "a run goes on from what its folder knows, and a function that alters the "
            f"mapping, as in {printable(run)}, is not there; start a new run"
        )
    named = [source.statistics for source in recorded.sources]
    tensorboard = recorded.tensorboard_log
    logs = None if tensorboard is None else Path(tensorboard)
    if any(is_on_hub(source.path) for source in recorded.sources):
        # What was fetched is named by its place in the cache: nothing is fetched here.
        raise ArtifactRefused(
            f"the agents of a run that goes on must lie on this disk, {printable(run)} "
            "has one on the hub; start a new run"
        )
    with refusals_about(printable(run)):
        for env_id in (recorded.target, *recorded.source_env):
            require_registered(env_id, typed=typed)
        target_kwargs, source_kwargs = (
            require_harmless(kwargs, typed=typed)
            for kwargs in (recorded.target_kwargs, recorded.source_kwargs)
        )
    if logs is not None:
        require_own_logs(logs, run)
    return TransferRequest(
        sources=tuple(Path(source.path) for source in recorded.sources),
        target=EnvironmentChoice(recorded.target, target_kwargs),
        source_environments=tuple(recorded.source_env),
        source_kwargs=source_kwargs,
        digests=tuple(source.sha256 for source in recorded.sources),
        # All are named, or none is.
        statistics=tuple(name for name in named if name is not None),
        target_data=recorded.target_data and recorded.target_data.origin,
        # All are named, or none is.
        source_data=tuple(log.origin if log else NO_LOG for log in recorded.source_data)
        if any(recorded.source_data)
        else (),
        budget=recorded.budget,
        seed=recorded.seed,
        log_folder=run.parent.parent,
        episodes=recorded.episodes,
        hyperparams=recorded.hyperparams,
        weak_source=recorded.weak_source,
        cache=recorded.cache,
        report=recorded.report,
        tensorboard_folder=logs,
        learning=recorded.learning,
    )


@final
@dataclass(frozen=True)
class _RecordedLog:
    origin: str
    sha256: str


@final
@dataclass(frozen=True)
class _RecordedSource:
    path: str
    sha256: str
    statistics: str | None = None


def _value_of(literal: str) -> Any:
    try:
        return ast.literal_eval(literal)
    except (SyntaxError, TypeError, RecursionError, MemoryError) as fault:
        raise ValueError("no literal of Python") from fault


_Literal = Annotated[str, Field(max_length=_LONGEST_VALUE), AfterValidator(_value_of)]


@final
@dataclass(frozen=True)
class _Recorded:
    """What `recorded_request` wrote."""

    __pydantic_config__: ClassVar[ConfigDict] = {"extra": "forbid"}

    verb: str
    sources: Annotated[list[_RecordedSource], Field(min_length=1)]
    source_env: list[str]
    target: str
    target_kwargs: dict[str, _Literal]
    budget: int
    episodes: Annotated[int, Field(le=_MOST_EPISODES)]
    seed: int
    tensorboard_log: str | None
    align: dict[str, Any]
    source_kwargs: dict[str, _Literal] = field(default_factory=dict)
    target_data: _RecordedLog | None = None
    source_data: list[_RecordedLog | None] = field(default_factory=list)
    hyperparams: dict[str, Any] = field(default_factory=dict)
    weak_source: bool = False
    cache: bool = False
    report: bool = False
    altered: bool = False
    learning: LearningRequest | None = None


_ADAPTER = TypeAdapter(_Recorded)
