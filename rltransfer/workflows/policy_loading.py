"""Agents and transfers that can act, by the path where they lie."""

import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import gymnasium as gym
import numpy as np

from rltransfer.domain import Domain, codec_of, observation_codec_of
from rltransfer.errors import ArtifactRefused, InputError, UserError
from rltransfer.io import MANIFEST_NAME, Manifest, read_manifest
from rltransfer.translation import (
    EnsemblePolicy,
    MappedPolicy,
    Translation,
    load_translation,
)
from rltransfer.workflows.ensemble_files import opened_ensemble
from rltransfer.workflows.environments import (
    EnvironmentChoice,
    MakeEnv,
    Stepping,
    domain_of,
    environment_id,
    require_plain,
)
from rltransfer.workflows.transfer_description import (
    MAPPING_FOLDER,
    SOURCE_BUNDLE,
    SOURCE_FOLDER,
    TransferSettings,
    came_out,
    is_transfer,
)
from rltransfer_agents import loading
from rltransfer_agents.loading import LoadedPolicy, Refusal
from rltransfer_agents.loading.agent_files import StatisticsChoice
from rltransfer_agents.loading.agent_loading import require_digest
from rltransfer_agents.loading.environment_spec import (
    require_harmless,
    require_registered,
)
from rltransfer_agents.loading.hub import is_on_hub
from rltransfer_agents.loading.refusal import (
    printable,
    refusals_about,
    refuse_unforeseen,
)
from rltransfer_agents.loading.space_agreement import require_same_spaces
from rltransfer_agents.loading.spaces import space_of

AgentLike: TypeAlias = str | Path | LoadedPolicy
"""Whatever names an agent: a path, a repository of the hub, or a loaded policy."""

NAME_ENVIRONMENT = "name the environment it was trained in with --env"
"""What to do where a policy does not fit its environment."""
MADE_FOR = "made_for"
"""In the provenance of a transfer's policy: the environment its mapping is for."""
_LONGEST_CHAIN = 8
_OF_MISFITS = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)


def load_agent(
    path: AgentLike,
    *,
    env: str | MakeEnv | None = None,
    env_kwargs: Mapping[str, Any] | None = None,
    sha256: str | None = None,
    statistics: StatisticsChoice = None,
) -> LoadedPolicy:
    """Returns the agent or the transfer at `path`, without running anything in it.

    Args:
        path: a run folder of ours or of RL Zoo, a zip of Stable-Baselines3, a safe
            bundle, the folder of a transfer (it acts as what came out of learning on,
            else as the mapped policy), or `hf://ORGANISATION/REPOSITORY`; also what
            this function returned before.
        env: another environment than the recorded one: an id, or a callable that makes
            it.
        env_kwargs: arguments of the environment; each replaces the recorded one of its
            name, the others are kept.
        sha256: the hash that the agent's file must have.
        statistics: the file of `VecNormalize` that belongs to the agent, by its path or
            by its name beside the agent; "none" if it has none; None looks for the
            usual names.

    Raises:
        InputError: there is no agent, or its environment is not known.
        ArtifactRefused: a file is damaged, unsafe, or does not fit the others.
    """
    env_id = None if env is None else environment_id(env)
    overrides = require_plain("--env-kwargs", env_kwargs or {})
    if not isinstance(path, LoadedPolicy):
        path = came_out(path)
    # A file may name a module only where the user did.
    typed = [str(value) for value in overrides.values()]
    typed += [] if env_id is None else [env_id]
    if isinstance(path, LoadedPolicy):
        require_no_statistics(statistics, path)
        require_digest(path.sha256, sha256)
        loaded = path
    elif is_transfer(Path(path)):
        require_no_statistics(statistics, path)
        loaded = load_transfer(Path(path), sha256=sha256)
        with refusals_about(printable(loaded.path / MANIFEST_NAME)):
            require_harmless(loaded.env_kwargs, typed=typed)
            env_id = env_id or require_registered(loaded.env_id or "", typed=typed)
    else:
        loaded = loading.load_agent(
            path, env_id=env_id, sha256=sha256, statistics=statistics
        )
        # What was fetched is named by the folder of its file in the cache: the file is
        # a link away from the statistics beside it.
        own = loaded.path.parent if is_on_hub(path) else Path(path)
        loaded = replace(loaded, path=own)
    return replace(
        loaded,
        env_id=env_id or loaded.env_id,
        env_kwargs={**loaded.env_kwargs, **overrides},
    )


def environment_of(loaded: LoadedPolicy) -> EnvironmentChoice:
    """Returns where a loaded policy acts."""
    assert loaded.env_id is not None
    return EnvironmentChoice(loaded.env_id, loaded.env_kwargs, loaded.wrappers)


def require_no_statistics(statistics: StatisticsChoice, path: AgentLike) -> None:
    """Raises if statistics are named for what is no file of an agent."""
    if statistics not in (None, "none"):
        named = path.path if isinstance(path, LoadedPolicy) else path
        raise InputError(
            f"--statistics is for files of agents, {printable(named)} is none or was "
            "read before; leave it out"
        )


@contextmanager
def opened_home(
    loaded: LoadedPolicy,
    stepping: Stepping | None = None,
    *,
    mapped: bool = True,
    kwargs_option: str = "--env-kwargs",
    remedy: Callable[[LoadedPolicy], str] = lambda _: NAME_ENVIRONMENT,
) -> Iterator[tuple[Domain, tuple[str, ...]]]:
    """Opens the environment of a policy, and yields it with what to note about it.

    Args:
        loaded: what shall act in it.
        stepping: as for `domain_of`.
        mapped: likewise.
        kwargs_option: likewise.
        remedy: returns what to do where the policy cannot act in it.

    Raises:
        InputError: there is no such environment, or the policy does not fit it.
    """
    home = environment_of(loaded)
    domain = domain_of(home, stepping, mapped=mapped, kwargs_option=kwargs_option)
    with closing(domain):
        notes = require_same_spaces(
            loaded,
            domain,
            path=loaded.path,
            env_name=domain.name,
            remedy=lambda: remedy(loaded),
            at_home=loaded.at_home,
        )
        yield domain, notes


