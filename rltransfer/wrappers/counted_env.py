"""The one place where steps are counted: at the environment, by purpose."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, final

import gymnasium as gym
from typing_extensions import override

from rltransfer.errors import InputError


@final
class StepBudget:
    """Counts the steps taken in one environment, and limits them.

    Args:
        limit: steps that may be taken in all, 0 for none; None where nothing limits
            them, as in the source.
    """

    def __init__(self, limit: int | None = None) -> None:
        if limit is not None and limit < 0:
            raise InputError(f"the budget must be at least 0 steps, got {limit}")
        self.limit = limit
        self._taken: Counter[str] = Counter()
        self._reported: Counter[str] = Counter()
        self._current = self._taken, "other"

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

    def raise_to(self, limit: int) -> None:
        """Raises the limit, where a later stage has steps of its own."""
        if self.limit is None or limit < self.limit:
            raise ValueError(f"a limit of {self.limit} is not raised by one of {limit}")
        self.limit = limit

    @contextmanager
    def purpose(self, name: str, *, reported: bool = False) -> Iterator[None]:
        """Says what the steps taken in the block are for.

        Args:
            name: of the purpose.
            reported: the steps only report; nothing is learned or chosen from them.
        """
        before = self._current
        self._current = (self._reported if reported else self._taken), name
        try:
            yield
        finally:
            self._current = before

    def count(self, steps: int = 1) -> None:
        """Counts steps for the current purpose."""
        counter, name = self._current
        counter[name] += steps


@final
class CountedEnv(gym.Wrapper[Any, Any, Any, Any]):
    """Counts every step that the environment completed.

    Args:
        env: any environment.
        budget: where the steps are counted.
    """

    def __init__(self, env: gym.Env[Any, Any], budget: StepBudget) -> None:
        super().__init__(env)
        self.budget = budget

    @override
    def step(self, action: Any) -> Any:
        outcome = self.env.step(action)
        self.budget.count()
        return outcome
