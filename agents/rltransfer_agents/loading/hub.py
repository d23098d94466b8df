"""Agents on the Hugging Face Hub, fetched as files by its own client into its cache."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, final

from rltransfer.errors import InputError, StorageError
from rltransfer_agents.loading import limits
from rltransfer_agents.loading.bundle import SUFFIX
from rltransfer_agents.loading.refusal import Refusal, quoted


@contextmanager
def answers_in_time(patience: int = 1) -> Iterator[None]:
    """Bounds every wait for the hub: for most answers its client waits for ever.

    Args:
        patience: how often the seconds of `HF_HUB_DOWNLOAD_TIMEOUT` (default 10) may
            pass before an answer.
    """
    from huggingface_hub import constants, get_session

    seconds = float(patience * constants.HF_HUB_DOWNLOAD_TIMEOUT)

    def bound(request: Any) -> None:
        # Each wait has its own; the client asks for none by passing None.
        asked = request.extensions.get("timeout", {})
        kinds = ("connect", "read", "write", "pool")
        bounds = {kind: asked.get(kind) or seconds for kind in kinds}
        request.extensions = {**request.extensions, "timeout": bounds}

    session = get_session()
    hooks = session.event_hooks
    session.event_hooks = {**hooks, "request": [*hooks.get("request", ()), bound]}
    try:
        yield
    finally:
        session.event_hooks = hooks


@contextmanager
def _told_faults(reference: str) -> Iterator[None]:
    """Turns what the hub answers, or the disk refuses, into one line."""
    from huggingface_hub import errors

    answers: dict[type[Exception], str] = {
        errors.HFValidationError: ": no repository of the hub may have such a name; "
        "check it",
        errors.GatedRepoError: " asks for consent first; give it on the hub and log "
        "in: hf auth login",
        errors.RevisionNotFoundError: ": there is no such revision; leave it out for "
        "the newest",
        errors.RepositoryNotFoundError: ": there is no such repository, or it is "
        "private; check the name, or log in: hf auth login",
        errors.LocalEntryNotFoundError: " is not in the cache and the hub cannot be "
        "reached; connect, or pass the path of a file",
    }
    # The base is of whichever HTTP client this version of the hub's client builds upon;
    # its faster transport reports all that it meets as a RuntimeError.
    lost: tuple[type[BaseException], ...] = errors.HfHubHTTPError.__bases__[:1]
    lost += (ConnectionError, TimeoutError, RuntimeError)
    broken_off = InputError(
        f"{reference}: the connection to the hub broke off; try again, or pass the "
        "path of a file"
    )
    try:
        with answers_in_time():
            yield
    except tuple(answers) as fault:
        told = next(text for kind, text in answers.items() if isinstance(fault, kind))
        raise InputError(f"{reference}{told}") from fault
    except errors.HfHubHTTPError as fault:
        raise InputError(
            f"{reference}: the hub answered {fault.response.status_code}; try later"
        ) from fault
    except lost as fault:
        raise broken_off from fault
    except OSError as fault:
        if fault.errno is None:  # a download that came out too short
            raise broken_off from fault
        raise StorageError(
            f"{reference}: the hub's cache cannot be written ({fault.strerror}); make "
            "room or repair it, or name another folder in HF_HOME"
        ) from fault


SCHEME = "hf://"
_REFERENCE = re.compile(r"hf:/+([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")
_AGENTS = ("*.zip", f"*{SUFFIX}")
_BESIDE = ("*.pkl", "args.yml", "config.yml")
METRICS = "train_eval_metrics.zip"
"""RL Zoo's learning curves, which it puts beside the agent."""
# What lies deeper is the agent's zip once more, unpacked.
_NOT_NEEDED = (METRICS, "*replay_buffer*", "*/*")
TRANSFER = "transfer"
"""Folder of a repository with a mapped policy; it acts where there is no agent."""


@final
@dataclass(frozen=True)
class FetchedAgent:
    """An agent's files in the cache."""

    folder: Path
    """Called as the commit that they are from."""
    repository: str


def is_on_hub(path: Path | str) -> bool:
    """Tells whether a path names a repository of the hub, be it as text or as Path."""
    return str(path).startswith("hf:/")


