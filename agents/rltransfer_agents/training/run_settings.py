"""What a run was asked for, in the files where RL Zoo looks for it."""

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from rltransfer.argument_checks import EPISODE_CAP
from rltransfer.errors import ArtifactRefused, InputError
from rltransfer.io import FirstError, make_folder, storage_faults, write_atomically
from rltransfer_agents.loading import limits
from rltransfer_agents.loading.agent_files import (
    mark_logs,
    require_own_files,
    require_own_logs,
)
from rltransfer_agents.loading.environment_spec import (
    require_harmless,
    require_registered,
)
from rltransfer_agents.loading.refusal import printable, quoted, refusals_about
from rltransfer_agents.loading.yaml_reader import parse_yaml
from rltransfer_agents.training.algorithms import checked_hyperparameters
from rltransfer_agents.training.run_files import RunFiles
from rltransfer_agents.training.train_config import TrainConfig, require_moderate

_DEVICES = ("cpu", "cuda", "mps", "xpu")


class _Arguments(BaseModel):
    """The content of `args.yml`."""

    model_config = ConfigDict(extra="forbid")

    algo: str
    device: str
    env: str
    env_kwargs: dict[str, Any]
    episode_cap: int = EPISODE_CAP
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
    if files.tensorboard_elsewhere is not None:
        mark_logs(files.tensorboard_elsewhere, files.folder)
    logs = config.tensorboard_folder
    arguments = _Arguments(
        algo=config.algorithm,
        device=config.device,
        env=config.env_id,
        env_kwargs=dict(config.env_kwargs),
        episode_cap=config.episode_cap,
        eval_episodes=config.evaluation_episodes,
        hyperparams=dict(config.hyperparameters),
        n_evaluations=config.evaluations,
        n_timesteps=config.steps or hyperparameters["n_timesteps"],
        seed=config.seed,
        snapshot_seconds=config.snapshot_seconds,
        step_seconds=config.step_seconds,
        tensorboard_log="" if logs is None else str(logs.resolve()),
        vec_env=config.vec_env,
    )
    # The arguments last: where they are, all is.
    texts = {
        files.hyperparameters: yaml.safe_dump(dict(hyperparameters)),
        files.arguments: yaml.safe_dump(arguments.model_dump()),
    }
    make_folder(files.settings)
    for path, text in texts.items():
        write_atomically(path, text.encode())


def read_settings(
    folder: Path, typed: Collection[str] = ()
) -> tuple[RunFiles, TrainConfig, dict[str, Any]]:
    """Returns the files, the arguments and the hyperparameters of a stored run.

    Environments, folders and sizes in its files are checked like a stranger's.

    Args:
        folder: of the run.
        typed: environments that the user named.
    """
    require_own_files(folder)
    found = sorted(folder.glob("*/args.yml"))
    if len(found) != 1:
        raise InputError(
            "--resume takes the folder of one run of train-source, "
            f"{printable(folder)} holds "
            f"{len(found)}; name a folder such as runs/ppo/CartPole-v1_1"
        )
    try:
        arguments = _Arguments.model_validate(_read(found[0]))
    except ValidationError as fault:
        raise ArtifactRefused(
            f"{printable(found[0])} is not of a run of train-source "
            f"({printable(FirstError.of(fault))}); restore the file or start a new run"
        ) from fault
    with refusals_about(printable(found[0])):
        require_registered(arguments.env, typed=typed)
        require_harmless(arguments.env_kwargs, typed=typed)
        _require_device(arguments.device)
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
        episode_cap=arguments.episode_cap,
    )
    files = RunFiles.of(config, folder)
    hyperparameters = checked_hyperparameters(
        arguments.algo, _read(files.hyperparameters)
    )
    require_moderate(config, hyperparameters)
    if files.tensorboard_elsewhere is not None:
        require_own_logs(files.tensorboard_elsewhere, folder)
    return files, config, hyperparameters


def _require_device(device: str) -> None:
    try:
        if torch.device(device).type in _DEVICES:
            torch.empty(0, device=device)
            return
    except (RuntimeError, AssertionError):
        pass  # refused below, in words
    raise InputError(
        f"a run goes on where torch has its device, got {quoted(device)}; go on with "
        "it on such a machine, or start a new run"
    )


def _read(path: Path) -> Mapping[str, Any]:
    with storage_faults(path):
        with path.open("rb") as file:
            data = file.read(limits.YAML_BYTES + 1)
    with refusals_about(printable(path)):
        values = parse_yaml(data)
    if not isinstance(values, dict):
        raise ArtifactRefused(
            f"{printable(path)} holds no mapping of keys to values; restore it or "
            "start a new run"
        )
    return values


def as_stored(values: Mapping[str, Any], option: str) -> dict[str, Any]:
    """Returns arguments as they come back from the run's files, to be used as such.

    Raises:
        InputError: one of them cannot be stored exactly.
    """
    return {name: _as_stored(value, option) for name, value in values.items()}


def _as_stored(value: Any, option: str) -> Any:
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return as_stored(value, option)
    if isinstance(value, list | tuple):
        return [_as_stored(part, option) for part in value]
    plain = value is None or type(value) in (bool, int, float, str)
    if not plain or (isinstance(value, float) and not math.isfinite(value)):
        raise InputError(
            f"{option} takes finite numbers, text, lists and mappings from text, got "
            f"{value!r}; only such values can be stored with the run"
        )
    return value
