"""Refusals of files: a code, the rule with the value that broke it, a remedy."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias, final

from rltransfer.errors import ArtifactRefused, InputError, UserError
from rltransfer.io.strict_json import NotPlain, TooLarge, bounded_bytes, parse_json
from rltransfer_agents.loading import limits

_UNFORESEEN: tuple[type[Exception], ...]
_UNFORESEEN = (ArithmeticError, AssertionError, AttributeError, LookupError)
_UNFORESEEN += (MemoryError, RuntimeError, TypeError, ValueError)
_LARGEST_BITS = 256
"""Of whole numbers that are written out; Python does not write very large ones."""
_FETCH = "fetch or copy the file again from where it came"
_EXPORT = (
    "ask its author for a safe bundle: rltransfer_agents.export.export_bundle(model, "
    "path) on the machine that trained it"
)

# One remedy for each kind of refusal; tests hold every code to this table.
REMEDIES = {
    "archive": _FETCH,
    "checksum": _FETCH,
    "class": _EXPORT,
    "dataset": "record or download it again; arrays are best saved by numpy.savez, "
    "uncompressed",
    "class-by-value": _EXPORT,
    "environment": "name the environment yourself, with --env or in a new run",
    "folder": "copy what you need into a folder of plain files, or start a new run",
    "digest": "fetch the file again, or pass the hash its author published",
    "json": _FETCH,
    "limit": _EXPORT,
    "malformed": _EXPORT,
    "manifest": "restore the file, or repeat the run",
    "member": _EXPORT,
    "network": _EXPORT,
    "non-finite": "use an earlier checkpoint of the run",
    "normalisation": "put the statistics of the same run beside the agent, or name "
    "them with --statistics",
    "pickle": _EXPORT,
    "space": _EXPORT,
    "tensor": _EXPORT,
    "unsupported": "use an agent of ppo, a2c, dqn, sac, td3, ddpg, qrdqn, tqc, trpo "
    "or ars",
    "wrapper": "use an agent that was trained without it",
    "yaml": "restore the file from where the run was made",
}


@final
class Refusal(ArtifactRefused):
    """A file that will not be read; the message is one line."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{reason}; {REMEDIES[code]}")
        self.code = code
        """What kind of rule was broken: a key of `REMEDIES`."""
        self.reason = reason

    def about(self, subject: str) -> "Refusal":
        """Returns the same refusal with the name of what it is about in front."""
        return type(self)(self.code, f"{subject}: {self.reason}")


Part: TypeAlias = Callable[[str], AbstractContextManager[object]]
"""Makes the context that a part of a file is read in, out of the part's name."""


@contextmanager
def refusals_about(subject: str) -> Iterator[None]:
    """Puts `subject` in front of every refusal that leaves the block."""
    try:
        yield
    except Refusal as refusal:
        raise refusal.about(subject) from refusal


@contextmanager
def refuse_unforeseen() -> Iterator[None]:
    """Turns what no check foresaw in a hostile file into a refusal.

    A last resort; the torture tests count how often it is reached, which must be 0.
    """
    try:
        yield
    except UserError:
        raise
    except _UNFORESEEN as fault:
        raise Refusal(
            "malformed", f"the file is malformed ({type(fault).__name__})"
        ) from fault


def printable(path: object) -> str:
    """Returns a path, escaped if it has characters that control a terminal."""
    text = str(path)
    return text if text.isprintable() else quoted(text, limit=1000)


def quoted(value: object, limit: int = 80) -> str:
    """Returns text or a number from a file on one line, escaped and cut to a length.

    Of anything else it returns the type: nested values may be exponentially long.
    """
    if not isinstance(value, str | bytes | int | float):
        return type(value).__name__
    if isinstance(value, int) and value.bit_length() > _LARGEST_BITS:
        return f"a number of {value.bit_length()} bits"
    # repr escapes control characters; the slice comes first, against long texts.
    text = repr(value[:limit] if isinstance(value, str | bytes) else value)
    return text if len(text) <= limit + 3 else f"{text[:limit]}…"


def read_bounded(
    path: Path,
    most: int = limits.ARCHIVE_BYTES,
    *,
    code: str = "limit",
    what: str = "an agent",
) -> bytes:
    """Returns the bytes of a file that a user named, up to the largest size read.

    Args:
        path: of the file.
        most: bytes that it may have.
        code: of the refusal if it has more.
        what: it is, for messages.
    """
    try:
        return bounded_bytes(path, most)
    except NotPlain as fault:
        raise InputError(
            f"{what} must be a plain file, {printable(path)} is not; name the file "
            "itself or its folder"
        ) from fault
    except TooLarge as fault:
        raise Refusal(code, f"{printable(path)}: {fault}") from fault
    except OSError as fault:
        raise InputError(
            f"{printable(path)} cannot be read ({fault.strerror}); check its "
            "permissions"
        ) from fault


def parse_object(data: bytes) -> dict[str, Any]:
    """Returns a JSON object, with each key given once at every depth.

    Infinity passes, since trainers write it for limits that are off; code that uses a
    number checks that it is finite.

    Raises:
        Refusal: if it is not one, or breaks a limit.
    """
    try:
        value = parse_json(data, most=limits.JSON_BYTES, finite=False)
    except TooLarge as fault:
        raise Refusal("limit", str(fault)) from fault
    except ValueError as fault:
        text = quoted(str(fault), limit=200)
        raise Refusal("json", f"this is no strict JSON: {text}") from fault
    if not isinstance(value, dict):
        raise Refusal("json", f"the JSON must be an object, got {type(value).__name__}")
    return value
