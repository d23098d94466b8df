"""Agents fetched from the hub into its client's cache."""

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, final

from rltransfer.errors import InputError
from rltransfer_agents.reading import limits
from rltransfer_agents.reading.container import SUFFIX
from rltransfer_agents.reading.hub.faults import hub_faults
from rltransfer_agents.reading.refusal import Refusal, shown

SCHEME = "hf://"
_REFERENCE = re.compile(r"hf:/+([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")
_AGENTS = ("*.zip", f"*{SUFFIX}")
_BESIDE = ("vec_normalize.pkl", "vecnormalize.pkl", "args.yml", "config.yml")
# RL Zoo puts its learning curves beside the agent, in a zip as well; what lies deeper
# is the agent's zip once more, unpacked.
_NOT_NEEDED = ("train_eval_metrics.zip", "*/*")


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
        InputError: if the reference is none, or nothing can be had under it.
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
            f"@REVISION where one is meant, got {shown(reference)}; mend the name"
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
                f"{shown(file.filename)} has {file.file_size}",
            )


def _chosen(names: list[str], repository: str, reference: str) -> str:
    """Returns the file that holds the agent."""
    agents = [name for name in sorted(names) if name.endswith((".zip", SUFFIX))]
    stem = repository.rpartition("/")[2]
    named = [name for name in agents if name.rpartition(".")[0] == stem]
    if named or len(agents) == 1:
        return (named or agents)[0]
    told = ", ".join(map(shown, agents[:8])) or "none"
    raise InputError(
        f"{reference} must hold one agent, it holds {told}; fetch the file yourself "
        "and pass its path"
    )
