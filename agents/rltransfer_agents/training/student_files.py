"""A student of a transfer, written as RL Zoo and `train-source` write an agent."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, final

import gymnasium as gym
from typing_extensions import override

from rltransfer.domain import describe_space
from rltransfer.io import (
    Manifest,
    folder_name,
    installed_versions,
    make_folder,
    write_manifest,
)
from rltransfer.wrappers import CheckedEnv, ReplayableEnv
from rltransfer_agents.training.agent_saving import save_agent
from rltransfer_agents.training.algorithms import Learner
from rltransfer_agents.training.evaluations import EvaluationHistory
from rltransfer_agents.training.run_files import RunFiles, as_stored, write_settings
from rltransfer_agents.training.train_config import TrainConfig
from rltransfer_agents.training.vector_env import VectorEnv

_VERB = "student"
"""In its manifest, so that no other command takes the run for one of its own."""
_SETTINGS = ("learning_rate", "batch_size", "gamma", "tau")
"""That models keep under the names of their hyperparameters."""


@final
class SpacesOnly(gym.Env[Any, Any]):
    """Tells a model its spaces; is never stepped."""

    def __init__(self, observation: gym.Space[Any], action: gym.Space[Any]) -> None:
        self.observation_space, self.action_space = observation, action

    @override
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> Any:
        raise NotImplementedError("no environment, only its spaces")

    @override
    def step(self, action: Any) -> Any:
        raise NotImplementedError("no environment, only its spaces")


def student_files(
    log_folder: Path,
    algorithm: str,
    env_id: str,
    env_kwargs: Mapping[str, Any],
    *,
    steps: int,
    seed: int,
) -> RunFiles:
    """Returns the files of a student, `log_folder/ALGO/ENV_1`, there or not.

    Args:
        log_folder: that holds nothing else.
        algorithm: of the student.
        env_id: of the target.
        env_kwargs: what the target is made with.
        steps: target steps that it learned from.
        seed: of the run.
    """
    config = TrainConfig(
        env_id=env_id,
        algorithm=algorithm,
        log_folder=log_folder,
        steps=steps,
        seed=seed,
        env_kwargs=as_stored(env_kwargs, "--target-kwargs"),
    )
    return RunFiles(log_folder / algorithm / f"{folder_name(env_id)}_1", config)


def write_student(
    files: RunFiles,
    make_model: Callable[[gym.Env[Any, Any]], Learner],
    spaces: tuple[gym.Space[Any], gym.Space[Any]],
    history: EvaluationHistory | None = None,
) -> None:
    """Writes a student with all that opening it needs.

    Args:
        files: where it goes; nothing of it is there yet.
        make_model: makes the model for an environment with the target's spaces.
        spaces: observations and actions, as the target declares them.
        history: the learning curve of the transfer, for RL Zoo's plots; no file of it
            where it is left out.

    Raises:
        InputError: a number in it is not finite; nothing is saved.
    """
    config = files.config
    env = ReplayableEnv(CheckedEnv(SpacesOnly(*spaces), config.env_id))
    model = make_model(env)
    model.set_env(VectorEnv([env]))
    make_folder(files.folder)
    write_settings(files, _hyperparameters(model, config.steps or 0))
    save_agent(model, files.agent, files.statistics)
    if history is not None:
        history.write(files.evaluations)
    shown = zip(("observation", "action"), map(describe_space, spaces), strict=True)
    write_manifest(
        files.folder,
        Manifest(
            verb=_VERB,
            versions=installed_versions(),
            seeds={"transfer": config.seed},
            steps={"training": config.steps or 0},
            spaces=dict(shown),
            settings={
                "algo": config.algorithm,
                "env": config.env_id,
                "env_kwargs": dict(config.env_kwargs),
            },
        ),
    )


def _hyperparameters(model: Learner, steps: int) -> dict[str, Any]:
    """Returns what RL Zoo's `config.yml` says of a model, as plain data."""
    known = {name: getattr(model, name, None) for name in _SETTINGS}
    widths = model.policy_kwargs.get("net_arch")
    return {
        "policy": "MlpPolicy",
        "n_timesteps": steps,
        **{
            name: value
            for name, value in known.items()
            if isinstance(value, float | int)
        },
        **({"policy_kwargs": {"net_arch": widths}} if widths else {}),
    }
