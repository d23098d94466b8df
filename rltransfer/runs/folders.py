"""Names of run folders, as RL Zoo gives them: `root/algo/ENV_N`."""

import re
from pathlib import Path

from rltransfer.files import make_folder, storage_faults
from rltransfer.runs.manifests import MANIFEST_NAME


def folder_name(env_id: str) -> str:
    """Returns the id of an environment as a name that a folder can bear."""
    return env_id.replace("/", "-").replace(":", "-")


def next_run_folder(root: Path, algorithm: str, env_id: str) -> Path:
    """Makes and returns the first folder whose number is above all others."""
    parent = make_folder(root / algorithm)
    name = folder_name(env_id)
    number = max(_numbers(parent, name), default=0) + 1
    while True:
        folder = parent / f"{name}_{number}"
        with storage_faults(folder):
            try:
                # Exclusive, so that two runs that start at once never share a folder.
                folder.mkdir()
            except FileExistsError:
                number += 1
                continue
        return folder


def latest_run_folder(root: Path, algorithm: str, env_id: str) -> Path | None:
    """Returns the folder of the run that was started last, if there is one."""
    parent = root / algorithm
    name = folder_name(env_id)
    numbers = _numbers(parent, name)
    return parent / f"{name}_{max(numbers)}" if numbers else None


def unfinished_run_folder(root: Path, algorithm: str, env_id: str) -> Path | None:
    """Returns the last run's folder if that run did not come to its end."""
    folder = latest_run_folder(root, algorithm, env_id)
    # The manifest is the last file of a run.
    if folder is None or (folder / MANIFEST_NAME).exists():
        return None
    return folder


def _numbers(parent: Path, name: str) -> list[int]:
    if not parent.is_dir():
        return []
    pattern = re.compile(rf"{re.escape(name)}_(\d+)")
    matches = (pattern.fullmatch(path.name) for path in parent.iterdir())
    return [int(match[1]) for match in matches if match]
