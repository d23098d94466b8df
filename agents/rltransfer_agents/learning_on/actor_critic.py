"""TD3 and SAC with networks stepped in NumPy: the learners for continuous actions."""

from copy import copy
from dataclasses import dataclass
from typing import Any, Literal, final

import gymnasium as gym
import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray
from typing_extensions import override

from rltransfer_agents.learning_on.learner import Guidance, Learner
from rltransfer_agents.learning_on.learner_config import LearnerConfig
from rltransfer_agents.learning_on.network_stack import NetworkStack
from rltransfer_agents.learning_on.replay import Batch, Replay, Units
from rltransfer_agents.learning_on.sb3_models import (
    ActorCriticNetworks,
    Model,
    sac_model,
    td3_model,
)
from rltransfer_agents.learning_on.temperature import Temperature

Array = NDArray[np.float32]
_SMOOTHING, _CLIP, _DELAY = 0.2, 0.5, 2
"""Of TD3 (Fujimoto et al., ICML 2018): noise on the target's actions, its bound, and
critic updates for each of the actor."""
_LOG_STD = -20.0, 2.0
"""Where SAC keeps it (Haarnoja et al., 2018)."""
_NETWORKS = "_acting", "_actor", "_critic", "_slow_actor", "_slow_critic"
_EDGE = 0.97
"""Largest action that is imitated before the tanh, which never gets to 1."""
_TIMES = np.array([1.0, 4.0, 16.0, 64.0], np.float32)
"""Steps that a part of the noise lasts; their sum is nearly pink (Eberhard et al., ICLR
2023), which moves both what answers at once and what has to swing."""

_WIDE, _WIDER = 0.25, 4.0
"""Share of exploring episodes with more noise, and how much more: a learner that was
never paid would come to rest, as in MountainCarContinuous."""


