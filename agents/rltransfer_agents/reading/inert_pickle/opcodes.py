"""A pickle taken apart into its instructions."""

import io
import pickletools
from collections.abc import Iterator
from typing import Any

from rltransfer_agents.reading import limits
from rltransfer_agents.reading.refusal import Refusal, shown

# EXT codes look names up in a registry of the process, INST and OBJ call classes of
# Python 2, NEXT_BUFFER and PERSID take what lies outside: no agent needs any of them.
_REFUSED = {"EXT1", "EXT2", "EXT4", "INST", "OBJ", "NEXT_BUFFER", "READONLY_BUFFER"}
_REFUSED |= {"PERSID"}
_ACCEPTED = {
    operation.code.encode("latin-1"): operation
    for operation in pickletools.opcodes
    if operation.name not in _REFUSED
}


def instructions(stream: io.BytesIO) -> Iterator[tuple[str, Any]]:
    """Yields the name and argument of each instruction, up to and with STOP.

    Args:
        stream: where a pickle begins; it is left where the pickle ends.

    Raises:
        Refusal: if the pickle is damaged or uses an instruction no agent needs.
    """
    for _ in range(limits.PICKLE_OPCODES):
        code = stream.read(1)
        if code not in _ACCEPTED:
            reason = f"has instruction {shown(code)}" if code else "has no end"
            raise Refusal("pickle", f"the pickle {reason}, which no agent's has")
        operation = _ACCEPTED[code]
        argument = None
        if operation.arg is not None:
            try:
                argument = operation.arg.reader(stream)
            # Readers raise ValueError and its kind for anything cut off or malformed.
            except (ValueError, IndexError, OverflowError) as fault:
                raise Refusal(
                    "pickle", f"the pickle breaks off or is damaged at {operation.name}"
                ) from fault
        yield operation.name, argument
        if operation.name == "STOP":
            return
    raise Refusal(
        "limit",
        f"a pickle may have {limits.PICKLE_OPCODES} instructions, this one has more",
    )
