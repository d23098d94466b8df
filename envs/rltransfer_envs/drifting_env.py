"""Any environment behind unknown sensors and actuators that change while it is used."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from math import isfinite
from types import MappingProxyType
from typing import Any, final

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from jaxtyping import Float32, Float64
from numpy.typing import NDArray
from typing_extensions import override

from rltransfer.errors import InputError
from rltransfer_envs.parametrised import read_parameters
from rltransfer_envs.scrambled_env import on_base, require_vectors
from rltransfer_envs.true_mapping import (
    by_name,
    random_actuator_map,
    random_rotation,
    random_sensors,
    typical_spread,
)

ENV_ID = "rltransfer/Drifting-v0"
_SetMultiple = Callable[[float], None]

_GRAVITY: Mapping[str, str] = MappingProxyType(
    {"CartPole": "gravity", "MountainCar": "gravity", "Pendulum": "g"}
)
_FORCE: Mapping[str, str] = MappingProxyType(
    {"CartPole": "force_mag", "MountainCar": "force"}
)
"""Of each environment, the attribute with its gravity; with the motor's force."""
_IN_MUJOCO = frozenset(
    "Ant HalfCheetah Hopper Humanoid InvertedDoublePendulum InvertedPendulum Walker2d"
    "".split()
)
"""Bodies that gravity moves; a swimmer and a reacher lie flat."""


@final
@dataclass(frozen=True)
class Drift:
    """What changes, by how much, and over how many steps; evenly, and then no more."""

    turn: float = 90.0
    """Angle, in degrees, by which the sensors are turned in the end."""
    motor: float = 1.0
    """Share of its force that one motor keeps, from 0 to 1."""
    gravity: float = 1.0
    """Multiple that gravity becomes."""
    steps: int = 20_000
    """After which the drift is over; 0: it is over from the first step on."""
    start: int = 0
    """Steps that the drift is ahead by when the environment is made: to go on where
    an earlier one ended.
    """

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isfinite(value):
                raise InputError(f"{name} must be finite, got {value}")
        if not 0 <= self.motor <= 1:
            raise InputError(
                f"motor is the share of its force that is left, from 0 to 1, got "
                f"{self.motor}"
            )
        if self.gravity <= 0:
            raise InputError(f"gravity is a positive multiple, got {self.gravity}")
        if min(self.steps, self.start) < 0:
            raise InputError(
                f"steps and start are counted from 0, got {self.steps} and {self.start}"
            )

    def progress(self, taken: int) -> float:
        """Returns how much of the drift is done after so many steps, from 0 to 1."""
        done = self.start + taken
        return min(1.0, done / self.steps) if self.steps else 1.0


@final
class Drifting(gym.Env[NDArray[np.float32], Any]):
    """`rltransfer/Scrambled-v0` of the same base and seed, whose parts then change.

    The drift follows from the steps taken since the environment was made, and goes on
    from episode to episode; no reset takes it back. So two episodes with one seed are
    equal only where as many steps were taken before them. `drift_steps` sets it.
    """

    def __init__(self, base: gym.Env[Any, Any], seed: int, drift: Drift) -> None:
        """Draws sensors and actuators, the planes of the turn, and the weak motor.

        Raises:
            InputError: if the base's spaces cannot be scrambled, or it has no gravity
                or motor that can be changed, where these drift.
        """
        observed = require_vectors(base)
        rng = np.random.default_rng(seed)
        env_id = base.spec.id if base.spec is not None else None
        self._sensors = random_sensors(typical_spread(observed, env_id), rng)
        self._actuators = random_actuator_map(base.action_space, rng)
        self._planes = random_rotation(observed.shape[0], rng)
        self._base, self._drift = base, drift
        self._set_gravity = _unchanged if drift.gravity == 1 else _gravity_of(base)
        self._set_force: _SetMultiple = _unchanged
        self._weak: int | None = None
        if drift.motor < 1 and isinstance(base.action_space, spaces.Box):
            self._weak = int(rng.integers(base.action_space.shape[0]))
        elif drift.motor < 1:
            self._set_force = _multiple_of(base, _FORCE, "motor")
        self.drift_steps = 0
        """Steps taken since the environment was made."""
        self.observation_space = spaces.Box(-np.inf, np.inf, observed.shape, np.float32)
        self.action_space = self._actuators.space
        self.metadata = base.metadata
        self.render_mode = base.render_mode

    @property
    def progress(self) -> float:
        """How much of the drift is done, from 0 to 1."""
        return self._drift.progress(self.drift_steps)

    @override
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        super().reset(seed=seed)
        observation, info = self._base.reset(seed=seed, options=options)
        return self._reading(observation), info

    @override
    def step(
        self, action: Any
    ) -> tuple[NDArray[np.float32], Any, bool, bool, dict[str, Any]]:
        self._set_gravity(1 + self.progress * (self._drift.gravity - 1))
        self._set_force(1 - self.progress * (1 - self._drift.motor))
        inner = self._weakened(self._actuators.source_action(action))
        observation, reward, terminated, truncated, info = self._base.step(inner)
        self.drift_steps += 1
        return self._reading(observation), reward, terminated, truncated, info

    @override
    def render(self) -> Any:
        return self._base.render()

    @override
    def close(self) -> None:
        self._base.close()

    def _reading(self, observation: NDArray[Any]) -> Float32[np.ndarray, " d"]:
        sensors = self._sensors
        turned = turn_in(self._planes, np.radians(self.progress * self._drift.turn))
        shown: NDArray[np.float64] = turned @ (sensors.matrix @ observation)
        reading: NDArray[np.float32] = (shown + sensors.offset).astype(np.float32)
        return reading

    def _weakened(self, action: Any) -> Any:
        """Returns the source's action as its motors do it, where these are several."""
        space, weak = self._base.action_space, self._weak
        if weak is None:
            return action
        assert isinstance(space, spaces.Box)
        # About the middle of its range, where it does nothing.
        centre = (float(space.low[weak]) + float(space.high[weak])) / 2
        left = 1 - self.progress * (1 - self._drift.motor)
        weakened = np.array(action)
        weakened[weak] = centre + left * (weakened[weak] - centre)
        return weakened


