"""The target's actions tried in the source, and the state map that explains both.

The source is at hand and its steps are free. Under the target's own action sequence,
through the right wiring, the source goes where the target went, up to what each reset
draws: x_target = x_source S + c + noise, a linear regression. Of several copies of each
episode those count most that, by the map so far, started and went like the target's.
The wrong wirings explain less, and so this tells wirings apart as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from rltransfer.alignment.response_config import ResponseConfig
from rltransfer.alignment.responses import Array, Episode, episodes_of
from rltransfer.domain import Domain, Whitening
from rltransfer.random_streams import INTEGER_SEEDS


@final
@dataclass(frozen=True, eq=False)
class StateMap:
    """An affine map of states: x_source = x_target `weight` + `bias`."""

    weight: Float64[Array, "target source"]
    bias: Float64[Array, " source"]
    unexplained: float = float("inf")
    """Share of the target's variance, sensor by sensor, that the source leaves open."""
    covered: float = 0.0
    """Share of the simulated steps that the source's episodes lasted for."""

    def settles(self, config: ResponseConfig) -> bool:
        """Returns whether it explains so much that no other map need be sought."""
        return self.unexplained <= config.enough and self.covered >= config.coverage

    def __call__(self, states: Float64[Array, "step target"]) -> Array:
        """Returns source states for target states."""
        mapped: Array = states @ self.weight + self.bias
        return mapped


@final
@dataclass(frozen=True, eq=False)
class Simulated:
    """Episodes of the target, and copies of each in the source under its actions."""

    episodes: tuple[Episode, ...]
    copies: tuple[tuple[Array, ...], ...]
    """States of the copies of each episode, a row each; fewer where the source ended
    first.
    """

    @property
    def spread(self) -> Float64[Array, " source"]:
        """Deviation of each variable of the source; one where it never moves."""
        states = np.vstack([states for copies in self.copies for states in copies])
        deviation = states.std(axis=0)
        size: Array = np.where(deviation > 1e-9, deviation, 1.0)
        return size


def simulate(
    source: Domain,
    whitening: Whitening,
    episodes: Sequence[Episode],
    wiring: Float64[Array, "source target"],
    copies: int,
    config: ResponseConfig,
    rng: np.random.Generator,
) -> Simulated:
    """Takes the actions of the target's episodes in the source.

    Args:
        source: its domain.
        whitening: of its observations; copies are in white coordinates.
        episodes: of the target; so many that `config` allows are simulated.
        wiring: from encoded target actions to the source's.
        copies: how many of each episode.
        config: how many steps of the target at most.
        rng: of resets.
    """
    kept: list[Episode] = []
    left = config.simulated_steps
    for episode in episodes:
        taken = episode.actions[:left]
        if len(taken):
            kept.append(Episode(episode.states[: len(taken) + 1], taken))
        left -= len(taken)
    sequences = [e.actions @ wiring.T for e in kept for _ in range(copies)]
    rows = source.replay(
        sequences, purpose="source", seed=int(rng.integers(INTEGER_SEEDS))
    )
    white = replace(
        rows,
        observation=whitening.whiten(rows.observation),
        next_observation=whitening.whiten(rows.next_observation),
    )
    states = iter([episode.states for episode in episodes_of(white)])
    found = tuple(tuple(next(states) for _ in range(copies)) for _ in kept)
    return Simulated(tuple(kept), found)


def explaining_map(
    simulated: Simulated, start: StateMap, config: ResponseConfig
) -> StateMap:
    """Returns the map under which the copies explain the target's states best.

    Matching copies and regressing take turns, as in expectation maximisation.

    Args:
        simulated: the target's episodes and their copies.
        start: a first map.
        config: how sharply copies are matched, in each turn.
    """
    found, spread = start, simulated.spread
    for temperature in config.matchings:
        seen, matched = [], []
        for episode, copies in zip(simulated.episodes, simulated.copies, strict=True):
            mapped = found(episode.states)
            weights = _weights(mapped, copies, spread, temperature, config.outlier)
            shown, likely = _average(weights, copies, len(mapped))
            seen.append(episode.states[shown])
            matched.append(likely[shown])
        found = _regressed(seen, matched)
    # Of the last matching, which the map was made of.
    everything = sum(len(episode.states) for episode in simulated.episodes)
    return replace(found, covered=sum(map(len, seen)) / everything)


