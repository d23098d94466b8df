"""DQN with n steps at once, stepped in NumPy: the learner for discrete actions."""

from typing import Any, final

import gymnasium as gym
import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray
from typing_extensions import override

from rltransfer_agents.learning_on.learner import Guidance, Learner
from rltransfer_agents.learning_on.learner_config import LearnerConfig
from rltransfer_agents.learning_on.network_stack import NetworkStack
from rltransfer_agents.learning_on.replay import Batch, Replay, Units
from rltransfer_agents.learning_on.sb3_models import Model, dqn_model

Array = NDArray[np.float32]
N_STEPS = 3
"""Rewards summed before a value stands for the rest."""
_LONGEST = 8
"""Most steps that a drawn action is held."""


@final
class QLearner(Learner):
    """A network that rates every action, and its slow copy (Mnih et al., 2015).

    The slow copy rates what the network itself chooses (van Hasselt et al., AAAI 2016).
    The pull to the mapped policy is the large-margin loss of DQfD (Hester et al., AAAI
    2018).

    Args:
        sizes: numbers in an observation, and of actions.
        units: of what it sees.
        config: how it learns.
        rng: draws weights and batches.
        begun: the first network; by default it is drawn.
    """

    def __init__(
        self,
        sizes: tuple[int, int],
        units: Units,
        config: LearnerConfig,
        rng: np.random.Generator,
        begun: NetworkStack | None = None,
    ) -> None:
        observation, self._choices = sizes
        self._units, self._config, self._rng = units, config, rng
        layers = (observation, *config.widths, self._choices)
        self._network = begun or NetworkStack(layers, 1, rng)
        self._slow, self._acting = self._network.twin(), self._network.twin()
        self._held, self._left = 0, 0

    @override
    def update(self, replay: Replay, guidance: Guidance) -> None:
        batch, hold = replay.batch(self._config.batch, self._rng), guidance.hold
        rows, after = np.arange(len(batch.reward)), batch.next_observation
        best = self._network(after)[0].argmax(axis=1)
        value = self._slow(after)[0][rows, best]
        if guidance.shapes:
            value = value + batch.next_potential
        value = batch.reward + batch.discount * value
        # No policy earns more, or less, than the best or worst reward for ever.
        ever = 1 / (1 - self._config.discount)
        value = np.clip(value, replay.lowest * ever, replay.highest * ever)
        if guidance.shapes:
            value = value - batch.potential
        out, inner = self._network.forward(batch.observation)
        taken = batch.action.argmax(axis=1)
        slope = np.zeros_like(out)
        # Huber's loss: one wrong value must not turn everything over.
        gap = np.clip(out[0][rows, taken] - value, -1, 1)
        slope[0][rows, taken] = gap / len(rows)
        if hold:
            slope[0] += self._margin_slope(out[0], batch, hold * batch.confidence)
        self._network.backward(inner, slope, learn=True)
        self._network.step(self._config.rate)
        self._slow.follow(self._network, self._config.follow)
        self._acting.follow(self._network, self._config.average)

    @override
    def evaluate(self, replay: Replay, guidance: Guidance) -> None:
        # What rates is what acts: without the margin it would forget whom it follows.
        self.update(replay, guidance)

    @property
    @override
    def draws(self) -> int:
        return 1  # it learns from every step

    @override
    def drew(self, rows: range) -> None:
        del rows  # it learns from whoever acted

    @override
    def imitate(self, batch: Batch) -> None:
        out, inner = self._network.forward(batch.observation)
        slope = np.zeros_like(out)
        slope[0] = self._margin_slope(out[0], batch, np.ones_like(batch.reward))
        self._network.backward(inner, slope, learn=True)
        self._network.step(self._config.rate)
        for network in (self._slow, self._acting):
            network.numbers[:] = self._network.numbers

    def _margin_slope(
        self,
        rated: Float32[Array, "row choice"],
        batch: Batch,
        weight: Float32[Array, " row"],
    ) -> Float32[Array, "row choice"]:
        """Returns the gradient of max(Q + margin of others) - Q(mapped)."""
        rows, mapped = np.arange(len(rated)), batch.mapped.argmax(axis=1)
        raised = rated + np.float32(self._config.margin)
        raised[rows, mapped] -= np.float32(self._config.margin)
        slope = np.zeros_like(rated)
        slope[rows, raised.argmax(axis=1)] += 1
        slope[rows, mapped] -= 1
        slope *= weight[:, None] / np.float32(len(rated))
        return slope

    @override
    def actions(
        self, observation: Float32[Array, "row observation"]
    ) -> Float32[Array, "row action"]:
        best = self._acting(observation)[0].argmax(axis=1)
        chosen: Array = np.eye(self._choices, dtype=np.float32)[best]
        return chosen

    @override
    def begin_episode(self, rng: np.random.Generator) -> None:
        del rng
        self._left = 0

    @override
    def explore(
        self, observation: Float32[Array, " observation"], rng: np.random.Generator
    ) -> Float32[Array, " action"]:
        if self._left <= 0 and rng.random() < self._config.random_choices:
            # Held for a while, by a zeta law (Dabney et al., ICLR 2021).
            self._held = int(rng.integers(self._choices))
            self._left = min(int(rng.zipf(2.0)), _LONGEST)
        if self._left > 0:
            self._left -= 1
            held: Array = np.eye(self._choices, dtype=np.float32)[self._held]
            return held
        best: Array = self.actions(observation[None])[0]
        return best

    @property
    @override
    def rates_actions(self) -> bool:
        return True

    @override
    def prefers(
        self,
        observation: Float32[Array, " observation"],
        one: Float32[Array, " action"],
        other: Float32[Array, " action"],
    ) -> bool:
        rated = self._acting(observation[None])[0, 0]
        return bool(rated[one.argmax()] > rated[other.argmax()])

    @property
    @override
    def finite(self) -> bool:
        return all(one.finite for one in (self._network, self._slow, self._acting))

    @override
    def copy(self) -> "QLearner":
        sizes = self._network.sizes[0], self._choices
        rng = np.random.default_rng(0)
        begun = self._network.twin()
        other = QLearner(sizes, self._units, self._config, rng, begun)
        other._slow.numbers[:] = self._slow.numbers
        other._acting.numbers[:] = self._acting.numbers
        return other

    @override
    def model(self, env: gym.Env[Any, Any]) -> Model:
        return dqn_model(env, self._config, self._units, self._acting, self._slow)
