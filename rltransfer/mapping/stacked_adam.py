"""Restarts in one stack, optimised by Adam (Kingma & Ba, 2015) while some drop out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from rltransfer.mapping.stacking import Stackable, common_copies, keep

_SWEEP_EVERY = 100
_NEGLIGIBLE = 1e-30
"""A mean above this is, 100 updates later, still a normal number."""


@final
class Adam:
    """Adam's state for some parameters, from which rows can be dropped.

    PyTorch's optimizer ties its state to parameters of one shape. The operation that it
    calls, used here, does not, and calling it through the optimizer would take twice as
    long. A test compares the two.
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
            # It walks memory in order; gradients of convolutions may lie otherwise.
            [gradient.contiguous() for gradient in gradients],
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
        """Keeps the state of these copies only."""
        self._means = [state[rows] for state in self._means]
        self._squares = [state[rows] for state in self._squares]


@final
@dataclass(frozen=True)
class Stop:
    """Why and when a restart was fitted no further."""

    restart: int
    update: int
    reason: str


@final
class Restarts:
    """The copies of a network while they are fitted; a plain network is one.

    Those that stop leave the tensors and Adam's state, which makes the rest faster.

    Args:
        network: fitted in place.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._stacked = common_copies(network.modules()) is not None
        self._parameters = _trainable(network)
        self._adam = Adam(self._parameters)
        count = common_copies(network.modules()) or 1
        self.active = torch.arange(count)
        """Places, in the first stack, of those still fitted."""
        self.kept = torch.ones(count, dtype=torch.bool)
        """Which of the first stack will be in the result."""
        self.best = torch.full((count,), torch.inf)
        """Best selection loss of each of the first stack."""
        self.stale = torch.zeros(count, dtype=torch.long)
        """Evaluations since then."""
        self.stops: list[Stop] = []
        self._states = [self._rows(p).clone() for p in self._parameters]

    def step(self, losses: Float[Tensor, "*copies"], rate: float, update: int) -> None:
        """Takes one step; those whose loss or gradient is not finite stop instead."""
        gradients = list(
            torch.autograd.grad(losses.sum(), self._parameters, materialize_grads=True)
        )
        finite = self._finite(losses.detach(), gradients)
        if finite is not None:
            self._stop(~finite, update, "its loss or gradient was not finite")
            if not len(self.active):
                return
            gradients = [gradient[finite] for gradient in gradients]
        self._adam.step(self._parameters, gradients, rate)

    def record(self, losses: Float[Tensor, " copies"]) -> None:
        """Records selection losses of those still fitted; keeps their best states."""
        better = losses < self.best[self.active]
        improved = self.active[better]
        self.best[improved] = losses[better]
        self.stale[self.active] += 1
        self.stale[improved] = 0
        self._store(better)

    def drop_worst(self, going_on: int, update: int) -> None:
        """Keeps so many, by best selection loss."""
        kept = self.kept.nonzero().squeeze(1)
        dropped = kept[self.best[kept].argsort(stable=True)[going_on:]]
        self.kept[dropped] = False
        self._stop(~self.kept[self.active], update, "dropped by halving")

    def stop_stale(self, patience: int, update: int) -> None:
        """Stops those without improvement in so many evaluations."""
        stale = self.stale[self.active] >= patience
        self._stop(stale, update, f"no better in {patience} evaluations")

    def finish(self) -> None:
        """Puts the best states of those kept into the network, in their old order."""
        if len(self.active):
            self._store(self.best[self.active].isinf())
        for parameter, state in zip(self._parameters, self._states, strict=True):
            parameter.data = state[self.kept] if self._stacked else state[0]

    def _stop(self, leaving: Bool[Tensor, " copies"], update: int, reason: str) -> None:
        self._store(leaving & self.best[self.active].isinf())
        for restart in self.active[leaving].tolist():
            self.stops.append(Stop(restart, update, reason))
        self.active = self.active[~leaving]
        rows = (~leaving).nonzero().squeeze(1)
        if len(leaving) > len(rows) > 0:
            keep(self._network, rows)
            self._adam.keep(rows)
            self._parameters = _trainable(self._network)

    def _finite(
        self, losses: Tensor, gradients: list[Tensor]
    ) -> Bool[Tensor, " copies"] | None:
        """Returns whose loss and gradients are finite, `None` for all."""
        # Sums are cheap and carry every NaN; a closer look only where one is off.
        if all(math.isfinite(values.sum()) for values in (losses, *gradients)):
            return None
        finite = losses.reshape(-1).isfinite()
        for gradient in gradients:
            finite = finite & self._rows(gradient).flatten(1).isfinite().all(dim=1)
        return None if finite.all() else finite

    def _rows(self, tensor: Tensor) -> Tensor:
        detached = tensor.detach()
        return detached if self._stacked else detached.unsqueeze(0)

    def _store(self, which: Bool[Tensor, " copies"]) -> None:
        if which.any():
            places = self.active[which]
            for parameter, state in zip(self._parameters, self._states, strict=True):
                state[places] = self._rows(parameter)[which]


def _trainable(network: nn.Module) -> list[Tensor]:
    parameters: list[Tensor] = [p for p in network.parameters() if p.requires_grad]
    if not parameters:
        raise ValueError(
            "nothing to fit: no parameter of the network requires a gradient"
        )
    copies = common_copies(network.modules())
    if copies is not None:
        own = {
            id(parameter)
            for part in network.modules()
            if isinstance(part, Stackable) and part.copies is not None
            for parameter in part.parameters(recurse=False)
        }
        if any(id(parameter) not in own for parameter in parameters):
            raise ValueError(
                "restarts must share nothing that is fitted; freeze the plain parts "
                "or make them stacks"
            )
    return parameters
