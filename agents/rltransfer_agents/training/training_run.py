"""One training, from its folder to its manifest, in this process."""

import random
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from rltransfer.domain import describe_space
from rltransfer.errors import ArtifactRefused, InputError
from rltransfer.io import (
    MANIFEST_NAME,
    FirstError,
    Manifest,
    installed_versions,
    locked,
    next_run_folder,
    read_manifest_of,
    storage_faults,
    write_manifest,
)
from rltransfer.io.event_files import own_events
from rltransfer.resume.reproducibility import Resumed
from rltransfer.resume.stop_signals import StopSignals, resumable, resume_command
from rltransfer.wrappers import make_in_time
from rltransfer_agents.loading.agent_files import mark_of
from rltransfer_agents.training.algorithms import (
    Learner,
    require_spaces,
    tuned_hyperparameters,
)
from rltransfer_agents.training.run_files import RunFiles
from rltransfer_agents.training.run_settings import (
    as_stored,
    read_settings,
    write_settings,
)
from rltransfer_agents.training.snapshots import snapshot_from
from rltransfer_agents.training.train_config import (
    TrainConfig,
    TrainedRun,
    TrainingResult,
    Watch,
    require_moderate,
)
from rltransfer_agents.training.training_loop import TrainingLoop
from rltransfer_agents.training.training_setup import Prepared, prepare, set_up_training
from rltransfer_envs.making import make


@contextmanager
def isolated() -> Iterator[None]:
    """Leaves the global generators and torch's threads as they were found.

    Inside the block torch has one thread: small networks are fastest so, and sums
    are taken in one order.
    """
    python, numpy = random.getstate(), np.random.get_state()
    generator, threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(generator)
        torch.set_num_threads(threads)


_VERB = "train-source"


def train_source(config: TrainConfig, watch: Watch | None = None) -> TrainedRun:
    """Trains an agent in this process and returns where it is.

    Args:
        config: what to train.
        watch: called now and then with how far the training has come.

    Raises:
        UserError: of the kind that says what went wrong; what was saved is kept.
    """
    hyperparameters = tuned_hyperparameters(
        config.algorithm, config.env_id, config.env_kwargs, config.hyperparameters
    )
    if config.steps is not None and "n_timesteps" in config.hyperparameters:
        raise InputError(
            f"steps are given once, got -n {config.steps} and the hyperparameter "
            f"n_timesteps={config.hyperparameters['n_timesteps']}; drop one of them"
        )
    config = replace(
        config,
        steps=config.steps or hyperparameters["n_timesteps"],
        env_kwargs=as_stored(config.env_kwargs, "--env-kwargs"),
        hyperparameters=as_stored(config.hyperparameters, "--hyperparams"),
    )
    require_moderate(config, hyperparameters)
    # All that can be wrong is found before there is a folder.
    make_one = partial(make, config.env_id, **config.env_kwargs)
    with closing(make_in_time(make_one, config.env_id, config.step_seconds)) as env:
        require_spaces(
            config.algorithm, config.env_id, env.observation_space, env.action_space
        )
    with _prepared(config, hyperparameters) as (prepared, stop):
        folder = next_run_folder(config.log_folder, config.algorithm, config.env_id)
        files = RunFiles.of(config, folder)
        with locked(folder):
            write_settings(files, config, hyperparameters)
            with _resumable(files, config):
                return _train(files, config, prepared, watch, stop)


def resume_source(
    folder: Path, watch: Watch | None = None, typed: Collection[str] = ()
) -> TrainedRun:
    """Goes on with an interrupted training; returns a finished one as it is.

    On a CPU, with the same versions, the result is that of a training that was never
    interrupted, bit for bit. Where it is not, the run says `approximate`.

    Args:
        folder: of the run.
        watch: called now and then with how far the training has come.
        typed: environments that the user named: what a file may not import by itself.
    """
    # First, so that a folder of something else is left as it is.
    files, config, hyperparameters = read_settings(folder, typed)
    with locked(folder):
        if (folder / MANIFEST_NAME).exists():
            return _finished(files, config)
        with (
            _resumable(files, config),
            _prepared(config, hyperparameters) as (prepared, stop),
        ):
            return _train(files, config, prepared, watch, stop)


