"""An environment that can be put back where it stood, by stepping there again."""

import copy
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from rltransfer.wrappers.checked_env import CheckedEnv, Taken

_LEFT_OUT = {"_np_random", "_np_random_seed", "spec", "_cached_spec", "render_mode"}
_PLAIN = (bool, int, float, str, type(None), np.generic)
_DEEPEST = 4


def attribute_fingerprint(env: gym.Env[Any, Any]) -> str:
    """Returns the SHA-256 of what an environment and its wrappers remember."""
    digest = hashlib.sha256()
    for layer in _layers(env):
        for name, value in sorted(vars(layer).items()):
            if name not in _LEFT_OUT:
                digest.update(f"{name} {_told(value, 0)}\n".encode())
    return digest.hexdigest()


def _layers(env: gym.Env[Any, Any]) -> Iterator[gym.Env[Any, Any]]:
    while True:
        if not type(env).__module__.startswith("gymnasium."):
            yield env
        if not isinstance(env, gym.Wrapper):
            return
        env = env.env


def _told(value: Any, depth: int) -> str:
    """Returns plain values in words, and of all others nothing."""
    if isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return f"{value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
    if depth < _DEEPEST and isinstance(value, list | tuple):
        return ", ".join(_told(part, depth + 1) for part in value)
    if depth < _DEEPEST and isinstance(value, dict):
        return ", ".join(
            f"{_told(key, depth + 1)}: {_told(part, depth + 1)}"
            for key, part in value.items()
        )
    return ""


Step: TypeAlias = tuple[NDArray[Any], float, bool, dict[str, Any]]
"""Observation, reward, whether the episode is over, info."""


@final
@dataclass(frozen=True, eq=False)
class EnvSnapshot:
    """Where an environment stands: its last reset and the actions taken since."""

    seed: int | None
    """Handed to that reset."""
    generator_before: dict[str, Any] | None
    """State of its generator before that reset, if no seed was handed over."""
    actions: NDArray[Any]
    observation: NDArray[Any]
    """The last one seen; stepping again must lead to it."""
    generator: dict[str, Any] | None
    """State of its generator now; stepping again must lead to it. None for one that
    has none that can be told."""
    steps: int
    paid: float
    attributes: str
    """Hash of what the environment remembers in plain numbers and words; stepping
    again must lead to it. A curriculum, say, lives on from one episode to the next."""


@final
class ReplayableEnv:
    """One environment, checked at every step, its episode kept for replay.

    Args:
        make: makes the environment.
        name: what errors call it.
    """

    def __init__(self, make: Callable[[], gym.Env[Any, Any]], name: str) -> None:
        self.env = make()
        self.checked = CheckedEnv(self.env, name)
        self._seed: int | None = None
        self._generator_before: dict[str, Any] | None = None
        self._actions: list[Any] = []
        self._observation: NDArray[Any] = np.zeros(0)
        self._paid = 0.0

    def reset(self, seed: int | None = None) -> NDArray[Any]:
        """Starts an episode and returns its first observation."""
        self._generator_before = self._generator() if seed is None else None
        self._seed = seed
        self._actions.clear()
        self._paid = 0.0
        self._observation = self.checked.reset(seed)
        return self._observation

    def step(self, action: Any) -> Step:
        """Takes one step and returns what it brought, as `settle` does."""
        taken = self.take(action)
        return self.settle(taken, *self.checked.sound(taken[0], taken[1]))

    def take(self, action: Any) -> Taken:
        """Takes one step, which is still to be looked at and settled."""
        # A copy, because the environment may write into what it is given.
        self._actions.append(copy.copy(action))
        return self.checked.take(action)

    def settle(self, taken: Taken, observation: NDArray[Any], reward: float) -> Step:
        """Returns a step: observation, reward, whether the episode ended, and info.

        The info of a last step says what Stable-Baselines3 looks for there: the
        episode's return and length, and whether time ran out.

        Args:
            taken: as the environment gave it.
            observation: found sound.
            reward: found sound.
        """
        _, _, terminated, truncated, info = taken
        self._observation = observation
        self._paid += reward
        if not (terminated or truncated):
            return observation, reward, False, info
        # Another dict, because the environment may show the same one again; a copy,
        # because the first observation of the next episode takes the row's place.
        told = {
            **info,
            "episode": {"r": self._paid, "l": len(self._actions)},
            "terminal_observation": observation.copy(),
            "TimeLimit.truncated": truncated and not terminated,
        }
        return observation, reward, True, told

    def snapshot(self) -> EnvSnapshot:
        """Returns where the environment stands."""
        return EnvSnapshot(
            self._seed,
            self._generator_before,
            np.array(self._actions),
            np.array(self._observation),
            self._generator(),
            self.checked.steps,
            self._paid,
            attribute_fingerprint(self.env),
        )

    def restore(self, snapshot: EnvSnapshot) -> bool:
        """Steps to `moment` again and returns whether that led to the same state."""
        if snapshot.generator_before is not None:
            self.env.unwrapped.np_random.bit_generator.state = snapshot.generator_before
        elif snapshot.seed is None:
            return False
        self.reset(snapshot.seed)
        self._generator_before = snapshot.generator_before
        for action in snapshot.actions:
            self.step(action)
        self.checked.steps = snapshot.steps
        return (
            snapshot.generator is not None
            and np.array_equal(self._observation, snapshot.observation)
            and _plain(self._generator()) == _plain(snapshot.generator)
            and self._paid == snapshot.paid
            and attribute_fingerprint(self.env) == snapshot.attributes
        )

    def _generator(self) -> dict[str, Any] | None:
        # Environments of old have a generator of another kind, or none.
        bits = getattr(self.env.unwrapped.np_random, "bit_generator", None)
        return None if bits is None else dict(copy.deepcopy(bits.state))


def _plain(value: Any) -> Any:
    """Returns a generator's state so that it can be compared."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value
