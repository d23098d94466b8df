"""Several environments as Stable-Baselines3 steps them."""

from collections.abc import Iterable
from typing import Any, NoReturn, final

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv
from typing_extensions import override

from rltransfer_agents.training.environments.place import Place


@final
class VectorEnv(VecEnv):
    """The environments at a place, started again when an episode ends.

    Unlike Stable-Baselines3's own it checks every step, keeps what a replay needs, and
    copies no info, which makes a step of cheap environments about twice as fast.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        super().__init__(place.count, place.observation_space, place.action_space)
        self._everyone = range(place.count)
        self._actions: NDArray[Any] = np.zeros(0)

    @override
    def reset(self) -> NDArray[Any]:
        observations = self.place.reset(self._everyone, self._seeds)
        self._reset_seeds()
        return np.array(observations)

    @override
    def step_async(self, actions: NDArray[Any]) -> None:
        self._actions = actions

    @override
    def step_wait(
        self,
    ) -> tuple[NDArray[Any], NDArray[np.float32], NDArray[np.bool_], list[Any]]:
        steps = self.place.step(self._everyone, list(self._actions))
        ended = [index for index, over in enumerate(steps.overs) if over]
        if ended:
            steps.observations[ended] = self.place.reset(ended, [None] * len(ended))
        return (
            steps.observations,
            np.array(steps.rewards, np.float32),
            np.array(steps.overs),
            steps.infos,
        )

    @override
    def close(self) -> None:
        self.place.close()

    @override
    def get_attr(
        self, attr_name: str, indices: int | Iterable[int] | None = None
    ) -> list[Any]:
        if attr_name != "render_mode":
            _refuse(attr_name)
        # Nobody looks at environments that are learnt in.
        return [None for _ in self._get_indices(indices)]

    @override
    def set_attr(
        self, attr_name: str, value: Any, indices: int | Iterable[int] | None = None
    ) -> None:
        _refuse(attr_name)

    @override
    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: int | Iterable[int] | None = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        _refuse(method_name)

    @override
    def env_is_wrapped(
        self,
        wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]],
        indices: int | Iterable[int] | None = None,
    ) -> list[bool]:
        return [False for _ in self._get_indices(indices)]


def _refuse(name: str) -> NoReturn:
    raise AttributeError(f"training reaches into no environment, not even for {name}")
