"""Small networks stepped in NumPy: several equal ones at once, in one flat vector.

At 64 units and small batches torch spends its time on its own overhead, not on numbers.
"""

import itertools
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, final

import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray

Array = NDArray[np.float32]
Activation: TypeAlias = Literal["relu", "tanh"]
_MEAN, _SQUARE, _LEAST = 0.9, 0.999, 1e-8
"""Of Adam (Kingma & Ba, ICLR 2015): the defaults of its authors."""


@final
class NetworkStack:
    """K multilayer perceptrons, and Adam for all of them.

    Args:
        sizes: of the input, of each hidden layer, and of the output.
        copies: how many networks, K.
        rng: draws the first weights, as torch does by default.
        activation: of the hidden units.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        copies: int,
        rng: np.random.Generator,
        activation: Activation = "relu",
    ) -> None:
        self.sizes, self.copies = tuple(sizes), copies
        self.activation: Activation = activation
        shapes: list[tuple[int, ...]] = []
        for inputs, outputs in itertools.pairwise(sizes):
            shapes += [(copies, inputs, outputs), (copies, 1, outputs)]
        counts = [int(np.prod(shape)) for shape in shapes]
        self.numbers = np.zeros(sum(counts), np.float32)
        """All weights and biases."""
        self._slope = np.zeros_like(self.numbers)
        self._parts = _views(self.numbers, shapes)
        self._slopes = _views(self._slope, shapes)
        self._first, self._second = (np.zeros_like(self.numbers) for _ in range(2))
        self._updates = 0
        for weight, bias in self.layers:
            bound = 1 / np.sqrt(weight.shape[1])
            weight[:] = rng.uniform(-bound, bound, weight.shape)
            bias[:] = rng.uniform(-bound, bound, bias.shape)

    @property
    def layers(self) -> list[tuple[Array, Array]]:
        """Weight (K, inputs, outputs) and bias (K, 1, outputs) of each layer."""
        return list(zip(self._parts[::2], self._parts[1::2], strict=True))

    @property
    def finite(self) -> bool:
        """Whether all weights and biases are finite."""
        return bool(np.isfinite(self.numbers).all())

    def twin(self) -> "NetworkStack":
        """Returns networks with the same weights, and an optimiser that begins."""
        rng = np.random.default_rng(0)
        other = NetworkStack(self.sizes, self.copies, rng, self.activation)
        other.numbers[:] = self.numbers
        return other

    def __call__(self, rows: Float32[Array, "*row input"]) -> Array:
        """Returns the outputs; shape (K, row, output)."""
        return self.forward(rows)[0]

    def forward(self, rows: Float32[Array, "*row input"]) -> tuple[Array, list[Array]]:
        """Returns the outputs, and what `backward` needs."""
        inner, last = [rows], len(self._parts) // 2 - 1
        for place in range(last + 1):
            out = np.matmul(inner[-1], self._parts[2 * place])
            out += self._parts[2 * place + 1]
            if place == last:
                return out, inner
            if self.activation == "relu":
                inner.append(np.maximum(out, 0, out=out))
            else:
                inner.append(np.tanh(out, out=out))
        raise AssertionError("a network has a layer")

    def backward(
        self, inner: list[Array], slope: Float32[Array, "K row output"], learn: bool
    ) -> Float32[Array, "K row input"]:
        """Returns the gradient by the inputs.

        Args:
            inner: from `forward`.
            slope: gradient by the outputs.
            learn: whether the gradient by the weights is kept, for `step`.
        """
        for place in reversed(range(len(inner))):
            if learn:
                seen = np.swapaxes(inner[place], -1, -2)
                np.matmul(seen, slope, out=self._slopes[2 * place])
                self._slopes[2 * place + 1][:] = slope.sum(axis=1, keepdims=True)
            slope = np.matmul(slope, np.swapaxes(self._parts[2 * place], -1, -2))
            if place and self.activation == "relu":
                slope *= inner[place] > 0
            elif place:
                slope *= 1 - inner[place] ** 2
        return slope

    def step(self, rate: float) -> None:
        """Makes one step of Adam against the gradient that `backward` kept."""
        self._updates += 1
        slope = self._slope
        self._first += (1 - _MEAN) * (slope - self._first)
        self._second += (1 - _SQUARE) * (slope * slope - self._second)
        rate *= np.sqrt(1 - _SQUARE**self._updates) / (1 - _MEAN**self._updates)
        change: Array = np.float32(rate) * self._first
        change /= np.sqrt(self._second) + _LEAST
        self.numbers -= change

    def follow(self, other: "NetworkStack", share: float) -> None:
        """Moves the weights towards another's by this share of the way."""
        self.numbers += np.float32(share) * (other.numbers - self.numbers)


def _views(flat: Array, shapes: list[tuple[int, ...]]) -> list[Any]:
    cuts = np.cumsum([np.prod(shape) for shape in shapes])[:-1]
    parts = np.split(flat, cuts)
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
