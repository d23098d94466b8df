"""A run that goes on writes to its own folder, and elsewhere only where it did before.

Folders of runs are passed around; none may make us write or read outside it.
"""

import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from filecmp import cmp
from pathlib import Path
from typing import Any, Literal, TypeAlias, final

from rltransfer.errors import InputError
from rltransfer.io import make_folder, sha256_of, storage_faults, write_atomically
from rltransfer_agents.loading import limits
from rltransfer_agents.loading.environment_spec import known_id
from rltransfer_agents.loading.hub import (
    METRICS,
    FetchedAgent,
    fetch_agent,
    is_on_hub,
)
from rltransfer_agents.loading.refusal import Refusal, printable
from rltransfer_agents.loading.yaml_reader import read_yaml


def require_own_files(run: Path) -> None:
    """Raises if anything in a run's folder is a link, a pipe or a device.

    Through a link the run would change files elsewhere, and a pipe would block it.
    """
    with storage_faults(run):
        for folder, folders, files in os.walk(run):
            for name in (*folders, *files):
                path = Path(folder, name)
                try:
                    mode = path.lstat().st_mode
                except FileNotFoundError:
                    # A draft of the run's owner, which renames it at any time.
                    continue
                if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                    raise Refusal(
                        "folder",
                        f"the folder of a run that goes on holds plain files and "
                        f"folders, {printable(path)} is neither",
                    )


def mark_of(run: Path) -> str:
    """Returns a name of this run on this machine; a copy elsewhere has another."""
    return sha256_of(str(run.resolve()).encode())[:12]


def mark_logs(logs: Path, run: Path) -> None:
    """Marks a folder outside the run's own as one that the user named for its logs."""
    if not _is_within(logs, run):
        write_atomically(make_folder(logs) / f".run.{mark_of(run)}", b"")


def require_own_logs(logs: Path, run: Path) -> None:
    """Raises unless logs lie within the run's folder, or in one with its mark."""
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


Fetch: TypeAlias = Callable[[Path | str], FetchedAgent]
StatisticsChoice: TypeAlias = Path | str | Literal["none"] | None
"""A file, `none` for an agent without, or None for what lies beside the agent."""

_BEST = "best_model"
_ZOO_STATISTICS = ("vecnormalize.pkl", "vec_normalize.pkl")
_OWN_STATISTICS = "vecnormalize.json"
_BEST_STATISTICS = "best_vecnormalize.json"
_MANIFEST = "manifest.json"
# What Stable-Baselines3's `CheckpointCallback` writes.
_CHECKPOINT = re.compile(r"(.+)_(\d+_steps)")


@final
@dataclass(frozen=True)
class AgentFiles:
    """An agent's files, before any but the settings is read."""

    agent: Path
    env_name: str
    """The environment as the files call it, which need not be a registered id."""
    statistics: Path | None
    statistics_named: bool
    """The user named them, or said that there are none."""
    unused: tuple[Path, ...]
    """Other pickles beside the agent, which may or may not be its statistics."""
    was_normalised: bool
    """The run's settings say that observations were normalised."""
    env_kwargs: dict[str, Any]
    settings: dict[str, Any]
    """Of the run, as RL Zoo writes them."""
    run: Path | None
    """The folder of a finished run of ours, whose manifest has its files' hashes."""
    hub: dict[str, str] | None = None
    """Repository and commit, if it was fetched from the hub."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left aside beside the agent, in one line if anything was."""
        if not self.unused:
            return ()
        names = [printable(path.name) for path in self.unused]
        listed = ", ".join(names[:3]) + f" and {len(names) - 3} more" * (len(names) > 3)
        return (
            f"not used: {listed} beside the agent; if one holds its statistics, add "
            f"--statistics {names[0]}",
        )


def locate(
    path: Path | str,
    *,
    best: bool | None = None,
    statistics: StatisticsChoice = None,
    fetch: Fetch = fetch_agent,
) -> AgentFiles:
    """Returns the files of the agent at `path`, fetched first if it is on the hub.

    Args:
        path: a zip, a bundle, the folder of a run, or a reference to the hub.
        best: the best agent of the run or the last one; None takes the best of our own
            runs, which report its return, and the last of others.
        statistics: the file of its statistics, by its path or by its name beside the
            agent.
        fetch: gets an agent from the hub.

    Raises:
        InputError: if there is none, or several could be meant.
    """
    hub = None
    if is_on_hub(path):
        fetched = fetch(path)
        path = fetched.folder
        hub = {"repository": fetched.repository, "revision": path.name}
    path = Path(path)
    if path.is_dir():
        name = hub["repository"].rpartition("/")[2] if hub else _env_name(path.name)
        agent = _agent_in(path, name, best)
    elif path.is_file():
        agent = path
    else:
        env_id = known_id(_env_name(path.name)) or "CartPole-v1"
        raise InputError(
            "an agent must be a zip file or the folder of a run, there is no "
            f"{printable(path)}; train one: rltransfer train-source --env {env_id}"
        )
    return _files_of(agent, statistics, hub)


