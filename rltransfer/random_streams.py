"""Random streams: one seed per run, and an independent named child for each use."""

from typing import final

import numpy as np

INTEGER_SEEDS = 2**31 - 2**20
"""Gymnasium and Stable-Baselines3 take seeds below 2^31; episode i adds i to one."""


@final
class RandomStreams:
    """Independent streams of random numbers for the uses of one run.

    Each use is a child that NumPy's `SeedSequence` spawns from the run's seed. Unlike
    seeds that differ by an offset, no two uses and no two run seeds share a stream.

    Args:
        seed: of the run, or the child of one.
        uses: their names. A use is known by its place, so append new ones: inserting
            one changes the numbers of all that follow.
    """

    def __init__(self, seed: int | np.random.SeedSequence, *uses: str) -> None:
        if isinstance(seed, int):
            seed = np.random.SeedSequence(seed)
        # Spawning counts the children of a sequence, so it is done on a copy.
        root = np.random.SeedSequence(seed.entropy, spawn_key=seed.spawn_key)
        self._children = dict(zip(uses, root.spawn(len(uses)), strict=True))

    def sequence(self, use: str) -> np.random.SeedSequence:
        """Returns the child itself, to spawn from."""
        return self._children[use]

    def generator(self, use: str) -> np.random.Generator:
        """Returns a fresh generator; two calls return equal ones."""
        return np.random.default_rng(self._children[use])

    def integer(self, use: str) -> int:
        """Returns a seed for what takes integers: environments, torch, SB3."""
        return int(self._children[use].generate_state(1, np.uint64)[0] % INTEGER_SEEDS)
