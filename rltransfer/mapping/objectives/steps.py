"""The rows that objectives about two domains look at."""

from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class StateRows(Protocol):
    """Target states."""

    @property
    def observation(self) -> Tensor:
        """One state per row."""
        ...

    def __len__(self) -> int:
        """Returns how many rows there are."""
        ...


@runtime_checkable
class StepRows(StateRows, Protocol):
    """Target steps; `rltransfer.experience.Transitions` is one such."""

    @property
    def action(self) -> Tensor:
        """One encoded action per row."""
        ...

    @property
    def reward(self) -> Tensor:
        """One reward per row."""
        ...

    @property
    def next_observation(self) -> Tensor:
        """The state after the action."""
        ...

    @property
    def terminated(self) -> Tensor:
        """Whether the step ended its episode for good."""
        ...
