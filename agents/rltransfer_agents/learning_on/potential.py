"""The source's value, through the state map, as a potential that shapes rewards.

Rewards become r + γΦ(s') - Φ(s), which changes no optimal policy where Φ is 0 after an
episode has terminated (Ng, Harada & Russell, "Policy Invariance under Reward
Transformations", ICML 1999). It is as if a critic began with Φ (Wiewiora, JAIR 2003).
"""

from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from jaxtyping import Float32
from numpy.typing import NDArray

from rltransfer.alignment import SourceModelData
from rltransfer.translation import MappedPolicy
from rltransfer.translation.numpy_networks import array_map
from rltransfer_agents.learning_on.network_stack import NetworkStack

Array = NDArray[np.float32]
_WIDTHS, _RATE, _BATCH, _FOLLOW = (64, 64), 1e-3, 256, 0.01
_VALUE = 10.0
"""About what a return comes to in units of the network."""


@final
@dataclass(frozen=True, eq=False)
class SourceValue:
    """What a source's policy earns from a white source state on, discounted."""

    data: SourceModelData
    rated: NetworkStack
    """Values states and encoded actions, in units of `unit`."""
    unit: float
    bounds: tuple[float, float]
    """Of all returns that these rewards allow."""

    def __call__(self, white: Float32[Array, "row state"]) -> Float32[Array, " row"]:
        """Returns the values, as the source's environment pays."""
        taken = _actions(self.data, white)
        value = self.unit * self.rated(np.concatenate([white, taken], axis=1))[0, :, 0]
        bounded: Array = np.clip(value, *self.bounds).astype(np.float32)
        return bounded


@final
@dataclass(frozen=True, eq=False)
class Potential:
    """The value of the source state that a target observation is mapped to."""

    mapped: MappedPolicy
    value: SourceValue

    def __call__(self, stack: Float32[Array, "row stack"]) -> Float32[Array, " row"]:
        """Returns Φ for target observations, or for stacks of them."""
        white = array_map(self.mapped.translation.state)(stack)
        return self.value(white.astype(np.float32))


def source_value(
    data: SourceModelData, discount: float, updates: int, rng: np.random.Generator
) -> SourceValue:
    """Fits the value of the source's policy to all that was seen in the source.

    By fitted evaluation of its actions (Le, Voloshin & Yue, ICML 2019), since two
    thirds of the steps are not its own. An agent's own critic is not read: where there
    is one, it is in units of normalised rewards and of another discount.

    Args:
        data: steps in the source; all are free.
        discount: of a step.
        updates: of the network.
        rng: draws its weights and batches.
    """
    rows, reward = data.rows, _paid(data)
    state, after = rows.observation.numpy(), rows.next_observation.numpy()
    seen = np.concatenate([state, rows.action.numpy()], axis=1)
    follows = np.concatenate([after, _actions(data, after)], axis=1)
    goes_on = discount * (1 - rows.terminated.numpy().astype(np.float32))
    size = float(np.sqrt(np.square(reward).mean())) or 1.0
    unit, ever = size / (_VALUE * (1 - discount)), 1 / (1 - discount)
    low, high = min(reward.min(), 0.0) * ever, max(reward.max(), 0.0) * ever
    network = NetworkStack((seen.shape[1], *_WIDTHS, 1), 1, rng)
    slow = network.twin()
    for _ in range(updates):
        at = rng.integers(len(seen), size=_BATCH)
        value = reward[at] / unit + goes_on[at] * slow(follows[at])[0, :, 0]
        value = np.clip(value, low / unit, high / unit).astype(np.float32)
        out, inner = network.forward(seen[at])
        slope = (out - value[None, :, None]) / np.float32(_BATCH)
        network.backward(inner, slope, learn=True)
        network.step(_RATE)
        slow.follow(network, _FOLLOW)
    bounds = float(low), float(high)
    return SourceValue(data, slow, unit, bounds)


def _actions(data: SourceModelData, white: Array) -> Array:
    """Returns what the source's policy does in white states, encoded."""
    shown = data.model.whitening.unwhiten(torch.from_numpy(white)).numpy()
    action, _ = data.source.policy.predict(shown, None, None, True)
    return np.asarray(data.source.domain.actions.encode(action), np.float32)


def _paid(data: SourceModelData) -> Array:
    """Returns the rewards as the source's environment pays them."""
    # The model makes them standard, whatever kind of model it is: by an affine map.
    two = replace(data.rows[:2], reward=torch.tensor([0.0, 1.0]))
    zero, one = data.model.standardised(two).reward.numpy()
    paid: Array = (data.rows.reward.numpy() - zero) / (one - zero)
    return paid
