"""Running means of what the losses are made of."""

from typing import final

from jaxtyping import Bool, Float
from torch import Tensor


@final
class Meter:
    """Means of the terms of the candidates still fitted, since the last reading."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._count = 0

    def add(self, terms: dict[str, Float[Tensor, "*copies"]]) -> None:
        """Takes in the terms of one batch."""
        for name, term in terms.items():
            value = term.detach().reshape(-1)
            seen = self._sums.get(name)
            self._sums[name] = value.clone() if seen is None else seen.add_(value)
        self._count += 1

    def keep(self, staying: Bool[Tensor, " copies"] | None) -> None:
        """Forgets the candidates that left; `None`: all stay."""
        if staying is None:
            return
        self._sums = {name: total[staying] for name, total in self._sums.items()}

    def read(self) -> dict[str, Float[Tensor, " copies"]]:
        """Returns the means and starts anew."""
        means = {name: total / self._count for name, total in self._sums.items()}
        self._sums, self._count = {}, 0
        return means
