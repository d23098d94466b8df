"""What learning on in the target is asked for, and how it shares the budget."""

import math
from dataclasses import dataclass
from typing import Any, final

import gymnasium as gym

from rltransfer.argument_checks import require_at_least
from rltransfer.errors import InputError
from rltransfer.workflows.environments import EnvironmentChoice

_ALIGNMENT_STEPS = 10_000
_ALIGNMENT_PART = 4
"""Alignment takes the smaller of the two: so many steps, or this part of the budget."""
_STRATEGY = "hold"


@final
@dataclass(frozen=True)
class LearningRequest:
    """How to learn on, once a mapping is found or refused."""

    student: str | None = None
    """Its algorithm; by default the one for the target's actions."""
    strategy: str = _STRATEGY
    """A name in `rltransfer_agents.learning_on.STRATEGIES`."""
    threshold: float | None = None
    """Mean return that counts as solved; by default what the target says."""
    alignment_steps: int | None = None
    """Target steps that alignment may take; by default a share."""
    evaluations: int = 20
    """Points of the learning curve."""

    def __post_init__(self) -> None:
        if self.alignment_steps is not None:
            require_at_least("--alignment-steps", self.alignment_steps, 1)
        require_at_least("evaluations", self.evaluations, 1)
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise InputError(
                f"--threshold is a finite return, got {self.threshold}; give a number"
            )

    @classmethod
    def of(cls, improve: bool, options: dict[str, Any]) -> "LearningRequest | None":
        """Returns what the options ask for; None without learning on.

        Args:
            improve: whether to learn on.
            options: fields of this class; None keeps the default.

        Raises:
            InputError: an option would have no effect.
        """
        given = {name: value for name, value in options.items() if value is not None}
        if improve:
            return cls(**given)
        for name, value in given.items():
            option = f"--{name.replace('_', '-')}"
            raise InputError(
                f"{option} is about learning on in the target, got {option} {value} "
                "without --improve; add --improve, or drop it"
            )
        return None

    def alignment_budget(self, budget: int) -> int:
        """Returns how many of `budget` target steps alignment may plan with."""
        if self.alignment_steps is not None:
            return self.alignment_steps
        return min(_ALIGNMENT_STEPS, max(1, budget // _ALIGNMENT_PART))

    def require_rest(self, budget: int) -> None:
        """Raises unless alignment leaves something of `budget` to learn from."""
        share = self.alignment_budget(budget)
        if share >= budget:
            raise InputError(
                f"--alignment-steps must leave steps of -n {budget} to learn from, got "
                f"{share}; lower it, or raise -n"
            )

    def threshold_in(self, target: EnvironmentChoice) -> float:
        """Returns the mean return that counts as solved in `target`.

        What an environment is made of another one (`base`) pays what that pays.

        Args:
            target: of an environment that was made before.

        Raises:
            InputError: nobody says what it is.
        """
        if self.threshold is not None:
            return self.threshold
        for env_id in (target.env_id, target.kwargs.get("base")):
            spec = gym.registry.get(str(env_id).rpartition(":")[2])
            if spec is not None and spec.reward_threshold is not None:
                return float(spec.reward_threshold)
        raise InputError(
            "learning on needs a return that counts as solved, got no --threshold and "
            f"no reward_threshold of {target.title}; add --threshold"
        )
