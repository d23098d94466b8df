"""How responses are estimated and matched: every constant, and why."""

from dataclasses import dataclass
from typing import final

from rltransfer.errors import InputError


@final
@dataclass(frozen=True)
class ResponseConfig:
    """How responses are estimated and matched, and which proposals are made of them."""

    lags: tuple[tuple[int, int], ...] = (
        *((1, 1), (2, 2), (3, 3), (4, 4)),
        *((5, 6), (7, 8), (9, 12), (13, 18)),
    )
    """First and last step back of each window in which actions are added up.

    Wider where it is longer ago: what is long ago changes slowly.
    """
    since_reset: tuple[int, ...] = (
        *(0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 22, 27, 33, 40, 50, 65, 80),
        *(100, 130, 170, 220, 300, 400, 600, 1000),
    )
    """Steps since the reset at which a new bin begins."""
    ridge: float = 1.0
    """Rows that an effect of zero counts for: some windows are seldom filled."""
    covariance_lags: tuple[int, ...] = (1, 2, 3, 5, 8)
    """Steps between the two states of a lagged covariance."""
    moment_weight: float = 0.2
    """Of what turns with the state besides responses.

    It settles the directions that actions hardly move.
    """
    skew_weight: float = 0.3
    """Of the third moment, which tells a direction from its opposite."""
    starts: int = 3
    """Turns from which the moments are matched: there are local optima."""
    start_noise: float = 0.7
    """Size of what is added to the first turn, beside a matrix of norm one."""
    iterations: int = 80
    """Most steps of an ascent; each is a singular value decomposition."""
    beam_width: int = 4096
    """Wirings of the motors that are compared side by side."""
    distinct: float = 0.2
    """Largest difference of an entry above which two turns are different ones."""
    most_wirings: int = 64
    """Likeliest wirings for which turns are looked for."""
    most_sensors: int = 64
    """With more of them the ascents take minutes, and the family proposes nothing."""
    simulated_wirings: int = 6
    """Best wirings whose motors are tried in the source itself."""
    kept_wirings: int = 3
    """Of these the best, which are tried with more copies, and proposed."""
    rival: float = 2.0
    """Times the share that the best wiring leaves unexplained up to which another one
    may be right: its mirror image, mostly.
    """
    copies: tuple[int, ...] = (3, 16, 48)
    """Episodes in the source for each of the target: more, until enough is explained.

    Among them are those that started alike, which few have where starts differ much.
    """
    hopeless: float = 0.4
    """Share left unexplained above which the source does not go where the target went.

    Then turns are fitted to the source model instead.
    """
    updates: int = 300
    """Optimizer steps of such a fit: few, as a small error is not what is wanted."""
    learning_rate: float = 1e-2
    fit_moments: tuple[float, float] = (0.05, 0.05)
    """First and last weight of matching moments in such a fit."""
    enough: float = 0.03
    """Share left unexplained at which no other family is asked."""
    enough_error: float = 3.0
    """Times the source's own alignment error at random up to which a map settles it.

    Where the source model is nearly exact, fitting to it is more exact than this.
    """
    coverage: float = 0.5
    """Share of the steps that the source must have lasted for, to settle anything."""
    simulated_steps: int = 4000
    """Most steps of the target whose actions are simulated: more tell little more."""
    matchings: tuple[float, ...] = (0.5, 0.5, 0.5, 0.2, 0.2, 0.2)
    """Temperature of each matching of copies, as a share of the best copy's cost."""
    outlier: float = 9.0
    """Squared difference of a variable, in deviations, above which it does not grow.

    A copy that fell over earlier is as wrong as one that fell over much earlier.
    """

    def __post_init__(self) -> None:
        for name in ("starts", "beam_width", "most_wirings", "simulated_steps"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"responses.{name} must be at least 1, got {getattr(self, name)}"
                )


