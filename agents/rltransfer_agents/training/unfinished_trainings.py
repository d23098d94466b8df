"""Trainings that are asked for again: by a scheduler after a loss, or by a person."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from rltransfer.errors import UserError
from rltransfer.io import (
    MANIFEST_NAME,
    folder_name,
    installed_versions,
    read_manifest,
    storage_faults,
)
from rltransfer_agents.training.run_files import read_settings
from rltransfer_agents.training.train_config import TrainConfig, TrainedRun
from rltransfer_agents.training.training_run import (
    completed,
    resume_source,
    train_source,
)


def train_unless_there(config: TrainConfig) -> TrainedRun:
    """Returns the very training from its log folder, or trains.

    One that is there is returned, one that was interrupted goes on. What another
    version finished is left alone, and trained anew.
    """
    asked, _ = completed(config)
    # What the user typed, a file may say too.
    kwargs = [value for value in asked.env_kwargs.values() if isinstance(value, str)]
    typed = (asked.env_id, *kwargs)
    for folder in _runs(asked):
        try:
            stored = read_settings(folder, typed)[0].config
        except UserError:
            continue  # somebody else's, or ended before it said what it is
        if _comparable(stored) == _comparable(asked) and _is_of_this_version(folder):
            return resume_source(folder, typed=typed)
    return train_source(config)


def _runs(config: TrainConfig) -> Iterator[Path]:
    parent = config.log_folder / config.algorithm
    pattern = re.compile(rf"{re.escape(folder_name(config.env_id))}_(\d+)")
    numbered = {}
    with storage_faults(parent):
        for path in parent.iterdir() if parent.is_dir() else ():
            match = pattern.fullmatch(path.name)
            if match is not None:
                numbered[int(match[1])] = path
    for number in sorted(numbered):
        yield numbered[number]


def _comparable(config: TrainConfig) -> TrainConfig:
    """Returns what a training is, without where it is and how it is watched."""
    return replace(
        config, log_folder=Path(), tensorboard_folder=None, progress_seconds=0.0
    )


def _is_of_this_version(folder: Path) -> bool:
    if not (folder / MANIFEST_NAME).is_file():
        return True
    written = read_manifest(folder).versions
    return written.get("rltransfer") == installed_versions()["rltransfer"]