@contextmanager
def _prepared(
    config: TrainConfig, hyperparameters: Mapping[str, Any]
) -> Iterator[tuple[Prepared, StopSignals]]:
    # The third signal does not wait for the end of a step.
    with isolated(), StopSignals(patience=2) as stop, ExitStack() as stack:
        yield prepare(config, hyperparameters, stack), stop


def _resumable(files: RunFiles, config: TrainConfig) -> AbstractContextManager[None]:
    environments = (config.env_id, config.env_kwargs)
    return resumable(lambda: resume_command(_VERB, files.folder, environments))


def _train(
    files: RunFiles,
    config: TrainConfig,
    prepared: Prepared,
    watch: Watch | None,
    stop: StopSignals,
) -> TrainedRun:
    setup = set_up_training(config, files, prepared)
    state = setup.snapshots.read()
    snapshot = None if state is None else snapshot_from(state)
    result = TrainingLoop(setup, snapshot, watch, stop).run()
    write_manifest(files.folder, _manifest(config, setup.learner, result))
    return _finished(files, config)


def _manifest(
    config: TrainConfig, learner: Learner, result: TrainingResult
) -> Manifest:
    results = asdict(result)
    return Manifest(
        verb=_VERB,
        versions=installed_versions(),
        seeds={"training": config.seed},
        steps={"training": results.pop("steps")},
        spaces={
            "observation": describe_space(learner.observation_space),
            "action": describe_space(learner.action_space),
        },
        settings={
            "algo": config.algorithm,
            "env": config.env_id,
            "env_kwargs": dict(config.env_kwargs),
            "n_timesteps": config.steps,
        },
        results=results,
    )


def _finished(files: RunFiles, config: TrainConfig) -> TrainedRun:
    run = _finished_run(files, config)
    # Only now: without them a run that has no manifest starts again from nothing.
    with storage_faults(files.snapshots):
        if files.snapshots.exists():
            shutil.rmtree(files.snapshots)
    return run


@final
class _Results(BaseModel):
    """What the manifest of a finished training says, as far as it is asked for."""

    model_config = ConfigDict(strict=True)

    steps: int
    mean_return: float
    seconds: float
    resumed: Resumed
    # Version 0.1.0 called them doubts.
    reproducibility_warnings: list[str] = Field(
        validation_alias=AliasChoices("reproducibility_warnings", "doubts")
    )
    seeds_ignored: bool = False
    capped_episodes: int = 0


def _finished_run(files: RunFiles, config: TrainConfig) -> TrainedRun:
    manifest = read_manifest_of(files.folder, _VERB)
    found = {**manifest.results, "steps": manifest.steps.get("training")}
    try:
        results = _Results.model_validate(found)
    except ValidationError as fault:
        raise ArtifactRefused(
            f"{files.folder / MANIFEST_NAME} does not say what came of the "
            f"training ({FirstError.of(fault)}); restore the file or start a new run"
        ) from fault
    written = [files.folder / name for name in (*manifest.files, MANIFEST_NAME)]
    if files.tensorboard_elsewhere is not None:
        written += own_events(files.tensorboard, files.folder, mark_of(files.folder))
    return TrainedRun(
        env_id=config.env_id,
        algorithm=config.algorithm,
        folder=files.folder,
        steps=results.steps,
        asked_steps=config.steps or results.steps,
        mean_return=results.mean_return,
        seconds=results.seconds,
        env_kwargs=config.env_kwargs,
        files=tuple(written),
        resumed=results.resumed,
        reproducibility_warnings=tuple(results.reproducibility_warnings),
        seeds_ignored=results.seeds_ignored,
        capped_episodes=results.capped_episodes,
    )
