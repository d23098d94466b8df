"""Source agents, trained with tuned hyperparameters."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, final

import torch
from rich.console import Group, RenderableType
from typing_extensions import override

from rltransfer.argument_checks import (
    EPISODE_CAP,
    STEP_SECONDS,
    VecEnv,
    require_at_least,
)
from rltransfer.domain import Policy
from rltransfer.errors import InputError
from rltransfer.io import copy_run, require_writable
from rltransfer.report import Result
from rltransfer.report.tables import facts, plain_table
from rltransfer.workflows.environments import (
    EnvironmentChoice,
    MakeEnv,
    environment_id,
    require_plain,
)
from rltransfer.workflows.policy_loading import load_agent
from rltransfer.workflows.progress_bars import training_bars
from rltransfer.workflows.ray_trainings import require_cpu, train_on_ray
from rltransfer.workflows.source_model_cache import keep_source_model
from rltransfer.wrappers import SEEDS_IGNORED
from rltransfer_agents.training import (
    TrainConfig,
    TrainedRun,
    resume_sources,
    train_sources,
)
from rltransfer_agents.training.parallel_training import AT_ONCE
from rltransfer_envs.multi_task import ENV_ID as MULTI_TASK

_CAPPED = (
    "{:,} evaluated episodes were ended by --episode-cap: their returns are of their "
    "first steps"
)


@final
@dataclass(frozen=True)
class TrainingResult(Result):
    """Finished trainings."""

    runs: tuple[TrainedRun, ...]
    notes: tuple[str, ...] = ()
    """What a user should know of source models that were to be kept."""

    @property
    def run(self) -> TrainedRun:
        """The only training; raises where there are several."""
        if len(self.runs) != 1:
            raise InputError(
                f"one of {len(self.runs)} trainings must be chosen; take it from `runs`"
            )
        return self.runs[0]

    @property
    def folder(self) -> Path:
        """The run folder of the only training: a source for `transfer`."""
        return self.run.folder

    @property
    def policy(self) -> Policy:
        """The best agent of the only training; read from its folder."""
        return load_agent(self.folder, env=self.run.env_id).policy

    def save(self, path: str | Path) -> Path:
        """Copies the run's folder to `path`, which must not exist, and returns it."""
        return copy_run(self.folder, Path(path))

    @override
    def as_json(self) -> dict[str, Any]:
        """Returns the object that `--json` prints."""
        return {"runs": [run.record() for run in self.runs]}

    @override
    def __rich__(self) -> RenderableType:
        """Returns one row per run, and how those went on that were interrupted."""
        seeds = {run.seed for run in self.runs}
        headings = ("env", "algo", *["seed"] * (len(seeds) > 1))
        table = plain_table(*headings, "steps", "mean return", "seconds")
        entries: list[tuple[str, object]] = []
        for run in self.runs:
            asked = f" ({run.asked_steps:,} asked)"
            table.add_row(
                EnvironmentChoice(run.env_id, run.env_kwargs).title,
                run.algorithm,
                *[str(run.seed)] * (len(seeds) > 1),
                f"{run.steps:,}" + (asked if run.steps != run.asked_steps else ""),
                f"{run.mean_return:.1f}",
                f"{run.seconds:.1f}",
            )
            names = [os.path.relpath(path, run.folder) for path in run.files]
            resumed = [run.resumed, *run.reproducibility_warnings]
            capped = run.capped_episodes
            entries += [
                ("run", run.folder),
                ("files", ", ".join(names)),
                ("note", SEEDS_IGNORED if run.seeds_ignored else None),
                ("note", _CAPPED.format(capped) if capped else None),
                ("resume", "; ".join(resumed) if run.resumed != "no" else None),
            ]
        entries += [("note", note) for note in self.notes]
        return Group(table, facts(entries))


