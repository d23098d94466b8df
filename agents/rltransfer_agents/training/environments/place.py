"""Where the environments of a training run."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TypeAlias

from gymnasium import spaces
from numpy.typing import NDArray

from rltransfer_agents.training.environments.seat import Moment

Step: TypeAlias = tuple[NDArray[Any], float, bool, dict[str, Any]]
"""Observation, reward, whether the episode is over, info."""


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
    def step(self, which: Sequence[int], actions: Sequence[Any]) -> list[Step]:
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
