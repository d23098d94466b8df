"""Where an agent and what belongs to it lie on disk."""

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from rltransfer.errors import InputError
from rltransfer.io import make_folder, storage_faults, write_atomically
from rltransfer_agents.loading.refusal import Refusal, printable
from rltransfer_agents.loading.yaml_reader import read_yaml

_BEST = "best_model"
_ZOO_STATISTICS = ("vecnormalize.pkl", "vec_normalize.pkl")
_OWN_STATISTICS = "vecnormalize.json"
_BEST_STATISTICS = "best_vecnormalize.json"
_MANIFEST = "manifest.json"
_NUMBERED = re.compile(r"(.+)_\d+")


@final
@dataclass(frozen=True)
class FoundAgent:
    """An agent's files, before any of them is read."""

    agent: Path
    env_name: str
    """The environment as the files call it, which need not be a registered id."""
    statistics: Path | None
    was_normalised: bool
    """The run's settings say that observations were normalised."""
    env_kwargs: dict[str, Any]
    settings: dict[str, Any]
    """Of the run, as RL Zoo writes them."""
    run: Path | None
    """The folder of a finished run of ours, whose manifest vouches for its files."""


def find_agent(path: Path, *, best: bool | None) -> FoundAgent:
    """Returns the files of the agent at `path`: a zip, or the folder of a run.

    Args:
        path: where to look.
        best: the best agent of the run or the last one; None takes the best of our own
            runs, which report its return, and the last of others.

    Raises:
        InputError: if there is none.
    """
    if path.is_dir():
        agent = _agent_in(path, best)
    elif path.is_file():
        agent = path
    else:
        raise InputError(
            "an agent must be a zip file or the folder of a run, there is no "
            f"{printable(path)}; train one: rltransfer train-source"
        )
    return _described(agent)


def _agent_in(folder: Path, best: bool | None) -> Path:
    found = sorted(folder.glob("*.zip")) + sorted(folder.glob("*.safetensors"))
    chosen = best if best is not None else (folder / _MANIFEST).is_file()
    if chosen and folder / f"{_BEST}.zip" in found:
        return folder / f"{_BEST}.zip"
    if best:
        raise InputError(
            f"a run must have kept a {_BEST}.zip for its best agent, "
            f"{printable(folder)} has none; take the last one instead"
        )
    named = [agent for agent in found if agent.stem == _env_name(folder.name)]
    others = [agent for agent in found if agent.stem != _BEST]
    if named or len(others) == 1:
        return (named or others)[0]
    names = ", ".join(printable(agent.name) for agent in found[:8]) or "no zip file"
    raise InputError(
        f"a run's folder must hold one agent, {printable(folder)} holds {names}; name "
        "the file"
    )


def _described(agent: Path) -> FoundAgent:
    folder = agent.parent
    is_best = agent.stem == _BEST
    env_name = _env_name(folder.name) if is_best else agent.stem
    settings_folder = folder / env_name
    # On hubs RL Zoo puts both files beside the agent; one alone may be anybody's.
    beside = all((folder / name).is_file() for name in ("config.yml", "args.yml"))
    place = folder if beside and not settings_folder.is_dir() else settings_folder
    settings = read_yaml(place / "config.yml")
    arguments = read_yaml(place / "args.yml")
    places = [
        folder / _BEST_STATISTICS if is_best else settings_folder / _OWN_STATISTICS,
        *(settings_folder / name for name in _ZOO_STATISTICS),
        *(folder / name for name in _ZOO_STATISTICS),
    ]
    env_kwargs = arguments.get("env_kwargs") or settings.get("env_kwargs")
    told = arguments.get("env")
    return FoundAgent(
        agent=agent,
        env_name=told if isinstance(told, str) else env_name,
        statistics=next((place for place in places if place.is_file()), None),
        was_normalised=_normalises(settings.get("normalize", False)),
        env_kwargs=env_kwargs if isinstance(env_kwargs, dict) else {},
        settings=settings,
        run=folder if (folder / _MANIFEST).is_file() else None,
    )


def _env_name(folder_name: str) -> str:
    match = _NUMBERED.fullmatch(folder_name)
    return match[1] if match else folder_name


def _normalises(choice: object) -> bool:
    # RL Zoo also takes a dict in quotes, which it evaluates; here it stays text.
    if isinstance(choice, str):
        return re.search(r"norm_obs['\"]?\s*[:=]\s*False", choice) is None
    if isinstance(choice, dict):
        return choice.get("norm_obs", True) is not False
    return choice is True


def require_own_files(run: Path) -> None:
    """Raises if anything in a run's folder is a link, a pipe or a device.

    A link would lend what the run does to its own files to files elsewhere, and a pipe
    would keep it waiting for ever.
    """
    with storage_faults(run):
        for folder, folders, files in os.walk(run):
            for name in (*folders, *files):
                path = Path(folder, name)
                mode = path.lstat().st_mode
                if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                    raise Refusal(
                        "folder",
                        f"the folder of a run that goes on holds plain files and "
                        f"folders, {printable(path)} is neither",
                    )


def mark_of(run: Path) -> str:
    """Returns what tells a run from others, also from one that a stranger packed."""
    return hashlib.sha256(str(run.resolve()).encode()).hexdigest()[:12]


def mark_logs(logs: Path, run: Path) -> None:
    """Leaves the mark of a run in a folder that the user named for its logs."""
    if not _is_within(logs, run):
        write_atomically(make_folder(logs) / f".run.{mark_of(run)}", b"")


def require_own_logs(logs: Path, run: Path) -> None:
    """Raises unless logs lie within the run's folder, or where they bear its mark."""
    if _is_within(logs, run):
        return
    ending = f".{mark_of(run)}"
    if not logs.is_dir() or not any(
        path.name.endswith(ending) for path in logs.iterdir()
    ):
        raise Refusal(
            "folder",
            f"a run writes outside its folder only where it wrote from its beginning, "
            f"and {printable(logs)} bears no mark of {printable(run)}",
        )


def _is_within(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())
