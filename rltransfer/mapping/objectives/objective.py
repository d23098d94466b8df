"""What an objective promises, and weighted sums of objectives."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar, final

from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import override

N = TypeVar("N", contravariant=True)
R = TypeVar("R", contravariant=True)

Weight = float | Callable[[float], float]
"""A number, or one that depends on the share of the updates already done."""


class Objective(ABC, Generic[N, R]):
    """Maps a network and a batch of rows to one differentiable number per copy."""

    @abstractmethod
    def terms(self, network: N, rows: R) -> dict[str, Float[Tensor, "*copies"]]:
        """Returns the contributions whose sum is the loss, weights included."""

    def __call__(self, network: N, rows: R) -> Float[Tensor, "*copies"]:
        """Returns the loss of each copy of `network`."""
        return total(self.terms(network, rows))

    def check(self, rows: R) -> None:
        """Raises `InputError` with the reason where the objective cannot apply."""
        del rows

    @property
    def own_networks(self) -> tuple[nn.Module, ...]:
        """Networks of its own, such as a discriminator; a fit changes them in place."""
        return ()

    def at(self, progress: float) -> "Objective[N, R]":
        """Returns the objective as it stands after this share of the updates.

        Args:
            progress: in [0, 1]. At 1 it is what restarts are compared by.
        """
        del progress
        return self


def total(terms: dict[str, Float[Tensor, "*copies"]]) -> Float[Tensor, "*copies"]:
    """Returns the sum of `terms`."""
    first, *others = terms.values()
    for other in others:
        first = first + other
    return first


def descending(first: float, last: float) -> Callable[[float], float]:
    """Returns a weight that goes linearly from `first` to `last`."""
    return lambda progress: first + (last - first) * progress


@final
@dataclass(frozen=True, eq=False)
class WeightedSum(Objective[N, R]):
    """Several objectives at once, each with its weight and its terms visible.

    A weight that changes over the updates has its last value, unless `at` is called.
    """

    parts: tuple[tuple[Weight, Objective[N, R]], ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("a weighted sum needs at least one part, got none")

    @override
    def terms(self, network: N, rows: R) -> dict[str, Float[Tensor, "*copies"]]:
        terms: dict[str, Tensor] = {}
        for weight, part in self.parts:
            number = weight(1.0) if callable(weight) else weight
            for name, term in part.terms(network, rows).items():
                if name in terms:
                    raise ValueError(f"two parts call a term {name!r}; use one of them")
                terms[name] = term if number == 1 else number * term
        return terms

    @override
    def check(self, rows: R) -> None:
        for _, part in self.parts:
            part.check(rows)

    @property
    @override
    def own_networks(self) -> tuple[nn.Module, ...]:
        return tuple(own for _, part in self.parts for own in part.own_networks)

    @override
    def at(self, progress: float) -> "WeightedSum[N, R]":
        return WeightedSum(
            tuple(
                (weight(progress) if callable(weight) else weight, part.at(progress))
                for weight, part in self.parts
            )
        )
