"""JSON without the freedoms that two readers may take differently."""

from typing import Any

from rltransfer.io.strict_json import TooLarge, parse_json
from rltransfer_agents.reading import limits
from rltransfer_agents.reading.refusal import Refusal, shown


def parse_object(data: bytes) -> dict[str, Any]:
    """Returns a JSON object, with each key given once at every depth.

    Numbers such as Infinity pass, since trainers write them for switched-off limits;
    whoever uses a number checks that it is finite.

    Raises:
        Refusal: if it is none, or breaks a limit.
    """
    try:
        value = parse_json(data, most=limits.JSON_BYTES, finite=False)
    except TooLarge as fault:
        raise Refusal("limit", str(fault)) from fault
    except ValueError as fault:
        text = shown(str(fault), limit=200)
        raise Refusal("json", f"this is no strict JSON: {text}") from fault
    if not isinstance(value, dict):
        raise Refusal("json", f"the JSON must be an object, got {type(value).__name__}")
    return value
