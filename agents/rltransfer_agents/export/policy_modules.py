"""Frozen and mapped policies as modules, so that PyTorch's exporter can trace them.

The steps are those of `rltransfer_agents.policies` and `rltransfer.translation`.
"""

from itertools import pairwise
from typing import Any, final

import numpy as np
import torch
from gymnasium import spaces
from jaxtyping import Float, Shaped
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from rltransfer.domain import codec_of
from rltransfer.errors import InputError
from rltransfer.mapping import Affine
from rltransfer.translation import MappedPolicy
from rltransfer.translation.effect_matching import RIDGE, listed_actions
from rltransfer_agents.export.plain_policy import plain_policy
from rltransfer_agents.policies import FrozenPolicy


@final
class FrozenModule(nn.Module):
    """A policy of vectors, as a module."""

    def __init__(self, policy: FrozenPolicy) -> None:
        super().__init__()
        arrays, self._words = plain_policy(policy)
        self._arrays = {name: _constant(array) for name, array in arrays.items()}

    def outputs(
        self, observation: Float[Tensor, "row *observation"]
    ) -> Float[Tensor, "row output"]:
        """Returns what the choice is made from: logits, action values or means."""
        arrays, words = self._arrays, self._words
        # In double precision: a large mean would swallow small deviations in single.
        x = (observation.flatten(1).double() - arrays["mean"]) / arrays["deviation"]
        x = _within(x, arrays["clip"]).float()
        for place, name in enumerate(words["activations"]):
            x = torch.addmm(arrays[f"bias{place}"], x, arrays[f"weight{place}"])
            x = _activated(x, name)
        return x

    def forward(
        self, observation: Float[Tensor, "row *observation"]
    ) -> Shaped[Tensor, "row *action"]:
        """Returns the likeliest action for each row."""
        arrays, words, x = self._arrays, self._words, self.outputs(observation)
        if words["choice"] == "largest":
            groups = pairwise([0, *words["splits"], None])
            x = torch.stack([x[:, a:b].argmax(dim=1) for a, b in groups], dim=1)
        elif words["choice"] == "above zero":
            x = (x > 0).float()
        else:
            low, high = arrays["low"].float(), arrays["high"].float()
            x = _within(x, arrays["limit"])
            if words["choice"] == "squashed":
                x = low + 0.5 * (x.tanh() + 1) * (high - low)
            else:
                x = torch.minimum(torch.maximum(x, low), high)
        return x.reshape(-1, *words["action_shape"])


@final
class WantedModule(nn.Module):
    """What the source's policy asks for where a mapping shows it something.

    Of choices it is their logits or values, less their mean, since only differences
    choose; of motors the action, each motor's range scaled to [-1, 1].

    Args:
        policy: whose source policy is frozen.
    """

    def __init__(self, policy: MappedPolicy) -> None:
        super().__init__()
        source, translation = frozen_source(policy), policy.translation
        self._policy, self._space = FrozenModule(source), source.action_space
        self._state, self._unwhiten = translation.state, translation.unwhiten

    def forward(self, stack: Float[Tensor, "row stack"]) -> Float[Tensor, "row output"]:
        """Returns it for each row, an observation of the target or a stack of them."""
        seen = self._unwhiten(self._state(stack))
        if isinstance(self._space, spaces.Box):
            return _encoded(self._policy(seen), self._space)
        outputs = self._policy.outputs(seen)
        return outputs - outputs.mean(dim=1, keepdim=True)


def frozen_source(policy: MappedPolicy) -> FrozenPolicy:
    """Returns the source's policy; raises unless it is frozen."""
    source = policy.policy
    if not isinstance(source, FrozenPolicy):
        raise InputError(
            "the source's policy must be one that was read from a file, got "
            f"{type(source).__name__}; read it with load_agent"
        )
    return source


