"""An environment that can be brought back to where it was, by stepping there again."""

import copy
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import gymnasium as gym
import numpy as np
from gymnasium.utils.env_checker import data_equivalence
from numpy.typing import NDArray
from typing_extensions import override

from rltransfer.io import sha256_of
from rltransfer.wrappers.checked_env import CheckedEnv, Step, UncheckedStep

_LEFT_OUT = {"_np_random", "_np_random_seed", "spec", "_cached_spec", "render_mode"}
_PLAIN = (bool, int, float, str, type(None), np.generic)
_DEEPEST = 4


@final
@dataclass(frozen=True, eq=False)
class EnvSnapshot:
    """Where an environment is: its last reset and the actions taken since."""

    seed: int | None
    """Of that reset."""
    generator_before: dict[str, Any] | None
    """State of its generator before that reset, if the reset had no seed."""
    actions: NDArray[Any]
    observation: NDArray[Any]
    """The last one shown; stepping again must lead to it."""
    generator: dict[str, Any] | None
    """State of its generator now; stepping again must lead to it. None if it has no
    generator whose state can be read."""
    steps: int
    episode_return: float
    attributes: str
    """Hash of the plain numbers and words among its attributes; stepping again must
    lead to it. A curriculum, for one, goes on from episode to episode."""


@final
class ReplayableEnv(gym.Wrapper[Any, Any, Any, Any]):
    """Keeps the actions of the running episode, so that they can be taken again.

    The info of an episode's last step holds `episode`, a dict of its return `r` and
    its length `l`, as Gymnasium's `RecordEpisodeStatistics` has it.

    Args:
        env: checked; its observations are one array each.
    """

    def __init__(self, env: CheckedEnv) -> None:
        super().__init__(env)
        self.checked = env
        self.declared_spaces = env.declared_spaces
        """Of observations and actions, as the environment itself has them."""
        self._seed: int | None = None
        self._generator_before: dict[str, Any] | None = None
        self._actions: list[Any] = []
        self._observation: NDArray[Any] = np.zeros(0)
        self._return = 0.0

    @override
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        self._generator_before = self._generator() if seed is None else None
        self._seed = seed
        self._actions.clear()
        self._return = 0.0
        self._observation, info = self.checked.reset(seed=seed, options=options)
        return self._observation, info

    @override
    def step(self, action: Any) -> Step:
        unchecked = self.step_unchecked(action)
        return self.keep(unchecked, *self.checked.check_step(*unchecked[:2]))

    def step_unchecked(self, action: Any) -> UncheckedStep:
        """Takes one step, which is still to be checked and kept.

        For several environments, which `check_together` checks at once.
        """
        # A copy, because the environment may write into what it is given.
        self._actions.append(copy.copy(action))
        return self.checked.step_unchecked(action)

    def keep(
        self, unchecked: UncheckedStep, observation: NDArray[Any], reward: float
    ) -> Step:
        """Keeps a step that has been checked, and returns it.

        Args:
            unchecked: as the environment gave it.
            observation: its observation, checked.
            reward: its reward, checked.
        """
        _, _, terminated, truncated, info = unchecked
        self._observation = observation
        self._return += reward
        if terminated or truncated:
            # Another dict, because the environment may show the same one again.
            info = {**info, "episode": {"r": self._return, "l": len(self._actions)}}
        return observation, reward, terminated, truncated, info

    def go_on(self, steps: int) -> None:
        """Counts `steps` as taken, see `CheckedEnv.go_on`."""
        self.checked.go_on(steps)

    def snapshot(self) -> EnvSnapshot:
        """Returns where the environment is."""
        return EnvSnapshot(
            self._seed,
            self._generator_before,
            np.array(self._actions),
            np.array(self._observation),
            self._generator(),
            self.checked.steps,
            self._return,
            attribute_fingerprint(self.checked.env),
        )

    def restore(self, snapshot: EnvSnapshot) -> bool:
        """Steps to `snapshot` again; returns whether that led to the same state."""
        if snapshot.generator_before is not None:
            self.unwrapped.np_random.bit_generator.state = snapshot.generator_before
        elif snapshot.seed is None:
            return False
        self.reset(seed=snapshot.seed)
        self._generator_before = snapshot.generator_before
        for action in snapshot.actions:
            self.step(action)
        self.checked.steps = snapshot.steps
        return (
            snapshot.generator is not None
            and np.array_equal(self._observation, snapshot.observation)
            and data_equivalence(self._generator(), snapshot.generator, exact=True)
            and self._return == snapshot.episode_return
            and attribute_fingerprint(self.checked.env) == snapshot.attributes
        )

    def _generator(self) -> dict[str, Any] | None:
        # Old environments have a generator of another kind, or none.
        bits = getattr(self.unwrapped.np_random, "bit_generator", None)
        return None if bits is None else dict(copy.deepcopy(bits.state))


def attribute_fingerprint(env: gym.Env[Any, Any]) -> str:
    """Returns the SHA-256 of the attributes of an environment and its wrappers."""
    digest = hashlib.sha256()
    for layer in _layers(env):
        for name, value in sorted(vars(layer).items()):
            if name not in _LEFT_OUT:
                digest.update(f"{name} {_text(value, 0)}\n".encode())
    return digest.hexdigest()


def _layers(env: gym.Env[Any, Any]) -> Iterator[gym.Env[Any, Any]]:
    while True:
        if not type(env).__module__.startswith("gymnasium."):
            yield env
        if not isinstance(env, gym.Wrapper):
            return
        env = env.env


def _text(value: Any, depth: int) -> str:
    """Returns plain values as text, and of all others nothing."""
    if isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return f"{value.shape} {sha256_of(value.tobytes())}"
    if depth < _DEEPEST and isinstance(value, list | tuple):
        return ", ".join(_text(part, depth + 1) for part in value)
    if depth < _DEEPEST and isinstance(value, dict):
        return ", ".join(
            f"{_text(key, depth + 1)}: {_text(part, depth + 1)}"
            for key, part in value.items()
        )
    return ""
