"""How long and how fast to fit."""

from dataclasses import dataclass
from itertools import pairwise
from typing import final

from rltransfer.errors import InputError


@final
@dataclass(frozen=True)
class FitConfig:
    """What a fit is told; the defaults suit a few dozen small candidates."""

    updates: int = 500
    batch_size: int = 256
    learning_rate: float = 1e-2
    final_rate_share: float = 0.025
    """Share of `learning_rate` left at the end of its straight way down; 1: constant.
    """
    validation_share: float = 0.0
    """Share of the rows held out to judge by; 0 judges by the rows fitted to."""
    evaluate_every: int | None = None
    """Updates between judgements; `None` judges at halvings and at the end only.

    Of the states a candidate was judged in, the best is kept.
    """
    patience: int | None = None
    """Judgements in a row without improvement after which a candidate stops."""
    halvings: tuple[tuple[float, float], ...] = ()
    """Pairs (share of the updates done, share of the first candidates going on).

    Successive halving (Jamieson & Talwalkar, 2016).
    """
    report_every: int = 50
    """Updates between two calls of the watcher."""

    def __post_init__(self) -> None:
        for name in ("updates", "batch_size", "report_every"):
            _require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        _require(self.learning_rate > 0, "learning_rate", "above 0", self.learning_rate)
        share = self.final_rate_share
        _require(0 <= share <= 1, "final_rate_share", "in [0, 1]", share)
        share = self.validation_share
        _require(0 <= share < 1, "validation_share", "in [0, 1)", share)
        for name in ("evaluate_every", "patience"):
            value = getattr(self, name)
            _require(value is None or value >= 1, name, "at least 1 or None", value)
        if self.patience is not None and self.evaluate_every is None:
            raise InputError("patience counts judgements; set evaluate_every too")
        for done, going_on in self.halvings:
            ordered = 0 < done < 1 and 0 < going_on <= 1
            _require(ordered, "halvings", "pairs of shares in (0, 1)", self.halvings)
        for (sooner, more), (later, fewer) in pairwise(self.halvings):
            ordered = sooner < later and more >= fewer
            _require(ordered, "halvings", "in order, ever fewer", self.halvings)

    def rate(self, progress: float) -> float:
        """Returns the learning rate after this share of the updates."""
        return self.learning_rate * (1 - (1 - self.final_rate_share) * progress)

    def judges_at(self, update: int) -> bool:
        """Returns whether candidates are judged after this update anyway."""
        return self.evaluate_every is not None and update % self.evaluate_every == 0

    def reports_at(self, update: int) -> bool:
        """Returns whether the watcher is called after this update."""
        return update % self.report_every == 0 or update == self.updates


def _require(holds: bool, name: str, rule: str, value: object) -> None:
    if not holds:
        raise InputError(f"{name} must be {rule}, got {value}")
