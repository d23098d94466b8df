"""Translations made worse on purpose, to see what a learner does with a bad one."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import torch

from rltransfer.domain import Domain
from rltransfer.mapping import Affine, in_turn
from rltransfer.translation.mapped_policy import MappedPolicy

Alter: TypeAlias = Callable[[MappedPolicy, Domain], MappedPolicy]
"""Makes another policy of the one that was found for the target."""

SPOILT = (0.2, 0.5)
"""Where the normalised return of a spoilt policy should lie."""
_SCALES = (0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5)
"""Of the noise; white source states and encoded actions have about unit size."""
_DIRECTIONS = 8


def shuffled(policy: MappedPolicy, rng: np.random.Generator) -> MappedPolicy:
    """Returns the policy with the target's sensors in an order drawn at random.

    No sensor stays in its place, unless there is only one.
    """
    state = policy.translation.state
    order = np.arange(state.inputs)
    while state.inputs > 1 and (order == np.arange(state.inputs)).any():
        order = rng.permutation(state.inputs)
    chosen = torch.eye(state.inputs)[:, torch.as_tensor(order)]
    mixed = in_turn(Affine.of(chosen, torch.zeros(state.inputs)), state)
    return policy.through(replace(policy.translation, state=mixed))


def opposite(policy: MappedPolicy) -> MappedPolicy:
    """Returns the policy that sees the mirror image of every source state."""
    size = policy.translation.state.outputs
    mirror = Affine.of(-torch.eye(size), torch.zeros(size))
    mirrored = in_turn(policy.translation.state, mirror)
    return policy.through(replace(policy.translation, state=mirrored))


def noisy(policy: MappedPolicy, scale: float, rng: np.random.Generator) -> MappedPolicy:
    """Returns the policy with noise on the numbers of both maps.

    Where no action map was needed, the state map alone is changed.

    Args:
        policy: through the maps as they were found.
        scale: standard deviation, per row of a map, of what is added to the identity
            behind it.
        rng: draws the noise.
    """
    found = policy.translation
    state = in_turn(found.state, _noise(found.state.outputs, scale, rng))
    action = found.action
    if action is not None:
        action = in_turn(action, _noise(action.outputs, scale, rng))
    return policy.through(replace(found, state=state, action=action))


def spoilt(
    policy: MappedPolicy, use: Callable[[MappedPolicy], float], seed: int
) -> MappedPolicy:
    """Returns the policy with so much noise that some of its use is left.

    Noise of rising size is tried in a few directions, and the first policy is taken
    whose use is within `SPOILT`, else the one nearest to its middle.

    Args:
        policy: as it was found.
        use: returns the normalised return of a policy; what that takes in the target is
            the experimenter's, and no step of a learner.
        seed: of the noise.
    """
    low, high = SPOILT
    tried: list[tuple[float, MappedPolicy]] = []
    for direction in range(_DIRECTIONS):
        for scale in _SCALES:
            worse = noisy(policy, scale, np.random.default_rng([seed, direction]))
            left = use(worse)
            if low <= left <= high:
                return worse
            tried.append((abs(left - (low + high) / 2), worse))
            if left < low:
                break  # more noise in this direction leaves less
    return min(tried, key=lambda one: one[0])[1]


def _noise(size: int, scale: float, rng: np.random.Generator) -> Affine:
    draw = rng.normal(size=(size + 1, size)) * scale / np.sqrt(size)
    weight = torch.eye(size) + torch.as_tensor(draw[:-1], dtype=torch.float32)
    return Affine.of(weight, torch.as_tensor(draw[-1], dtype=torch.float32))
