"""How the families that fit go about it: every constant, and why."""

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class MatchingConfig:
    """How matches of single variables are proposed and fitted."""

    network: str = ""
    """File of weights that `meta-train` wrote; by default those that come along."""
    beam: int = 12
    """Matches whose scales are fitted side by side: symmetric worlds have several."""
    updates: int = 160
    """Of scales and offsets, which begin near where they end."""
    learning_rate: float = 3e-2
    halvings: tuple[tuple[float, float], ...] = ((0.15, 0.6), (0.35, 0.3))
    """Wrong matches show early."""
    evaluate_every: int = 25
    moments: tuple[float, float] = (0.02, 0.02)
    """First and last weight of matching moments: a trace, so that scales do not shrink.
    """
    enough: float = 0.1
    """Error over one step, without the cues, at which no other family is asked.

    Right matches of five worlds had 0.001 to 0.1 from 256 rows, others 0.2 and more;
    where the source model errs more by itself, the reference error counts.
    """
    plausible: float = 0.25
    """Likewise, up to which a match is worth acting with.

    Where sensors are mixed rather than reordered the best had 0.4 to 2.
    """
    tolerated: float = 3.0
    """Likewise, times the reference error, where the source model errs by itself: a
    Swimmer's right matches had 0.23 to 0.31 where that is 0.12. At most `mixed`.
    """
    mixed: float = 0.4
    """What the best matches had at least where sensors are mixed."""
    most_doubtful: int = 2
    """Matches that are returned where none settles it: others need steps too."""


@final
@dataclass(frozen=True)
class ActionFitConfig:
    """How actions are fitted where the state map is fixed: same or permuted sensors."""

    restarts: int = 4
    """Enough: with the state map fixed there are few local minima."""
    updates: int = 400
    learning_rate: float = 1e-2
    widths: tuple[int, ...] = (32, 32)
    """Of a network: engines have thresholds, an affine map would be too poor."""
    alike: float = 0.1
    """Energy distance of sensors, as a share of the largest, at which they may agree.

    At random it was below 0.02 on average in LunarLander with other gravity, wind or
    motors, at most 0.07 for other weights and lengths of six bodies, and 0.09
    to 0.7 behind unknown sensors. Too high a bound costs only time.
    """


@final
@dataclass(frozen=True)
class AffineConfig:
    """How affine maps are searched for and refined."""

    search_rate: float = 3e-2
    """Learning rate of the search: most restarts need not arrive exactly."""
    search_halvings: tuple[tuple[float, float], ...] = (
        (0.1, 0.5),
        (0.25, 0.25),
        (0.5, 0.125),
    )
    """Successive halving: bad restarts show early."""
    search_moments: tuple[float, float] = (0.5, 0.05)
    """First and last weight of matching moments: where to look, before how it moves."""
    action_spread: float = 0.3
    """Of the first action maps: small, so that no action dominates before it is fitted.
    """
    lost: float = 2.0
    """Times the reference error above which earlier maps are no place to start from."""
    parents: int = 2
    """Distinct maps that are refined: the runner-up may be the mirror image that works.
    """
    copies: int = 6
    """Noisy copies of each parent, fitted beside it."""
    noise: float = 0.05
    """Of a copy, relative to the mean size of each parameter."""
    refine_rate: float = 1e-2
    refine_halvings: tuple[tuple[float, float], ...] = ((0.4, 0.5),)
    refine_every: int = 50
    """Updates between two evaluations; the best state of a copy is kept."""
    refine_moments: tuple[float, float] = (0.02, 0.01)
    """Near the answer moments would pull the map off it, for the two domains are never
    explored alike; a trace of them still keeps it from shrinking.
    """


@final
@dataclass(frozen=True)
class RefittingConfig:
    """How the mapping is fitted anew while learning goes on."""

    copies: int = 24
    """Noisy copies of it, fitted beside it."""
    noise: float = 0.3
    """Of a copy, relative to the mean size of each parameter: much, since the mapping
    earns too little as it is."""
    updates: int = 800
    learning_rate: float = 3e-2
    halvings: tuple[tuple[float, float], ...] = ((0.4, 0.5),)
    evaluate_every: int = 50
    moments: tuple[float, float] = (0.1, 0.001)
    """Less at the end than of a refinement: much of what was seen is of acting."""
    clearly_less: float = 0.75
    """Share of its error that must not be left: acting with another one takes steps."""


@final
@dataclass(frozen=True)
class ResidualConfig:
    """How a network is added to the best affine map."""

    widths: tuple[int, ...] = (32, 32)
    fewest_rows: int = 1000
    """Fewer target steps would be learned by heart."""
    learning_rate: float = 3e-3
    """Lower than an affine map's: the start is good already."""
    validation_share: float = 0.2
    """Held out to decide when to stop."""
    evaluate_every: int = 25
    patience: int = 6
    """Evaluations without improvement after which the fit stops."""
    moments: tuple[float, float] = (0.02, 0.02)
    """As where affine maps are refined, and kept up: a network shrinks more easily."""
    worth: float = 0.5
    """Share of the affine map's error that may be left: what a bent map gains in error
    it may lose where nobody has been.
    """
