"""Activation functions and dense layers on NumPy arrays, in single precision."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray
from scipy.special import erf, expit

Activations = Float32[NDArray[np.float32], "*batch units"]
Activation = Callable[[Activations], Activations]

# The constants of Klambauer et al. (2017), as PyTorch prints them.
_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805


def identity(units: Activations) -> Activations:
    """Returns the units as they are."""
    return units


def tanh(units: Activations) -> Activations:
    """Returns the hyperbolic tangent."""
    return np.tanh(units, out=units)


def relu(units: Activations) -> Activations:
    """Returns the positive part."""
    return np.maximum(units, 0, out=units)


def elu(units: Activations) -> Activations:
    """Returns x where positive, exp(x) less 1 elsewhere."""
    return _elu(units, alpha=1.0, scale=1.0)


def leaky_relu(units: Activations) -> Activations:
    """Returns x where positive, x / 100 elsewhere."""
    leak: Activations = units * np.float32(0.01)
    return np.maximum(units, leak, out=units)


def sigmoid(units: Activations) -> Activations:
    """Returns the logistic function."""
    return expit(units, out=units)


def silu(units: Activations) -> Activations:
    """Returns x · sigmoid(x), also called swish."""
    return np.multiply(units, expit(units), out=units)


def gelu(units: Activations) -> Activations:
    """Returns x · Φ(x), with the exact normal distribution function."""
    share = np.float32(0.5) * (1 + erf(units / np.float32(math.sqrt(2))))
    return np.multiply(units, share, out=units)


def softplus(units: Activations) -> Activations:
    """Returns log(1 + exp(x))."""
    return np.logaddexp(units, np.float32(0), out=units)


def selu(units: Activations) -> Activations:
    """Returns the self-normalising ELU."""
    return _elu(units, alpha=_SELU_ALPHA, scale=_SELU_SCALE)


def mish(units: Activations) -> Activations:
    """Returns x · tanh(softplus(x))."""
    return np.multiply(units, np.tanh(np.logaddexp(units, np.float32(0))), out=units)


def hardtanh(units: Activations) -> Activations:
    """Returns x clipped to [-1, 1]."""
    return np.clip(units, -1, 1, out=units)


def softsign(units: Activations) -> Activations:
    """Returns x / (1 + |x|)."""
    size: Activations = 1 + np.abs(units)
    return np.divide(units, size, out=units)


def relu6(units: Activations) -> Activations:
    """Returns x clipped to [0, 6]."""
    return np.clip(units, 0, 6, out=units)


def _elu(units: Activations, *, alpha: float, scale: float) -> Activations:
    negative: Activations = np.expm1(np.minimum(units, 0))
    np.multiply(negative, np.float32(alpha), out=negative)
    np.add(negative, np.maximum(units, 0), out=negative)
    return np.multiply(negative, np.float32(scale), out=negative)


# By the names of PyTorch's classes: what is not in this table is refused.
ACTIVATIONS: dict[str, Activation] = {
    "Identity": identity,
    "Tanh": tanh,
    "ReLU": relu,
    "ELU": elu,
    "CELU": elu,
    "LeakyReLU": leaky_relu,
    "Sigmoid": sigmoid,
    "SiLU": silu,
    "GELU": gelu,
    "Softplus": softplus,
    "SELU": selu,
    "Mish": mish,
    "Hardtanh": hardtanh,
    "Softsign": softsign,
    "ReLU6": relu6,
}


@final
@dataclass(frozen=True, eq=False)
class Dense:
    """An affine map followed by an activation; takes one row or a batch of rows."""

    weight: Float32[NDArray[np.float32], "inputs units"]
    """Transposed against PyTorch, so that rows multiply from the left."""
    bias: Float32[NDArray[np.float32], " units"]
    activation: Activation = identity

    def __call__(
        self, features: Float32[NDArray[np.float32], "*batch inputs"]
    ) -> Activations:
        """Returns the activations for one row of features or a batch of rows."""
        units = features @ self.weight
        units += self.bias
        return self.activation(units)


def dense_from_torch(
    weight: Float32[NDArray[np.float32], "units inputs"],
    bias: Float32[NDArray[np.float32], " units"] | None,
    activation: Activation = identity,
) -> Dense:
    """Returns the layer that PyTorch stores as `weight` and `bias`."""
    # Contiguous: a transposed view makes every product several times slower.
    return Dense(
        weight=np.ascontiguousarray(weight.T),
        bias=np.zeros(len(weight), np.float32) if bias is None else bias,
        activation=activation,
    )
