"""What a transfer is asked for; kept in its folder until it is finished."""

import ast
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, final

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from rltransfer.alignment import AlignConfig
from rltransfer.argument_checks import (
    REPORTED_EPISODES,
    TARGET_STEPS,
    require_at_least,
    require_seed,
)
from rltransfer.errors import ArtifactRefused, InputError
from rltransfer.io import MANIFEST_NAME, read_manifest
from rltransfer.random_streams import RandomStreams
from rltransfer.resume.replay_log import is_replay_log, read_request
from rltransfer.workflows.align_settings import with_value
from rltransfer.workflows.environments import EnvironmentChoice, Stepping
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


@final
@dataclass(frozen=True)
class TransferRequest:
    """Checked as far as that needs neither files nor environments."""

    sources: tuple[Path | LoadedPolicy, ...]
    target: EnvironmentChoice
    source_environments: tuple[str, ...] = ()
    """None, one for all sources, or one for each."""
    source_kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Replace recorded arguments of the sources' environments, one by one."""
    weak_source: bool = False
    """Whether a source may be no better than random in its own environment."""
    digests: tuple[str, ...] = ()
    """SHA-256 that the sources must have; none, or one for each."""
    statistics: tuple[str, ...] = ()
    """Files of the sources' statistics, or `none`; empty, or one for each."""
    budget: int = TARGET_STEPS
    """Target steps of all sources together."""
    seed: int = 0
    log_folder: Path = Path("runs")
    episodes: int = REPORTED_EPISODES
    """Fresh ones for each reported figure; they choose nothing."""
    hyperparams: Mapping[str, Any] = field(default_factory=dict)
    """Replace values of `AlignConfig`, such as `restarts` or `learning.updates`."""
    progress: bool = False
    tensorboard_folder: Path | None = None
    stepping: Stepping = field(default_factory=Stepping)

    def __post_init__(self) -> None:
        require_at_least("--n-timesteps", self.budget, 1)
        reason = "figures on fewer say little"
        require_at_least("--episodes", self.episodes, REPORTED_EPISODES, reason)
        require_seed(self.seed)
        if not self.sources:
            raise InputError("a transfer needs at least one --source, got none")
        named = len(self.source_environments)
        if named > 1 and named != len(self.sources):
            raise InputError(
                "--env is given once, or once for each --source, got "
                f"{named} for {len(self.sources)}; name one for each"
            )
        if self.statistics and len(self.statistics) != len(self.sources):
            raise InputError(
                "--statistics is given once for each --source, got "
                f"{len(self.statistics)} for {len(self.sources)}; name one for each, "
                "none where a source has none"
            )
        if self.digests and len(self.digests) != len(self.sources):
            raise InputError(
                "--sha256 is given once for each --source, got "
                f"{len(self.digests)} for {len(self.sources)}; name one for each"
            )
        self.align_config()

    @property
    def share(self) -> int:
        """Target steps that each source may use."""
        return self.budget // len(self.sources)

    def source_environment(self, place: int) -> str | None:
        """Returns the environment named for the source at `place`, if one is."""
        if len(self.source_environments) > 1:
            return self.source_environments[place]
        return next(iter(self.source_environments), None)

    def digest(self, place: int) -> str | None:
        """Returns the SHA-256 that the source at `place` must have, if one is given."""
        return self.digests[place] if self.digests else None

    def statistics_of(self, place: int) -> str | None:
        """Returns the statistics named for the source at `place`, if any are."""
        return self.statistics[place] if self.statistics else None

    @property
    def streams(self) -> RandomStreams:
        """One independent stream of random numbers for each use."""
        return RandomStreams(self.seed, *_USES)

    def align_config(self) -> AlignConfig:
        """Returns effort and rules of the alignment with each source."""
        config = AlignConfig(
            seed=self.seed,
            spawn_key=self.streams.sequence("alignment").spawn_key,
            sources=len(self.sources),
        )
        for name, value in self.hyperparams.items():
            config = with_value(config, name, value)
        return config


