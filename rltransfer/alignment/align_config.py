"""How an alignment goes about it."""

from dataclasses import dataclass, field
from typing import final

from rltransfer.errors import InputError
from rltransfer.source_models import LearnConfig


@final
@dataclass(frozen=True)
class AlignConfig:
    """Effort and rules of one alignment; the defaults are what the README measured."""

    seed: int = 0
    restarts: int = 48
    """Affine maps fitted side by side in the first round."""
    updates: int = 500
    """Optimizer steps of the longest-lived of them."""
    batch_size: int = 256
    rounds: int = 3
    """Most rounds of fitting and acting."""
    beam: int = 4
    """Most candidates acted with in a round; half as many after the first."""
    exploration_share: float = 0.25
    """Share of the budget spent on acting at random before anything is fitted.

    A third of it at most, where one random episode takes that long: without one there
    is nothing to prove a mapping against.
    """
    acceptance_share: float = 2 / 3
    """Most of the budget that is kept back to prove the best candidate with."""
    confidence: float = 0.95
    """That the proof needs before a mapping is accepted."""
    termination_weight: float = 1.0
    """Of termination in the loss, where both domains have shown one; 0: never."""
    reward_weight: float = 0.0
    """Of the target's reward in the loss. By default it only selects."""
    source_steps: int = 30_000
    """Steps in the source, a third each at random, by the policy, and mixed."""
    learning: LearnConfig = field(default_factory=LearnConfig)

    def __post_init__(self) -> None:
        whole = ("restarts", "updates", "batch_size", "rounds", "beam")
        for name in whole:
            if getattr(self, name) < 1:
                raise InputError(
                    f"{name} must be at least 1, got {getattr(self, name)}"
                )
        if not (0 < self.exploration_share and 0 < self.acceptance_share):
            raise InputError(f"shares of the budget must be above 0, got {self}")
        if self.exploration_share + self.acceptance_share > 0.95:
            raise InputError(
                "exploration_share and acceptance_share must leave steps, got "
                f"{self.exploration_share} and {self.acceptance_share}: lower one"
            )
        if min(self.termination_weight, self.reward_weight) < 0:
            raise InputError("weights of cues must be at least 0; 0 leaves a cue out")
        if self.source_steps < 300:
            raise InputError(
                f"source_steps must be at least 300, got {self.source_steps}: the "
                "source's dynamics are learned from them"
            )
