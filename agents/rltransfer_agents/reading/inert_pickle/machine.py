"""Pickles from beginning to end."""

import io
from typing import Any

from rltransfer_agents.reading import limits
from rltransfer_agents.reading.inert_pickle.instruction_set import INSTRUCTIONS
from rltransfer_agents.reading.inert_pickle.opcodes import instructions
from rltransfer_agents.reading.inert_pickle.stack import Stack
from rltransfer_agents.reading.refusal import Refusal


def parse_pickle(data: bytes, *, persistent: bool = False) -> Any:
    """Returns what a pickle describes, as a tree.

    Args:
        data: exactly one pickle.
        persistent: whether parts may lie outside it, as tensors do in torch's files.

    Raises:
        Refusal: if it is damaged or does what no agent's pickle does.
    """
    if len(data) > limits.PICKLE_BYTES:
        raise Refusal(
            "limit", f"a pickle may have {limits.PICKLE_BYTES} bytes, got {len(data)}"
        )
    stream = io.BytesIO(data)
    tree = next_pickle(stream, persistent=persistent)
    if stream.read(1):
        raise Refusal("pickle", "the pickle goes on after its end")
    return tree


def next_pickle(stream: io.BytesIO, *, persistent: bool = False) -> Any:
    """Returns what the next pickle in a stream describes, as `parse_pickle` does."""
    stack = Stack(persistent=persistent)
    for name, argument in instructions(stream):
        INSTRUCTIONS[name](stack, argument)
    return stack.result()