@final
@dataclass(frozen=True)
class HistoryConfig:
    """Where a target hides part of the state, and how it is told from a few steps."""

    steps: int = 3
    """Observations in a stack: two tell a velocity, one more averages noise."""
    folds: int = 5
    """Parts of the steps, each held out in turn, by which it is told whether it does.
    """
    most_products: int = 25
    """Numbers of an observation and an action up to which their products count too."""
    open_alone: float = 0.1
    """Share of what changes that one observation must leave open: with less it tells
    the state.
    """
    open_still: float = 0.7
    """Share of it that a stack may still leave open: with more, it is noise."""
    beginning: int = 50
    """Steps of each of the target's episodes that are tried in the source.

    Where a copy did not start alike, it soon goes elsewhere.
    """
    copied_steps: int = 24_000
    """Of all copies of one wiring, about."""
    copies: tuple[int, int] = (8, 96)
    """Of each episode, at least and at most."""
    near: int = 6
    """Copies that count, for each variable of the source: as many more directions are
    there in which they can differ from the target's episode.
    """
    outlier: float = 9.0
    """As for responses."""
    choices: int = 5
    """Times that the copies which count are chosen, by the view so far."""
    trusted: float = 0.8
    """Share of the episodes that must be explained: the others may have begun where no
    copy did.
    """
    iterations: int = 40
    """Of a search between two choices."""
    first_noise: float = 0.1
    """Share of the target's variance that is taken for noise at first."""
    least_noise: float = 1e-7
    """Likewise at last: copies are but nearly combinations of each other."""
    exact: float = 1e-6
    """Share left unexplained at which no better view is looked for."""
    simulated_wirings: int = 6
    """Likeliest wirings that are tried in the source itself."""
    kept_wirings: int = 2
    """Of these the best, for which maps are learnt: the mirror image may act as well.
    """
    hopeless: float = 0.4
    """Share left unexplained above which the source does not go where the target went.
    """
    enough: float = 0.03
    """Share left unexplained at which no other family is asked."""
    widths: tuple[int, ...] = (32, 32)
    """Of the network that is added to the best affine map of stacks."""
    polishing: int = 300
    """Updates of an affine map, where none that was learnt settles it."""
    updates: int = 2000
    """Of it: what it learns from costs no step of the target."""
    learning_rate: float = 1e-2


@final
@dataclass(frozen=True)
class RetracingConfig:
    """How a target is retraced whose source is too rough for its own model."""

    poor_model: float = 0.15
    """Share of the source's own steps that its model must leave open.

    LunarLander's leaves 0.22; those of Hopper, Swimmer and HalfCheetah leave 0.06 to
    0.08, and maps that are fitted to them are as good and found sooner.
    """
    hopeless: float = 0.01
    """Share left unexplained above which no wiring is right.

    Of LunarLander the right ones left at most 0.0015 before opposites were tried, and
    the wrong ones at least 0.005.
    """
    kept_wirings: int = 2
    """Of these the best, for which opposites are tried: the mirror image is as good."""
    directions: int = 2
    """Of what resets draw, the largest, each of which may be taken for its opposite."""
    refining_steps: int = 72_000
    """Of all copies from which the best view is had at last, about: three times as
    many, for what the copies leave open falls to a fifth or less.
    """
    enough: float = 1e-4
    """Share left unexplained at which a view is trusted.

    LunarLander's maps earned at most 177 where twice as much was left, and 211 and more
    where it was about this.
    """
    neighbours: int = 5
    """Steps of the source in which it was most alike, to guess a two-valued variable.
    """
    most_two_valued: int = 6
    """Two-valued variables that are told: all ways to set them are compared."""
    rounds: int = 10
    """Of setting them, and of regressing what they show."""
    told: float = 0.8
    """Share of what other variables leave open that they must explain."""

    def __post_init__(self) -> None:
        for name in ("kept_wirings", "neighbours", "rounds"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"retracing.{name} must be at least 1, got {getattr(self, name)}"
                )
        if not 0 <= self.directions <= 4:
            raise InputError(
                "retracing.directions is from 0 to 4, as all their signs are tried; "
                f"got {self.directions}"
            )