def turn_in(
    planes: Float64[np.ndarray, "d d"], angle: float
) -> Float64[np.ndarray, "d d"]:
    """Returns the rotation by one angle in each of several planes.

    Args:
        planes: orthogonal; its columns 1 and 2 span the first plane, 3 and 4 the
            second, and so on. A last one without a partner is the axis.
        angle: in radians, from the first column of a plane to the second.
    """
    blocks = np.eye(len(planes))
    for first in range(0, len(planes) - 1, 2):
        blocks[first : first + 2, first : first + 2] = [
            [np.cos(angle), -np.sin(angle)],
            [np.sin(angle), np.cos(angle)],
        ]
    turned: NDArray[np.float64] = planes @ blocks @ planes.T
    return turned


def drifting(base: object = None, seed: object = 0, **kwargs: Any) -> Drifting:
    """Returns the registered environment `base` behind parts that change.

    Args:
        base: id of an environment with vectors for observations.
        seed: which sensors and actuators, in which planes, and which motor weakens:
            where actions are continuous it is one of them, else the only one.
        kwargs: fields of `Drift`; the others are passed on to the base, `render_mode`
            among them. Gravity drifts in some of classic control's environments and
            in MuJoCo's bodies, the only motor in some of classic control's.

    Raises:
        InputError: if there is no such base, or it cannot drift like that.
    """
    names = [field.name for field in fields(Drift) if field.name in kwargs]
    given = {name: kwargs.pop(name) for name in names}
    drift = read_parameters(Drift, ENV_ID, given)
    return on_base(
        lambda env, drawn: Drifting(env, drawn, drift), ENV_ID, base, seed, kwargs
    )


def _unchanged(multiple: float) -> None:
    """Sets nothing."""


def _gravity_of(base: gym.Env[Any, Any]) -> _SetMultiple:
    """Returns what sets gravity to a multiple of what it is now."""
    env_id = base.spec.id if base.spec is not None else None
    if by_name(dict.fromkeys(_IN_MUJOCO, True), env_id):
        gravity = base.unwrapped.model.opt.gravity  # type: ignore[attr-defined]
        first = np.array(gravity)

        def set_gravity(multiple: float) -> None:
            gravity[:] = first * multiple

        return set_gravity
    return _multiple_of(base, _GRAVITY, "gravity")


def _multiple_of(
    base: gym.Env[Any, Any], attributes: Mapping[str, str], option: str
) -> _SetMultiple:
    env_id = base.spec.id if base.spec is not None else None
    name = by_name(attributes, env_id)
    if name is None:
        raise InputError(
            f"{option} can drift in {', '.join(attributes)}, not in {env_id}; leave "
            f"{option} out"
        )
    first = getattr(base.unwrapped, name)
    return lambda multiple: setattr(base.unwrapped, name, first * multiple)
