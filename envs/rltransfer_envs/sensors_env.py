"""Any environment with the sensors or motors of an ordinary robot, a kind at a time."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, final

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from jaxtyping import Float64
from numpy.typing import NDArray
from typing_extensions import override

from rltransfer.errors import InputError
from rltransfer_envs.scrambled_env import on_base, require_vectors
from rltransfer_envs.true_mapping import (
    ActuatorMap,
    by_name,
    half_widths,
    random_actuator_map,
    random_rotation,
    random_sensors,
    typical_spread,
)

ENV_ID = "rltransfer/Sensors-v0"

NOISE = 0.02
"""Standard deviation of a noisy sensor, as a share of its range."""
WARP = 1.5
"""How far a warped sensor goes along the hyperbolic tangent at the end of its range."""
MORE = 3
"""How many sensors of noise, or buttons, there are more than needed."""
UNITS = (0.05, 20.0)
"""The smallest and largest unit of a sensor, by size."""

POSITIONS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "Acrobot": (0, 1, 2, 3),
        "CartPole": (0, 2),
        "LunarLander": (0, 1, 4, 6, 7),
        "MountainCar": (0,),
        "MountainCarContinuous": (0,),
        "Pendulum": (0, 1),
    }
)
"""Of each environment the observations that are no velocities."""

Reading = Callable[
    [Float64[np.ndarray, " d"], np.random.Generator], Float64[np.ndarray, " s"]
]
"""What the sensors show of an observation; noise is drawn from the generator."""


def plain(base: gym.Env[Any, Any], rng: np.random.Generator) -> Reading:
    """Returns sensors that show the observation as it is."""
    del base, rng  # the kinds `delayed` and `buttons` change actions only
    return lambda observation, noise: observation


def units(base: gym.Env[Any, Any], rng: np.random.Generator) -> Reading:
    """Returns sensors in other units, signs and order."""
    size = len(_range(base))
    smallest, largest = UNITS
    unit = smallest * (largest / smallest) ** rng.uniform(size=size)
    unit = unit * rng.choice([-1.0, 1.0], size)
    order = rng.permutation(size)
    return lambda observation, noise: (observation * unit)[order]


def rewired(base: gym.Env[Any, Any], rng: np.random.Generator) -> Reading:
    """Returns sensors in other units, signs and order, with other origins."""
    own = units(base, rng)
    shown = own(_range(base), rng)
    origin = np.abs(shown) * rng.normal(size=len(shown))
    return lambda observation, noise: own(observation, noise) + origin


def extra(base: gym.Env[Any, Any], rng: np.random.Generator) -> Reading:
    """Returns sensors in other units, among others that show noise alone."""
    own = units(base, rng)
    order = rng.permutation(len(_range(base)) + MORE)

    def reading(
        observation: NDArray[np.float64], noise: np.random.Generator
    ) -> NDArray[np.float64]:
        shown = own(observation, noise), noise.normal(size=MORE)
        return np.concatenate(shown)[order]

    return reading


def noisy(base: gym.Env[Any, Any], rng: np.random.Generator) -> Reading:
    """Returns sensors that are rotated against the observation, and disturbed."""
    rotated = _rotated(base, rng)
    return lambda observation, noise: (
        rotated(observation) + noise.normal(0.0, NOISE, len(observation))
    )


def warped(base: gym.Env[Any, Any], rng: np.random.Generator) -> Reading:
    """Returns sensors that saturate: the hyperbolic tangent of rotated ones."""
    rotated = _rotated(base, rng)
    return lambda observation, noise: np.tanh(WARP * rotated(observation))


def twice(base: gym.Env[Any, Any], rng: np.random.Generator) -> Reading:
    """Returns the sensors as they are, and a second set that is scrambled."""
    size = len(_range(base))
    scrambled = random_sensors(np.ones(size), rng)
    return lambda observation, noise: np.concatenate(
        [observation, scrambled.reading(observation)]
    )


def positions(base: gym.Env[Any, Any], rng: np.random.Generator) -> Reading:
    """Returns sensors that leave the velocities out."""
    del rng
    kept = by_name(POSITIONS, _id(base))
    if kept is None or max(kept) >= len(_range(base)):
        raise InputError(
            f"which observations are velocities is known of {', '.join(POSITIONS)} only"
        )
    return lambda observation, noise: observation[[*kept]]


KINDS: Mapping[str, Callable[[gym.Env[Any, Any], np.random.Generator], Reading]] = (
    MappingProxyType(
        {
            "extra": extra,
            "noisy": noisy,
            "warped": warped,
            "units": units,
            "rewired": rewired,
            "twice": twice,
            "positions": positions,
            "delayed": plain,
            "buttons": plain,
        }
    )
)
"""By name: what draws the sensors of a base.

