"""Adam (Kingma & Ba, 2015) for a stack that may shrink on the way."""

from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Int
from torch import Tensor

_SWEEP_EVERY = 100
_NEGLIGIBLE = 1e-30
"""A mean above this is, 100 updates later, still a normal number."""


@final
class Adam:
    """Adam's memory of some parameters, and the step it leads to.

    PyTorch's optimizer ties its memory to parameters of one shape. The operation it
    calls, used here, does not, and the way there takes as long as the operation. A
    test holds the two to the same numbers.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self._means = [torch.zeros_like(p, requires_grad=False) for p in parameters]
        self._squares = [torch.zeros_like(p, requires_grad=False) for p in parameters]
        self._count = 0
        self._steps = [torch.zeros(()) for _ in parameters]

    @torch.no_grad()
    def step(
        self, parameters: list[Tensor], gradients: list[Tensor], rate: float
    ) -> None:
        """Moves `parameters`, in the order they were given first, against these."""
        for steps in self._steps:
            steps += 1
        # Not documented, but what PyTorch's optimizer has called since its version 2.4.
        torch._fused_adam_(  # pyright: ignore[reportPrivateImportUsage]
            parameters,
            gradients,
            self._means,
            self._squares,
            [],
            self._steps,
            lr=rate,
            beta1=0.9,
            beta2=0.999,
            eps=1e-8,
            weight_decay=0.0,
            amsgrad=False,
            maximize=False,
        )
        self._count += 1
        if self._count % _SWEEP_EVERY == 0:
            self._sweep()

    def _sweep(self) -> None:
        """Sets to zero what is too small to move anything.

        Where a gradient stays zero, as at an image's rim, its mean decays into numbers
        that processors handle a hundred times slower, and stays there.
        """
        for mean, square in zip(self._means, self._squares, strict=True):
            mean[mean.abs() < _NEGLIGIBLE] = 0
            square[square < _NEGLIGIBLE] = 0

    def keep(self, rows: Int[Tensor, " rows"]) -> None:
        """Forgets all copies but these."""
        self._means = [memory[rows] for memory in self._means]
        self._squares = [memory[rows] for memory in self._squares]
