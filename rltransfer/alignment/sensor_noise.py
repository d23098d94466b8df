"""Whether sensors are noisy, told from what neighbours in time say of an observation.

The error over one step compares two observations that follow each other. Noise that is
small beside an observation is large beside their difference, and misleads every fit of
one observation. It is drawn anew at each step, so no neighbour tells it: an observation
is predicted from those before and after it and from the actions between, never from
itself (the idea by which Batson & Royer, 2019, remove noise). What is left is the noise
and what a linear prediction misses of the world, which is not always there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64, Int64

from rltransfer.alignment.responses import Array, Episode, episodes_of
from rltransfer.domain import Transitions
from rltransfer.errors import InputError

_HALF_WITHIN = 0.6745
"""Half of all draws from a normal distribution are within so many deviations."""


@final
@dataclass(frozen=True)
class NoiseConfig:
    """When sensors are taken to be noisy."""

    most: int = 100
    """Sensors and motors up to which it is looked for: time grows with their cube."""
    window: int = 3
    """Neighbours on either side that an observation is predicted from."""
    folds: int = 5
    """Parts that are held out in turn."""
    stretch: int = 25
    """Steps in a row that are held out together."""
    ridges: tuple[float, ...] = (1e-6, 1e-4, 1e-2)
    """Of the regression, for each row; that counts which leaves least."""
    useless: float = 0.5
    """Share of a sensor's variance that is not predicted, from which on it shows
    nothing that lasts, and others are predicted without it.
    """
    least: float = 0.03
    """Share that noise must have of a step's variance, by the median.

    Nine worlds without noise had 0.0002 to 0.02, and up to 0.04 behind warped sensors;
    with noise of 2 % of the sensors' range they had 0.065 to 0.42.
    """
    even: float = 0.5
    """Least part that this share must be of the same by the mean square.

    Noise is always there, and both agree. Where a world is not linear, as at contacts,
    little is missed most of the time and much at some.
    """

    def __post_init__(self) -> None:
        if min(self.window, self.stretch) < 1 or self.folds < 2:
            raise InputError(
                "noise.window and noise.stretch must be at least 1 and noise.folds 2, "
                f"got {self.window}, {self.stretch} and {self.folds}"
            )
        if not self.ridges or min(self.ridges) <= 0:
            raise InputError(f"noise.ridges must be above 0, got {self.ridges}")
        if not (0 < self.useless <= 1 and self.least > 0 and self.even > 0):
            raise InputError(
                "noise.least and noise.even must be above 0 and noise.useless at most "
                f"1, got {self.least}, {self.even} and {self.useless}"
            )


def is_noisy(rows: Transitions, config: NoiseConfig) -> bool:
    """Returns whether the sensors of a domain disturb what they show at each step.

    Args:
        rows: acted at random. A policy answers to the noise that it sees, and its
            actions tell some of it, so that of logs alone too little may be found.
        config: what counts as noise.
    """
    if rows.observation.shape[1] + rows.action.shape[1] > config.most:
        return False
    episodes = episodes_of(rows)
    states = np.vstack([episode.states for episode in episodes])
    steps = np.vstack([np.diff(episode.states, axis=0) for episode in episodes])
    sensors = np.flatnonzero(steps.std(axis=0) > 1e-6 * states.std(axis=0))
    found = _left_by_ridge(episodes, sensors, config)
    if found:
        # What shows noise alone would only disturb what others predict.
        least = np.min([left.var(axis=0) for left in found], axis=0)
        sensors = sensors[least < config.useless * states[:, sensors].var(axis=0)]
        found = _left_by_ridge(episodes, sensors, config)
    if not found:
        return False
    steps, count = steps[:, sensors], len(sensors)
    size = steps.std(axis=0)
    covariance = np.cov((steps / size).T).reshape(count, count)
    values, directions = np.linalg.eigh(covariance)
    moving = values > 1e-6 * values.max()  # redundant sensors leave some empty
    matrix = directions[:, moving] / np.sqrt(values[moving])
    usual, mean = min(_shares(left / size @ matrix) for left in found)
    return usual >= max(config.least, config.even * mean)


def _shares(white: Float64[Array, "row direction"]) -> tuple[float, float]:
    """Returns the variance by the median, and the mean square."""
    usual = (np.median(np.abs(white), axis=0) / _HALF_WITHIN) ** 2
    return float(usual.mean()), float((white**2).mean())


def _left_by_ridge(
    episodes: Sequence[Episode],
    sensors: Int64[np.ndarray, " sensor"],
    config: NoiseConfig,
) -> list[Float64[Array, "row sensor"]]:
    """Returns what neighbours do not tell of observations that were held out.

    Nothing where there are too few rows, or no sensors.
    """
    inputs, outputs, folds = [], [], []
    around = range(-config.window, config.window + 1)
    for number, episode in enumerate(episodes):
        states, steps = episode.states[:, sensors], len(episode.actions)
        places = np.arange(config.window, steps - config.window + 1)
        near = [states[places + j] for j in around if j]
        acted = [episode.actions[places + j] for j in around[:-1]]
        inputs.append(np.hstack([*near, *acted]))
        outputs.append(states[places])
        folds.append((number + places // config.stretch) % config.folds)
    x, y, fold = np.vstack(inputs), np.vstack(outputs), np.concatenate(folds)
    if not len(sensors) or min(np.bincount(fold, minlength=config.folds)) < 1:
        return []
    size = x.std(axis=0)
    x = (x - x.mean(axis=0)) / np.where(size > 0, size, 1.0)
    x = np.hstack([x, np.ones((len(x), 1))])
    found = [np.empty_like(y) for _ in config.ridges]
    for held_out in range(config.folds):
        away = fold == held_out
        normal, right = x[~away].T @ x[~away], x[~away].T @ y[~away]
        values, vectors = np.linalg.eigh(normal)
        inside, outside = vectors.T @ right, x[away] @ vectors
        for ridge, left in zip(config.ridges, found, strict=True):
            size = np.maximum(values, 0.0) + ridge * len(x)
            left[away] = y[away] - outside @ (inside / size[:, None])
    return found
