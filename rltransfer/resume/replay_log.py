"""The replay log: what was acted in a run, from which an interrupted one goes on.

One file for each stretch of acting, in their order, and one for what the run was asked
for. It holds named arrays and JSON; what they mean, the domain knows.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from numpy.typing import NDArray

from rltransfer.errors import ArtifactRefused, UserError
from rltransfer.io import make_folder, storage_faults
from rltransfer.io.tensor_files import read_tensor_file, write_tensor_file
from rltransfer.resume.reproducibility import (
    Resumed,
    changed_versions,
    computing_versions,
    require_same,
    resumed,
)

REQUEST = "request.safetensors"
KIND = "rltransfer-replay-log-2"
_VERSION_1 = "request.json"


def remove_replay_log(folder: Path) -> None:
    """Removes the replay log of a run that is finished, if it is still there."""
    with storage_faults(folder):
        if folder.exists():
            shutil.rmtree(folder)


def is_replay_log(folder: Path) -> bool:
    """Returns whether a run left its replay log in `folder`."""
    return any((folder / name).is_file() for name in (REQUEST, _VERSION_1))


def read_request(folder: Path) -> dict[str, Any]:
    """Returns what the replay log in `folder` says about its run.

    Its key `request` holds what the run was asked for.
    """
    if not (folder / REQUEST).is_file() and (folder / _VERSION_1).is_file():
        raise ArtifactRefused(
            f"{folder} is of a run that version 0.1.0 of rltransfer began, which this "
            "version cannot go on with; finish it with version 0.1.0, or start a new "
            "run"
        )
    return read_tensor_file(folder / REQUEST, KIND).content


@final
@dataclass(frozen=True, eq=False)
class Entry:
    """One finished stretch of acting."""

    content: Mapping[str, Any]
    """As JSON."""
    arrays: Mapping[str, NDArray[Any]]


@final
class ReplayLog:
    """The stretches of acting of one run, in their order.

    Args:
        folder: of the log alone; made where it is missing.
        request: what the run was asked for, as JSON; a log serves only its own run.
        after_stretch: called when a stretch has been written; may raise to stop.

    Raises:
        ArtifactRefused: the log is damaged, or of another run.
    """

    def __init__(
        self,
        folder: Path,
        request: Mapping[str, Any],
        after_stretch: Callable[[], None] | None = None,
    ) -> None:
        self._folder, self._after_stretch = make_folder(folder), after_stretch
        self._next = 0
        self.acting = False
        """Whether a stretch is under way that would be lost by stopping now."""
        self._about: dict[str, Any] = {
            "request": _as_read(request),
            "versions": computing_versions(),
            "reproducibility_warnings": [],
            "interrupted_steps": {},
        }
        self._interrupted = is_replay_log(folder)
        if self._interrupted:
            self._go_on()
        else:
            self._write_about()
        self._length = self._count()

    @property
    def resumed(self) -> Resumed:
        """Whether the run was interrupted, and whether that can have changed it."""
        return resumed(self._interrupted, self._about["reproducibility_warnings"])

    @property
    def reproducibility_warnings(self) -> tuple[str, ...]:
        """Why the run may differ from one that was never interrupted."""
        return tuple(self._about["reproducibility_warnings"])

    @property
    def interrupted_steps(self) -> dict[str, int]:
        """Steps that were taken again, as far as they are known, by a domain's role."""
        return dict(self._about["interrupted_steps"])

    @property
    def place(self) -> str:
        """File of the entry that was asked for last, for messages."""
        return str(self._path(self._next - 1))

    def next(self, asked: Mapping[str, Any]) -> Entry | None:
        """Returns the next stretch, or None where it has yet to be acted.

        Args:
            asked: all that it follows from, as JSON.
        """
        number = self._next
        self._next += 1
        if number >= self._length:
            return None
        path = self._path(number)
        stored = read_tensor_file(path, KIND)
        with damage_named(path):
            require_same(str(path), stored.content["asked"], _as_read(asked))
            return Entry(stored.content["entry"], stored.arrays)

    @contextmanager
    def stretch(self, interruptible: bool = False) -> Iterator[None]:
        """Holds while one stretch is acted and written.

        Args:
            interruptible: whether a stop may interrupt it, as it chooses nothing.
        """
        self.acting = not interruptible
        try:
            yield
        finally:
            self.acting = False
        if self._after_stretch is not None:
            self._after_stretch()

    def add(self, asked: Mapping[str, Any], entry: Entry) -> None:
        """Writes the stretch that `next` did not know."""
        content = {"asked": asked, "entry": entry.content}
        write_tensor_file(self._path(self._next - 1), KIND, content, entry.arrays)
        self._length = self._next

    def warn(self, reason: str) -> None:
        """Keeps a reason why the run may differ from one never interrupted."""
        if reason not in self._about["reproducibility_warnings"]:
            self._about["reproducibility_warnings"].append(reason)
            self._write_about()

    def interrupt(self, role: str, steps: int) -> None:
        """Keeps how many steps of a stretch will have to be taken again.

        Args:
            role: of the domain in the run; source and target may have one name.
            steps: taken in the stretch so far.
        """
        if steps:
            known: dict[str, int] = self._about["interrupted_steps"]
            known[role] = known.get(role, 0) + steps
            self._write_about()

    def _go_on(self) -> None:
        path = self._folder / REQUEST
        now, stored = self._about, read_request(self._folder)
        with damage_named(path):
            require_same(str(path), stored["request"], now["request"])
            warnings, steps = "reproducibility_warnings", "interrupted_steps"
            known = {warnings: list(stored[warnings]), steps: dict(stored[steps])}
            self._about = now | known | {"versions": stored["versions"]}
            changed = changed_versions(stored["versions"], now["versions"])
        for reason in changed:
            self.warn(reason)

    def _write_about(self) -> None:
        write_tensor_file(self._folder / REQUEST, KIND, self._about, {})

    def _count(self) -> int:
        with storage_faults(self._folder):
            paths = set(self._folder.glob("*.safetensors"))
        paths.discard(self._folder / REQUEST)
        for number in range(len(paths)):
            if self._path(number) not in paths:
                raise ArtifactRefused(
                    f"a replay log has every file, {self._path(number)} is missing; "
                    "restore it or start a new run"
                )
        return len(paths)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:04d}.safetensors"


@contextmanager
def damage_named(path: object) -> Iterator[None]:
    """Turns what a file of another shape leads to into its refusal.

    A hash says that a file is whole, not that a run of ours wrote it.
    """
    try:
        yield
    except UserError:
        raise
    except (AttributeError, LookupError, TypeError, ValueError, RuntimeError) as fault:
        raise ArtifactRefused(
            f"{path} holds no entry of a replay log; restore it or start a new run"
        ) from fault


def _as_read(value: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `value` as it comes back from a file: tuples as lists, and so on."""
    read: dict[str, Any] = json.loads(json.dumps(value, allow_nan=False))
    return read
