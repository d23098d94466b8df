"""Agents and transfers that can act, by the path where they lie."""

import os
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, final

import numpy as np

import rltransfer_envs as rltransfer_envs
from rltransfer.domain import Domain, Policy
from rltransfer.errors import ArtifactRefused, InputError
from rltransfer.io import MANIFEST_NAME, read_manifest
from rltransfer.translation import MappedPolicy, Translation, load_translation
from rltransfer.workflows.environment_choice import EnvironmentChoice, Stepping
from rltransfer.workflows.transfer_folder import TransferSettings
from rltransfer.wrappers import (
    STEP_SECONDS,
    StepBudget,
    SubprocessEnv,
    make_in_time,
)
from rltransfer_agents.loading import Refusal, load_agent
from rltransfer_agents.loading.agent_loading import require_digest
from rltransfer_agents.loading.hub import is_on_hub
from rltransfer_agents.loading.refusal import printable, refusals_about
from rltransfer_agents.loading.space_agreement import require_same_spaces
from rltransfer_envs.making import make


@final
@dataclass(frozen=True, eq=False)
class LoadedPolicy:
    """A policy, and the environment it is at home in if that is known."""

    policy: Policy
    home: EnvironmentChoice | None
    title: str
    path: Path
    sha256: str
    """Of the file that was read."""
    observation_space: Any
    action_space: Any


def domain_of(
    choice: EnvironmentChoice,
    stepping: Stepping | None = None,
    meter: StepBudget | None = None,
) -> Domain:
    """Returns an environment as a domain.

    Args:
        choice: id and arguments.
        stepping: where it is stepped; by default in this process.
        meter: counts the steps taken in it.

    Raises:
        InputError: there is no such environment, or its spaces cannot be mapped.
    """
    make_here = partial(make, choice.env_id, **choice.kwargs)
    seconds = STEP_SECONDS if stepping is None else stepping.step_seconds
    if stepping is None or stepping.vec_env == "dummy":
        in_time = partial(make_in_time, make_here, choice.title, seconds)
        return Domain(in_time, choice.title, meter)
    apart = partial(SubprocessEnv, make_here, choice.title, seconds, np.float32)
    return Domain(apart, choice.title, meter)


def require_fit(loaded: LoadedPolicy, domain: Domain, remedy: str) -> tuple[str, ...]:
    """Raises unless an agent can act in an environment; returns what to note.

    Args:
        loaded: what shall act.
        domain: where it shall act.
        remedy: what to do where it cannot.
    """
    return require_same_spaces(
        loaded, domain, path=loaded.path, env_name=domain.name, remedy=remedy
    )


# Registers its environments: ids found in files are looked up among those.

MAPPING_FOLDER = "mapping"
"""Within a transfer's run folder."""

_LONGEST_CHAIN = 8
_OF_MISFITS = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)


def load_policy(
    path: Path,
    *,
    env_id: str | None = None,
    sha256: str | None = None,
    typed: Collection[str] = (),
) -> LoadedPolicy:
    """Returns the agent or the transfer that lies at `path`.

    Args:
        path: of a run folder, an RL Zoo folder or a zip.
        env_id: the agent's own environment, where it is named on the command line.
        sha256: what the agent's file must have.
        typed: what else was typed about environments: a file may name modules only
            where the user did.

    Raises:
        UserError: there is none, or it cannot be used; the message says which.
    """
    words = (*typed, env_id) if env_id else tuple(typed)
    return _actor_at(path, env_id, sha256, words, outer=())


def _actor_at(
    path: Path,
    env_id: str | None,
    sha256: str | None,
    typed: Collection[str],
    outer: tuple[Path, ...],
) -> LoadedPolicy:
    if is_transfer(path):
        return _transfer_at(path, typed, sha256, outer)
    agent = load_agent(path, env_id=env_id, sha256=sha256)
    home = None
    if agent.env_id is not None:
        home = EnvironmentChoice(agent.env_id, agent.env_kwargs)
    policy = agent.policy
    return LoadedPolicy(
        policy=policy,
        home=home,
        title=f"{agent.algorithm} {agent.env_id or ''}".strip(),
        # What was fetched lies in the cache and is found there without the hub; by its
        # folder, as the file is a link away from the statistics beside it.
        path=agent.path.parent if is_on_hub(path) else path,
        sha256=agent.sha256,
        observation_space=agent.observation_space,
        action_space=agent.action_space,
    )


def is_transfer(path: Path) -> bool:
    """Tells whether a finished transfer lies at `path`.

    Raises:
        ArtifactRefused: there is a manifest, and it cannot be read.
    """
    # Not of `Path`: paths out of files may be too long, or lead where one may not look.
    return (
        os.path.isfile(path / MANIFEST_NAME) and read_manifest(path).verb == "transfer"
    )


def _transfer_at(
    path: Path, typed: Collection[str], sha256: str | None, outer: tuple[Path, ...]
) -> LoadedPolicy:
    """Returns what a transfer made.

    Args:
        path: of its folder.
        typed: what the user typed about environments.
        sha256: what the file of the agent it acts through must have.
        outer: transfers that were made from this one and are being opened.
    """
    here = path.resolve()
    if here in outer or len(outer) >= _LONGEST_CHAIN:
        raise Refusal(
            "folder",
            f"{printable(path)}: transfers may be made from transfers, "
            f"{_LONGEST_CHAIN} deep and in no circle",
        )
    with refusals_about(printable(path / MANIFEST_NAME)):
        settings = TransferSettings.of(read_manifest(path).settings)
        home, target = settings.source_choice(typed), settings.target_choice(typed)
        require_digest(settings.source_sha256, sha256)
    if not os.path.exists(settings.agent):
        raise InputError(
            f"{printable(path)} acts through the agent it was made from, and "
            f"{printable(settings.agent)} is gone: put it back or make the transfer "
            "again"
        )
    source = _actor_at(
        settings.agent, home.env_id, settings.source_sha256, typed, (*outer, here)
    )
    # The target first: where the user named its module, the source may be from there.
    domains = []
    for choice in (target, home):
        domain = domain_of(choice)
        domains.append(domain)
        domain.close()
    translation = load_translation(path / MAPPING_FOLDER)
    return LoadedPolicy(
        policy=_mapped(path, source.policy, translation, *domains),
        home=target,
        title=f"{source.title} through a mapping",
        path=path,
        sha256=source.sha256,
        observation_space=domains[0].observation_space,
        action_space=domains[0].action_space,
    )


def _mapped(
    path: Path,
    policy: Policy,
    translation: Translation,
    target: Domain,
    home: Domain,
) -> MappedPolicy:
    """Returns what acts in the target, once it has been seen to act there."""
    try:
        mapped = MappedPolicy(policy, translation, home.actions, target.actions)
        rows = np.zeros((1, target.observation_size), np.float32)
        mapped.predict(rows, deterministic=True)
    except _OF_MISFITS as fault:
        raise ArtifactRefused(
            f"the mapping of {printable(path)} must fit between {home.name} and "
            f"{target.name}, and does not; make the transfer again"
        ) from fault
    return mapped
