"""What a transfer is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, final

from rltransfer.alignment import AlignConfig, StepPlanConfig
from rltransfer.argument_checks import (
    REPORTED_EPISODES,
    TARGET_STEPS,
    require_at_least,
    require_seed,
)
from rltransfer.errors import InputError
from rltransfer.random_streams import RandomStreams
from rltransfer.translation.altered_translations import Alter
from rltransfer.workflows.align_settings import with_value
from rltransfer.workflows.environments import EnvironmentChoice, Stepping
from rltransfer.workflows.learning_request import LearningRequest
from rltransfer_agents.loading import LoadedPolicy

NO_LOG = "none"
"""For a source without one, where others have one."""


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
    target_data: str | None = None
    """Log of the target: `minari:ID`, or the path of an .npz or of a dataset."""
    source_data: tuple[str, ...] = ()
    """Logs of the sources' environments, or `none`; empty, or one for each."""
    budget: int = TARGET_STEPS
    """Target steps of all sources together; 0 where a log is all there is."""
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
        if not self.budget:
            self._require_log()
        require_at_least("--n-timesteps", self.budget, 0)
        reason = "figures on fewer say little"
        require_at_least("--episodes", self.episodes, REPORTED_EPISODES, reason)
        require_seed(self.seed)
        if not self.sources:
            raise InputError("a transfer needs at least one --source, got none")
        for option, values, fewer, remedy in (
            ("--env is given once, or", self.source_environments, 1, ""),
            ("--statistics is given", self.statistics, 0, ", none where it has none"),
            ("--sha256 is given", self.digests, 0, ""),
            ("--source-data is given", self.source_data, 0, ", none where it has none"),
        ):
            if len(values) > fewer and len(values) != len(self.sources):
                raise InputError(
                    f"{option} once for each --source, got {len(values)} for "
                    f"{len(self.sources)}; name one for each{remedy}"
                )
        if self.learning is not None:
            self.learning.require_rest(self.budget)
        self.align_config()

    def _require_log(self) -> None:
        """Raises where nothing could be known of the target, or learned in it."""
        if self.target_data is None:
            raise InputError(
                "-n 0 takes no step in the target, and there is no --target-data to "
                "know it from; name a log, or give -n steps"
            )
        if self.learning is not None:
            raise InputError(
                "--improve learns from steps in the target, got -n 0; give -n steps, "
                "or drop --improve"
            )

    @property
    def untouched(self) -> bool:
        """Whether the target is never acted in, not even to report."""
        return not self.budget

    def source_environment(self, place: int) -> str | None:
        """Returns the environment named for the source at `place`, if one is."""
        if len(self.source_environments) > 1:
            return self.source_environments[place]
        return next(iter(self.source_environments), None)

    @property
    def alignment_budget(self) -> int:
        """Target steps that the alignment may take, all sources together."""
        share = self.learning and self.learning.alignment_budget(self.budget)
        return self.budget if share is None else share

    @property
    def streams(self) -> RandomStreams:
        """One independent stream of random numbers for each use."""
        return streams_of(self.seed)

    def align_config(self) -> AlignConfig:
        """Returns effort and rules of the alignment."""
        config = AlignConfig(
            seed=self.seed,
            spawn_key=self.streams.sequence("alignment").spawn_key,
        )
        if self.learning is not None:
            steps = StepPlanConfig.before_learning(self.alignment_budget)
            config = replace(config, steps=steps)
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
