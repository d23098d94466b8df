"""Any environment behind unknown sensors and actuators."""

from collections.abc import Callable
from typing import Any, TypeVar, final

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from typing_extensions import override

from rltransfer.errors import InputError
from rltransfer_envs.making import make
from rltransfer_envs.true_mapping import (
    Numbers,
    Sensors,
    TrueMapping,
    random_actuator_map,
    random_sensors,
    typical_spread,
)

ENV_ID = "rltransfer/Scrambled-v0"
E = TypeVar("E", bound=gym.Env[Any, Any])
_ON_BASES = (
    *(ENV_ID, "rltransfer/Sensors-v0", "rltransfer/Drifting-v0"),
    "rltransfer/Camera-v0",
)


@final
class Scrambled(gym.Env[Any, Any]):
    """Shows a base through unknown sensors and drives it by unknown actuators.

    Sensors that show a number of a state show another number for each.

    It is not a `gymnasium.Wrapper`: those give access to what they wrap. Rewards,
    terminations, the time limit and rendering are the base's.
    """

    def __init__(self, base: gym.Env[Any, Any], seed: int) -> None:
        """Draws sensors and actuators, the same for the same seed and base.

        Raises:
            InputError: if the base's spaces cannot be scrambled.
        """
        observed, rng = base.observation_space, np.random.default_rng(seed)
        sensors: Sensors | Numbers
        if isinstance(observed, spaces.Discrete):
            sensors = Numbers(observed, rng.permutation(int(observed.n)))
            self.observation_space = spaces.Discrete(
                int(observed.n), start=int(observed.start)
            )
        else:
            observed = require_vectors(base)
            env_id = base.spec.id if base.spec is not None else None
            sensors = random_sensors(typical_spread(observed, env_id), rng)
            # Bounds of a rotated box would give the rotation away.
            self.observation_space = spaces.Box(
                -np.inf, np.inf, observed.shape, np.float32
            )
        self._base = base
        self._mapping = TrueMapping(
            sensors, random_actuator_map(base.action_space, rng)
        )
        self.action_space = self._mapping.actuators.space
        self.metadata = base.metadata
        self.render_mode = base.render_mode

    @override
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        observation, info = self._base.reset(seed=seed, options=options)
        return self._mapping.sensors.reading(observation), self._told(info)

    @override
    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        inner = self._mapping.actuators.source_action(action)
        observation, reward, terminated, truncated, info = self._base.step(inner)
        reading = self._mapping.sensors.reading(observation)
        return reading, reward, terminated, truncated, self._told(info)

    def _told(self, info: dict[str, Any]) -> dict[str, Any]:
        # Taxi's mask says which actions do something; their order would be told by it.
        return {name: told for name, told in info.items() if name != "action_mask"}

    @override
    def render(self) -> Any:
        return self._base.render()

    @override
    def close(self) -> None:
        self._base.close()


def scramble(base: object = None, seed: object = 0, **kwargs: Any) -> Scrambled:
    """Returns the registered environment `base` behind unknown sensors and actuators.

    Args:
        base: id of an environment with vectors or numbered states for observations.
        seed: which sensors and actuators; any whole number from 0 up.
        kwargs: passed on to the base, `render_mode` among them.

    Raises:
        InputError: if there is no such base, or it cannot be scrambled.
    """
    return on_base(Scrambled, ENV_ID, base, seed, kwargs)


def on_base(
    kind: Callable[[gym.Env[Any, Any], int], E],
    env_id: str,
    base: object,
    seed: object,
    kwargs: dict[str, Any],
) -> E:
    """Returns an environment that is made of another one and a seed.

    Args:
        kind: what is made, of an open environment; closed again if that is refused.
        env_id: what is registered, for the errors.
        base: id of the other environment.
        seed: any whole number from 0 up.
        kwargs: of the other environment.

    Raises:
        InputError: if there is no such base, or `kind` refuses it.
    """
    if not isinstance(base, str):
        raise InputError(
            f"{env_id} needs the id of the environment it is made of, got "
            f"base={base!r}; pass for example base=CartPole-v1"
        )
    if base.rpartition(":")[2] in _ON_BASES:
        raise InputError(
            f"a base of {env_id} must not have a base itself, got base={base!r}; "
            "pass the innermost one"
        )
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise InputError(
            f"the seed of {env_id} must be a whole number from 0 up, got {seed!r}"
        )
    # The environment around it is checked; checking twice only costs time.
    env = make(base, disable_env_checker=True, **kwargs)
    try:
        return kind(env, int(seed))
    except InputError as fault:
        env.close()
        raise InputError(f"base {base!r}: {fault}") from fault


def require_vectors(base: gym.Env[Any, Any]) -> spaces.Box:
    """Returns the space of observations, or raises where they are no vectors."""
    observed = base.observation_space
    if not isinstance(observed, spaces.Box) or len(observed.shape) != 1:
        raise InputError(
            f"only vectors (Box of rank 1) can be shown otherwise, got {observed}; "
            "choose another base, or flatten its observations with "
            "gymnasium.wrappers.FlattenObservation and register that"
        )
    return observed


def true_mapping(env: gym.Env[Any, Any]) -> TrueMapping:
    """Returns what a scrambled environment hides; for tests only."""
    scrambled = env.unwrapped
    if not isinstance(scrambled, Scrambled):
        raise InputError(f"only {ENV_ID} has a true mapping, got {env}")
    return scrambled._mapping