@final
class MappedModule(nn.Module):
    """A policy through a mapping, as a module.

    Args:
        policy: whose source policy is frozen.
        action_space: of the target.

    Raises:
        InputError: the source policy is not frozen, or not of vectors, or the mapping
            is of several observations.
    """

    def __init__(self, policy: MappedPolicy, action_space: spaces.Space[Any]) -> None:
        super().__init__()
        source, translation = frozen_source(policy), policy.translation
        if translation.steps > 1:
            raise InputError(
                "a graph of ONNX maps one observation, this mapping is of the last "
                f"{translation.steps} and has to remember them; act with "
                "rltransfer.load_agent instead"
            )
        if policy.pictured:
            raise InputError(
                "a graph of ONNX maps vectors, this mapping is of pictures; act with "
                "rltransfer.load_agent instead"
            )
        for space in (source.action_space, action_space):
            if not isinstance(space, spaces.Box | spaces.Discrete):
                raise InputError(
                    "a mapped policy is written with Discrete actions or a Box, this "
                    f"one has {space}; act with rltransfer.load_agent instead"
                )
        self._source, self._target = source.action_space, action_space
        self._codec = codec_of(action_space, "the target")
        self._policy = FrozenModule(source)
        self._state, self._unwhiten = translation.state, translation.unwhiten
        self._gain, self._action = translation.gain, translation.action

    def forward(
        self, observation: Float[Tensor, "row observation"]
    ) -> Shaped[Tensor, "row *action"]:
        """Returns the action in the target for each row."""
        white = self._state(observation)
        action: Tensor = self._policy(self._unwhiten(white))
        if self._gain is None or self._action is None:
            if isinstance(self._target, spaces.Discrete):
                return action
            return _decoded(_encoded(action, self._source), self._target)
        wanted = _encoded(action, self._source)
        gain = self._gain(white).unflatten(1, (-1, wanted.shape[1]))
        # How far the effects of two source actions are apart.
        metric = gain.transpose(1, 2) @ gain
        if isinstance(self._target, spaces.Box) and isinstance(self._action, Affine):
            return _decoded(self._solved(wanted, metric), self._target)
        listed = _constant(listed_actions(self._codec))
        apart = self._action(listed) - wanted.unsqueeze(1)
        distance: Tensor = ((apart @ metric) * apart).sum(dim=2)
        nearest = distance.argmin(dim=1)
        if isinstance(self._target, spaces.Discrete):
            return nearest
        return _decoded(listed[nearest], self._target)

    def _solved(
        self,
        wanted: Float[Tensor, "row source"],
        metric: Float[Tensor, "row source source"],
    ) -> Float[Tensor, "row target"]:
        """Returns the encoded target actions that an affine map brings nearest."""
        assert isinstance(self._action, Affine)
        size = self._codec.size
        # Through the map as a whole: its activation may be affine too.
        bias = self._action(torch.zeros(1, size)).double()
        weight = self._action(torch.eye(size)).double() - bias
        pull = weight @ metric.double()
        normal = pull @ weight.T
        unit = torch.eye(size, dtype=torch.float64)
        trace = (normal * unit).sum(dim=(1, 2), keepdim=True)
        normal = normal + RIDGE * trace.clamp_min(1e-8) * unit
        right = pull @ (wanted.double() - bias).unsqueeze(2)
        # ONNX cannot solve equations: Gauss-Jordan, which needs no pivoting here.
        table = torch.cat([normal, right], dim=2)
        for place in range(size):
            here = slice(place, place + 1)
            row = table[:, here] / table[:, here, here]
            table = table - (table[:, :, here] - unit[:, here]) @ row
        return table[:, :, -1].float()


def _within(x: Tensor, limit: Tensor) -> Tensor:
    """Returns `x` cut to ± `limit`, where there is one."""
    most = limit.item()
    return x.clamp(-most, most) if np.isfinite(most) else x


def _activated(x: Tensor, name: str) -> Tensor:
    if name == "identity":
        return x
    function = getattr(torch, name, None) or getattr(F, name)
    activated: Tensor = function(x)
    return activated


def _encoded(
    action: Shaped[Tensor, "row *action"], space: spaces.Space[Any]
) -> Float[Tensor, "row code"]:
    if isinstance(space, spaces.Discrete):
        return F.one_hot(action, int(space.n)).float()
    assert isinstance(space, spaces.Box)
    centre, reach = _centre_and_reach(space)
    return (action - centre) / reach


def _decoded(
    code: Float[Tensor, "row code"], space: spaces.Space[Any]
) -> Float[Tensor, "row action"]:
    assert isinstance(space, spaces.Box)
    centre, reach = _centre_and_reach(space)
    action = code * reach + centre
    return torch.minimum(torch.maximum(action, _single(space.low)), _single(space.high))


def _centre_and_reach(space: spaces.Box) -> tuple[Tensor, Tensor]:
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    return _single((high + low) / 2), _single(np.maximum((high - low) / 2, 1e-12))


def _constant(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.array(array))


def _single(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(array.astype(np.float32))
