"""What a run was asked for, in the files where RL Zoo looks for it."""

from collections.abc import Mapping
from typing import Any

import yaml

from rltransfer.errors import InputError
from rltransfer.files import make_folder, write_atomically
from rltransfer_agents.training.config import TrainConfig
from rltransfer_agents.training.run_files import RunFiles


def write_settings(
    files: RunFiles, config: TrainConfig, hyperparameters: Mapping[str, Any]
) -> None:
    """Writes the arguments and the hyperparameters of a run."""
    arguments = {
        "algo": config.algorithm,
        "env": config.env_id,
        "env_kwargs": dict(config.env_kwargs),
        "seed": config.seed,
        "n_timesteps": config.steps or hyperparameters["n_timesteps"],
        "device": config.device,
        "tensorboard_log": str(config.tensorboard_folder or ""),
        "n_evaluations": config.evaluations,
        "eval_episodes": config.evaluation_episodes,
        "snapshot_seconds": config.snapshot_seconds,
        "hyperparams": dict(config.hyperparameters),
    }
    texts = {
        files.arguments: _plain(arguments, "--env-kwargs"),
        files.hyperparameters: _plain(dict(hyperparameters), "--hyperparams"),
    }
    make_folder(files.settings)
    for path, text in texts.items():
        write_atomically(path, text.encode())


def _plain(values: Mapping[str, Any], option: str) -> str:
    try:
        return yaml.safe_dump(values, sort_keys=True)
    except yaml.representer.RepresenterError as fault:
        _, value = fault.args
        raise InputError(
            f"{option} takes numbers, text, lists and mappings, got {value!r}; only "
            "such values can be stored with the run"
        ) from fault
