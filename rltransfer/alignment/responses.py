"""What actions and resets do to the mean state: the same in two isomorphic domains.

If a target is the source in other coordinates, x_target = x_source S + c, and its
motors are the source's in another order, then so are its responses: the coefficients
of a regression of the state on past actions and on the time since the reset. For a
linear system they are its Markov parameters, from which Ho & Kalman (1966) recover the
system up to that very S. In white coordinates S is orthogonal, so that for given motors
it is a weighted Procrustes problem (Schönemann, 1966), solved without a gradient.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from jaxtyping import Float64
from numpy.typing import NDArray

from rltransfer.alignment.response_config import ResponseConfig
from rltransfer.domain import Transitions, Whitening

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Episode:
    """One episode of acting, whole or cut off."""

    states: Float64[Array, "after_reset state"]
    """One more than actions: also what the last action led to."""
    actions: Float64[Array, "step action"]
    """Encoded."""


def episodes_of(rows: Transitions) -> list[Episode]:
    """Returns the episodes that `rows` consist of, in their order."""
    counts = rows.episode.unique_consecutive(return_counts=True)[1].tolist()
    observations, actions, afterwards = (
        part.double().numpy()
        for part in (rows.observation, rows.action, rows.next_observation)
    )
    found, begin = [], 0
    for count in counts:
        end = begin + count
        states = np.vstack([observations[begin:end], afterwards[end - 1 : end]])
        found.append(Episode(states, actions[begin:end]))
        begin = end
    return found


@final
@dataclass(frozen=True, eq=False)
class Responses:
    """What a domain shows of how it answers, in white coordinates.

    Args:
        whitening: of the states.
        actions: effect of each entry of an action, by lag window.
        resets: mean state by time since the reset.
        information: of the regression, for each row; how sure its coefficients are.
        moments: matrices that turn with the state on both sides: lagged covariances,
            and E[|z|² z zᵀ] with heavy tails cut.
        skew: E[|z|² z], likewise.
    """

    whitening: Whitening
    actions: Float64[Array, "lag action state"]
    resets: Float64[Array, "bin state"]
    information: Float64[Array, "coefficient coefficient"]
    moments: Float64[Array, "kind state state"]
    skew: Float64[Array, " state"]

    @classmethod
    def of(cls, episodes: Sequence[Episode], config: ResponseConfig) -> "Responses":
        """Returns the responses that random actions in `episodes` show."""
        states = np.vstack([episode.states for episode in episodes])
        whitening = Whitening.of(torch.from_numpy(states))
        mean, matrix = (
            part.double().numpy() for part in (whitening.mean, whitening.matrix)
        )
        white = [(episode.states - mean) @ matrix for episode in episodes]
        rows = np.vstack([_design(episode, config) for episode in episodes])
        joined = np.vstack(white)
        information = rows.T @ rows + config.ridge * np.eye(rows.shape[1])
        coefficients = np.linalg.solve(information, rows.T @ joined)
        motors, windows = episodes[0].actions.shape[1], len(config.lags)
        split = windows * motors
        size = (joined**2).sum(axis=1, keepdims=True)
        covariances = [_lagged(white, lag) for lag in config.covariance_lags]
        fourth = (joined * np.minimum(size, 50)).T @ joined / len(joined) / 10
        return cls(
            whitening,
            coefficients[:split].reshape(windows, motors, -1),
            coefficients[split:],
            information / len(rows),
            np.stack([*covariances, fourth]),
            (joined * np.minimum(size, 30)).mean(axis=0),
        )

    def wired(
        self, wiring: Float64[Array, "source target"]
    ) -> Float64[Array, "coefficient state"]:
        """Returns the responses that motors behind `wiring` would show."""
        effects = np.einsum("st,lsz->ltz", wiring, self.actions)
        return np.vstack([effects.reshape(-1, effects.shape[2]), self.resets])

    def of_motors(self, kept: NDArray[np.bool_]) -> "Responses":
        """Returns what the `kept` entries of an action show, and resets."""
        rows = np.concatenate(
            [np.tile(kept, len(self.actions)), np.ones(len(self.resets), bool)]
        )
        information = self.information[np.ix_(rows, rows)]
        return replace(self, actions=self.actions[:, kept], information=information)

    @property
    def joined(self) -> Float64[Array, "coefficient state"]:
        """All coefficients, as `wired` returns them."""
        return np.vstack([*self.actions, self.resets])


def _design(episode: Episode, config: ResponseConfig) -> Array:
    """Returns a row for each state: actions by lag window, and the time as a bin."""
    steps = np.arange(len(episode.states))
    motors = episode.actions.shape[1]
    total = np.vstack([np.zeros((1, motors)), episode.actions.cumsum(axis=0)])
    windows = [
        total[np.maximum(steps - first + 1, 0)] - total[np.maximum(steps - last, 0)]
        for first, last in config.lags
    ]
    bins = np.searchsorted(config.since_reset, steps, side="right") - 1
    return np.hstack([*windows, np.eye(len(config.since_reset))[bins]])


def _lagged(white: Sequence[Array], lag: int) -> Array:
    later = np.vstack([states[lag:] for states in white])
    earlier = np.vstack([states[:-lag] for states in white])
    return later.T @ earlier / max(len(later), 1)


@final
@dataclass(frozen=True, eq=False)
class Turn:
    """How the white states of the target turn into the source's, for one wiring.

    Args:
        error: what of the responses and moments does not agree; lower is better.
        wiring: encoded source action = `wiring` times the target's.
        matrix: white source state = white target state times this; its rows or
            columns, the fewer, are orthonormal.
    """

    error: float
    wiring: Float64[Array, "source_action target_action"]
    matrix: Float64[Array, "target source"]


def matching_turns(
    source: Responses,
    target: Responses,
    wiring: Float64[Array, "source target"],
    config: ResponseConfig,
    rng: np.random.Generator,
) -> list[Turn]:
    """Returns the turns under which responses and moments agree best, best first.

    The first one is the Procrustes solution; ascents from it and from noisy ones match
    the moments as well. Each ascent takes the polar factor of the gradient, which
    mostly raises the agreement (Absil, Mahony & Sepulchre, 2008, §4).

    Args:
        source: its responses.
        target: its responses.
        wiring: of the motors.
        config: weights and effort.
        rng: of the noisy starts.
    """
    # How motors answer that stand for nothing is no evidence.
    kept = np.abs(wiring).sum(axis=0) > 0
    target, wired = target.of_motors(kept), source.wired(wiring[:, kept])
    pull = target.joined.T @ target.information @ wired
    pull = pull + config.skew_weight * np.outer(target.skew, source.skew)
    size = max(float(np.linalg.norm(pull)), 1e-12)
    found: list[Turn] = []
    for start in range(config.starts):
        noise = rng.normal(size=pull.shape) / np.sqrt(max(pull.shape))
        turn = polar(pull / size + (config.start_noise * noise if start else 0.0))
        for _ in range(config.iterations):
            matched = target.moments @ turn @ source.moments.transpose(0, 2, 1)
            matched = (
                matched + target.moments.transpose(0, 2, 1) @ turn @ source.moments
            )
            before, turn = turn, polar(pull + config.moment_weight * matched.sum(0))
            if np.abs(turn - before).max() < 1e-6:
                break
        if all(np.abs(turn - other.matrix).max() > config.distinct for other in found):
            error = _disagreement(source, target, wired, turn, config)
            found.append(Turn(error, wiring, turn))
    return sorted(found, key=lambda one: one.error)


def _disagreement(
    source: Responses,
    target: Responses,
    wired: Array,
    turn: Array,
    config: ResponseConfig,
) -> float:
    shown, moments, skew = target.joined, target.moments, target.skew
    theirs, their_moments, their_skew = wired, source.moments, source.skew
    # Where one domain has more variables, only what both share can agree.
    if turn.shape[0] >= turn.shape[1]:
        shown, moments, skew = shown @ turn, turn.T @ moments @ turn, skew @ turn
    else:
        theirs, their_skew = theirs @ turn.T, their_skew @ turn.T
        their_moments = turn @ their_moments @ turn.T
    difference = shown - theirs
    error = np.trace(difference.T @ target.information @ difference)
    error += config.moment_weight * ((moments - their_moments) ** 2).sum()
    return float(error + config.skew_weight * ((skew - their_skew) ** 2).sum())


def polar(matrix: Float64[Array, "row column"]) -> Float64[Array, "row column"]:
    """Returns the matrix with orthonormal rows or columns that is nearest."""
    left, _, right = np.linalg.svd(matrix, full_matrices=False)
    nearest: Array = left @ right
    return nearest
