"""Pages of a journal: JSON that carries its own SHA-256, numbers beside it."""

import hashlib
import json
import platform
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias, final

import safetensors.torch
import torch
from safetensors import SafetensorError

from rltransfer.domain.transitions import Rollout, Transitions
from rltransfer.errors import ArtifactRefused, UserError
from rltransfer.io import (
    installed_versions,
    make_folder,
    read_json,
    storage_faults,
    write_atomically,
)

_RETURNS = "returns"


def as_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `value` as it comes back from a file: tuples as lists, and so on."""
    read: dict[str, Any] = json.loads(json.dumps(value, allow_nan=False))
    return read


def write_sealed(path: Path, content: Mapping[str, Any]) -> None:
    """Writes `content` together with its SHA-256."""
    page = {"content": content, "sha256": _digest(content)}
    # Keys keep their order: arguments of an environment are named in it.
    write_atomically(path, json.dumps(page, indent=2, allow_nan=False).encode())


def read_sealed(path: Path) -> dict[str, Any]:
    """Returns what `write_sealed` wrote; refuses what was changed since."""
    page = read_json(path)
    if not isinstance(page, dict) or set(page) != {"content", "sha256"}:
        raise _damaged(path)
    content: dict[str, Any] = page["content"]
    if not isinstance(content, dict) or page["sha256"] != _digest(content):
        raise _damaged(path)
    return content


def write_rollout(page: Path, rollout: Rollout) -> dict[str, Any]:
    """Writes the numbers of a rollout beside `page`; returns what that has to say."""
    tensors = {
        f.name: getattr(rollout.transitions, f.name).contiguous()
        for f in fields(Transitions)
    }
    tensors[_RETURNS] = torch.from_numpy(rollout.returns)
    data = safetensors.torch.save(tensors)
    write_atomically(_numbers(page), data)
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "unfinished_return": rollout.unfinished_return,
        "unfinished_steps": rollout.unfinished_steps,
    }


def read_rollout(page: Path, told: Mapping[str, Any]) -> Rollout:
    """Returns the rollout beside `page`; refuses it where the page says otherwise."""
    path = _numbers(page)
    with storage_faults(path):
        data = path.read_bytes()
    with damage_named(path):
        if hashlib.sha256(data).hexdigest() != told["sha256"]:
            raise _damaged(path)
        tensors = safetensors.torch.load(data)
        returns = tensors.pop(_RETURNS).numpy()
        return Rollout(
            Transitions(**tensors),
            returns,
            float(told["unfinished_return"]),
            int(told["unfinished_steps"]),
        )


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Turns what a page of another shape leads to into its refusal.

    A hash says that a page is whole, not that a run of ours wrote it.
    """
    try:
        yield
    except UserError:
        raise
    except (LookupError, TypeError, ValueError, RuntimeError, SafetensorError) as fault:
        raise _damaged(path) from fault


def _numbers(page: Path) -> Path:
    return page.with_suffix(".safetensors")


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _damaged(path: Path) -> ArtifactRefused:
    return ArtifactRefused(
        f"a page of a journal must be as it was written, {path} is damaged; restore "
        "it or start a new run"
    )


REQUEST = "request.json"
FORMAT = 1


def surroundings() -> dict[str, str]:
    """Returns what the last bits of a fit depend on, besides seeds."""
    vector = torch.backends.cpu.get_cpu_capability()
    return {
        **installed_versions(),
        "processor": f"{platform.machine()} {vector}",
    }


def remove_replay_log(folder: Path) -> None:
    """Removes the journal of a run that is finished, if it is still there."""
    with storage_faults(folder):
        if folder.exists():
            shutil.rmtree(folder)


def is_replay_log(folder: Path) -> bool:
    """Returns whether a run left its journal in `folder`."""
    return (folder / REQUEST).is_file()


def read_request(folder: Path) -> dict[str, Any]:
    """Returns what the journal in `folder` says about its run.

    Its key `request` holds what the run was asked for.
    """
    path = folder / REQUEST
    written = read_sealed(path)
    if written.get("format") != FORMAT:
        raise ArtifactRefused(
            f"{path} has format {written.get('format')!r}, this version reads "
            f"{FORMAT}; use the version of rltransfer that wrote it"
        )
    return written


