"""A policy's tensors, taken out by name and checked on the way."""

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from rltransfer_agents.frozen.activations import Activation, identity
from rltransfer_agents.frozen.layers import Dense, dense_from_torch
from rltransfer_agents.reading import limits
from rltransfer_agents.reading.refusal import Refusal, shown


@final
class Weights:
    """Hands tensors out once each, so that what nobody asked for can be told."""

    def __init__(self, tensors: dict[str, NDArray[Any]]) -> None:
        for name, tensor in tensors.items():
            if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
                raise Refusal(
                    "non-finite", f"weights must be finite, {shown(name)} is not"
                )
        self._tensors = tensors
        self._left = set(tensors)

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def take(self, name: str, rank: int) -> NDArray[np.float32]:
        """Returns a tensor in single precision, as the policy computes."""
        if name not in self._tensors:
            raise Refusal("network", f"the weights {shown(name)} are missing")
        tensor = self._tensors[name]
        if tensor.dtype.kind != "f" or tensor.ndim != rank:
            raise Refusal(
                "network",
                f"{shown(name)} must be real numbers in {rank} dimensions, got "
                f"{tensor.dtype} in {tensor.ndim}",
            )
        self._left.discard(name)
        with np.errstate(over="ignore"):
            numbers = tensor.astype(np.float32)
        if not np.isfinite(numbers).all():
            raise Refusal("non-finite", f"{shown(name)} is beyond single precision")
        return numbers

    def dense(self, prefix: str, activation: Activation = identity) -> Dense:
        """Returns the layer stored as `prefix.weight` and, unless absent, its bias."""
        weight = self.take(f"{prefix}.weight", rank=2)
        has_bias = f"{prefix}.bias" in self
        bias = self.take(f"{prefix}.bias", rank=1) if has_bias else None
        if bias is not None and len(bias) != len(weight):
            raise Refusal("network", f"{shown(prefix)} has unequal weights and biases")
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
                f"a stock policy has no weights {shown(strange[0])}, this one has; "
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
