"""What an environment remembers, as far as it is written in plain numbers and words.

Gymnasium's own environments and wrappers are left out: what they keep from one episode
to the next, such as whether a check was made, shapes nothing.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np

_LEFT_OUT = {"_np_random", "_np_random_seed", "spec", "_cached_spec", "render_mode"}
_PLAIN = (bool, int, float, str, type(None), np.generic)
_DEEPEST = 4


def traits_of(env: gym.Env[Any, Any]) -> str:
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
