"""What every learner in the target does: update, explore, act, become an SB3 model."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import gymnasium as gym
import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray

from rltransfer.domain import ActionCodec
from rltransfer.domain.policies import State
from rltransfer_agents.learning_on.replay import Batch, Replay, Units
from rltransfer_agents.learning_on.sb3_models import Model

Array = NDArray[np.float32]


class Guidance(NamedTuple):
    """How much the mapped policy has to say in one update.

    Both pulls are multiplied, row by row, by its confidence: see `Batch`.
    """

    hold: float = 0.0
    """Weight of the pull to its actions, whatever they are worth."""
    filtered: float = 0.0
    """Weight of the pull where the critic rates them higher."""
    bootstraps: bool = False
    """Whether its action bootstraps where the critic rates it higher (IBRL)."""
    shapes: bool = False
    """Whether the source's value shapes the rewards."""


class Learner(ABC):
    """Learns from a replay, in the units of the replay."""

    @abstractmethod
    def update(self, replay: Replay, guidance: Guidance) -> None:
        """Makes one update of all networks."""

    @abstractmethod
    def evaluate(self, replay: Replay, guidance: Guidance) -> None:
        """Makes one update of what rates actions; what acts stays as it is."""

    @property
    @abstractmethod
    def draws(self) -> int:
        """How many steps it explores at least before it is judged again."""

    @abstractmethod
    def drew(self, rows: range) -> None:
        """Takes note that it drew these rows of the replay, an episode, itself."""

    @abstractmethod
    def imitate(self, batch: Batch) -> None:
        """Makes one update towards the mapped policy's actions."""

    @abstractmethod
    def actions(
        self, observation: Float32[Array, "row observation"]
    ) -> Float32[Array, "row action"]:
        """Returns the best actions known, encoded, for standardised observations."""

    @abstractmethod
    def explore(
        self, observation: Float32[Array, " observation"], rng: np.random.Generator
    ) -> Float32[Array, " action"]:
        """Returns an action to learn from, encoded."""

    @abstractmethod
    def begin_episode(self, rng: np.random.Generator) -> None:
        """Forgets what exploring remembers, and draws how widely it explores now."""

    @property
    @abstractmethod
    def rates_actions(self) -> bool:
        """Whether its critic tells actions apart; if not, it prefers none."""

    @abstractmethod
    def prefers(
        self,
        observation: Float32[Array, " observation"],
        one: Float32[Array, " action"],
        other: Float32[Array, " action"],
    ) -> bool:
        """Returns whether the critic rates `one` above `other`."""

    @property
    @abstractmethod
    def finite(self) -> bool:
        """Whether all its numbers are finite."""

    @abstractmethod
    def copy(self) -> "Learner":
        """Returns a learner that acts as this one does now, and learns apart."""

    @abstractmethod
    def model(self, env: gym.Env[Any, Any]) -> Model:
        """Returns a plain SB3 model that acts as this learner does.

        Args:
            env: the target; the model keeps its spaces.
        """


@final
@dataclass(frozen=True, eq=False)
class LearnedPolicy:
    """Acts as a learner does, deterministically; fits wherever an SB3 model does."""

    learner: Learner
    units: Units
    codec: ActionCodec

    def predict(
        self,
        observation: Any,
        state: State = None,
        episode_start: NDArray[Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[Any, State]:
        """Returns the target action for one observation, or one for each row."""
        del episode_start, deterministic
        shown = self.units.standard(np.asarray(observation, np.float32))
        rows = self.learner.actions(np.atleast_2d(shown))
        return self.codec.decode(rows[0] if shown.ndim == 1 else rows), state