def _agent_in(folder: Path, name: str, best: bool | None) -> Path:
    """Returns the best agent of a run, or its only other one, or that of a name."""
    zips = sorted(path for path in folder.glob("*.zip") if path.name != METRICS)
    found = zips + sorted(folder.glob("*.safetensors"))
    wants_best = best if best is not None else (folder / _MANIFEST).is_file()
    if wants_best and folder / f"{_BEST}.zip" in found:
        return folder / f"{_BEST}.zip"
    if best:
        raise InputError(
            f"a run must have kept a {_BEST}.zip for its best agent, "
            f"{printable(folder)} has none; take the last one instead"
        )
    named = [agent for agent in found if agent.stem == name]
    others = [agent for agent in found if agent.stem != _BEST] or found
    # A zip and the bundle beside it, as `push` leaves them, are one agent.
    if named or len({agent.stem for agent in others}) == 1:
        return (named or others)[0]
    names = ", ".join(printable(agent.name) for agent in found[:8]) or "no zip file"
    raise InputError(
        f"a folder must hold one agent, {printable(folder)} holds {names}; name the "
        "file"
    )


def _files_of(
    agent: Path, choice: StatisticsChoice, hub: dict[str, str] | None
) -> AgentFiles:
    folder = agent.parent
    of_a_run = agent.stem == _BEST or _CHECKPOINT.fullmatch(agent.stem) is not None
    env_name = _env_name(folder.name) if of_a_run else agent.stem
    settings_folder = folder / env_name
    # On hubs RL Zoo puts both files beside the agent; one alone may be anybody's.
    beside = all((folder / name).is_file() for name in ("config.yml", "args.yml"))
    place = folder if beside and not settings_folder.is_dir() else settings_folder
    settings = read_yaml(place / "config.yml")
    arguments = read_yaml(place / "args.yml")
    env_kwargs = arguments.get("env_kwargs") or settings.get("env_kwargs")
    written_name = arguments.get("env")
    statistics, unused = _statistics_of(agent, settings_folder, choice)
    normalised = _normalises(settings.get("normalize", False))
    return AgentFiles(
        agent=agent,
        env_name=written_name if isinstance(written_name, str) else env_name,
        statistics=statistics,
        statistics_named=choice is not None,
        unused=unused,
        was_normalised=normalised and choice != "none",
        env_kwargs=env_kwargs if isinstance(env_kwargs, dict) else {},
        settings=settings,
        run=folder if (folder / _MANIFEST).is_file() else None,
        hub=hub,
    )


def _statistics_of(
    agent: Path, settings_folder: Path, choice: StatisticsChoice
) -> tuple[Path | None, tuple[Path, ...]]:
    """Returns the file of an agent's statistics and pickles that were passed over."""
    folder = agent.parent
    if choice == "none":
        return None, ()
    if choice is not None:
        for path in (Path(choice), folder / choice, settings_folder / choice):
            if path.is_file():
                return path, ()
        raise InputError(
            "--statistics must be a file, or none for an agent without, there is no "
            f"{printable(choice)}; name the .pkl or .json of the agent's own run"
        )
    own = (
        folder / _BEST_STATISTICS
        if agent.stem == _BEST
        else settings_folder / _OWN_STATISTICS
    )
    of_checkpoint = _CHECKPOINT.fullmatch(agent.stem)
    exact = [own]
    if of_checkpoint is not None:
        prefix, steps = of_checkpoint.groups()
        exact.append(folder / f"{prefix}_vecnormalize_{steps}.pkl")
    usual = [place / n for place in (settings_folder, folder) for n in _ZOO_STATISTICS]
    found = [path for path in exact if path.is_file()][:1]
    found = found or _distinct([path for path in usual if path.is_file()])
    if len(found) > 1:
        first, second = (printable(path) for path in found[:2])
        raise InputError(
            f"an agent has one file of statistics, {first} and {second} differ and "
            "either could be meant; name one with --statistics"
        )
    pickles = {*folder.glob("*.pkl"), *settings_folder.glob("*.pkl")}
    unused = sorted(
        path
        for path in pickles
        if path not in found and path not in usual and "replay_buffer" not in path.name
    )
    return (found[0] if found else None), tuple(unused)


def _distinct(paths: list[Path]) -> list[Path]:
    """Returns the paths without those whose file has the contents of an earlier one."""
    kept: list[Path] = []
    for path in paths:
        small = path.stat().st_size <= limits.PICKLE_BYTES
        if not any(small and cmp(path, other, shallow=False) for other in kept):
            kept.append(path)
    return kept


def _env_name(folder_name: str) -> str:
    return re.sub(r"(?<=.)_\d+$", "", folder_name)


def _normalises(choice: object) -> bool:
    # RL Zoo also takes a dict in quotes, which it evaluates; here it stays text.
    if isinstance(choice, str):
        return re.search(r"norm_obs['\"]?\s*[:=]\s*False", choice) is None
    if isinstance(choice, dict):
        return choice.get("norm_obs", True) is not False
    return choice is True
