"""A transfer as it goes onto the hub: what acts, what it says, and nothing of a disk.

The folder holds the mapped policy alone, and is read as every transfer's folder is.
What came out of learning on lies beside it, as an agent.
"""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, final

from markupsafe import escape
from pydantic import ConfigDict, TypeAdapter, ValidationError

from rltransfer.errors import ArtifactRefused, InputError
from rltransfer.evaluation import ReturnSummary
from rltransfer.io import FirstError, make_folder, read_manifest, write_manifest
from rltransfer.report.model_card import Origin
from rltransfer.report.tables import logged_steps, steps_by_purpose
from rltransfer.workflows.environments import EnvironmentChoice
from rltransfer.workflows.finished_transfer import FinishedTransfer
from rltransfer.workflows.transfer_description import (
    MAPPING_FOLDER,
    SOURCE_BUNDLE,
    SOURCE_FOLDER,
    TransferSettings,
    is_transfer,
)
from rltransfer.workflows.transfer_result import RECORD
from rltransfer_agents.export.hub_files import require_unchanged
from rltransfer_agents.loading.hub import SCHEME
from rltransfer_agents.loading.refusal import printable

_CACHED = re.compile(r"models--(.+?)--([^/]+)/snapshots/([0-9a-f]{40})")
"""Within the path of what the hub's client has fetched."""
_PATHS = ("run", "picture", "report", "student")
_LOGS = ("target_data", "source_data")
_OF_STUDENTS = ("winner",)
"""Results that a folder does not have where no student lies in it."""


@final
@dataclass(frozen=True)
class _Summary:
    """A figure in the record."""

    __pydantic_config__: ClassVar[ConfigDict] = {"extra": "ignore"}

    mean_return: float
    iqm: float
    ci95: tuple[float, float] | None
    episodes: int
    returns: tuple[float, ...]

    def as_summary(self) -> ReturnSummary:
        return ReturnSummary(**vars(self))


@final
@dataclass(frozen=True)
class _Log:
    """Where logged steps in the record are from."""

    __pydantic_config__: ClassVar[ConfigDict] = {"extra": "ignore"}

    origin: str
    steps: int
    episodes: int
    used_steps: int

    def __str__(self) -> str:
        origin, _ = public_place(self.origin)
        return str(logged_steps({**vars(self), "origin": origin}))


@final
@dataclass(frozen=True)
class TransferRecord:
    """What a finished transfer says of itself, as far as it is told on the hub."""

    __pydantic_config__: ClassVar[ConfigDict] = {"extra": "ignore"}

    source: str
    accepted: bool
    verdict: str
    learning_verdict: str | None
    seconds: float
    budget: int
    target_steps: int
    alignment_steps: int
    steps: dict[str, int]
    report_seed: int
    random: _Summary
    source_at_home: _Summary
    zero_shot: _Summary
    improved: _Summary | None
    target_data: _Log | None = None
    source_data: _Log | None = None

    @classmethod
    def of(cls, run: Path) -> "TransferRecord":
        """Returns the record in the folder of a transfer.

        Raises:
            ArtifactRefused: there is none, or it is damaged.
            InputError: what acts was never tried.
        """
        record = FinishedTransfer.at(run).record
        if record.get("accepted", False) is None:
            raise InputError(
                f"what is pushed says what it earns, {printable(run)} rests on logged "
                "steps alone and was never tried; transfer with -n steps"
            )
        try:
            read: TransferRecord = _RECORD.validate_python(record)
        except ValidationError as fault:
            raise ArtifactRefused(
                f"{printable(run / RECORD)} does not say what came of the transfer "
                f"({FirstError.of(fault)}); restore the file, or repeat the run"
            ) from fault
        return read

    @property
    def acts_refused(self) -> bool:
        """Whether a mapping acts that was refused: nothing was learned on."""
        return not self.accepted and self.improved is None

    @property
    def figures(self) -> dict[str, ReturnSummary]:
        """Returns by who earned them; what acts is the first."""
        improved = {} if self.improved is None else {"improved": self.improved}
        found = {**improved, "zero-shot": self.zero_shot, "random": self.random}
        found["source at home"] = self.source_at_home
        return {name: figure.as_summary() for name, figure in found.items()}

    def origin(self, settings: TransferSettings) -> Origin:
        """Returns what it was transferred from, and at what cost."""
        place, repository = public_place(settings.source)
        verdicts = (self.verdict, self.learning_verdict)
        logs = {"logged steps": self.target_data, "logged in source": self.source_data}
        return Origin(
            source=printable(self.source),
            place=place,
            sha256=settings.source_sha256,
            home=EnvironmentChoice(settings.source_env, settings.source_kwargs).title,
            repository=repository,
            cost={
                "target steps": f"{self.target_steps:,} of {self.budget:,} "
                f"({printable(steps_by_purpose(self.steps))})",
                "for the mapping": f"{self.alignment_steps:,} target steps",
                **{name: str(log) for name, log in logs.items() if log is not None},
                "time": f"{self.seconds:.0f} s",
            },
            verdicts=[printable(verdict) for verdict in verdicts if verdict],
        )