def train_source(
    env: str | MakeEnv | Sequence[str | MakeEnv],
    algo: str = "ppo",
    steps: int | None = None,
    *,
    env_kwargs: Mapping[str, Any] | None = None,
    hyperparams: Mapping[str, Any] | None = None,
    seed: int = 0,
    seeds: int = 1,
    jobs: int | None = None,
    ray: str | None = None,
    shared: bool = False,
    log_folder: str | Path = "runs",
    device: str = "auto",
    tensorboard_log: str | Path | None = None,
    vec_env: VecEnv = "dummy",
    step_seconds: float = STEP_SECONDS,
    episode_cap: int = EPISODE_CAP,
    progress: bool = False,
    source_model: bool = False,
) -> TrainingResult:
    """Trains agents in each environment; several are trained side by side.

    Args:
        env: id of the environment, or a callable that makes it; or several.
        algo: a name in `rltransfer_agents.training.ALGORITHMS`, such as ppo or sac.
        steps: environment steps to learn from; by default as many as the tuned
            hyperparameters say.
        env_kwargs: what the environments are made with.
        hyperparams: replace values of the tuned hyperparameters.
        seed: of everything drawn.
        seeds: agents for each environment, with `seed` and the numbers after it.
        jobs: trainings at once; by default as many as there are CPUs.
        ray: `local`, or the address of a Ray cluster whose machines all see the log
            folder; what that has of these trainings is not trained again.
        shared: whether one agent learns all environments, an episode of one after the
            other: in `rltransfer/MultiTask-v0`, whose `task` says which one a transfer
            takes as its source.
        log_folder: a run's folder becomes `log_folder/ALGO/ENV_N`, as RL Zoo names it.
        device: cpu, cuda, or auto.
        tensorboard_log: folder for TensorBoard; by default in the run's folder.
        vec_env: `dummy`, or `subproc` for each environment in a process of its own.
        step_seconds: longest time of one step of an environment, in seconds.
        episode_cap: most steps of one evaluated episode, which ends there.
        progress: whether to show it on standard error.
        source_model: whether to learn what transfers need of the agents at once;
            otherwise the first transfer does.

    Raises:
        InputError: wrong arguments, or spaces that the algorithm cannot act in.
        EnvironmentFault: an environment broke its contract.
        StorageError: the disk refused.
        Stopped: SIGINT or SIGTERM ended it; what was learned is kept.
    """
    require_at_least("--seeds", seeds, 1)
    if jobs is not None:
        require_at_least("--jobs", jobs, 1)
    if ray is not None:
        require_cpu(device)
        device = "cpu"
    environments = [env] if isinstance(env, str) or callable(env) else env
    kwargs = require_plain("--env-kwargs", env_kwargs or {})
    if shared:
        tasks = [environment_id(one) for one in environments]
        if len(tasks) < 2:
            raise InputError(
                f"--shared needs two environments or more, got {', '.join(tasks)}; "
                "name several with --env"
            )
        environments, kwargs = [MULTI_TASK], {**kwargs, "tasks": tasks}
    logs = None if tensorboard_log is None else Path(tensorboard_log)
    configs = [
        TrainConfig(
            env_id=environment_id(one),
            algorithm=algo,
            log_folder=Path(log_folder),
            steps=steps,
            seed=number,
            env_kwargs=kwargs,
            hyperparameters=hyperparams or {},
            device=require_device(device),
            tensorboard_folder=logs,
            vec_env=vec_env,
            step_seconds=step_seconds,
            episode_cap=episode_cap,
        )
        for one in environments
        for number in range(seed, seed + seeds)
    ]
    if ray is not None:
        runs = train_on_ray(configs, ray, jobs, Path(log_folder), progress)
    else:
        require_writable(Path(log_folder))
        with training_bars(progress, several=seeds > 1) as watch:
            runs = train_sources(configs, watch, jobs or AT_ONCE)
    return _result(runs, source_model)


def _result(runs: Sequence[TrainedRun], source_model: bool) -> TrainingResult:
    models = runs if source_model else ()
    notes = [keep_source_model(run.folder, run.env_id) for run in models]
    return TrainingResult(tuple(runs), tuple(chain.from_iterable(notes)))


def resume_training(
    folders: Sequence[str | Path],
    *,
    environments: Collection[str] = (),
    progress: bool = False,
    source_model: bool = False,
) -> TrainingResult:
    """Goes on with interrupted trainings; finished ones are returned as they are.

    Args:
        folders: of the runs.
        environments: ids that the user named: what a file may not import by itself.
        progress: whether to show it on standard error.
        source_model: as in `train_source`.
    """
    with training_bars(progress) as watch:
        runs = resume_sources([Path(f) for f in folders], watch, environments)
    return _result(runs, source_model)


def require_device(device: str) -> str:
    """Returns the name that torch has for a device that is there."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as fault:
        reason = str(fault).splitlines()[0].rstrip(".")
        raise InputError(
            f"--device names a device that torch can use here, got {device!r} "
            f"({reason}); choose cpu or auto"
        ) from fault
    return device