Three kinds are about actions: `delayed` ones act a step late, `buttons` are more than
there are actions, so that some do the same, and `rewired` ones stand in another order,
some of them reversed.
"""


def _range(base: gym.Env[Any, Any]) -> Float64[np.ndarray, " d"]:
    """Returns half the width of the bounds; thrice the spread where there are none."""
    observed = require_vectors(base)
    return half_widths(observed, otherwise=3 * typical_spread(observed, _id(base)))


def _id(base: gym.Env[Any, Any]) -> str | None:
    return base.spec.id if base.spec is not None else None


def _rotated(
    base: gym.Env[Any, Any], rng: np.random.Generator
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    reach = _range(base)
    rotation = random_rotation(len(reach), rng)
    return lambda observation: rotation @ (observation / reach)


@final
class SensorsEnv(gym.Env[NDArray[np.float32], Any]):
    """Shows a base through sensors of one of the `KINDS`, or drives it by such motors.

    What they are is drawn once, by `seed`; noise comes from `np_random`, from which the
    seeds of the base's episodes are drawn too. All else is the base's.
    """

    def __init__(self, base: gym.Env[Any, Any], kind: str, seed: int) -> None:
        """Draws sensors and buttons, the same for the same seed, kind and base.

        Raises:
            InputError: if the base has no such sensors or motors.
        """
        rng = np.random.default_rng(seed)
        self._base = base
        self._reading = KINDS[kind](base, rng)
        shown = self._reading(np.zeros(len(_range(base))), np.random.default_rng(0))
        # Bounds of a rotated box would give the rotation away.
        self.observation_space = spaces.Box(-np.inf, np.inf, shown.shape, np.float32)
        self.action_space = base.action_space
        self._actuators: ActuatorMap | None = None
        if kind == "rewired":
            self._actuators = random_actuator_map(base.action_space, rng)
            self.action_space = self._actuators.space
        self._delayed = kind == "delayed"
        self._waiting: Any = None
        self._buttons: list[int] | None = None
        if kind == "buttons":
            if not isinstance(base.action_space, spaces.Discrete):
                raise InputError(
                    f"only Discrete actions have buttons, got {base.action_space}"
                )
            actions = np.arange(base.action_space.n) + base.action_space.start
            # Every action keeps a button.
            buttons = [*actions, *rng.choice(actions, MORE)]
            self._buttons = [int(action) for action in rng.permutation(buttons)]
            self.action_space = spaces.Discrete(len(buttons))
        self.metadata = base.metadata
        self.render_mode = base.render_mode

    @override
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        super().reset(seed=seed)
        self._waiting = None
        # Not `seed` itself: the noise would be the numbers that the base starts from.
        drawn = int(self.np_random.integers(2**31))
        observation, info = self._base.reset(seed=drawn, options=options)
        return self._shown(observation), info

    @override
    def step(
        self, action: Any
    ) -> tuple[NDArray[np.float32], Any, bool, bool, dict[str, Any]]:
        if self._buttons is not None:
            if not self.action_space.contains(action):
                raise InputError(f"actions are in {self.action_space}, got {action!r}")
            action = self._buttons[int(action)]
        if self._actuators is not None:
            action = self._actuators.source_action(action)
        if self._delayed:
            # The first action is not late, since nothing is under way before it.
            late = action if self._waiting is None else self._waiting
            action, self._waiting = late, np.copy(action)[()]
        observation, reward, terminated, truncated, info = self._base.step(action)
        return self._shown(observation), reward, terminated, truncated, info

    @override
    def render(self) -> Any:
        return self._base.render()

    @override
    def close(self) -> None:
        self._base.close()

    def _shown(self, observation: NDArray[Any]) -> NDArray[np.float32]:
        shown = self._reading(observation.astype(np.float64), self.np_random)
        return shown.astype(np.float32)


def make_sensors(
    base: object = None, kind: object = None, seed: object = 0, **kwargs: Any
) -> SensorsEnv:
    """Returns the registered environment `base` with sensors or motors of a kind.

    Args:
        base: id of an environment with vectors for observations.
        kind: one of `KINDS`.
        seed: which sensors of the kind; any whole number from 0 up.
        kwargs: passed on to the base, `render_mode` among them.

    Raises:
        InputError: if there is no such base or kind, or the base cannot have it.
    """
    if not isinstance(kind, str) or kind not in KINDS:
        near = get_close_matches(str(kind), KINDS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InputError(
            f"the kind of {ENV_ID} is one of {', '.join(KINDS)}; got {kind!r}{hint}"
        )
    return on_base(
        lambda env, seed: SensorsEnv(env, kind, seed), ENV_ID, base, seed, kwargs
    )
