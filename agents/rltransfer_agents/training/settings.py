"""What a run was asked for, in the files where RL Zoo looks for it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from rltransfer.errors import ArtifactRefused, InputError
from rltransfer.files import make_folder, storage_faults, write_atomically
from rltransfer_agents.training.config import TrainConfig
from rltransfer_agents.training.hyperparameters import checked_hyperparameters
from rltransfer_agents.training.run_files import RunFiles

_PLAIN_ID = re.compile(r"[\w./-]+-v\d+")


class _Arguments(BaseModel):
    """The content of `args.yml`."""

    model_config = ConfigDict(extra="forbid")

    algo: str
    device: str
    env: str
    env_kwargs: dict[str, Any]
    eval_episodes: int
    hyperparams: dict[str, Any]
    n_evaluations: int
    n_timesteps: int
    seed: int
    snapshot_seconds: float
    step_seconds: float
    tensorboard_log: str
    vec_env: Literal["dummy", "subproc"]


def write_settings(
    files: RunFiles, config: TrainConfig, hyperparameters: Mapping[str, Any]
) -> None:
    """Writes the arguments and the hyperparameters of a run."""
    total = config.steps or hyperparameters["n_timesteps"]
    arguments = _Arguments(
        algo=config.algorithm,
        device=config.device,
        env=config.env_id,
        env_kwargs=dict(config.env_kwargs),
        eval_episodes=config.evaluation_episodes,
        hyperparams=dict(config.hyperparameters),
        n_evaluations=config.evaluations,
        n_timesteps=total,
        seed=config.seed,
        snapshot_seconds=config.snapshot_seconds,
        step_seconds=config.step_seconds,
        tensorboard_log=str(config.tensorboard_folder or ""),
        vec_env=config.vec_env,
    )
    # The arguments last: where they are, all is.
    texts = {
        files.hyperparameters: _plain(dict(hyperparameters), "--hyperparams"),
        files.arguments: _plain(arguments.model_dump(), "--env-kwargs"),
    }
    make_folder(files.settings)
    for path, text in texts.items():
        write_atomically(path, text.encode())


def read_settings(folder: Path) -> tuple[RunFiles, TrainConfig, dict[str, Any]]:
    """Returns the files, the arguments and the hyperparameters of a stored run."""
    found = sorted(folder.glob("*/args.yml"))
    if len(found) != 1:
        raise InputError(
            f"--resume takes the folder of one run of train-source, {folder} holds "
            f"{len(found)}; name a folder such as runs/ppo/CartPole-v1_1"
        )
    try:
        arguments = _Arguments.model_validate(_read(found[0]))
    except ValidationError as fault:
        first = fault.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ArtifactRefused(
            f"{found[0]} is not of a run of train-source ({key}: {first['msg']}); "
            "restore the file or start a new run"
        ) from fault
    if not _PLAIN_ID.fullmatch(arguments.env):
        # `module:Id` would import a module that a file names.
        raise ArtifactRefused(
            f"{found[0]} names {arguments.env!r}, an id in a file looks like Name-v1; "
            "start a new run"
        )
    files = RunFiles(folder, arguments.env)
    config = TrainConfig(
        env_id=arguments.env,
        algorithm=arguments.algo,
        # The run may have been moved; it goes on where it is.
        log_folder=folder.parent.parent,
        steps=arguments.n_timesteps,
        seed=arguments.seed,
        env_kwargs=arguments.env_kwargs,
        hyperparameters=arguments.hyperparams,
        device=arguments.device,
        tensorboard_folder=(
            Path(arguments.tensorboard_log) if arguments.tensorboard_log else None
        ),
        evaluations=arguments.n_evaluations,
        evaluation_episodes=arguments.eval_episodes,
        snapshot_seconds=arguments.snapshot_seconds,
        vec_env=arguments.vec_env,
        step_seconds=arguments.step_seconds,
    )
    hyperparameters = checked_hyperparameters(
        arguments.algo, _read(files.hyperparameters)
    )
    return files, config, hyperparameters


def _read(path: Path) -> Mapping[str, Any]:
    with storage_faults(path):
        data = path.read_bytes()
    try:
        values = yaml.safe_load(data.decode())
    # The parser recurses once per bracket.
    except (yaml.YAMLError, ValueError, RecursionError) as fault:
        reason = " ".join(str(fault).split())
        raise ArtifactRefused(
            f"{path} is no plain YAML ({reason}); restore it or start a new run"
        ) from fault
    if not isinstance(values, dict):
        raise ArtifactRefused(
            f"{path} holds no mapping of keys to values; restore it or start a new run"
        )
    return values


def _plain(values: Mapping[str, Any], option: str) -> str:
    try:
        return yaml.safe_dump(values, sort_keys=True)
    except yaml.representer.RepresenterError as fault:
        _, value = fault.args
        raise InputError(
            f"{option} takes numbers, text, lists and mappings, got {value!r}; only "
            "such values can be stored with the run"
        ) from fault
