"""What a transfer is asked for; kept in its folder until it is finished."""

import ast
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, final

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError

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
from rltransfer.translation.altered_translations import Alter
from rltransfer.workflows.align_settings import with_value
from rltransfer.workflows.environments import EnvironmentChoice, Stepping
from rltransfer.workflows.learning_request import LearningRequest
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
    handle_signals: bool = False
    """Whether SIGINT and SIGTERM end the run where nothing that was acted is lost."""
    cache: bool = True
    """Whether what is learned of a source is kept, or was kept, for all transfers."""
    alter: Alter | None = None
    """Makes another policy of what was found, for experiments."""
    report: bool = True
    learning: LearningRequest | None = None
    """How to learn on in the target; None for the zero-shot policy alone."""

    def __post_init__(self) -> None:
        require_at_least("--n-timesteps", self.budget, 1)
        reason = "figures on fewer say little"
        require_at_least("--episodes", self.episodes, REPORTED_EPISODES, reason)
        require_seed(self.seed)
        if not self.sources:
            raise InputError("a transfer needs at least one --source, got none")
        for option, values, fewer, remedy in (
            ("--env is given once, or", self.source_environments, 1, ""),
            ("--statistics is given", self.statistics, 0, ", none where it has none"),
            ("--sha256 is given", self.digests, 0, ""),
        ):
            if len(values) > fewer and len(values) != len(self.sources):
                raise InputError(
                    f"{option} once for each --source, got {len(values)} for "
                    f"{len(self.sources)}; name one for each{remedy}"
                )
        if self.learning is not None:
            self.learning.require_rest(self.budget)
        self.align_config()

    def source_environment(self, place: int) -> str | None:
        """Returns the environment named for the source at `place`, if one is."""
        if len(self.source_environments) > 1:
            return self.source_environments[place]
        return next(iter(self.source_environments), None)

    @property
    def alignment_budget(self) -> int:
        """Target steps that the alignments may take, all sources together."""
        share = self.learning and self.learning.alignment_budget(self.budget)
        return self.budget if share is None else share

    @property
    def streams(self) -> RandomStreams:
        """One independent stream of random numbers for each use."""
        return streams_of(self.seed)

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


def streams_of(seed: int) -> RandomStreams:
    """Returns the streams of a transfer with this seed."""
    return RandomStreams(seed, *_USES)


_USES = (
    *("alignment", "report", "report actions", "intervals", "home actions"),
    *("learning", "source value"),
)


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
        # It changes no number, but what the replay log holds.
        "cache": request.cache,
        "report": request.report,
        "altered": request.alter is not None,
        "align": asdict(request.align_config()),
        "learning": None if request.learning is None else asdict(request.learning),
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
    hyperparams: dict[str, Any] = field(default_factory=dict)
    weak_source: bool = False
    cache: bool = False
    report: bool = False
    altered: bool = False
    learning: LearningRequest | None = None


_ADAPTER = TypeAdapter(_Recorded)
