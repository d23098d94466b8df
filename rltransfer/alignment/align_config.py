"""How an alignment goes about it: every constant that shapes the result, and why."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any, final

import numpy as np

from rltransfer.alignment.board_squares import BoardConfig
from rltransfer.alignment.fitting_config import (
    ActionFitConfig,
    AffineConfig,
    MatchingConfig,
    RefittingConfig,
    ResidualConfig,
)
from rltransfer.alignment.moment_terms import MOMENT_TERMS, MOMENTS
from rltransfer.alignment.renumbering import RenumberingConfig
from rltransfer.alignment.response_config import (
    HistoryConfig,
    ResponseConfig,
    RetracingConfig,
)
from rltransfer.alignment.sensor_noise import NoiseConfig
from rltransfer.alignment.source_paths import CameraConfig
from rltransfer.alignment.step_plan import StepPlanConfig
from rltransfer.errors import InputError
from rltransfer.random_streams import RandomStreams
from rltransfer.source_models import LearnConfig
from rltransfer.translation import EnsembleConfig


@final
@dataclass(frozen=True)
class SelectionConfig:
    """How candidates are compared, by their error and by their returns."""

    moment_penalty: float = 0.05
    """Weight of mapped states that lie elsewhere than the source's.

    A map that shrinks the target to a point agrees with any dynamics.
    """
    resting: float = 0.05
    """Mean squared change, in units of scale, below which a step counts as resting.

    The relative error of a step that does not move would be without bounds.
    """
    reference: float = 1.5
    """Times the source's own error at which a candidate explains the target.

    Half as much again: other rows, other noise.
    """
    clearly_less: float = 0.75
    """Share of the error of unchanged sensors that fitted sensors must come below.

    Nearly symmetric worlds look alike from more than one side.
    """
    hopeless: float = 4.0
    """Times the best error from which on a candidate is not worth its steps."""
    distinct: float = 0.2
    """Share of a state map's size that its difference to another must have.

    Symmetric worlds have several maps of equal error, and only returns tell them apart:
    acting with near copies of one would leave the others untried.
    """
    near_home: float = 0.9
    """Share of the way from random to the source at home where the search may stop."""
    tie: float = 0.05
    """Share of the way up from random within which returns cannot decide."""
    cut_short: float = 0.5
    """Share of the longest trial's steps below which an unfinished trial says nothing.

    Where every step costs, the shortest one would look best.
    """


@final
@dataclass(frozen=True)
class LeftoverConfig:
    """How motors are driven that the source has none for."""

    choices: int = 2
    """Of where the first motor may belong: few random steps do not tell for sure."""
    strengths: tuple[float, ...] = (0.7, 1.0, 0.5)
    """Of a leftover motor's drive, as shares of the others' mean; the first one acts
    for each choice, the others for the best.
    """

    def __post_init__(self) -> None:
        if self.choices < 1 or not self.strengths or min(self.strengths) <= 0:
            raise InputError(
                "leftover.choices must be at least 1 and leftover.strengths above 0, "
                f"got {self.choices} and {self.strengths}; "
                "without='leftover motors' leaves them out"
            )


@final
@dataclass(frozen=True)
class TuningConfig:
    """How scales of the best map are tuned by the return."""

    population: int = 6
    """Variations a generation: few, as each one costs target steps."""
    spread: float = 0.2
    """Deviation of the first variations, of the logarithm of each scale."""
    steps: int = 200
    """Of a variation."""
    generations: int = 3
    """After so many the mean is acted with, to see whether it earns enough."""

    def __post_init__(self) -> None:
        if self.population < 4:
            raise InputError(
                f"tuning.population must be at least 4, got {self.population}"
            )


@final
@dataclass(frozen=True)
class AlignConfig:
    """Effort and rules of one alignment; the defaults are what the README measured."""

    seed: int = 0
    spawn_key: tuple[int, ...] = ()
    """Which child of the seed this alignment draws from, where a run has several."""
    without: str = ""
    """Candidate families that are left out, with commas between; `tuned`,
    `leftover motors` and `refitted` among them.
    """
    restarts: int = 48
    """Affine maps fitted side by side in the first round."""
    updates: int = 500
    """Optimizer steps of the restarts that are fitted to the end, refining included."""
    batch_size: int = 256
    rounds: int = 3
    """Most rounds of fitting and acting."""
    beam: int = 4
    """Most candidates acted with in a round; half as many after the first."""
    confidence: float = 0.95
    """Needed before a mapping is accepted."""
    termination_weight: float = 1.0
    """Of termination in the loss, where both domains have shown one; 0: never."""
    reward_weight: float = 0.0
    """Of the target's reward in the loss. By default it only selects."""
    moment_term: str = MOMENTS
    """What draws mapped states to where the source's lie while maps are fitted:
    moments, mmd, coral, transport or adversary. Moments select in any case.
    """
    source_steps: int = 30_000
    """Steps in the source, a third each at random, by the policy, and mixed."""
    logged_steps: int = 30_000
    """Of a log that are used at most, whole episodes evenly spread over it: as many as
    are taken in the source; more cost time and tell little more."""
    mixed_share: float = 0.3
    """Share of random steps in the mixed third: near the policy's own paths."""
    hold_exponent: float = 1.5
    """Of the zeta law of how long exploration holds an action; larger is shorter."""
    longest_hold: int = 32
    """Steps that exploration holds an action at most."""
    learning: LearnConfig = field(default_factory=LearnConfig)
    steps: StepPlanConfig = field(default_factory=StepPlanConfig)
    selection: SelectionConfig = field(default_factory=SelectionConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    responses: ResponseConfig = field(default_factory=ResponseConfig)
    history: HistoryConfig = field(default_factory=HistoryConfig)
    retracing: RetracingConfig = field(default_factory=RetracingConfig)
    matching: MatchingConfig = field(default_factory=MatchingConfig)
    actions: ActionFitConfig = field(default_factory=ActionFitConfig)
    affine: AffineConfig = field(default_factory=AffineConfig)
    residual: ResidualConfig = field(default_factory=ResidualConfig)
    refitting: RefittingConfig = field(default_factory=RefittingConfig)
    board: BoardConfig = field(default_factory=BoardConfig)
    renumbering: RenumberingConfig = field(default_factory=RenumberingConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    leftover: LeftoverConfig = field(default_factory=LeftoverConfig)
    tuning: TuningConfig = field(default_factory=TuningConfig)
    ensemble: EnsembleConfig = field(default_factory=EnsembleConfig)

    def __post_init__(self) -> None:
        names = "restarts", "updates", "batch_size", "rounds", "beam"
        for name in (*names, "logged_steps"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"{name} must be at least 1, got {getattr(self, name)}"
                )
        if min(self.termination_weight, self.reward_weight) < 0:
            raise InputError("weights of cues must be at least 0; 0 leaves a cue out")
        if self.moment_term not in MOMENT_TERMS:
            raise InputError(
                f"moment_term is one of {', '.join(MOMENT_TERMS)}, got "
                f"{self.moment_term!r}"
            )
        if self.source_steps < 300:
            raise InputError(
                f"source_steps must be at least 300, got {self.source_steps}: the "
                "source model is learned from them"
            )

    def uses(self, family: str) -> bool:
        """Returns whether a family of this name may propose candidates."""
        return family not in self.without.split(",")

    def for_source(self, place: int) -> "AlignConfig":
        """Returns these settings with what the source at `place` draws from.

        What all sources share, exploring and how trials start, is drawn from the first
        one's.
        """
        return replace(self, spawn_key=(*self.spawn_key, place))

    @property
    def streams(self) -> RandomStreams:
        """One independent stream of random numbers for each use."""
        root = np.random.SeedSequence(self.seed, spawn_key=self.spawn_key)
        return RandomStreams(root, *_USES)

    @property
    def source_streams(self) -> RandomStreams:
        """Those of what is learned of a source: the same in every run.

        Then it follows from the source alone, and need be learned only once.
        """
        return RandomStreams(_SOURCE_SEED, *_USES)

    @property
    def source_settings(self) -> dict[str, Any]:
        """All of this that shapes what is learned of a source, as JSON."""
        names = ("source_steps", "mixed_share", "hold_exponent", "longest_hold")
        own = {name: getattr(self, name) for name in names}
        return {**own, "learning": asdict(self.learning)}


_SOURCE_SEED = 0


_USES = (
    "source actions",
    "source at random",
    "source mixed",
    "source policy",
    "source model",
    "exploration actions",
    "exploration",
    "selection",
    "fit",
    "random again actions",
    "random again",
    "acceptance",
    "random left over actions",
    "random left over",
    "acceptance left over",
    "responses",
    "history",
    "tuning",
    "tuning starts",
    "free",  # its place is kept: the numbers of all that follow stay
    "matching",
    "renumbering",
    "further exploration",
    "board",
    "moment term",
    "camera",
    "retraced",
    "refitted",
)
