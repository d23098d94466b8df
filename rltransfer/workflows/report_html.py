"""The page about a finished transfer, drawn so that no fault of it costs the run."""

import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rltransfer.domain import Policy
from rltransfer.io import installed_versions, sha256_of
from rltransfer.report.clips import PANEL, encoded
from rltransfer.report.filming import Actor, Clip, Filming, NoClip
from rltransfer.report.html_page import REPORT, drawn_fault
from rltransfer.report.transfer_page import TransferPage
from rltransfer.report.transfer_picture import Attempt
from rltransfer.translation import EnsemblePolicy, MappedPolicy
from rltransfer.workflows.environments import MADE_BY_CALLABLE, EnvironmentChoice
from rltransfer.workflows.explain import explained, why_not
from rltransfer.workflows.run_experience import RunExperience
from rltransfer.workflows.transfer_description import MAPPING_FOLDER, digest_of
from rltransfer.workflows.transfer_request import TransferRequest
from rltransfer.workflows.transfer_result import TransferResult
from rltransfer.workflows.typed_command import typed
from rltransfer_agents.loading import LoadedPolicy


def with_report(
    request: TransferRequest,
    loaded: LoadedPolicy,
    policy: MappedPolicy | EnsemblePolicy,
    kept: RunExperience,
    attempts: Sequence[Attempt],
    result: TransferResult,
) -> TransferResult:
    """Draws the page into the folder of the run; returns the result that names it.

    Where it cannot be drawn, the result says so in a note.

    Args:
        request: what was asked for.
        loaded: the source that was kept.
        policy: of the mapping.
        kept: what the run keeps of its steps.
        attempts: candidates that were acted with.
        result: what came of it; its mapping is in its folder.

    Raises:
        StorageError: the disk refused.
    """
    if not request.report:
        return result
    path = result.folder / REPORT
    drawn = replace(result, report=path)
    fault = drawn_fault(
        path, lambda: _page(request, loaded, policy, kept, attempts, drawn).html()
    )
    if fault is not None:
        return replace(result, notes=(*result.notes, fault))
    return drawn


def _page(
    request: TransferRequest,
    loaded: LoadedPolicy,
    policy: MappedPolicy | EnsemblePolicy,
    kept: RunExperience,
    attempts: Sequence[Attempt],
    result: TransferResult,
) -> TransferPage:
    ids = result.source_environment.env_id, result.target.env_id
    actors = [
        actor_in(result.source_environment, loaded.policy),
        actor_in(result.target, result.policy),
    ]

    def page() -> TransferPage:
        return TransferPage(
            record=result.as_json(),
            figures=result.figures,
            home=result.source_environment.title,
            state_map=kept.maps.state_map(*ids),
            action_map=kept.maps.action_map(*ids),
            meanings=kept.maps.meanings(*ids),
            explanation=explained(
                result.folder,
                result.source_environment,
                result.target,
                policy.lead,
                why_not(vars(result) | {"winner": result.winner}, policy),
                kept,
            ),
            attempts=attempts,
            learned=result.learned,
            curve=result.curve,
            clip="with -n 0 nothing acts in the target",
            command=command_of(request),
            facts=_facts(loaded, result),
        )

    if request.untouched:
        return page()
    # It films while the page is drawn.
    filming = Filming(actors, result.report_seed, encoded, PANEL)
    with closing(filming):
        return replace(page(), clip=_clip(filming))


def actor_in(choice: EnvironmentChoice, policy: Policy) -> Actor:
    """Returns a policy that can be filmed in an environment of its own."""
    kwargs = {**choice.kwargs, "render_mode": "rgb_array"}
    return Actor(replace(choice, kwargs=kwargs).make, policy)


def _clip(filming: Filming) -> Clip | str:
    try:
        return filming.clip()
    except NoClip as reason:
        return str(reason)


def _facts(loaded: LoadedPolicy, result: TransferResult) -> dict[str, str]:
    versions = installed_versions().items()
    return {
        "run": str(result.folder),
        "source": str(loaded.path),
        "SHA-256 of the source": loaded.sha256,
        "SHA-256 of the target's log": (result.target_data or {}).get("sha256", ""),
        "SHA-256 of the source's log": (result.source_data or {}).get("sha256", ""),
        "mapping hash": digest_of(
            {
                path.relative_to(result.folder).as_posix(): sha256_of(path)
                for path in (result.folder / MAPPING_FOLDER).rglob("*")
                if path.is_file()
            }
        ),
        "seed": str(result.seed),
        "seeds of reported episodes": f"from {result.report_seed}",
        "resumed": result.resumed,
        "versions": ", ".join(f"{name} {version}" for name, version in versions),
    }


_OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "source_environments": "--source-env",
        "source_kwargs": "--source-kwargs",
        "target_data": "--target-data",
        "source_data": "--source-data",
        "weak_source": "--weak-source",
        "digests": "--sha256",
        "statistics": "--statistics",
        "budget": "-n",
        "seed": "--seed",
        "log_folder": "-f",
        "episodes": "--episodes",
        "hyperparams": "--hyperparams",
        "tensorboard_folder": "--tensorboard-log",
    }
)
"""By the field of the request; those that are not here change no number."""
_ON_HUB = re.compile("^hf:/(?!/)")
"""A path has lost one of the two."""
_ALWAYS = ("budget", "seed")
"""Shown even where they are the default: defaults change."""


def command_of(request: TransferRequest) -> str:
    """Returns the command that asks for the same transfer."""
    paths = [one if isinstance(one, Path) else one.path for one in request.sources]
    options: list[tuple[str, Any]] = [
        ("--source", [_ON_HUB.sub("hf://", str(path)) for path in paths]),
        ("--target", request.target.env_id),
        ("--target-kwargs", request.target.kwargs),
    ]
    for field in fields(request):
        value = getattr(request, field.name)
        shown = field.name in _ALWAYS or value != field.default
        if field.name in _OPTIONS and shown:
            options.append((_OPTIONS[field.name], value))
    learning = request.learning
    if learning is not None:
        options += [
            ("--improve", True),
            ("--student", learning.student),
            ("--strategy", learning.strategy),
            ("--threshold", learning.threshold),
            ("--alignment-steps", learning.alignment_steps),
        ]
    command = typed("transfer", options)
    callables = (request.target.env_id, *request.source_environments)
    if request.alter or any(name.startswith(MADE_BY_CALLABLE) for name in callables):
        return f"{command}  # with what was passed from Python"
    return command
