"""Whatever can act, by the path where it lies."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

# Registers its environments: ids found in files are looked up among those.
import rltransfer_envs as rltransfer_envs
from rltransfer.cli.environments import EnvironmentChoice
from rltransfer.domain import Domain, Policy, StepMeter
from rltransfer.errors import InputError
from rltransfer.runs import MANIFEST_NAME, read_manifest
from rltransfer.translation import MappedPolicy, load_translation
from rltransfer_agents.reading import read_agent
from rltransfer_envs.making import make

MAPPING_FOLDER = "mapping"
"""Within a transfer's run folder."""


@final
@dataclass(frozen=True, eq=False)
class Actor:
    """A policy, and the environment it is at home in if that is known."""

    policy: Policy
    home: EnvironmentChoice | None
    title: str
    path: Path
    sha256: str
    """Of the file that was read."""
    observation_space: Any
    action_space: Any


def actor_at(
    path: Path, *, env_id: str | None = None, sha256: str | None = None
) -> Actor:
    """Returns the agent or the transfer that lies at `path`.

    Args:
        path: of a run folder, an RL Zoo folder or a zip.
        env_id: the agent's own environment, where it is named on the command line.
        sha256: what the agent's file must have.

    Raises:
        UserError: there is none, or it cannot be used; the message says which.
    """
    if _is_transfer(path):
        return _transfer_at(path)
    agent = read_agent(path, env_id=env_id, sha256=sha256)
    home = None
    if agent.env_id is not None:
        home = EnvironmentChoice(agent.env_id, agent.env_kwargs)
    policy = agent.policy
    return Actor(
        policy=policy,
        home=home,
        title=f"{agent.algorithm} {agent.env_id or ''}".strip(),
        path=path,
        sha256=agent.sha256,
        observation_space=policy.observation_space,
        action_space=policy.action_space,
    )


def domain_of(choice: EnvironmentChoice, meter: StepMeter | None = None) -> Domain:
    """Returns an environment as a domain.

    Args:
        choice: id and arguments.
        meter: counts the steps taken in it.

    Raises:
        InputError: there is no such environment, or its spaces cannot be mapped.
    """
    return Domain(lambda: make(choice.env_id, **choice.kwargs), choice.title, meter)


def require_fit(actor: Actor, domain: Domain, remedy: str) -> None:
    """Raises unless the actor's spaces are those of the environment.

    Args:
        actor: what shall act.
        domain: where it shall act.
        remedy: what to do where it cannot.
    """
    for word, own, other in (
        ("observations", actor.observation_space, domain.observation_space),
        ("actions", actor.action_space, domain.action_space),
    ):
        same_kind = type(own) is type(other) and own.shape == other.shape
        if not same_kind or getattr(own, "n", None) != getattr(other, "n", None):
            raise InputError(
                f"the {word} of an agent and of its environment must agree, "
                f"{actor.path} knows {_told(own)} and {domain.name} has "
                f"{_told(other)}; {remedy}"
            )


def _told(space: Any) -> str:
    size = getattr(space, "n", None) or space.shape
    return f"{type(space).__name__}({size})"


def _is_transfer(path: Path) -> bool:
    manifest = path / MANIFEST_NAME
    return manifest.is_file() and read_manifest(path).verb == "transfer"


def _transfer_at(path: Path) -> Actor:
    settings = read_manifest(path).settings
    agent = Path(settings["source"])
    if not agent.exists():
        raise InputError(
            f"{path} acts through the agent it was made from, and {agent} is gone: put "
            "it back or make the transfer again"
        )
    source = actor_at(
        agent, env_id=settings["source_env"], sha256=settings["source_sha256"]
    )
    home = EnvironmentChoice(settings["source_env"], settings["source_kwargs"])
    target = EnvironmentChoice(settings["target"], settings["target_kwargs"])
    domains = []
    for choice in (home, target):
        domain = domain_of(choice)
        domains.append(domain)
        domain.close()
    translation = load_translation(path / MAPPING_FOLDER)
    return Actor(
        policy=MappedPolicy(
            source.policy, translation, domains[0].actions, domains[1].actions
        ),
        home=target,
        title=f"{source.title} through a mapping",
        path=path,
        sha256=source.sha256,
        observation_space=domains[1].observation_space,
        action_space=domains[1].action_space,
    )
