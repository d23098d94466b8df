"""PPO stepped in NumPy: the learner that learns from its own draws alone."""

from typing import Any, NamedTuple, final

import gymnasium as gym
import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray
from scipy.special import log_ndtr
from typing_extensions import override

from rltransfer_agents.learning_on.learner import Guidance, Learner
from rltransfer_agents.learning_on.learner_config import LearnerConfig
from rltransfer_agents.learning_on.network_stack import NetworkStack
from rltransfer_agents.learning_on.replay import Batch, Replay, Units
from rltransfer_agents.learning_on.sb3_models import Model, PpoNetworks, ppo_model

Array = NDArray[np.float32]
HORIZON, ROWS, EPOCHS = 512, 64, 10
"""Own steps between updates, rows of each step of Adam, and times that all are seen."""
CLIP, TRACE = 0.2, 0.95
"""How far a probability may move (Schulman et al., 2017), and λ of the advantages."""
_ALIKE = 1e-3
"""Largest difference of an action from the mapped policy's that is none."""
_SMALL = 0.01
"""Of first outputs: who knows nothing draws all choices alike."""
_LOG_ROOT = 0.5 * np.log(2 * np.pi)


@final
class OnPolicy(Learner):
    """A policy that draws, and the value of a state (Schulman et al., PPO, 2017).

    Of a shared replay it learns from the rows that it drew itself since its last
    update; the others teach the clone and the clone's value. Continuous actions are
    normal draws that are clipped, and what is clipped counts with the whole tail
    (Fujita & Maeda, "Clipped Action Policy Gradient", ICML 2018).

    Args:
        discrete: whether actions are choices.
        sizes: numbers in an observation and in an action.
        units: of what it sees.
        config: how it learns.
        rng: draws weights and batches.
    """

    def __init__(
        self,
        discrete: bool,
        sizes: tuple[int, int],
        units: Units,
        config: LearnerConfig,
        rng: np.random.Generator,
    ) -> None:
        observation, self._size = sizes
        self._discrete, self._units = discrete, units
        self._config, self._rng = config, rng
        layers = (observation, *config.widths)
        self._actor = NetworkStack((*layers, self._size), 1, rng, "tanh")
        for numbers in self._actor.layers[-1]:
            numbers *= _SMALL
        self._critic = NetworkStack((*layers, 1), 1, rng, "tanh")
        self._slow_critic = self._critic.twin()
        self._width = NetworkStack((1, self._size), 1, rng)
        self._width.numbers[:] = 0
        self._width.numbers[self._size :] = np.log(config.noise)
        self._drawn: list[range] = []

    @property
    def _log_std(self) -> Array:
        """Logarithms of the deviations of draws; full actions are 1."""
        return self._width.numbers[self._size :]

    @property
    @override
    def draws(self) -> int:
        return HORIZON

    @override
    def drew(self, rows: range) -> None:
        self._drawn.append(rows)

    @override
    def update(self, replay: Replay, guidance: Guidance) -> None:
        if sum(map(len, self._drawn)) < HORIZON:
            return
        episodes = [replay.at(np.arange(rows.start, rows.stop)) for rows in self._drawn]
        self._drawn = []
        estimates = [self._advantages(episode) for episode in episodes]
        batch = Batch(*map(np.concatenate, zip(*episodes, strict=True)))
        advantage = np.concatenate(estimates)
        value = advantage + self._critic(batch.observation)[0, :, 0]
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        before = self._draws(self._actor(batch.observation)[0], batch.action).log
        for _ in range(EPOCHS):
            order = self._rng.permutation(len(advantage))
            for at in np.split(order, range(ROWS, len(order), ROWS)):
                part = Batch(*(column[at] for column in batch))
                self._improve(part, advantage[at], before[at], guidance)
                self._fit(self._critic, part.observation, value[at])

    @override
    def evaluate(self, replay: Replay, guidance: Guidance) -> None:
        batch = replay.batch(self._config.batch, self._rng)
        # One step of the mapped policy is its own wherever it is taken.
        alike = np.abs(batch.action - batch.mapped).max(axis=1) < _ALIKE
        if not alike.any():
            return
        after = self._slow_critic(batch.next_observation[alike])[0, :, 0]
        value = batch.reward[alike] + batch.discount[alike] * after
        self._fit(self._critic, batch.observation[alike], value)
        self._slow_critic.follow(self._critic, self._config.follow)

    @override
    def imitate(self, batch: Batch) -> None:
        out, inner = self._actor.forward(batch.observation)
        slope = self._away(out[0], batch.mapped) / np.float32(len(batch.mapped))
        self._actor.backward(inner, slope[None], learn=True)
        self._actor.step(self._config.rate)

    @override
    def actions(
        self, observation: Float32[Array, "row observation"]
    ) -> Float32[Array, "row action"]:
        out = self._actor(observation)[0]
        if self._discrete:
            chosen: Array = np.eye(self._size, dtype=np.float32)[out.argmax(axis=1)]
            return chosen
        means: Array = np.clip(out, -1, 1)
        return means

    @override
    def begin_episode(self, rng: np.random.Generator) -> None:
        del rng  # every step is drawn by itself

    @override
    def explore(
        self, observation: Float32[Array, " observation"], rng: np.random.Generator
    ) -> Float32[Array, " action"]:
        out = self._actor(observation[None])[0, 0]
        if self._discrete:
            place = (out + rng.gumbel(size=len(out))).argmax()
            drawn: Array = np.eye(self._size, dtype=np.float32)[place]
        else:
            noise = rng.standard_normal(self._size, np.float32)
            drawn = np.clip(out + np.exp(self._log_std) * noise, -1, 1)
        return drawn

    @property
    @override
    def rates_actions(self) -> bool:
        return False  # values are of states

    @override
    def prefers(
        self,
        observation: Float32[Array, " observation"],
        one: Float32[Array, " action"],
        other: Float32[Array, " action"],
    ) -> bool:
        del observation, one, other
        return False

    @property
    @override
    def finite(self) -> bool:
        networks = self._actor, self._critic, self._width
        return all(network.finite for network in networks)

    @override
    def copy(self) -> "OnPolicy":
        sizes, rng = (self._actor.sizes[0], self._size), np.random.default_rng(0)
        other = OnPolicy(self._discrete, sizes, self._units, self._config, rng)
        for name in ("_actor", "_critic", "_slow_critic", "_width"):
            getattr(other, name).numbers[:] = getattr(self, name).numbers
        return other

    def _advantages(self, episode: Batch) -> Float32[Array, " row"]:
        """Returns generalised advantages (Schulman et al., ICLR 2016)."""
        after = self._critic(episode.next_observation)[0, :, 0]
        gaps = episode.reward + episode.discount * after
        gaps -= self._critic(episode.observation)[0, :, 0]
        found, ahead = np.zeros_like(gaps), 0.0
        for row in reversed(range(len(gaps))):
            ahead = gaps[row] + TRACE * self._config.discount * ahead
            found[row] = ahead
        return found

    def _improve(
        self,
        batch: Batch,
        advantage: Array,
        before: NDArray[Any],
        guidance: Guidance,
    ) -> None:
        """Makes one update of what draws."""
        out, inner = self._actor.forward(batch.observation)
        draws = self._draws(out[0], batch.action)
        ratio = np.exp(draws.log - before)
        far = np.where(advantage > 0, ratio > 1 + CLIP, ratio < 1 - CLIP)
        push = np.where(far, 0, -advantage * ratio)[:, None] / len(advantage)
        slope = push * draws.by_output
        if guidance.hold:
            pull = (guidance.hold * batch.confidence / len(advantage))[:, None]
            slope = slope + pull * self._away(out[0], batch.mapped)
        self._actor.backward(inner, slope[None].astype(np.float32), learn=True)
        self._actor.step(self._config.rate)
        if not self._discrete:
            _, path = self._width.forward(np.zeros((1, 1), np.float32))
            wider = (push * draws.by_width).sum(axis=0, keepdims=True)
            self._width.backward(path, wider[None].astype(np.float32), learn=True)
            self._width.step(self._config.rate)

    def _fit(self, critic: NetworkStack, observation: Array, value: Array) -> None:
        out, inner = critic.forward(observation)
        slope = (out - value[None, :, None]) / np.float32(len(value))
        critic.backward(inner, slope.astype(np.float32), learn=True)
        critic.step(self._config.rate)

    def _away(self, out: Array, mapped: Array) -> Float32[Array, "row action"]:
        """Returns the gradient, of each row, of how far it is from the mapped policy.

        Choices are imitated as far as leaves some to be drawn: who never draws another
        one learns nothing more.
        """
        if self._discrete:
            free = self._config.random_choices
            wanted = (1 - free) * mapped + free / self._size
            away: Array = np.exp(_log_softmax(out)) - wanted
        else:
            away = 2 / self._size * (out - np.clip(mapped, -1, 1))
        return away.astype(np.float32)

    def _draws(self, out: NDArray[Any], taken: NDArray[Any]) -> "_Draws":
        """Returns how likely it was to draw these actions, and derivatives."""
        if self._discrete:
            likely = _log_softmax(out)
            chosen = (likely * taken).sum(axis=1)
            return _Draws(chosen, taken - np.exp(likely), np.zeros_like(out))
        width, edge = np.exp(self._log_std), np.abs(taken) >= 1
        gap = (taken - out) / width
        # Beyond the edge all draws are one action.
        beyond = -np.sign(taken) * gap
        tail = log_ndtr(beyond.astype(np.float64))
        slope = np.exp(-0.5 * beyond**2 - _LOG_ROOT - tail)
        log = np.where(edge, tail, -0.5 * gap**2 - self._log_std - _LOG_ROOT)
        by_output = np.where(edge, np.sign(taken) * slope, gap) / width
        by_width = np.where(edge, -beyond * slope, gap**2 - 1)
        return _Draws(log.sum(axis=1), by_output, by_width)

    @override
    def model(self, env: gym.Env[Any, Any]) -> Model:
        networks = PpoNetworks(self._actor, self._critic)
        log_std = None if self._discrete else self._log_std
        rollout = {"n_steps": HORIZON, "batch_size": ROWS, "n_epochs": EPOCHS}
        rules = {"clip_range": CLIP, "gae_lambda": TRACE}
        how: dict[str, Any] = {**rollout, **rules}
        return ppo_model(env, self._config, self._units, networks, log_std, how)


class _Draws(NamedTuple):
    """How likely actions were drawn."""

    log: NDArray[Any]
    """Logarithms of densities; shape (row,)."""
    by_output: NDArray[Any]
    """Their derivatives by the network's outputs; shape (row, output)."""
    by_width: NDArray[Any]
    """And by the logarithms of the deviations."""


def _log_softmax(out: NDArray[Any]) -> NDArray[Any]:
    shifted = out - out.max(axis=1, keepdims=True)
    log: NDArray[Any] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return log
