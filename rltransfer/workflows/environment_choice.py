"""Environments as they are named on the command line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, final

from rltransfer.wrappers import STEP_SECONDS

VecEnv: TypeAlias = Literal["dummy", "subproc"]
"""RL Zoo's words: in this process, or each environment in one of its own."""


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


@final
@dataclass(frozen=True)
class Stepping:
    """Where environments are stepped, and how long that may take; changes no result."""

    vec_env: VecEnv = "dummy"
    step_seconds: float = STEP_SECONDS
