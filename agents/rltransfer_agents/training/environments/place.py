"""Where the environments of a training run."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from gymnasium import spaces
from numpy.typing import NDArray

from rltransfer_agents.training.environments.seat import Moment


@final
@dataclass(frozen=True, eq=False)
class Steps:
    """One step in each of several environments."""

    observations: NDArray[Any]
    """One row each; the last of an episode where that is over."""
    rewards: list[float]
    overs: list[bool]
    infos: list[dict[str, Any]]


class Place(ABC):
    """Several environments of one kind, each with a number.

    All methods raise an `EnvironmentFault` that names the environment.
    """

    @property
    @abstractmethod
    def count(self) -> int:
        """How many there are."""

    @property
    @abstractmethod
    def observation_space(self) -> spaces.Space[Any]:
        """Of each of them."""

    @property
    @abstractmethod
    def action_space(self) -> spaces.Space[Any]:
        """Of each of them."""

    @abstractmethod
    def reset(
        self, which: Sequence[int], seeds: Sequence[int | None]
    ) -> list[NDArray[Any]]:
        """Starts an episode in each of `which` and returns the first observations."""

    @abstractmethod
    def step(self, which: Sequence[int], actions: Sequence[Any]) -> Steps:
        """Takes one step in each of `which`."""

    @abstractmethod
    def moments(self) -> list[Moment]:
        """Returns where each environment stands."""

    @abstractmethod
    def go_to(self, moments: Sequence[Moment]) -> bool:
        """Steps to `moments` again and returns whether all led to the same state."""

    @abstractmethod
    def close(self) -> None:
        """Closes the environments."""
