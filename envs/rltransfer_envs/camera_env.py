"""A few environments as a camera sees them, driven by motors that are rewired."""

from typing import Any, final

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from typing_extensions import override

from rltransfer.errors import InputError
from rltransfer_envs.pictures import HEIGHT, PICTURES, WIDTH, frame
from rltransfer_envs.scrambled_env import on_base, require_vectors
from rltransfer_envs.sensors_env import POSITIONS
from rltransfer_envs.true_mapping import by_name, random_actuator_map

ENV_ID = "rltransfer/Camera-v0"
FRAMES = 2
"""Of an observation; from two a velocity can be told."""
_NOTHING, _POSITIONS = BESIDE = ("nothing", "positions")


@final
class CameraEnv(gym.Env[Any, Any]):
    """Shows the last two frames of a base, the latest one last, instead of its state.

    Frames are drawn from what the base shows, without a window. Motors stand in another
    order, some of them reversed. All else is the base's.
    """

    def __init__(self, base: gym.Env[Any, Any], beside: str, seed: int) -> None:
        """Draws how the motors are wired, the same for the same seed and base.

        Args:
            base: what is filmed.
            beside: `positions` shows the base's observations that are no velocities
                beside the frames, `nothing` frames alone.
            seed: of the wiring.

        Raises:
            InputError: the base cannot be drawn or rewired.
        """
        env_id = base.spec.id if base.spec is not None else None
        draw, kept = by_name(PICTURES, env_id), by_name(POSITIONS, env_id)
        if draw is None or kept is None:
            raise InputError(
                f"there are pictures of {', '.join(PICTURES)} only; choose one of them"
            )
        require_vectors(base)
        self._base, self._draw = base, draw
        self._actuators = random_actuator_map(
            base.action_space, np.random.default_rng(seed)
        )
        self.action_space = self._actuators.space
        camera = spaces.Box(0, 255, (FRAMES, HEIGHT, WIDTH), np.uint8)
        self._kept = [*kept] if beside == _POSITIONS else None
        self.observation_space: spaces.Space[Any] = camera
        if self._kept is not None:
            numbers = spaces.Box(-np.inf, np.inf, (len(self._kept),), np.float32)
            self.observation_space = spaces.Dict(
                {"camera": camera, _POSITIONS: numbers}
            )
        self._frames: list[NDArray[np.uint8]] = []
        self.metadata = base.metadata
        self.render_mode = base.render_mode

    @override
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        observation, info = self._base.reset(seed=seed, options=options)
        self._frames = [frame(self._draw, observation)] * FRAMES
        return self._shown(observation), info

    @override
    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        inner = self._actuators.source_action(action)
        observation, reward, terminated, truncated, info = self._base.step(inner)
        self._frames = [*self._frames[1:], frame(self._draw, observation)]
        return self._shown(observation), reward, terminated, truncated, info

    @override
    def render(self) -> Any:
        return self._base.render()

    @override
    def close(self) -> None:
        self._base.close()

    def _shown(self, observation: NDArray[Any]) -> Any:
        frames = np.stack(self._frames)
        if self._kept is None:
            return frames
        numbers = observation[self._kept].astype(np.float32)
        return {"camera": frames, _POSITIONS: numbers}


def film(
    base: object = None, beside: object = _NOTHING, seed: object = 0, **kwargs: Any
) -> CameraEnv:
    """Returns the registered environment `base` as a camera sees it.

    Args:
        base: id of an environment of which there are pictures.
        beside: `nothing` or `positions`, see `CameraEnv`.
        seed: how motors are wired; any whole number from 0 up.
        kwargs: passed on to the base, `render_mode` among them.

    Raises:
        InputError: there is no such base, or it cannot be filmed.
    """
    if not isinstance(beside, str) or beside not in BESIDE:
        raise InputError(
            f"beside the frames of {ENV_ID} is {' or '.join(BESIDE)}, got {beside!r}"
        )
    return on_base(
        lambda env, seed: CameraEnv(env, beside, seed), ENV_ID, base, seed, kwargs
    )
