"""What a transfer is asked for; kept in its folder until it is finished."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, final

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from rltransfer.alignment import AlignConfig
from rltransfer.cli.arguments import read_value
from rltransfer.cli.options import FEWEST_EPISODES, require_at_least, require_seed
from rltransfer.errors import ArtifactRefused, InputError
from rltransfer.io import MANIFEST_NAME, read_manifest
from rltransfer.resume.replay_log import is_replay_log, read_request
from rltransfer.workflows.environment_choice import EnvironmentChoice, Stepping
from rltransfer.workflows.source_agents import LoadedPolicy
from rltransfer_agents.loading.environment_spec import (
    require_harmless,
    require_registered,
)
from rltransfer_agents.loading.hub import is_on_hub
from rltransfer_agents.loading.refusal import printable, refusals_about
from rltransfer_agents.loading.run_folder import require_own_files, require_own_logs

DEFAULT_BUDGET = 3_000


@final
@dataclass(frozen=True)
class TransferOptions:
    """Checked as far as that needs neither files nor environments."""

    sources: tuple[Path, ...]
    target: EnvironmentChoice
    source_environments: tuple[str, ...] = ()
    """None, one for all sources, or one for each."""
    digests: tuple[str, ...] = ()
    """SHA-256 that the sources must have; none, or one for each."""
    budget: int = DEFAULT_BUDGET
    """Target steps, all told."""
    seed: int = 0
    log_folder: Path = Path("runs")
    episodes: int = FEWEST_EPISODES
    """Fresh ones for each reported figure; they choose nothing."""
    progress: bool = False
    tensorboard_folder: Path | None = None
    stepping: Stepping = field(default_factory=Stepping)

    def __post_init__(self) -> None:
        require_at_least("--n-timesteps", self.budget, 1)
        reason = "figures on fewer say little"
        require_at_least("--episodes", self.episodes, FEWEST_EPISODES, reason)
        require_seed(self.seed)
        named = len(self.source_environments)
        if named > 1 and named != len(self.sources):
            raise InputError(
                "--env is given once, or once for each --source, got "
                f"{named} for {len(self.sources)}; name one for each"
            )
        if self.digests and len(self.digests) != len(self.sources):
            raise InputError(
                "--sha256 is given once for each --source, got "
                f"{len(self.digests)} for {len(self.sources)}; name one for each"
            )

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


_VERB = "transfer"
_MOST_EPISODES = 10**6
_LONGEST_VALUE = 10**4


def replay_log_folder(run: Path) -> Path:
    """Returns where a run keeps what it goes on from; hidden, as it is no result."""
    return run / ".resume"


def request_of(
    options: TransferOptions, actors: Sequence[LoadedPolicy], config: AlignConfig
) -> dict[str, Any]:
    """Returns all that shapes the result, as JSON."""
    tensorboard = options.tensorboard_folder
    return {
        "verb": _VERB,
        "sources": [
            {"path": str(loaded.path.resolve()), "sha256": loaded.sha256}
            for loaded in actors
        ],
        "source_env": list(options.source_environments),
        "target": options.target.env_id,
        # As they are typed: JSON would make lists of tuples.
        "target_kwargs": {
            name: repr(value) for name, value in options.target.kwargs.items()
        },
        "budget": options.budget,
        "episodes": options.episodes,
        "seed": options.seed,
        "tensorboard_log": None if tensorboard is None else str(tensorboard.resolve()),
        "align": asdict(config),
    }


def require_transfer(run: Path) -> None:
    """Raises unless `run` is the folder of a transfer, finished or not."""
    # Before anything is read: what goes on here writes here.
    require_own_files(run)
    # The journal first: a run that ends now writes its manifest before that goes.
    if is_replay_log(replay_log_folder(run)):
        return
    if (run / MANIFEST_NAME).is_file() and read_manifest(run).verb == _VERB:
        return
    raise InputError(
        "--resume takes the folder of one run of transfer, got "
        f"{printable(run)}; name a folder such as runs/transfer/Acrobot-v1_1"
    )


def options_of(
    run: Path, progress: bool, stepping: Stepping, typed: Collection[str]
) -> TransferOptions:
    """Returns what the interrupted transfer in `run` was asked for.

    Args:
        run: its folder.
        progress: whether to show progress now.
        stepping: of the environments, now.
        typed: what the user typed about environments.
    """
    asked = _asked(run)
    kwargs = {name: read_value(text) for name, text in asked.target_kwargs.items()}
    tensorboard = asked.tensorboard_log
    logs = None if tensorboard is None else Path(tensorboard)
    if any(is_on_hub(source.path) for source in asked.sources):
        # What was fetched is named by its place in the cache: nothing is fetched here.
        raise ArtifactRefused(
            f"the agents of a run that goes on must lie on this disk, {printable(run)} "
            "has one on the hub; start a new run"
        )
    with refusals_about(printable(run)):
        for env_id in (asked.target, *asked.source_env):
            require_registered(env_id, typed=typed)
        require_harmless(kwargs, typed=typed)
    if logs is not None:
        require_own_logs(logs, run)
    return TransferOptions(
        sources=tuple(Path(source.path) for source in asked.sources),
        target=EnvironmentChoice(asked.target, kwargs),
        source_environments=tuple(asked.source_env),
        digests=tuple(source.sha256 for source in asked.sources),
        budget=asked.budget,
        seed=asked.seed,
        log_folder=run.parent.parent,
        episodes=asked.episodes,
        progress=progress,
        tensorboard_folder=logs,
        stepping=stepping,
    )


def _asked(run: Path) -> "_Asked":
    try:
        return _ADAPTER.validate_python(read_request(replay_log_folder(run))["request"])
    except (KeyError, ValidationError) as fault:
        raise ArtifactRefused(
            f"{printable(run)} holds no request of a transfer; start a new run"
        ) from fault


@final
@dataclass(frozen=True)
class _AskedSource:
    path: str
    sha256: str


@final
@dataclass(frozen=True)
class _Asked:
    """What `request_of` wrote."""

    __pydantic_config__: ClassVar[ConfigDict] = {"extra": "forbid"}

    verb: str
    sources: Annotated[list[_AskedSource], Field(min_length=1)]
    source_env: list[str]
    target: str
    target_kwargs: dict[str, Annotated[str, Field(max_length=_LONGEST_VALUE)]]
    budget: int
    episodes: Annotated[int, Field(le=_MOST_EPISODES)]
    seed: int
    tensorboard_log: str | None
    align: dict[str, Any]


_ADAPTER = TypeAdapter(_Asked)
