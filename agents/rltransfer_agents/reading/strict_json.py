"""JSON without the freedoms that two readers may take differently."""

import json
import re
from typing import Any

from rltransfer_agents.reading import limits
from rltransfer_agents.reading.refusal import Refusal, shown

_BRACKETS_AND_TEXTS = re.compile(
    # Possessive, and content with an open end: linear in the length of any input.
    r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]',
    re.DOTALL,
)


def parse_object(data: bytes) -> dict[str, Any]:
    """Returns a JSON object, with each key given once at every depth.

    Numbers such as Infinity pass, since trainers write them for switched-off limits;
    whoever uses a number checks that it is finite.

    Raises:
        Refusal: if it is none, or breaks a limit.
    """
    if len(data) > limits.JSON_BYTES:
        raise Refusal(
            "limit", f"JSON may have {limits.JSON_BYTES} bytes, got {len(data)}"
        )
    try:
        text = data.decode()
        _check_depth(text)
        value = json.loads(text, object_pairs_hook=_object)
    except RecursionError as fault:
        raise _too_deep() from fault
    except ValueError as fault:
        if isinstance(fault, Refusal):
            raise
        raise Refusal("json", f"this is no JSON: {shown(str(fault))}") from fault
    if not isinstance(value, dict):
        raise Refusal("json", f"the JSON must be an object, got {type(value).__name__}")
    return value


def _check_depth(text: str) -> None:
    depth = 0
    for match in _BRACKETS_AND_TEXTS.finditer(text):
        bracket = match[0]
        if bracket in "[{":
            depth += 1
            if depth > limits.JSON_DEPTH:
                raise _too_deep()
        elif bracket in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise Refusal(
                    "json", f"a key may be given once, {shown(key)} is given twice"
                )
            seen.add(key)
    return entries


def _too_deep() -> Refusal:
    return Refusal("json", f"JSON may nest {limits.JSON_DEPTH} deep, this nests deeper")
