"""What the map of a finished transfer means, from what its run folder keeps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from gymnasium import spaces

from rltransfer.alignment.mirror_symmetries import MirrorSymmetry
from rltransfer.domain import codec_of
from rltransfer.errors import InputError
from rltransfer.io import read_manifest
from rltransfer.report.explanation import Explanation, NamedMirror, Weight
from rltransfer.report.variable_names import action_names, observation_names
from rltransfer.translation import EnsemblePolicy, MappedPolicy
from rltransfer.translation.integrated_gradients import integrated_gradients
from rltransfer.workflows.environments import EnvironmentChoice
from rltransfer.workflows.policy_loading import load_transfer
from rltransfer.workflows.run_experience import EXPERIENCE, RunExperience
from rltransfer.workflows.transfer_description import TransferDescription, is_transfer
from rltransfer_agents.export import WantedModule
from rltransfer_agents.loading.hub import is_on_hub
from rltransfer_agents.loading.refusal import printable
from rltransfer_agents.policies import FrozenPolicy

_STATES = 128
"""Visited states over which gradients are integrated."""


def explain(run: str | Path) -> Explanation:
    """Tells what a transfer's map makes of each variable, and what matters to it.

    For each target variable and action: what it became, and how many of the candidates
    that explain the target about as well say the same. Which variables the action rests
    on: integrated gradients through the map. And under which mirror images the source
    moves alike. A map that was refused, never tested or replaced by a student is not
    explained, and `reason` says so.

    Args:
        run: folder of a finished transfer.

    Raises:
        InputError: it is none, or keeps no steps.
        ArtifactRefused: a file of it is damaged.
    """
    path = Path(run)
    if is_on_hub(run) or not is_transfer(path):
        raise InputError(
            "explain takes the run folder of a finished transfer, got "
            f"{printable(run)}; name a folder such as runs/transfer/Acrobot-v1_1"
        )
    told, results = TransferDescription.at(path), read_manifest(path).results
    settings = told.settings
    mapped = load_transfer(path)
    policy, codec = mapped.policy, codec_of(mapped.action_space, settings.target)
    assert isinstance(policy, MappedPolicy | EnsemblePolicy)
    reason = why_not(results, policy)
    experience = None
    if reason is None:
        if not (path / EXPERIENCE).is_file():
            raise InputError(
                f"explain reads the steps that a run keeps in {EXPERIENCE}, "
                f"{printable(path)} has none: it is from an earlier version or from "
                "the hub; make the transfer again"
            )
        experience = RunExperience.read(path, policy.lead, codec.discrete)
    return explained(
        path,
        EnvironmentChoice(settings.source_env, settings.source_kwargs),
        EnvironmentChoice(settings.target, settings.target_kwargs),
        policy.lead,
        reason,
        experience,
    )


def why_not(
    results: Mapping[str, Any], policy: MappedPolicy | EnsemblePolicy
) -> str | None:
    """Returns why a map is not explained, None where it is.

    Args:
        results: of the run, by the names of its manifest.
        policy: that acts through the map.
    """
    if results["accepted"] is None:
        return "it is unproved: no step tested whether the map is any good"
    # What was fitted anew while learning on was compared with what had learned.
    if not results["accepted"] and results.get("winner") != "refitted":
        return "it was refused: nothing shows that the map is better than chance"
    if results.get("winner") in ("student", "scratch"):
        return (
            "what acts is what learned on in the target, a network of its own that "
            "no map runs through"
        )
    if isinstance(policy, EnsemblePolicy):
        return (
            f"it acts as an ensemble of {len(policy.members)} maps, and no one of them "
            "says what acts: transfer without --hyperparams ensemble.members"
        )
    if policy.numbered:
        return (
            "its states are numbered: each is taken for one of the source's, and no "
            "variable means anything"
        )
    if policy.pictured:
        return "it sees pictures, and no pixel is a variable with a meaning of its own"
    if not isinstance(policy.policy, FrozenPolicy):
        return "it acts through another transfer: explain that one, then this one's map"
    return None


def explained(
    run: Path,
    source: EnvironmentChoice,
    target: EnvironmentChoice,
    policy: MappedPolicy,
    reason: str | None,
    experience: RunExperience | None,
) -> Explanation:
    """Returns the explanation of a map, from a folder or as it was found.

    Args:
        run: folder of the transfer.
        source: where the source is at home.
        target: what the map is for.
        policy: that acts through the map.
        reason: why it is not explained, None where it is.
        experience: what the run keeps; may be None where there is a reason.
    """
    if reason is not None or experience is None:
        return Explanation(run, source.title, target.title, reason)
    ids, maps = (source.env_id, target.env_id), experience.maps
    weights, states, gap = _weights(policy, experience, target.env_id)
    sources = observation_names(source.env_id, len(maps.state))
    taken = action_names(source.env_id, len(maps.action))
    mirrors = experience.mirrors
    assert isinstance(policy.policy, FrozenPolicy)
    discrete = isinstance(policy.policy.action_space, spaces.Discrete)
    return Explanation(
        run,
        source.title,
        target.title,
        None,
        maps.meanings(*ids),
        maps.action_meanings(*ids),
        weights,
        states,
        gap,
        None
        if mirrors is None
        else tuple(_named(one, sources, taken, discrete) for one in mirrors),
    )


def _weights(
    policy: MappedPolicy, experience: RunExperience, target_id: str
) -> tuple[tuple[Weight, ...], int, float]:
    """Returns what each variable weighs, over how many states, and the gap."""
    history = policy.history
    stacks = history.stacked(experience.rows).observation
    if bool(experience.visited.any()):
        stacks = stacks[experience.visited]
    few = torch.linspace(0, len(stacks) - 1, min(_STATES, len(stacks))).long()
    found = integrated_gradients(WantedModule(policy), stacks[few], stacks.mean(dim=0))
    sizes = found.values.abs().sum(dim=1).mean(dim=0)
    shares = sizes / sizes.sum().clamp_min(1e-12)
    names = observation_names(target_id, history.observation)
    # What is remembered of a variable counts as that variable.
    seen, taken = shares.tensor_split([history.steps * len(names)])
    totals = seen.reshape(-1, len(names)).sum(dim=0).tolist()
    if len(taken):
        names += action_names(target_id, history.action)
        totals += taken.reshape(-1, history.action).sum(dim=0).tolist()
    weights = tuple(Weight(*pair) for pair in zip(names, totals, strict=True))
    return weights, len(few), found.gap


def _named(
    one: MirrorSymmetry,
    sources: tuple[str, ...],
    taken: tuple[str, ...],
    discrete: bool,
) -> NamedMirror:
    sensors = tuple(sources[place] for place in one.sensors)
    if not discrete:
        return NamedMirror(sensors, tuple(f"-{taken[place]}" for place in one.actions))
    swapped = ((place, to) for place, to in enumerate(one.actions) if place < to)
    return NamedMirror(sensors, tuple(f"{taken[a]} ↔ {taken[b]}" for a, b in swapped))
