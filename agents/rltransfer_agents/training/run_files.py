"""The files of a training run, and in them what it was asked for, as RL Zoo has it."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, final

import torch
import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
)

from rltransfer.argument_checks import EPISODE_CAP
from rltransfer.errors import ArtifactRefused, InputError
from rltransfer.io import (
    FirstError,
    folder_name,
    make_folder,
    storage_faults,
    write_atomically,
)
from rltransfer.io.event_files import own_events
from rltransfer_agents.loading import limits
from rltransfer_agents.loading.agent_files import (
    mark_logs,
    mark_of,
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
from rltransfer_agents.training.train_config import TrainConfig, require_moderate


@final
@dataclass(frozen=True)
class RunFiles:
    """The files in the folder of one run."""

    folder: Path
    config: TrainConfig
    """What the run was asked for."""

    @property
    def agent(self) -> Path:
        """The agent as it was at the end."""
        return self.folder / f"{self.settings.name}.zip"

    @property
    def statistics(self) -> Path:
        """Running statistics that belong to `agent`."""
        return self.settings / "vecnormalize.json"

    @property
    def zoo_statistics(self) -> Path:
        """The same, in the form in which RL Zoo reads them."""
        return self.settings / "vecnormalize.pkl"

    @property
    def best_agent(self) -> Path:
        """The agent as it was when it did best in evaluation."""
        return self.folder / "best_model.zip"

    @property
    def best_statistics(self) -> Path:
        """Running statistics that belong to `best_agent`."""
        return self.folder / "best_vecnormalize.json"

    @property
    def evaluations(self) -> Path:
        """Returns and lengths of all evaluations."""
        return self.folder / "evaluations.npz"

    @property
    def episodes(self) -> Path:
        """Returns and lengths of all training episodes."""
        return self.folder / "0.monitor.csv"

    @property
    def settings(self) -> Path:
        """Folder of what the run was asked for."""
        return self.folder / folder_name(self.config.env_id)

    @property
    def hyperparameters(self) -> Path:
        """What the algorithm was set to."""
        return self.settings / "config.yml"

    @property
    def arguments(self) -> Path:
        """The arguments of the command."""
        return self.settings / "args.yml"

    @property
    def tensorboard(self) -> Path:
        """Folder of TensorBoard's events."""
        return self.tensorboard_elsewhere or self.folder / "tensorboard"

    @property
    def tensorboard_elsewhere(self) -> Path | None:
        """The same, if it is not in the run's own folder."""
        elsewhere = self.config.tensorboard_folder
        if elsewhere is None:
            return None
        # A folder of its own, so that the curves of several runs stay apart.
        return elsewhere / self.config.algorithm / self.folder.name

    @property
    def events(self) -> list[Path]:
        """Files of TensorBoard's events, in a folder that others may write to."""
        return own_events(self.tensorboard, self.folder, mark_of(self.folder))

    @property
    def snapshots(self) -> Path:
        """Folder from which an interrupted run resumes; removed when it is finished."""
        return self.folder / ".resume"


@final
class _Arguments(BaseModel):
    """The content of `args.yml`: fields of `TrainConfig`, under RL Zoo's names."""

    model_config = ConfigDict(extra="forbid")

    algorithm: str = Field(alias="algo")
    device: str
    env_id: str = Field(alias="env")
    env_kwargs: dict[str, Any]
    episode_cap: int = EPISODE_CAP
    evaluation_episodes: int = Field(alias="eval_episodes")
    evaluation_seed: int | None = Field(default=None, alias="eval_seed")
    hyperparameters: dict[str, Any] = Field(alias="hyperparams")
    evaluations: int = Field(alias="n_evaluations")
    steps: int = Field(alias="n_timesteps")
    seed: int
    snapshot_seconds: float
    step_seconds: float
    tensorboard_folder: Annotated[
        Path | None,
        BeforeValidator(lambda path: None if path == "" else path),
        PlainSerializer(lambda path: "" if path is None else str(path.resolve())),
    ] = Field(alias="tensorboard_log")
    vec_env: Literal["dummy", "subproc"]


def write_settings(files: RunFiles, hyperparameters: Mapping[str, Any]) -> None:
    """Writes the arguments and the hyperparameters of a run."""
    if files.tensorboard_elsewhere is not None:
        mark_logs(files.tensorboard_elsewhere, files.folder)
    fields = _Arguments.model_fields.items()
    asked = {field.alias or name: getattr(files.config, name) for name, field in fields}
    arguments = _Arguments.model_validate(asked).model_dump(by_alias=True)
    make_folder(files.settings)
    # The arguments last: where they are, all is.
    for path, values in (
        (files.hyperparameters, dict(hyperparameters)),
        (files.arguments, arguments),
    ):
        write_atomically(path, yaml.safe_dump(values).encode())


def read_settings(
    folder: Path, typed: Collection[str] = ()
) -> tuple[RunFiles, dict[str, Any]]:
    """Returns the files, with the arguments, and the hyperparameters of a stored run.

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
        require_registered(arguments.env_id, typed=typed)
        require_harmless(arguments.env_kwargs, typed=typed)
        _require_device(arguments.device)
    # The run may have been moved; it goes on where it is.
    config = TrainConfig(log_folder=folder.parent.parent, **dict(arguments))
    files = RunFiles(folder, config)
    hyperparameters = checked_hyperparameters(
        config.algorithm, _read(files.hyperparameters)
    )
    require_moderate(config, hyperparameters)
    if files.tensorboard_elsewhere is not None:
        require_own_logs(files.tensorboard_elsewhere, folder)
    return files, hyperparameters


def _require_device(device: str) -> None:
    try:
        if torch.device(device).type in ("cpu", "cuda", "mps", "xpu"):
            torch.empty(0, device=device)
            return
    except (RuntimeError, AssertionError):
        pass  # refused below, in words
    raise InputError(
        f"a run goes on where torch has its device, got {quoted(device)}; go on with "
        "it on such a machine, or start a new run"
    )


def _read(path: Path) -> Mapping[str, Any]:
    with storage_faults(path), path.open("rb") as file:
        data = file.read(limits.YAML_BYTES + 1)
    with refusals_about(printable(path)):
        values = parse_yaml(data)
    if not isinstance(values, dict):
        raise ArtifactRefused(
            f"{printable(path)} holds no mapping of keys to values; restore it or "
            "start a new run"
        )
    return values


def as_stored(value: Any, option: str) -> Any:
    """Returns an argument as it comes back from the run's files, to be used as such.

    Raises:
        InputError: it, or a part of it, cannot be stored exactly.
    """
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {name: as_stored(part, option) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [as_stored(part, option) for part in value]
    plain = value is None or type(value) in (bool, int, float, str)
    if not plain or (isinstance(value, float) and not math.isfinite(value)):
        raise InputError(
            f"{option} takes finite numbers, text, lists and mappings from text, got "
            f"{value!r}; only such values can be stored with the run"
        )
    return value