@final
class ActorCritic(Learner):
    """An actor, two critics of which the lower counts, and their slow copies.

    Args:
        kind: `td3`, or `sac`, which draws its actions and is paid for drawing widely.
        sizes: numbers in an observation and in an action.
        units: of what it sees.
        config: how it learns.
        rng: draws weights, batches and noise.
        begun: the first actor and critics; by default they are drawn.
    """

    def __init__(
        self,
        kind: Literal["td3", "sac"],
        sizes: tuple[int, int],
        units: Units,
        config: LearnerConfig,
        rng: np.random.Generator,
        begun: tuple[NetworkStack, NetworkStack] | None = None,
    ) -> None:
        observation, self._size = sizes
        self._kind, self._units, self._config, self._rng = kind, units, config, rng
        if begun is None:
            outputs = self._size * (2 if kind == "sac" else 1)
            actor = NetworkStack((observation, *config.widths, outputs), 1, rng)
            rated = observation + self._size
            begun = actor, NetworkStack((rated, *config.widths, 1), 2, rng)
        self._actor, self._critic = begun
        self._slow_actor, self._slow_critic = self._actor.twin(), self._critic.twin()
        self._acting = self._actor.twin()
        self._temperature = Temperature(-float(self._size), config.rate)
        self._held = np.zeros((len(_TIMES), self._size), np.float32)
        self._wide = 1.0
        self._updates = 0

    @override
    def update(self, replay: Replay, guidance: Guidance) -> None:
        batch = self._rate(replay, guidance)
        self._updates += 1
        if self._kind == "sac" or self._updates % _DELAY == 0:
            self._improve(batch, guidance)
            self._slow_actor.follow(self._actor, self._config.follow)
        self._acting.follow(self._actor, self._config.average)
        self._slow_critic.follow(self._critic, self._config.follow)

    @override
    def evaluate(self, replay: Replay, guidance: Guidance) -> None:
        self._rate(replay, guidance)
        self._slow_critic.follow(self._critic, self._config.follow)

    @property
    @override
    def draws(self) -> int:
        return 1  # it learns from every step

    @override
    def drew(self, rows: range) -> None:
        del rows  # it learns from whoever acted

    @override
    def imitate(self, batch: Batch) -> None:
        out, inner = self._actor.forward(batch.observation)
        wanted = np.arctanh(np.clip(batch.mapped, -_EDGE, _EDGE))
        slope = np.zeros_like(out)
        size, rows = self._size, len(wanted)
        slope[0, :, :size] = 2 * (out[0, :, :size] - wanted) / rows
        # A narrow draw: what acts shall be the mapped policy, not noise around it.
        slope[0, :, size:] = 0.2 * (out[0, :, size:] + 1) / rows
        self._actor.backward(inner, slope, learn=True)
        self._actor.step(self._config.rate)
        for network in (self._slow_actor, self._acting):
            network.numbers[:] = self._actor.numbers

    @override
    def actions(
        self, observation: Float32[Array, "row observation"]
    ) -> Float32[Array, "row action"]:
        mean: Array = np.tanh(self._acting(observation)[0, :, : self._size])
        return mean

    @override
    def begin_episode(self, rng: np.random.Generator) -> None:
        self._held[:] = 0
        self._wide = _WIDER if rng.random() < _WIDE else 1.0

    @override
    def explore(
        self, observation: Float32[Array, " observation"], rng: np.random.Generator
    ) -> Float32[Array, " action"]:
        keep = np.exp(-1 / _TIMES)[:, None]
        fresh = rng.standard_normal(self._held.shape, np.float32)
        self._held = keep * self._held + np.sqrt(1 - keep**2) * fresh
        noise = self._wide * self._held.sum(axis=0) / np.sqrt(len(_TIMES))
        out = self._acting(observation[None])[0, 0]
        if self._kind == "sac":
            log_std = np.clip(out[self._size :], *_LOG_STD)
            action = np.tanh(out[: self._size] + np.exp(log_std) * noise)
        else:
            action = np.clip(np.tanh(out) + self._config.noise * noise, -1, 1)
        taken: Array = action.astype(np.float32)
        return taken

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
        rows = np.stack([np.append(observation, one), np.append(observation, other)])
        rated = self._critic(rows)[:, :, 0].min(axis=0)
        return bool(rated[0] > rated[1])

    @property
    @override
    def finite(self) -> bool:
        return all(getattr(self, name).finite for name in _NETWORKS)

    @override
    def copy(self) -> "ActorCritic":
        sizes = self._actor.sizes[0], self._size
        rng = np.random.default_rng(0)
        begun = self._actor.twin(), self._critic.twin()
        other = ActorCritic(self._kind, sizes, self._units, self._config, rng, begun)
        for name in _NETWORKS:
            getattr(other, name).numbers[:] = getattr(self, name).numbers
        other._temperature = copy(self._temperature)
        return other

    def _draw(self, network: NetworkStack, observation: Array) -> "_Draw":
        """Returns actions as they are drawn while learning."""
        out, inner = network.forward(observation)
        mean, size = out[0, :, : self._size], self._size
        if self._kind == "td3":
            noise = _SMOOTHING * self._rng.standard_normal(mean.shape, np.float32)
            noise = np.clip(noise, -_CLIP, _CLIP)
            return _Draw(np.clip(np.tanh(mean) + noise, -1, 1), None, out, inner)
        log_std = np.clip(out[0, :, size:], *_LOG_STD)
        noise = self._rng.standard_normal(mean.shape, np.float32)
        action = np.tanh(mean + np.exp(log_std) * noise)
        log_density = -0.5 * noise**2 - log_std - 0.9189385
        log_density -= np.log(1 - action**2 + 1e-6)
        return _Draw(action, (noise, log_std, log_density.sum(axis=1)), out, inner)

    def _rate(self, replay: Replay, guidance: Guidance) -> Batch:
        """Makes one update of the critics; returns the rows it was made on."""
        batch = replay.batch(self._config.batch, self._rng)
        slow = self._slow_actor if self._kind == "td3" else self._actor
        after = batch.next_observation
        draw = self._draw(slow, after)
        value = self._lower(self._slow_critic, after, draw.action)
        if draw.drawn is not None:
            value = value - self._temperature.value * draw.drawn[2]
        if guidance.bootstraps:
            mapped = self._lower(self._slow_critic, after, batch.next_mapped)
            value = np.maximum(value, mapped)
        if guidance.shapes:
            value = value + batch.next_potential
        value = batch.reward + batch.discount * value
        # No policy earns more, or less, than the best or worst reward for ever.
        ever = 1 / (1 - self._config.discount)
        if draw.drawn is None:
            value = np.clip(value, replay.lowest * ever, replay.highest * ever)
        if guidance.shapes:
            value = value - batch.potential
        rated = np.concatenate([batch.observation, batch.action], axis=1)
        out, inner = self._critic.forward(rated)
        slope = (out - value[None, :, None]) / np.float32(len(value))
        self._critic.backward(inner, slope.astype(np.float32), learn=True)
        self._critic.step(self._config.rate)
        return batch

    def _lower(self, critic: NetworkStack, observation: Array, action: Array) -> Array:
        rows = np.concatenate([observation, action], axis=1)
        lower: Array = critic(rows)[:, :, 0].min(axis=0)
        return lower

    def _improve(self, batch: Batch, guidance: Guidance) -> None:
        """Makes one update of the actor."""
        rows, size = len(batch.reward), self._size
        if self._kind == "td3":
            out, inner = self._actor.forward(batch.observation)
            draw = _Draw(np.tanh(out[0]), None, out, inner)
        else:
            draw = self._draw(self._actor, batch.observation)
        seen = np.concatenate([batch.observation, draw.action], axis=1)
        rated, path = self._critic.forward(seen)
        # TD3 takes the first critic, SAC the lower one.
        counts = np.zeros_like(rated)
        counts[0] = 1
        if self._kind == "sac":
            counts = (rated == rated.min(axis=0)).astype(np.float32)
        by_action = self._critic.backward(path, -counts / np.float32(rows), learn=False)
        by_action = by_action.sum(axis=0)[:, -size:]
        inside = 1 - draw.action**2
        slope = np.zeros_like(draw.out)
        if draw.drawn is not None:
            noise, log_std, log_density = draw.drawn
            heat = np.float32(self._temperature.value / rows)
            by_action = by_action + heat * 2 * draw.action / (inside + 1e-6)
            wide = draw.out[0, :, size:]
            free = (wide > _LOG_STD[0]) & (wide < _LOG_STD[1])
            widths = by_action * inside * np.exp(log_std) * noise - heat
            slope[0, :, size:] = widths * free
            self._temperature.update(float(log_density.mean()))
        slope[0, :, :size] = by_action * inside
        slope[0, :, :size] += self._pull(batch, draw.out, rated, guidance)
        self._actor.backward(draw.inner, slope, learn=True)
        self._actor.step(self._config.rate)

    def _pull(
        self, batch: Batch, out: Array, rated: Array, guidance: Guidance
    ) -> Float32[Array, "row action"] | float:
        """Returns the gradient of the pull to the mapped policy's actions.

        It is in units of the value, so that it weighs the same in every target.
        """
        if not guidance.hold and not guidance.filtered:
            return 0.0
        mean = np.tanh(out[0, :, : self._size])
        weight = np.full(len(mean), guidance.hold, np.float32)
        if guidance.filtered:
            own = self._lower(self._critic, batch.observation, mean)
            mapped = self._lower(self._critic, batch.observation, batch.mapped)
            weight += guidance.filtered * (mapped > own)
        weight *= batch.confidence
        unit = max(float(np.abs(rated).mean()), 1e-3)
        scale = (weight * unit * 2 / (self._size * len(mean)))[:, None]
        pull: Array = scale * (mean - np.clip(batch.mapped, -1, 1)) * (1 - mean**2)
        return pull

    @override
    def model(self, env: gym.Env[Any, Any]) -> Model:
        networks = ActorCriticNetworks(
            self._acting, self._slow_actor, self._critic, self._slow_critic
        )
        if self._kind == "td3":
            return td3_model(env, self._config, self._units, networks)
        heat = self._temperature.value
        return sac_model(env, self._config, self._units, networks, heat)


@final
@dataclass(frozen=True, eq=False)
class _Draw:
    """Actions drawn by the actor, and what their gradient needs."""

    action: Array
    drawn: tuple[Array, Array, Array] | None
    """Noise, its log standard deviation, and log density; None where all is fixed."""
    out: Array
    inner: list[Array]
