"""An agent from wherever it lies, without running anything that lies with it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from rltransfer_agents.frozen import FrozenPolicy
from rltransfer_agents.reading.environment_arguments import require_harmless
from rltransfer_agents.reading.environment_ids import require_known
from rltransfer_agents.reading.opening import open_agent
from rltransfer_agents.reading.policies import freeze
from rltransfer_agents.reading.refusal import naming, spelt, typed_faults


@final
@dataclass(frozen=True, eq=False)
class Agent:
    """A policy and where it came from."""

    policy: FrozenPolicy
    algorithm: str
    env_id: str | None
    """The environment it was trained in."""
    env_kwargs: dict[str, Any]
    path: Path
    """The file that was read, also where a folder was given."""
    sha256: str
    normalised: bool
    """Observations are normalised, inside the policy."""
    provenance: dict[str, Any]
    """What the files say about versions, steps, seed and so on, for manifests."""


def read_agent(
    path: Path | str,
    *,
    env_id: str | None = None,
    sha256: str | None = None,
    best: bool | None = None,
) -> Agent:
    """Returns the agent at `path`.

    Args:
        path: a run folder of ours or of RL Zoo, a zip of Stable-Baselines3, a bundle,
            or `hf://ORGANISATION/REPOSITORY[@REVISION]`.
        env_id: the environment it was trained in, where the files do not say it or
            name one that is not registered.
        sha256: the hash that the agent's file must have.
        best: the best agent of a run or the last one; None takes the best of our own
            runs and the last of others.

    Raises:
        InputError: if there is no agent, or its environment is not known.
        ArtifactRefused: if a file is damaged, unsafe, or does not fit the others.
    """
    opened = open_agent(path, sha256=sha256, best=best)
    bundle, file = opened.bundle, opened.found.agent
    with naming(spelt(file)), typed_faults():
        env_kwargs = require_harmless(bundle.env_kwargs)
        policy = freeze(bundle.stored_policy())
    checkpoint = bundle.checkpoint
    told = bundle.env_id or opened.found.env_name
    return Agent(
        policy=policy,
        algorithm=checkpoint.algorithm,
        env_id=env_id or require_known(told, str(file)),
        env_kwargs=env_kwargs,
        path=file,
        sha256=checkpoint.sha256,
        normalised=bool(bundle.normalisations),
        provenance={
            "policy_class": checkpoint.policy_class,
            "steps": checkpoint.steps,
            "seed": checkpoint.seed,
            "versions": checkpoint.versions,
            "sha256": checkpoint.sha256,
            "statistics_sha256": opened.statistics_sha256,
            "hub": opened.hub,
        },
    )