def require_same(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises unless what `path` said `before` is so `now`."""
    ours, theirs = _leaves(now), _leaves(before)
    for name in sorted({*ours, *theirs}):
        if ours.get(name) != theirs.get(name):
            raise ArtifactRefused(
                f"a run goes on with what it was begun with, {path} has "
                f"{name}={theirs.get(name)!r} and now it is {ours.get(name)!r}; go on "
                "with the same options and version, or start a new run"
            )


def _leaves(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for name, part in value.items():
        inner = isinstance(part, Mapping) and len(part)
        leaves |= _leaves(part, f"{prefix}{name}.") if inner else {prefix + name: part}
    return leaves


Resumed: TypeAlias = Literal["no", "exact", "approximate"]


@final
@dataclass(frozen=True, eq=False)
class Entry:
    """One finished stretch of acting."""

    rollout: Rollout
    steps: int
    memory: Any
    """What the policy remembered after it, as JSON; None for one that does not."""


@final
class ReplayLog:
    """The stretches of acting of one run, in their order.

    Args:
        folder: of the journal alone; made where it is missing.
        request: what the run was asked for, as JSON; a journal serves only its own run.
        boundary: called after each stretch that was written down; may raise to stop.

    Raises:
        ArtifactRefused: the journal is damaged, or of another run.
    """

    def __init__(
        self,
        folder: Path,
        request: Mapping[str, Any],
        boundary: Callable[[], None] | None = None,
    ) -> None:
        self._folder, self._boundary = make_folder(folder), boundary
        self._request: dict[str, Any] = as_json(request)
        self._place, self._acting = 0, False
        self._doubts: list[str] = []
        self._broken_off: dict[str, int] = {}
        self._resumed = (folder / REQUEST).exists()
        self._versions = surroundings()
        if self._resumed:
            self._go_on()
        else:
            self._write_request()
        self._known = self._count()

    @property
    def resumed(self) -> Resumed:
        """Whether the run was interrupted, and whether that can have changed it."""
        if not self._resumed:
            return "no"
        return "approximate" if self._doubts else "exact"

    @property
    def reproducibility_warnings(self) -> tuple[str, ...]:
        """Why the run may differ from one that was never interrupted."""
        return tuple(self._doubts)

    @property
    def broken_off(self) -> dict[str, int]:
        """Steps by domain that were taken again, as far as they are known."""
        return dict(self._broken_off)

    @property
    def acting(self) -> bool:
        """Whether a stretch is under way that would be lost by stopping now."""
        return self._acting

    def next(self, asked: Mapping[str, Any]) -> Entry | None:
        """Returns the next stretch, or None where it has yet to be acted.

        Args:
            asked: all that it follows from, as JSON.
        """
        place = self._place
        self._place += 1
        if place >= self._known:
            return None
        page = self._page(place)
        written = read_sealed(page)
        with damage_named(page):
            require_same(page, written["asked"], as_json(asked))
            rollout = read_rollout(page, written["rollout"])
            return Entry(rollout, int(written["steps"]), written["memory"])

    @contextmanager
    def stretch(self) -> Iterator[None]:
        """Holds while one stretch is acted and written down."""
        self._acting = True
        try:
            yield
        finally:
            self._acting = False
        if self._boundary is not None:
            self._boundary()

    def add(self, asked: Mapping[str, Any], entry: Entry) -> None:
        """Writes down the stretch that `next` did not know."""
        path = self._page(self._place - 1)
        written = {
            "asked": as_json(asked),
            "rollout": write_rollout(path, entry.rollout),
            "steps": entry.steps,
            "memory": entry.memory,
        }
        # The numbers first: where this page is, all is.
        write_sealed(path, written)
        self._known = self._place

    def warn(self, reason: str) -> None:
        """Notes why the run may differ from one that was never interrupted."""
        if reason not in self._doubts:
            self._doubts.append(reason)
            self._write_request()

    def break_off(self, domain: str, steps: int) -> None:
        """Notes steps that will have to be taken again."""
        if steps:
            self._broken_off[domain] = self._broken_off.get(domain, 0) + steps
            self._write_request()

    def _go_on(self) -> None:
        path = self._folder / REQUEST
        written = read_request(self._folder)
        require_same(path, written["request"], self._request)
        self._doubts = written["reproducibility_warnings"]
        self._broken_off = written["broken_off"]
        before, now = written["versions"], self._versions
        self._versions = before
        for name in sorted({*before, *now}):
            if before.get(name) != now.get(name):
                self.warn(
                    f"{name} was {before.get(name, 'absent')} and is "
                    f"{now.get(name, 'absent')}"
                )

    def _write_request(self) -> None:
        written = {
            "format": FORMAT,
            "request": self._request,
            "versions": self._versions,
            "reproducibility_warnings": self._doubts,
            "broken_off": self._broken_off,
        }
        write_sealed(self._folder / REQUEST, written)

    def _count(self) -> int:
        with storage_faults(self._folder):
            pages = {p for p in self._folder.glob("*.json") if p.name != REQUEST}
        for place in range(len(pages)):
            if self._page(place) not in pages:
                raise ArtifactRefused(
                    f"a journal has every page, {self._page(place)} is missing; "
                    "restore it or start a new run"
                )
        return len(pages)

    def _page(self, place: int) -> Path:
        return self._folder / f"{place:04d}.json"
