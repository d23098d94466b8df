"""The one place where target steps are counted."""

from collections import Counter
from typing import final

from rltransfer.errors import InputError


@final
class StepBudget:
    """Counts the steps of one domain by purpose, and stops at a hard limit.

    Args:
        limit: steps that may be taken in all; None where nothing limits them, as in
            the source.
    """

    def __init__(self, limit: int | None = None) -> None:
        if limit is not None and limit < 1:
            raise InputError(f"the budget must be at least 1 step, got {limit}")
        self.limit = limit
        self._taken: Counter[str] = Counter()
        self._reported: Counter[str] = Counter()

    @property
    def used(self) -> int:
        """Steps taken so far from which something is learned or chosen."""
        return self._taken.total()

    @property
    def taken(self) -> dict[str, int]:
        """Counted steps by purpose."""
        return dict(self._taken)

    @property
    def reported(self) -> dict[str, int]:
        """Steps of episodes that only report: they choose nothing, and do not count."""
        return dict(self._reported)

    def allowed(self, steps: int) -> int:
        """Returns how many of `steps` the limit still allows."""
        return steps if self.limit is None else min(steps, self.limit - self.used)

    def count(self, purpose: str, steps: int) -> None:
        """Books `steps` steps taken for `purpose`."""
        self._taken[purpose] += steps

    def count_reported(self, purpose: str, steps: int) -> None:
        """Books `steps` steps that chose nothing."""
        self._reported[purpose] += steps