def load_transfer(
    path: Path, *, sha256: str | None = None, outer: tuple[Path, ...] = ()
) -> LoadedPolicy:
    """Returns the mapped policy in the folder of a transfer.

    No environment is needed for it: the target is as recorded, not for use unchecked.

    Args:
        path: of the folder.
        sha256: what the file of the agent it acts through must have.
        outer: transfers that were made from this one and are being opened.

    Raises:
        InputError: the agent it acts through is gone.
        ArtifactRefused: a file is damaged, or does not fit the others.
    """
    here = path.resolve()
    if here in outer or len(outer) >= _LONGEST_CHAIN:
        raise Refusal(
            "folder",
            f"{printable(path)}: transfers may be made from transfers, "
            f"{_LONGEST_CHAIN} deep and in no circle",
        )
    with refusals_about(printable(path / MANIFEST_NAME)):
        manifest = read_manifest(path)
        settings = TransferSettings.of(manifest.settings)
        require_digest(settings.source_sha256, sha256)
        observation_space, action_space = _spaces(manifest)
    source = _source(path, manifest, settings, (*outer, here))
    translation = load_translation(path / MAPPING_FOLDER)
    ensemble = opened_ensemble(path, manifest, source)
    name, home = settings.target, settings.source_env
    try:
        shown = observation_codec_of(observation_space, name)
        acting = codec_of(action_space, name)

        def through(own: LoadedPolicy, translation: Translation) -> MappedPolicy:
            there = observation_codec_of(own.observation_space, home)
            codecs = codec_of(own.action_space, home), acting
            return MappedPolicy(own.policy, translation, *codecs, (there, shown))

        mapped: MappedPolicy | EnsemblePolicy
        mapped = (
            through(source, translation)
            if ensemble is None
            else ensemble.through(through)
        )
        rows = shown.decode(np.zeros((1, shown.size), np.float32))
        mapped.predict(rows, deterministic=True)
    except (*_OF_MISFITS, UserError) as fault:
        raise ArtifactRefused(
            f"the mapping of {printable(path)} must fit between {printable(home)} and "
            f"{printable(name)}, and does not; make the transfer again"
        ) from fault
    kwargs = settings.target_kwargs
    return LoadedPolicy(
        policy=mapped,
        title=f"{source.title} through a mapping",
        observation_space=observation_space,
        action_space=action_space,
        env_id=name,
        env_kwargs=kwargs,
        path=path,
        sha256=settings.source_sha256,
        provenance={
            MADE_FOR: {"env": name, "env_kwargs": kwargs},
            "source": settings.source,
        },
    )


def load_source_of(path: Path) -> LoadedPolicy:
    """Returns what the transfer in a folder acts through, with its home as recorded.

    Raises:
        InputError: the agent is gone.
        ArtifactRefused: a file is damaged, or its environment may not be made.
    """
    manifest = read_manifest(path)
    with refusals_about(printable(path / MANIFEST_NAME)):
        settings = TransferSettings.of(manifest.settings)
        require_harmless(settings.source_kwargs, typed=[])
        home = require_registered(settings.source_env, typed=[])
    source = _source(path, manifest, settings, (path.resolve(),))
    return replace(source, env_id=home, env_kwargs=settings.source_kwargs)


def _source(
    path: Path,
    manifest: Manifest,
    settings: TransferSettings,
    outer: tuple[Path, ...],
) -> LoadedPolicy:
    """Returns what a transfer acts through: another transfer, or an agent."""
    digest, inside = settings.source_sha256, path / SOURCE_FOLDER
    if SOURCE_BUNDLE not in manifest.files and is_transfer(inside):
        return load_transfer(inside, sha256=digest, outer=outer)
    bundle = path / SOURCE_BUNDLE
    if not os.path.isfile(bundle):
        raise InputError(
            f"{printable(path)} acts through the agent inside it, and "
            f"{printable(bundle)} is gone: put it back or make the transfer again"
        )
    return loading.load_agent(
        bundle,
        env_id=settings.source_env,
        sha256=manifest.files.get(SOURCE_BUNDLE, digest),
    )


def _spaces(manifest: Manifest) -> list[gym.Space[Any]]:
    """Returns the spaces of the target, as its manifest describes them."""
    with refuse_unforeseen():
        return [_space(manifest.spaces[name]) for name in ("observation", "action")]


def _space(described: Mapping[str, Any]) -> gym.Space[Any]:
    if described["kind"] == "Dict":
        # Parts with parts of their own are refused there.
        parts = {
            name: part if part["kind"] == "Dict" else _space(part)
            for name, part in described["spaces"].items()
        }
        return space_of("Dict", {"spaces": parts})
    if described["kind"] != "Box":
        return space_of(described["kind"], dict(described))
    shape, dtype = tuple(described["shape"]), np.dtype(described["dtype"])
    low, high = (
        # JSON has no infinity: null is no bound.
        np.array([none if value is None else value for value in described[side]], dtype)
        for side, none in (("low", -math.inf), ("high", math.inf))
    )
    bounds = {"low": low.reshape(shape), "high": high.reshape(shape)}
    return space_of("Box", {**bounds, "shape": shape, "dtype": dtype})
