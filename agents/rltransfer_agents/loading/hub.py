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
def hub_faults(reference: str) -> Iterator[None]:
    """Turns what the hub answers, or the disk refuses, into one line."""
    from huggingface_hub import errors

    # The base is of whichever HTTP client this version of the hub's client builds upon;
    # its faster transport reports all that it meets as a RuntimeError.
    lost: tuple[type[BaseException], ...] = (
        *errors.HfHubHTTPError.__bases__[:1],
        ConnectionError,
        TimeoutError,
        RuntimeError,
    )
    try:
        yield
    except errors.HFValidationError as fault:
        raise InputError(
            f"{reference}: no repository of the hub may have such a name; check it"
        ) from fault
    except errors.GatedRepoError as fault:
        raise InputError(
            f"{reference} asks for consent first; give it on the hub and log in: "
            "hf auth login"
        ) from fault
    except errors.RevisionNotFoundError as fault:
        raise InputError(
            f"{reference}: there is no such revision; leave it out for the newest"
        ) from fault
    except errors.RepositoryNotFoundError as fault:
        raise InputError(
            f"{reference}: there is no such repository, or it is private; check the "
            "name, or log in: hf auth login"
        ) from fault
    except errors.LocalEntryNotFoundError as fault:
        raise InputError(
            f"{reference} is not in the cache and the hub cannot be reached; connect, "
            "or pass the path of a file"
        ) from fault
    except errors.HfHubHTTPError as fault:
        raise InputError(
            f"{reference}: the hub answered {fault.response.status_code}; try later"
        ) from fault
    except lost as fault:
        raise _broken_off(reference) from fault
    except OSError as fault:
        if fault.errno is None:  # a download that came out too short
            raise _broken_off(reference) from fault
        raise StorageError(
            f"{reference}: the hub's cache cannot be written ({fault.strerror}); make "
            "room or repair it, or name another folder in HF_HOME"
        ) from fault


def _broken_off(reference: str) -> InputError:
    return InputError(
        f"{reference}: the connection to the hub broke off; try again, or pass the "
        "path of a file"
    )


SCHEME = "hf://"
_REFERENCE = re.compile(r"hf:/+([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")
_AGENTS = ("*.zip", f"*{SUFFIX}")
_BESIDE = ("*.pkl", "args.yml", "config.yml")
# RL Zoo puts its learning curves beside the agent, in a zip as well; what lies deeper
# is the agent's zip once more, unpacked.
_NOT_NEEDED = ("train_eval_metrics.zip", "*replay_buffer*", "*/*")


@final
@dataclass(frozen=True)
class FetchedAgent:
    """An agent's file in the cache, with the commit it is from."""

    path: Path
    repository: str
    revision: str


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
    repository, revision = _parsed(str(reference))
    if find_spec("huggingface_hub") is None:
        raise InputError(
            "fetching from the hub needs the package huggingface_hub, which is not "
            "installed; install it: pip install 'rltransfer[hub]'"
        )
    from huggingface_hub import snapshot_download

    name = f"{SCHEME}{repository}" + (f"@{revision}" if revision else "")
    wanted: dict[str, Any] = {
        "revision": revision,
        "allow_patterns": [*_AGENTS, *_BESIDE],
        "ignore_patterns": list(_NOT_NEEDED),
        "endpoint": endpoint,
        "cache_dir": cache,
    }
    with hub_faults(name):
        _check_sizes(name, repository, wanted)
        folder = Path(str(snapshot_download(repository, **wanted)))
    names = [path.name for path in folder.iterdir() if path.is_file()]
    agent = folder / _chosen(names, repository, name)
    return FetchedAgent(agent, repository, folder.name)


def _parsed(reference: str) -> tuple[str, str | None]:
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise InputError(
            f"an agent on the hub is named {SCHEME}ORGANISATION/REPOSITORY, with "
            f"@REVISION where one is meant, got {quoted(reference)}; check the name"
        )
    return match[1], match[2]


def _check_sizes(name: str, repository: str, wanted: dict[str, Any]) -> None:
    """Raises before anything is fetched that would not be read."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import DryRunError

    try:
        planned: Any = snapshot_download(repository, **wanted, dry_run=True)
    except DryRunError:
        return  # without a network nothing will be fetched either
    for file in planned:
        if file.file_size > limits.ARCHIVE_BYTES:
            raise Refusal(
                "limit",
                f"{name}: a file may have {limits.ARCHIVE_BYTES} bytes, "
                f"{quoted(file.filename)} has {file.file_size}",
            )


def _chosen(names: list[str], repository: str, reference: str) -> str:
    """Returns the file that holds the agent."""
    agents = [name for name in sorted(names) if name.endswith((".zip", SUFFIX))]
    stem = repository.rpartition("/")[2]
    named = [name for name in agents if name.rpartition(".")[0] == stem]
    if named or len(agents) == 1:
        return (named or agents)[0]
    found = ", ".join(map(quoted, agents[:8])) or "none"
    raise InputError(
        f"{reference} must hold one agent, it holds {found}; fetch the file yourself "
        "and pass its path"
    )