_USES = ("alignment", "report", "report actions", "intervals", "home actions")


def replay_log_folder(run: Path) -> Path:
    """Returns where a run keeps what it goes on from; hidden, as it is no result."""
    return run / ".resume"


def recorded_request(
    request: TransferRequest, loaded: Sequence[LoadedPolicy]
) -> dict[str, Any]:
    """Returns all that shapes the result, as JSON."""
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
        "budget": request.budget,
        "episodes": request.episodes,
        "seed": request.seed,
        "tensorboard_log": None if tensorboard is None else str(tensorboard.resolve()),
        "hyperparams": dict(request.hyperparams),
        "weak_source": request.weak_source,
        "align": asdict(request.align_config()),
    }


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


def interrupted_request(
    run: Path, progress: bool, stepping: Stepping, typed: Collection[str]
) -> TransferRequest:
    """Returns what the interrupted transfer in `run` was asked for.

    Args:
        run: its folder.
        progress: whether to show progress now.
        stepping: of the environments, now.
        typed: environments that the user named: what a file may not import by itself.
    """
    recorded = _recorded(run)
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
            require_harmless(_values(run, text), typed=typed)
            for text in (recorded.target_kwargs, recorded.source_kwargs)
        )
    if logs is not None:
        require_own_logs(logs, run)
    return TransferRequest(
        sources=tuple(Path(source.path) for source in recorded.sources),
        target=EnvironmentChoice(recorded.target, target_kwargs),
        source_environments=tuple(recorded.source_env),
        source_kwargs=source_kwargs,
        digests=tuple(source.sha256 for source in recorded.sources),
        statistics=_statistics(recorded.sources),
        budget=recorded.budget,
        seed=recorded.seed,
        log_folder=run.parent.parent,
        episodes=recorded.episodes,
        hyperparams=recorded.hyperparams,
        weak_source=recorded.weak_source,
        progress=progress,
        tensorboard_folder=logs,
        stepping=stepping,
    )


def _statistics(sources: Sequence["_RecordedSource"]) -> tuple[str, ...]:
    named = [source.statistics for source in sources]
    # All are named, or none is.
    return tuple(name for name in named if name is not None)


def _recorded(run: Path) -> "_Recorded":
    try:
        request = read_request(replay_log_folder(run))["request"]
        return _ADAPTER.validate_python(request)
    except (KeyError, ValidationError) as fault:
        raise _no_request(run) from fault


def _values(run: Path, kwargs: Mapping[str, str]) -> dict[str, Any]:
    try:
        return {name: ast.literal_eval(text) for name, text in kwargs.items()}
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as fault:
        raise _no_request(run) from fault


def _no_request(run: Path) -> ArtifactRefused:
    return ArtifactRefused(
        f"{printable(run)} holds no request of a transfer; start a new run"
    )


@final
@dataclass(frozen=True)
class _RecordedSource:
    path: str
    sha256: str
    statistics: str | None = None


_Literals = dict[str, Annotated[str, Field(max_length=_LONGEST_VALUE)]]


@final
@dataclass(frozen=True)
class _Recorded:
    """What `recorded_request` wrote."""

    __pydantic_config__: ClassVar[ConfigDict] = {"extra": "forbid"}

    verb: str
    sources: Annotated[list[_RecordedSource], Field(min_length=1)]
    source_env: list[str]
    target: str
    target_kwargs: _Literals
    budget: int
    episodes: Annotated[int, Field(le=_MOST_EPISODES)]
    seed: int
    tensorboard_log: str | None
    align: dict[str, Any]
    source_kwargs: _Literals = field(default_factory=dict)
    hyperparams: dict[str, Any] = field(default_factory=dict)
    weak_source: bool = False


_ADAPTER = TypeAdapter(_Recorded)
