"""Many copies of a module in one set of tensors.

Restarts are fitted side by side: a stack of K copies costs little more than one,
because every layer is one batched product instead of K small ones.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any, TypeVar

import torch
from jaxtyping import Int
from torch import Tensor, nn

M = TypeVar("M", bound="Stackable")


class Stackable(ABC, nn.Module):
    """A module that is either plain or K independent copies of itself.

    In a stack every parameter has the copies as its leading dimension; a plain
    module has none. All copies share the architecture.
    """

    @property
    def copies(self) -> int | None:
        """How many copies the parameters hold; `None` for a plain module."""
        return common_copies(part for part in self.modules() if part is not self)

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """The architecture as JSON, from which `build` makes another."""

    @classmethod
    @abstractmethod
    def build(cls: type[M], settings: dict[str, Any]) -> M:
        """Returns a module of that architecture, with weights still to be loaded."""

    def copy(self: M, row: int) -> M:
        """Returns one copy as a plain module, independent of this one."""
        if not 0 <= row < require_stack(self):
            raise IndexError(f"copy must be in 0…{self.copies}, excluded; got {row}")
        chosen = deepcopy(self)
        keep(chosen, row)
        return chosen


def common_copies(parts: Iterable[nn.Module]) -> int | None:
    """Returns how many copies the stacks among `parts` hold, `None` without any."""
    stacked = (part.copies for part in parts if isinstance(part, Stackable))
    counts = {copies for copies in stacked if copies is not None}
    if len(counts) > 1:
        raise ValueError(f"stacks that work together need one size, got {counts}")
    return counts.pop() if counts else None


def leading(copies: int | None) -> tuple[int, ...]:
    """Returns the leading dimensions of the parameters of so many copies."""
    if copies is not None and copies < 1:
        raise ValueError(f"copies must be at least 1, or None for none, got {copies}")
    return () if copies is None else (copies,)


def require_stack(module: Stackable) -> int:
    """Returns how many copies `module` holds; raises if it is plain."""
    if module.copies is None:
        raise ValueError("only a stack has copies to choose from; this one is plain")
    return module.copies


def keep(module: nn.Module, rows: Int[Tensor, " rows"] | int) -> None:
    """Keeps only these copies in the stacks within `module`; one row makes it plain.

    Parameters are replaced, not resized: autograd remembers the shape of those that
    a loss has already seen.
    """
    stacks = [
        part
        for part in module.modules()
        if isinstance(part, Stackable) and part.copies is not None
    ]
    for stack in stacks:
        for name, parameter in list(stack.named_parameters(recurse=False)):
            chosen = parameter.detach()[rows].clone()
            setattr(stack, name, nn.Parameter(chosen, parameter.requires_grad))


def stacked(modules: Sequence[M]) -> M:
    """Returns one stack of all copies of `modules`, in order, plain ones among them.

    Args:
        modules: plain modules and stacks of one architecture.
    """
    if not modules:
        raise ValueError("a stack needs at least one module, got none")
    joined = deepcopy(modules[0])
    columns = [list(module.parameters()) for module in modules]
    shapes = {
        tuple(p.shape[m.copies is not None :] for p in column)
        for m, column in zip(modules, columns, strict=True)
    }
    if len({type(module) for module in modules}) > 1 or len(shapes) > 1:
        raise ValueError("only modules of one architecture stack; these differ")
    for place, parameter in enumerate(joined.parameters()):
        parts = [
            column[place].data[None if module.copies is None else slice(None)]
            for module, column in zip(modules, columns, strict=True)
        ]
        parameter.grad = None
        parameter.data = torch.cat(parts)
    return joined
