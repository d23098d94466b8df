"""Environments as they are named on the command line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

if TYPE_CHECKING:
    import gymnasium as gym

    from rltransfer.domain import Domain


@final
@dataclass(frozen=True)
class EnvironmentChoice:
    """An id and what to make the environment with."""

    env_id: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Id and arguments, as tables show them."""
        told = ", ".join(f"{name}={value}" for name, value in self.kwargs.items())
        return f"{self.env_id} ({told})" if told else self.env_id

    def make(self) -> "gym.Env[Any, Any]":
        """Makes the environment; faults of the user come as one line."""
        from rltransfer_envs.making import make

        return make(self.env_id, **self.kwargs)

    def domain(self) -> "Domain":
        """Returns the environment as a domain.

        Raises:
            InputError: there is no such environment, or its spaces cannot be mapped.
        """
        from rltransfer.domain import Domain

        return Domain(self.make, self.title)
