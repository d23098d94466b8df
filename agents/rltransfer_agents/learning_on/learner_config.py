"""How a learner learns."""

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class LearnerConfig:
    """How a learner learns; tuned on classic control, the same for every target."""

    widths: tuple[int, ...] = (64, 64)
    """Hidden units of every network."""
    rate: float = 1e-3
    """Of Adam."""
    batch: int = 128
    discount: float = 0.99
    follow: float = 0.02
    """Share of the way that a target network moves in one update."""
    average: float = 0.01
    """Share of the way that what acts moves to what learns in one update: the average
    of the last weights acts more evenly than the last ones."""
    noise: float = 0.3
    """Standard deviation of what is added to an action while exploring; full actions
    are 1."""
    random_choices: float = 0.05
    """Share of choices that are drawn, where actions are discrete."""
    margin: float = 0.8
    """By how much the mapped policy's choice must beat every other one (DQfD)."""