_RECORD = TypeAdapter(TransferRecord)


def public_place(path: str) -> tuple[str, str | None]:
    """Returns where a file or folder was, without the folders of this machine.

    Args:
        path: of it.

    Returns:
        its name, and the repository of the hub that it is from, if it is.
    """
    cached = _CACHED.search(path)
    if cached is None:
        return printable(Path(path).name), None
    organisation, name, commit = cached.groups()
    repository = f"{organisation}/{name}"
    return f"{SCHEME}{repository}@{commit}", repository


def write_transfer_files(run: Path, to: Path) -> None:
    """Writes the mapped policy of a transfer, and what it acts through.

    Args:
        run: folder of a finished transfer that can be loaded.
        to: folder to write to; is made.

    Raises:
        ArtifactRefused: a file is not as the manifest has it.
    """
    manifest, inside = read_manifest(run), run / SOURCE_FOLDER
    for folder in (MAPPING_FOLDER, SOURCE_FOLDER):
        require_unchanged(run, manifest, f"{folder}/")
    shutil.copytree(run / MAPPING_FOLDER, make_folder(to) / MAPPING_FOLDER)
    if SOURCE_BUNDLE not in manifest.files and is_transfer(inside):
        write_transfer_files(inside, to / SOURCE_FOLDER)
    else:
        make_folder(to / SOURCE_FOLDER)
        shutil.copyfile(run / SOURCE_BUNDLE, to / SOURCE_BUNDLE)
    results = {
        name: value
        for name, value in manifest.results.items()
        if name not in _OF_STUDENTS
    }
    settings = {**manifest.settings, **_public_logs(manifest.settings)}
    for named in ("source", "source_statistics"):
        if settings.get(named) is not None:
            settings[named], _ = public_place(str(settings[named]))
    results["sources"] = _public_sources(results)
    write_manifest(to, replace(manifest, settings=settings, results=results))


def public_record(run: Path) -> dict[str, Any]:
    """Returns what `transfer --json` printed, without paths."""
    record = FinishedTransfer.at(run).record
    shown = {name: value for name, value in record.items() if name not in _PATHS}
    shown["sources"] = _public_sources(record)
    shown.update(_public_logs(record))
    notes, home = record.get("notes"), str(Path.home())
    shown["notes"] = [
        str(note).replace(home, "~")
        for note in (notes if isinstance(notes, list) else [])
    ]
    return shown


def public_page(page: bytes, settings: Mapping[str, Any]) -> bytes:
    """Returns the page about a run without folders that nobody typed.

    Args:
        page: as the run wrote it.
        settings: of the run; say where its logs were.
    """
    names = {
        str(settings[name]["origin"]): str(log["origin"])
        for name, log in _public_logs(settings).items()
    }
    if str(Path.home()) != "/":
        names[str(Path.home())] = "~"
    for path, name in names.items():
        page = page.replace(escape(path).encode(), escape(name).encode())
    return page


def _public_sources(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns what is told of each source, without folders."""
    sources = told.get("sources")
    return [
        {**source, "path": public_place(str(source.get("path")))[0]}
        for source in (sources if isinstance(sources, list) else [])
        if isinstance(source, dict)
    ]


def _public_logs(told: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what is told of logged steps, without folders."""
    found = {name: told.get(name) for name in _LOGS}
    return {
        name: {**log, "origin": public_place(str(log.get("origin")))[0]}
        for name, log in found.items()
        if isinstance(log, dict)
    }
