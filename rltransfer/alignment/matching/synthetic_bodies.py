"""Made-up bodies of one to ten degrees of freedom, many side by side.

Pendulums, springs, chains of limbs that pull at each other, coupled oscillators of
first order, with contacts, joint limits and Coriolis forces; torques, or choices of
torques.
"""

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_MOST_FREEDOM = 10


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
class Mechanics:
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
        pushed = applied(self.torques, drive)
        if self.first_order:
            wave = applied(self.recurrent, np.tanh(place))
            return -place * (0.2 + self.damping) + wave + self.bias + pushed
        bent = np.where(self.swings, np.sin(place), place + self.hardening * place**3)
        force = pushed * self.rate - self.stiffness * bent
        force -= self.damping * self.rate * speed * 0.5
        stretched = self.coupling.sum(axis=2)[:, None]
        force -= place * stretched - applied(self.coupling, place)
        force += np.sin(place) * applied(self.coriolis, speed**2 * np.cos(place))
        beyond = place - np.clip(place, -self.limit, self.limit)
        force -= 30 * beyond * ~self.swings
        for contact in range(self.contacts):
            across = self.contact_across[:, None, contact]
            along = self.contact_along[:, None, contact]
            depth = -((place * across).sum(-1) + self.contact_height[:, :, contact])
            push = self.contact_strength[:, :, contact] * np.maximum(depth, 0)
            drag = np.minimum(push, 5) * np.tanh(2 * (speed * along).sum(-1))
            force += push[..., None] * across - drag[..., None] * along
        return applied(self.inertia, force)


def applied(matrix: Array, vector: Array) -> Array:
    """Returns the products of a matrix of each system with vectors of its own."""
    product: Array = vector @ matrix.swapaxes(1, 2)
    return product
