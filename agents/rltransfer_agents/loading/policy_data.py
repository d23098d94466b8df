"""An agent as plain data, and its tensors, each checked when it is taken by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from gymnasium import spaces
from jaxtyping import Float32
from numpy.typing import NDArray

from rltransfer_agents.loading import limits
from rltransfer_agents.loading.environment_wrappers import EnvironmentWrapper
from rltransfer_agents.loading.policy_keywords import Keywords
from rltransfer_agents.loading.refusal import Refusal, quoted
from rltransfer_agents.policies.activations import (
    Activation,
    Dense,
    dense_from_torch,
    identity,
)
from rltransfer_agents.policies.observation_encoders import Normalisation

# By the part of a Dict observation; "" stands for an observation without parts.
Normalisations = Mapping[str, Normalisation]


@final
@dataclass(frozen=True, eq=False)
class PolicyData:
    """An agent's file as plain data: what its policy is built from, and its origin."""

    algorithm: str
    policy_class: str
    """Module and name."""
    observation_space: spaces.Space[Any]
    action_space: spaces.Space[Any]
    keywords: Keywords
    tensors: dict[str, NDArray[Any]]
    exploration: float = 0.0
    """Share of random actions when actions are drawn (DQN, QR-DQN)."""
    normalisations: Normalisations = field(default_factory=dict)
    steps: int | None = None
    seed: int | None = None
    versions: dict[str, str] = field(default_factory=dict)
    """Of Stable-Baselines3, Python, torch and so on, as the file says."""
    env_id: str | None = None
    """As the file calls it, which need not be a registered id."""
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    wrappers: tuple[EnvironmentWrapper, ...] = ()
    """What its run put around the environment, the innermost first."""
    sha256: str = ""
    """Of the file."""
    statistics_sha256: str | None = None
    """Of the statistics' own file, if there is one."""


@final
class Weights:
    """A policy's tensors by name; notes which are taken, so that none is missed."""

    def __init__(self, tensors: dict[str, NDArray[Any]]) -> None:
        for name, tensor in tensors.items():
            if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
                raise Refusal(
                    "non-finite", f"weights must be finite, {quoted(name)} is not"
                )
        self._tensors = tensors
        self._left = set(tensors)

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def take(self, name: str, rank: int) -> NDArray[np.float32]:
        """Returns a tensor in single precision, as the policy computes."""
        if name not in self._tensors:
            raise Refusal("network", f"the weights {quoted(name)} are missing")
        tensor = self._tensors[name]
        if tensor.dtype.kind != "f" or tensor.ndim != rank:
            raise Refusal(
                "network",
                f"{quoted(name)} must be real numbers in {rank} dimensions, got "
                f"{tensor.dtype} in {tensor.ndim}",
            )
        self._left.discard(name)
        with np.errstate(over="ignore"):
            numbers = tensor.astype(np.float32)
        if not np.isfinite(numbers).all():
            raise Refusal("non-finite", f"{quoted(name)} is beyond single precision")
        return numbers

    def dense(self, prefix: str, activation: Activation = identity) -> Dense:
        """Returns the layer stored as `prefix.weight` and, unless absent, its bias."""
        weight = self.take(f"{prefix}.weight", rank=2)
        has_bias = f"{prefix}.bias" in self
        bias = self.take(f"{prefix}.bias", rank=1) if has_bias else None
        if bias is not None and len(bias) != len(weight):
            raise Refusal("network", f"{quoted(prefix)} has unequal weights and biases")
        return dense_from_torch(weight, bias, activation)

    def chain(self, prefix: str, activation: Activation) -> list[Dense]:
        """Returns the layers of a sequence in which every second module is one."""
        layers = []
        for place in range(0, 2 * limits.LAYERS, 2):
            if f"{prefix}.{place}.weight" not in self:
                break
            layers.append(self.dense(f"{prefix}.{place}", activation))
        return layers

    def check_rest(self, idle: tuple[str, ...]) -> None:
        """Raises if tensors were left that do not belong to a part that never acts."""
        strange = sorted(name for name in self._left if not name.startswith(idle))
        if strange:
            raise Refusal(
                "network",
                f"a stock policy has no weights {quoted(strange[0])}, this one has; "
                "its class was changed by its author",
            )


def check_chain(layers: list[Dense], inputs: int, outputs: int) -> None:
    """Raises unless the layers fit each other, the features and the actions."""
    width = inputs
    for layer in layers:
        if layer.weight.shape[0] != width:
            raise Refusal(
                "network",
                f"a layer must take the {width} values in front of it, one takes "
                f"{layer.weight.shape[0]}",
            )
        width = layer.weight.shape[1]
    if width != outputs:
        raise Refusal(
            "network", f"the network must give {outputs} values, it gives {width}"
        )


def noise_deviation(
    log_deviation: Float32[NDArray[np.float32], "*shape"], *, use_expln: bool
) -> Float32[NDArray[np.float32], "*shape"]:
    """Returns deviations from their logarithms.

    Args:
        log_deviation: as learned.
        use_expln: grow like a logarithm above 1, not like an exponential (Raffin et
            al., 2021).
    """
    with np.errstate(over="ignore"):
        deviation: NDArray[np.float32] = np.exp(log_deviation)
    if use_expln:
        above = np.log1p(np.maximum(log_deviation, 0) + np.float32(1e-6)) + 1
        deviation = np.where(log_deviation > 0, above, deviation)
    if not np.isfinite(deviation).all():
        raise Refusal("non-finite", "the deviation of the actions must be finite")
    return deviation


def check_noise(
    deviation: Float32[NDArray[np.float32], "rows columns"], latent: int, actions: int
) -> None:
    """Raises unless a noise matrix, or its one column for all actions, fits."""
    if deviation.shape not in ((latent, actions), (latent, 1)):
        raise Refusal(
            "network",
            f"the noise must have the shape {(latent, actions)}, got {deviation.shape}",
        )
