"""Where Stable-Baselines3 hands over between rollouts.

Inside `_on_step` a transition has been taken but not stored; before a rollout starts,
all counters, buffers and generators agree: only there may a training be cut.
"""

from abc import ABC, abstractmethod
from typing import Any, final

from stable_baselines3.common.callbacks import BaseCallback
from typing_extensions import override


class Hooks(ABC):
    """What is called during a training."""

    @abstractmethod
    def before_rollout(self) -> None:
        """Called while the training is whole."""

    @abstractmethod
    def after_step(self, infos: list[dict[str, Any]]) -> None:
        """Called with the infos of one step of all environments."""

    @abstractmethod
    def after_rollout(self) -> None:
        """Called before the rollout is learnt from."""

    @abstractmethod
    def after_training(self) -> None:
        """Called after the last update."""


@final
class Boundary(BaseCallback):
    """Passes each call on."""

    def __init__(self, hooks: Hooks) -> None:
        super().__init__()
        self._hooks = hooks

    @override
    def _on_rollout_start(self) -> None:
        self._hooks.before_rollout()

    @override
    def _on_step(self) -> bool:
        self._hooks.after_step(self.locals["infos"])
        return True

    @override
    def _on_rollout_end(self) -> None:
        self._hooks.after_rollout()

    @override
    def _on_training_end(self) -> None:
        self._hooks.after_training()
