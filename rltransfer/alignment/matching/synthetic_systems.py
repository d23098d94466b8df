"""Made-up systems that the match network learns from: pairs that differ as tasks do.

Bodies of one to ten degrees of freedom: pendulums, springs, chains of limbs that pull
at each other, coupled oscillators of first order, with contacts, joint limits and
Coriolis forces; torques, or choices of torques. None is an environment anyone would
use. Columns of a pair mean the same on both sides; their parameters may differ.
"""

from collections.abc import Callable, Iterator
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from rltransfer.alignment.matching.domain_graph import Stretches

Array = NDArray[Any]
_SHAPES = ((32, 48), (16, 96), (8, 192), (4, 384), (2, 768))
"""Episodes side by side and steps of each: 1,536 rows each."""
_MOST_FREEDOM = 10
_HOLD_EXPONENT, _LONGEST_HOLD = 1.5, 32
"""Of exploration, as in `AlignConfig`."""


def synthetic_pairs(rng: np.random.Generator, pairs: int) -> Stretches:
    """Returns rows of `pairs` sources, then of as many targets, in one batch.

    All systems of a batch have the same numbers of variables; all else is drawn for
    each pair. Every system has the same number of episodes, which stand one after the
    other and are of equal length unless they terminate.
    """
    episodes, steps = _SHAPES[rng.integers(len(_SHAPES))]
    mechanics = _Mechanics(rng, pairs)
    sensors = _Sensors(rng, mechanics)
    return _rollout(rng, mechanics, sensors, episodes, steps)


@final
class _Parameters:
    """Draws what is alike on both sides of each pair, but for a drift."""

    def __init__(self, rng: np.random.Generator, pairs: int) -> None:
        self.rng, self.pairs = rng, pairs
        self.drift = float(rng.choice([0.0, 0.0, 0.1, 0.3]))

    def both(self, drawn: Array) -> Array:
        """Returns values of each pair for both sides; episodes broadcast."""
        noise = self.drift * self.rng.normal(size=drawn.shape)
        return np.concatenate([drawn, drawn * np.exp(noise)])[:, None]

    def matrix(self, drawn: Array) -> Array:
        """Returns matrices of each pair for both sides."""
        joined: Array = self.both(drawn)[:, 0]
        return joined

    def uniform(self, low: float, high: float, *shape: int) -> Array:
        return self.rng.uniform(low, high, (self.pairs, *shape))

    def some(self, share: float, *shape: int) -> Array:
        """Returns ones in about `share` of the places, zeros elsewhere."""
        return (self.rng.random((self.pairs, *shape)) < share).astype(float)

    def sparse(self, share: float, *shape: int) -> Array:
        return self.some(share, *shape) * self.rng.normal(size=(self.pairs, *shape))


