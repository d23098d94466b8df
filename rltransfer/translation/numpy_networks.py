"""Networks as plain NumPy: for one observation, a tenth of what a tensor costs."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rltransfer.mapping import Affine, Chain, Mlp, Network, ResidualAffine

ArrayMap = Callable[[NDArray[Any]], NDArray[Any]]


def _sum_to_one(x: NDArray[Any]) -> NDArray[Any]:
    shifted: NDArray[Any] = x + (1 - x.sum(axis=-1, keepdims=True)) / x.shape[-1]
    return shifted


def _rms_norm(x: NDArray[Any]) -> NDArray[Any]:
    size = np.sqrt(np.square(x).mean(axis=-1, keepdims=True).clip(min=1e-12))
    scaled: NDArray[Any] = x / size
    return scaled


def _relu(x: NDArray[Any]) -> NDArray[Any]:
    rectified: NDArray[Any] = np.maximum(x, 0)
    return rectified


def _sigmoid(x: NDArray[Any]) -> NDArray[Any]:
    return 0.5 * (np.tanh(0.5 * x) + 1)


_ACTIVATIONS: dict[str, ArrayMap | None] = {
    "identity": None,
    "relu": _relu,
    "rms_norm": _rms_norm,
    "sigmoid": _sigmoid,
    "sum_to_one": _sum_to_one,
    "tanh": np.tanh,
}


def array_map(network: Network) -> ArrayMap:
    """Returns what the plain `network` computes, from float32 arrays to arrays.

    Args:
        network: one copy; the last dimension of what it is given are its inputs.
    """
    if network.copies is not None:
        raise ValueError(f"one copy is needed, got a stack of {network.copies}")
    steps = _steps(network)

    def compute(x: NDArray[Any]) -> NDArray[Any]:
        for step in steps:
            x = step(x)
        return x

    return compute


def _steps(network: Network) -> list[ArrayMap]:
    if isinstance(network, Affine):
        return _affine(network)
    if isinstance(network, Mlp):
        layers = [layer for layer in network.layers if isinstance(layer, Affine)]
        return [step for layer in layers for step in _affine(layer)]
    if isinstance(network, Chain):
        places = range(len(network.links))
        return [step for place in places for step in _steps(network[place])]
    if isinstance(network, ResidualAffine):
        affine, residual = array_map(network.affine), array_map(network.residual)
        activation = _ACTIVATIONS[network.output_activation]
        joined: list[ArrayMap] = [lambda x: affine(x) + residual(x)]
        return joined if activation is None else [*joined, activation]
    return [_in_torch(network)]


def _in_torch(network: Network) -> ArrayMap:
    """Returns any other network, several times slower than one written out here."""

    def compute(x: NDArray[Any]) -> NDArray[Any]:
        with torch.inference_mode():
            y: NDArray[Any] = network(torch.from_numpy(np.atleast_2d(x))).numpy()
        return y if x.ndim > 1 else y[0]

    return compute


def _affine(layer: Affine) -> list[ArrayMap]:
    weight = np.ascontiguousarray(layer.weight.detach().numpy())
    bias = layer.bias.detach().numpy().copy()

    def shifted(x: NDArray[Any]) -> NDArray[Any]:
        y: NDArray[Any] = x @ weight
        y += bias
        return y

    def squashed(x: NDArray[Any]) -> NDArray[Any]:
        y: NDArray[Any] = x @ weight
        y += bias
        np.tanh(y, out=y)
        return y

    if layer.activation == "tanh":  # the usual one, and one call less
        return [squashed]
    activation = _ACTIVATIONS[layer.activation]
    return [shifted] if activation is None else [shifted, activation]