def _weights(
    mapped: Array,
    copies: Sequence[Array],
    spread: Array,
    temperature: float,
    outlier: float,
) -> Array:
    """Returns how likely each copy is the one that went as the target did."""
    cost = distances(mapped, copies, outlier, spread)
    scale = max(temperature * cost.min(), 1e-9)
    weights: Array = np.exp(-(cost - cost.min()) / scale)
    return weights


def distances(
    states: Float64[Array, "step state"],
    copies: Sequence[Array],
    outlier: float,
    unit: float | Float64[Array, " state"] = 1.0,
) -> Float64[Array, " copy"]:
    """Returns how far copies went from `states`, over the steps that both took.

    Args:
        states: where they should be.
        copies: where each was; shape (step, state), each of its own length.
        outlier: largest square of a difference that counts.
        unit: of each variable.
    """
    longest = max(min(len(copy), len(states)) for copy in copies)
    costs = []
    for copy in copies:
        both = min(len(copy), len(states))
        gap = ((states[:both] - copy[:both]) / unit) ** 2
        # One that ended before the others is as far off as if it had not moved on.
        missing = (longest - both) * states.shape[1]
        costs.append(np.minimum(gap, outlier).sum() + missing)
    return np.array(costs)


def _average(
    weights: Array, copies: Sequence[Array], steps: int
) -> tuple[NDArray[np.bool_], Array]:
    """Returns at which steps most of the weight was still there, and its mean state."""
    total = np.zeros((steps, copies[0].shape[1]))
    there = np.zeros(steps)
    for weight, states in zip(weights, copies, strict=True):
        both = min(len(states), steps)
        total[:both] += weight * states[:both]
        there[:both] += weight
    shown = there > weights.sum() / 2
    return shown, total / np.maximum(there, 1e-12)[:, None]


def _regressed(seen: Sequence[Array], matched: Sequence[Array]) -> StateMap:
    """Returns the inverse of the regression of what was seen on what was matched.

    It weights the target's sensors by the noise that they leave open (generalised
    least squares; Aitken, 1936), so that sensors of noise alone count for nothing. What
    is left open lasts over steps: the regression is done once more on differences that
    leave it white (Cochrane & Orcutt, 1949).

    Args:
        seen: states of the target, an array for each episode.
        matched: states of the source, likewise.
    """
    mean_seen, mean_matched = (np.vstack(rows).mean(axis=0) for rows in (seen, matched))
    x = [rows - mean_seen for rows in seen]
    z = [rows - mean_matched for rows in matched]
    forward = _least_squares(np.vstack(z), np.vstack(x))
    left = [shown - states @ forward for shown, states in zip(x, z, strict=True)]
    size = np.maximum(np.vstack(x).var(axis=0), 1e-12)
    # Of a sensor that does not move nothing is left open, and nothing is explained.
    moving = size > 1e-6 * size.max()
    unexplained = float((np.vstack(left).var(axis=0) / size)[moving].mean())
    lasting = _autocorrelation([rows / np.sqrt(size) for rows in left])
    x, z = ([rows[1:] - lasting * rows[:-1] for rows in each] for each in (x, z))
    shown, states = np.vstack(x), np.vstack(z)
    forward = _least_squares(states, shown)
    left_open = shown - states @ forward
    noise = left_open.T @ left_open / len(left_open) + 1e-6 * np.diag(size)
    weighted = np.linalg.solve(noise, forward.T)
    # A trace of what is known of the source anyway keeps this solvable.
    spread = np.cov(np.vstack(matched).T).reshape(len(forward), -1)
    least = (1e-6 * np.trace(spread) + 1e-12) * np.eye(len(forward))
    prior = np.linalg.inv(spread + least)
    weight = np.linalg.solve(forward @ weighted + 1e-6 * prior, weighted.T).T
    bias: Array = mean_matched - mean_seen @ weight
    if not np.isfinite(weight).all():
        unexplained = float("inf")
    return StateMap(weight.astype(np.float64), bias, unexplained)


_LASTING = 0.95
"""Most of what is left open that may last for a step: levels must count for something.
"""


def _least_squares(z: Array, x: Array) -> Array:
    normal = z.T @ z
    least = 1e-9 * np.trace(normal) + 1e-12
    forward: Array = np.linalg.solve(normal + least * np.eye(len(normal)), z.T @ x)
    return forward


def _autocorrelation(rows: Sequence[Array]) -> float:
    later = np.vstack([each[1:] for each in rows])
    earlier = np.vstack([each[:-1] for each in rows])
    size = float((earlier**2).sum())
    return float(np.clip((later * earlier).sum() / max(size, 1e-12), 0.0, _LASTING))
