"""One training, from its folder to its manifest, in this process."""

import random
import shutil
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter, ValidationError

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
from rltransfer.one_thread import one_thread
from rltransfer.resume.stop_signals import StopSignals, resumable, resume_command
from rltransfer.wrappers import make_in_time
from rltransfer_agents.training.algorithms import require_spaces, tuned_hyperparameters
from rltransfer_agents.training.run_files import (
    RunFiles,
    as_stored,
    read_settings,
    write_settings,
)
from rltransfer_agents.training.train_config import (
    TrainConfig,
    TrainedRun,
    Watch,
    require_moderate,
)
from rltransfer_agents.training.training_loop import TrainingLoop
from rltransfer_agents.training.training_setup import Prepared, prepare
from rltransfer_envs.making import make


@contextmanager
def isolated() -> Iterator[None]:
    """Leaves the global generators and the threads as they were found.

    Inside the block PyTorch and NumPy have one thread.
    """
    python, numpy = random.getstate(), np.random.get_state()
    generator = torch.get_rng_state()
    try:
        with one_thread():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(generator)


_VERB = "train-source"
_PATIENCE = 2
"""The third signal does not wait for the end of a step."""


def train_source(config: TrainConfig, watch: Watch | None = None) -> TrainedRun:
    """Trains an agent in this process and returns where it is.

    Args:
        config: what to train.
        watch: called now and then with how far the training has come.

    Raises:
        UserError: of the kind that says what went wrong; what was saved is kept.
    """
    config, hyperparameters = completed(config)
    require_moderate(config, hyperparameters)
    # All that can be wrong is found before there is a folder.
    make_one = partial(make, config.env_id, **config.env_kwargs)
    with closing(make_in_time(make_one, config.env_id, config.step_seconds)) as env:
        require_spaces(
            config.algorithm, config.env_id, env.observation_space, env.action_space
        )
    with (
        isolated(),
        StopSignals(patience=_PATIENCE) as stop,
        prepare(config, hyperparameters) as prepared,
    ):
        folder = next_run_folder(config.log_folder, config.algorithm, config.env_id)
        files = RunFiles(folder, config)
        with locked(folder):
            write_settings(files, hyperparameters)
            with _resumable(files):
                return _train(files, prepared, watch, stop)


def completed(config: TrainConfig) -> tuple[TrainConfig, dict[str, Any]]:
    """Returns a training as its files have it, and all its hyperparameters."""
    hyperparameters = tuned_hyperparameters(
        config.algorithm, config.env_id, config.env_kwargs, config.hyperparameters
    )
    if config.steps is not None and "n_timesteps" in config.hyperparameters:
        raise InputError(
            f"steps are given once, got -n {config.steps} and the hyperparameter "
            f"n_timesteps={config.hyperparameters['n_timesteps']}; drop one of them"
        )
    asked = replace(
        config,
        steps=config.steps or hyperparameters["n_timesteps"],
        env_kwargs=as_stored(config.env_kwargs, "--env-kwargs"),
        hyperparameters=as_stored(config.hyperparameters, "--hyperparams"),
    )
    return asked, hyperparameters


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
    files, hyperparameters = read_settings(folder, typed)
    with locked(folder):
        if (folder / MANIFEST_NAME).exists():
            return _finished(files)
        with (
            _resumable(files),
            isolated(),
            StopSignals(patience=_PATIENCE) as stop,
            prepare(files.config, hyperparameters) as prepared,
        ):
            return _train(files, prepared, watch, stop)


def _resumable(files: RunFiles) -> AbstractContextManager[None]:
    environments = (files.config.env_id, files.config.env_kwargs)
    return resumable(lambda: resume_command(_VERB, files.folder, environments))


def _train(
    files: RunFiles, prepared: Prepared, watch: Watch | None, stop: StopSignals
) -> TrainedRun:
    results = TrainingLoop(files, prepared, watch, stop).run()
    config, learner = files.config, prepared.learner
    manifest = Manifest(
        verb=_VERB,
        versions=installed_versions(),
        seeds={"training": config.seed},
        steps={"training": learner.num_timesteps},
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
    write_manifest(files.folder, manifest)
    return _finished(files)


_RUN = TypeAdapter(TrainedRun)


def _finished(files: RunFiles) -> TrainedRun:
    config = files.config
    manifest = read_manifest_of(files.folder, _VERB)
    written = [files.folder / name for name in (*manifest.files, MANIFEST_NAME)]
    if files.tensorboard_elsewhere is not None:
        written += files.events
    found = {
        **manifest.results,
        "env_id": config.env_id,
        "algorithm": config.algorithm,
        "folder": files.folder,
        "steps": manifest.steps.get("training"),
        "asked_steps": config.steps,
        "env_kwargs": config.env_kwargs,
        "seed": config.seed,
        "files": tuple(written),
    }
    try:
        run = _RUN.validate_python(found)
    except ValidationError as fault:
        raise ArtifactRefused(
            f"{files.folder / MANIFEST_NAME} does not say what came of the "
            f"training ({FirstError.of(fault)}); restore the file or start a new run"
        ) from fault
    # Only now: without them a run that has no manifest starts again from nothing.
    with storage_faults(files.snapshots):
        if files.snapshots.exists():
            shutil.rmtree(files.snapshots)
    return run