def fetch_agent(
    reference: Path | str, *, endpoint: str | None = None, cache: Path | None = None
) -> FetchedAgent:
    """Fetches an agent and what belongs to it, or finds it in the cache.

    Shows the hub's own progress bar. Without a network, what was fetched before serves.

    Args:
        reference: `hf://ORGANISATION/REPOSITORY`, with `@REVISION` for another than the
            newest.
        endpoint: of another hub than the public one.
        cache: where files are kept, if not where the hub's client keeps all.

    Raises:
        InputError: if the reference is not valid, or nothing can be fetched.
    """
    return _fetched(reference, [*_AGENTS, *_BESIDE], list(_NOT_NEEDED), endpoint, cache)


def fetch_transfer(reference: Path | str) -> Path | None:
    """Fetches the transfer that a repository holds in the place of an agent.

    Args:
        reference: as for `fetch_agent`.

    Returns:
        its folder in the cache; None where the repository holds an agent, or neither.

    Raises:
        InputError: if the reference is not valid, or nothing can be fetched.
    """
    repository, revision, name = _named(reference)
    asked: dict[str, Any] = {"revision": revision}
    asked["allow_patterns"] = [*_AGENTS, f"{TRANSFER}/*"]
    with _told_faults(name):
        planned = _plan(name, repository, asked)
    if planned is not None:
        own = [file for file in planned if "/" not in file]
        if own or not planned:
            return None
    folder = _fetched(reference, [f"{TRANSFER}/*"], []).folder
    if any(found for pattern in _AGENTS for found in folder.glob(pattern)):
        return None
    return folder / TRANSFER if (folder / TRANSFER).is_dir() else None


def _fetched(
    reference: Path | str,
    wanted: list[str],
    unwanted: list[str],
    endpoint: str | None = None,
    cache: Path | None = None,
) -> FetchedAgent:
    """Returns the files of a repository that match patterns, as they are in the cache.

    Args:
        reference: as for `fetch_agent`.
        wanted: patterns, one of which a file matches.
        unwanted: patterns, none of which it matches.
        endpoint: as for `fetch_agent`.
        cache: likewise.
    """
    from huggingface_hub import snapshot_download

    repository, revision, name = _named(reference)
    asked: dict[str, Any] = {
        "revision": revision,
        "allow_patterns": wanted,
        "ignore_patterns": unwanted,
        "endpoint": endpoint,
        "cache_dir": cache,
    }
    with _told_faults(name):
        _plan(name, repository, asked)
        folder = Path(str(snapshot_download(repository, **asked)))
    return FetchedAgent(folder, repository)


def _named(reference: Path | str) -> tuple[str, str | None, str]:
    """Returns the repository and the revision of a reference, and how to name it.

    Raises:
        InputError: the reference is not valid, or the client is not installed.
    """
    match = _REFERENCE.fullmatch(str(reference))
    if match is None:
        raise InputError(
            f"an agent on the hub is named {SCHEME}ORGANISATION/REPOSITORY, with "
            f"@REVISION where one is meant, got {quoted(str(reference))}; check the "
            "name"
        )
    repository, revision = match.groups()
    if find_spec("huggingface_hub") is None:
        raise InputError(
            "fetching from the hub needs the package huggingface_hub, which is not "
            "installed; install it: pip install 'rltransfer[hub]'"
        )
    name = f"{SCHEME}{repository}" + (f"@{revision}" if revision else "")
    return repository, revision, name


def _plan(name: str, repository: str, asked: dict[str, Any]) -> list[str] | None:
    """Returns the names of the files that would be fetched; None without a network.

    Raises:
        Refusal: before anything is fetched that would not be read.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import DryRunError

    try:
        planned: Any = snapshot_download(repository, **asked, dry_run=True)
    except DryRunError:
        return None  # without a network nothing will be fetched either
    for file in planned:
        if file.file_size > limits.ARCHIVE_BYTES:
            raise Refusal(
                "limit",
                f"{name}: a file may have {limits.ARCHIVE_BYTES} bytes, "
                f"{quoted(file.filename)} has {file.file_size}",
            )
    return [str(file.filename) for file in planned]