@final
class _Mechanics:
    """Equations of motion of all systems of a batch, and what acts on them."""

    def __init__(self, rng: np.random.Generator, pairs: int) -> None:
        draw = _Parameters(rng, pairs)
        # Smaller ones more often: learned from faster, and most tasks are small.
        n = int(rng.integers(1, rng.integers(3, _MOST_FREEDOM + 2)))
        self.rng, self.draw, self.freedom = rng, draw, n
        self.systems = 2 * pairs
        self.first_order, self.discrete = rng.random() < 0.2, rng.random() < 0.4
        self.motors = int(rng.integers(1, min(n, 7) + 1))
        self.step = draw.both(np.exp(draw.uniform(-3.2, -1.8, 1)))
        self.damping = draw.both(draw.uniform(0.0, 1.2, n))
        kinds = rng.choice([1, 1, 1, 0, -0.5], (pairs, n))
        self.stiffness = draw.both(np.exp(draw.uniform(-1.5, 2.5, n)) * kinds)
        self.rate = np.sqrt(np.abs(self.stiffness)) + 0.3
        """Of each degree of freedom, by which its forces are scaled."""
        self.swings = draw.both(draw.some(0.4, n)) > 0
        self.hardening = draw.both(draw.some(0.3, n) * draw.uniform(-0.5, 2.0, n))
        self.limit = draw.both(draw.uniform(1.0, 6.0, n))
        tree, parents = self._limbs(rng, pairs, n)
        tree = draw.matrix(tree)
        self.coupling = tree + tree.swapaxes(1, 2)
        inertia = draw.matrix(draw.sparse(0.25, n, n))
        self.inertia = np.eye(n) + (inertia + inertia.swapaxes(1, 2)) / 4
        coriolis = draw.matrix(draw.sparse(0.15, n, n)) * 0.5
        self.coriolis = coriolis - coriolis.swapaxes(1, 2)
        self.torques = draw.matrix(self._torques(rng, pairs, parents))
        self.contacts = int(rng.integers(0, 4)) if n > 2 else 0
        self.contact_across = draw.matrix(draw.sparse(0.5, self.contacts, n))
        self.contact_along = draw.matrix(draw.sparse(0.4, self.contacts, n))
        self.contact_height = draw.both(draw.uniform(-0.3, 0.6, self.contacts))
        self.contact_strength = draw.both(draw.uniform(5.0, 60.0, self.contacts))
        self.recurrent = draw.matrix(draw.sparse(0.4, n, n)) * 1.5
        self.bias = draw.both(rng.normal(size=(pairs, n)) * 0.5)
        self.table = draw.matrix(self._choices(rng, pairs)) if self.discrete else None

    @staticmethod
    def _limbs(
        rng: np.random.Generator, pairs: int, n: int
    ) -> tuple[Array, NDArray[np.int64]]:
        """Returns springs between each part and its parent: trees, and chains."""
        tree, parents = np.zeros((pairs, n, n)), np.zeros((pairs, n), np.int64)
        chains = rng.random() < 0.5
        for part in range(1, n):
            parent = rng.integers(0, part, pairs)
            if chains:
                # Two limbs of one root, whose parts stand one after the other.
                parent = np.full(pairs, max(part - 2, 0))
            elif rng.random() < 0.5:
                parent = np.full(pairs, part - 1)
            parents[:, part] = parent
            held = rng.random(pairs) < 0.7
            tree[np.arange(pairs), part, parent] = rng.uniform(0.3, 2, pairs) * held
        return tree, parents

    def _torques(
        self, rng: np.random.Generator, pairs: int, parents: NDArray[np.int64]
    ) -> Array:
        """Returns what each motor does to each degree of freedom."""
        n, m = self.freedom, self.motors
        torques = np.zeros((pairs, n, m))
        reacts = rng.random() < 0.5
        for pair in range(pairs):
            driven = rng.permutation(n)[:m]
            strength = rng.choice([-1, 1], m) * np.exp(rng.uniform(-0.7, 1.3, m))
            torques[pair, driven, np.arange(m)] = strength
            if reacts:
                # A motor between two parts turns both, in opposite ways.
                back = -strength * rng.uniform(0, 0.8, m) * (driven > 0)
                np.add.at(torques[pair], (parents[pair, driven], np.arange(m)), back)
            torques[pair] += (rng.random((n, m)) < 0.12) * rng.normal(size=(n, m)) * 0.5
        return torques

    def _choices(self, rng: np.random.Generator, pairs: int) -> Array:
        """Returns how far each choice drives each motor."""
        count = int(rng.integers(2, 6))
        table = np.zeros((pairs, count, self.motors))
        for pair in range(pairs):
            for choice in range(min(count, 2 * self.motors)):
                table[pair, choice, choice % self.motors] = rng.choice([-1.0, 1.0])
            if rng.random() < 0.7:
                table[pair, 1] = -table[pair, 0]
            if count >= 3:
                table[pair, 2] *= rng.choice([0, 1])
        return table

    @property
    def actions(self) -> int:
        """Size of an encoded action."""
        return self.motors if self.table is None else self.table.shape[1]

    def driven(self, action: Array) -> Array:
        """Returns how far an encoded action drives each motor."""
        return action if self.table is None else action @ self.table

    def advance(self, place: Array, speed: Array, drive: Array) -> tuple[Array, Array]:
        """Returns place and speed after one step, of two halves."""
        for _ in range(2):
            rate = self._rate(place, speed, drive)
            if self.first_order:
                place = place + self.step * rate
            else:
                speed = np.clip(speed + self.step / 2 * rate, -30, 30)
                place = place + self.step / 2 * speed
        return np.clip(place, -50, 50), speed

    def _rate(self, place: Array, speed: Array, drive: Array) -> Array:
        pushed = _apply(self.torques, drive)
        if self.first_order:
            wave = _apply(self.recurrent, np.tanh(place))
            return -place * (0.2 + self.damping) + wave + self.bias + pushed
        bent = np.where(self.swings, np.sin(place), place + self.hardening * place**3)
        force = pushed * self.rate - self.stiffness * bent
        force -= self.damping * self.rate * speed * 0.5
        stretched = self.coupling.sum(axis=2)[:, None]
        force -= place * stretched - _apply(self.coupling, place)
        force += np.sin(place) * _apply(self.coriolis, speed**2 * np.cos(place))
        beyond = place - np.clip(place, -self.limit, self.limit)
        force -= 30 * beyond * ~self.swings
        for contact in range(self.contacts):
            across = self.contact_across[:, None, contact]
            along = self.contact_along[:, None, contact]
            depth = -((place * across).sum(-1) + self.contact_height[:, :, contact])
            push = self.contact_strength[:, :, contact] * np.maximum(depth, 0)
            drag = np.minimum(push, 5) * np.tanh(2 * (speed * along).sum(-1))
            force += push[..., None] * across - drag[..., None] * along
        return _apply(self.inertia, force)


@final
class _Sensors:
    """What is shown of a system: observations, reward, and when episodes end."""

    def __init__(self, rng: np.random.Generator, body: _Mechanics) -> None:
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
        shown.append((_apply(self._bit_of, place) > self._bit_from) * 1.0)
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


def _apply(matrix: Array, vector: Array) -> Array:
    product: Array = vector @ matrix.swapaxes(1, 2)
    return product


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
    body: _Mechanics,
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
