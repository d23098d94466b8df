"""Made-up systems that the match network learns from: pairs that differ as tasks do.

A body, and what is shown of it. None is an environment anyone would use. Columns of a
pair mean the same on both sides; their parameters may differ.
"""

from collections.abc import Callable, Iterator
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from rltransfer.alignment.matching.standard_rows import Stretches
from rltransfer.alignment.matching.synthetic_bodies import Array, Mechanics, applied

_SHAPES = ((32, 48), (16, 96), (8, 192), (4, 384), (2, 768))
"""Episodes side by side and steps of each: 1,536 rows each."""
_HOLD_EXPONENT, _LONGEST_HOLD = 1.5, 32
"""Of exploration, as in `AlignConfig`."""


def synthetic_pairs(rng: np.random.Generator, pairs: int) -> Stretches:
    """Returns rows of `pairs` sources, then of as many targets, in one batch.

    All systems of a batch have the same numbers of variables; all else is drawn for
    each pair. Every system has the same number of episodes, which stand one after the
    other and are of equal length unless they terminate.
    """
    episodes, steps = _SHAPES[rng.integers(len(_SHAPES))]
    mechanics = Mechanics(rng, pairs)
    sensors = _Sensors(rng, mechanics)
    return _rollout(rng, mechanics, sensors, episodes, steps)


@final
class _Sensors:
    """What is shown of a system: observations, reward, and when episodes end."""

    def __init__(self, rng: np.random.Generator, body: Mechanics) -> None:
        draw, n = body.draw, body.freedom
        self._rng, self._body = rng, body
        chosen = rng.random((2, n))
        self._angles = [i for i in range(n) if chosen[0, i] < 0.25]
        self._hidden = [i for i in range(n) if n > 1 and chosen[1, i] < 0.15]
        if len(self._hidden) == n:
            self._hidden = []  # something must be seen
        bits = int(rng.integers(0, 3)) if rng.random() < 0.4 else 0
        self._bit_of = draw.matrix(draw.sparse(0.5, bits, n))
        self._bit_from = draw.both(draw.uniform(-0.5, 0.5, bits))
        self._noisy = rng.random() < 0.15
        self.start = draw.both(draw.some(0.3, n) * rng.normal(size=(draw.pairs, n)))
        self.spread = draw.both(np.exp(draw.uniform(-3.0, 0.0, 1)))
        self._fall = draw.both(draw.uniform(0.4, 2.0, 1))[..., 0]
        self._watched = int(rng.integers(0, n))
        self._falls = rng.random() < 0.5
        self._reward = int(rng.integers(0, 4))
        self._cost = draw.both(draw.some(0.4, n) * draw.uniform(0.0, 1.0, n))

    def observation(self, place: Array, speed: Array) -> Array:
        plain = [
            i
            for i in range(self._body.freedom)
            if i not in self._angles and i not in self._hidden
        ]
        angles = place[..., self._angles]
        shown = [place[..., plain], np.cos(angles), np.sin(angles)]
        if not self._body.first_order:
            shown.append(np.clip(speed, -10, 10))
        shown.append((applied(self._bit_of, place) > self._bit_from) * 1.0)
        if self._noisy:
            shown.append(self._rng.normal(size=(*place.shape[:2], 1)))
        return np.concatenate(shown, axis=-1)

    def terminated(self, place: Array) -> NDArray[np.bool_]:
        away = np.abs(place - self.start)[..., self._watched]
        fallen: NDArray[np.bool_] = (away > self._fall) & self._falls
        return fallen

    def reward(
        self, place: Array, speed: Array, drive: Array, ended: NDArray[np.bool_]
    ) -> Array:
        match self._reward:
            case 0:
                paid: Array = -(self._cost * place**2).sum(-1)
                paid -= 0.01 * (drive**2).sum(-1)
            case 1:
                paid = speed[..., self._watched]
            case 2:
                paid = 1.0 - ended
            case _:
                paid = -(self._cost * np.cos(place)).sum(-1)
                paid -= 0.02 * (drive**2).sum(-1)
        return paid


def _held(
    rng: np.random.Generator, shape: tuple[int, int], draw: Callable[[], Array]
) -> Iterator[Array]:
    """Yields random actions, each held for a number of steps of a zeta law."""
    action, left = draw(), np.zeros(shape, np.int64)
    while True:
        fresh = left <= 0
        action = np.where(fresh[..., None], draw(), action)
        holds = np.minimum(rng.zipf(_HOLD_EXPONENT, shape), _LONGEST_HOLD)
        left = np.where(fresh, holds, left) - 1
        yield action


def _rollout(
    rng: np.random.Generator,
    body: Mechanics,
    sensors: _Sensors,
    episodes: int,
    steps: int,
) -> Stretches:
    shape, n = (body.systems, episodes), body.freedom

    def draw() -> Array:
        if body.discrete:
            return np.eye(body.actions)[rng.integers(0, body.actions, shape)]
        return rng.uniform(-1, 1, (*shape, body.actions))

    def begin() -> tuple[Array, Array]:
        place, speed = sensors.spread * rng.normal(size=(2, *shape, n))
        return sensors.start + place, speed * body.rate * 0.5

    place, speed = begin()
    fresh, actions = np.ones(shape, bool), _held(rng, shape, draw)
    rows: list[tuple[Array, ...]] = []
    for _ in range(steps):
        now = next(actions)
        drive = body.driven(now)
        shown = sensors.observation(place, speed)
        place, speed = body.advance(place, speed, drive)
        fell = sensors.terminated(place)
        paid = sensors.reward(place, speed, drive, fell)
        later = sensors.observation(place, speed)
        rows.append((shown, now, paid, later, fell, fresh))
        again = begin()
        place = np.where(fell[..., None], again[0], place)
        speed = np.where(fell[..., None], again[1], speed)
        fresh = fell

    def column(part: int) -> torch.Tensor:
        values = np.stack([row[part] for row in rows], axis=2)
        # Episodes one after the other, each in the order of time.
        flat: Array = values.reshape(len(values), -1, *values.shape[3:])
        return torch.from_numpy(np.nan_to_num(flat.astype(np.float32)))

    before, action, reward, after, ended, begun = (column(part) for part in range(6))
    return Stretches(before, action, reward, after, ended, begun.bool(), body.discrete)
