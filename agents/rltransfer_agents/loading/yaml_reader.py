"""RL Zoo's YAML as plain data: tags are read past, never obeyed."""

import re
from pathlib import Path
from typing import Any

import yaml

from rltransfer.errors import InputError
from rltransfer.io.strict_json import NotPlain, TooLarge, bounded_bytes
from rltransfer_agents.loading import limits
from rltransfer_agents.loading.refusal import Refusal, printable, quoted, refusals_about

_INTEGER = re.compile(r"[-+]?\d{1,18}")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}


def read_yaml(path: Path) -> dict[str, Any]:
    """Returns the top-level entries of a YAML file; an absent file has none.

    Raises:
        Refusal: if it is damaged, or breaks a limit.
    """
    if not path.is_file():
        return {}
    with refusals_about(printable(path)):
        value = parse_yaml(_bytes_of(path))
    return value if isinstance(value, dict) else {}


def parse_yaml(data: bytes) -> Any:
    """Returns what a YAML document describes, ordered dicts of Python as dicts."""
    if len(data) > limits.YAML_BYTES:
        raise Refusal("yaml", f"YAML may have {limits.YAML_BYTES} bytes")
    try:
        text = data.decode()
        _check_events(text)
        # Composing makes a graph of nodes; only constructing would call anything.
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except Refusal:
        raise
    except (yaml.YAMLError, ValueError, RecursionError) as fault:
        reason = quoted(str(fault).partition("\n")[0])
        raise Refusal("yaml", f"this is no YAML: {reason}") from fault
    return None if node is None else _Reader().value(node, depth=0)


def _bytes_of(path: Path) -> bytes:
    try:
        return bounded_bytes(path, limits.YAML_BYTES)
    except (NotPlain, TooLarge) as fault:
        raise Refusal("yaml", str(fault)) from fault
    except OSError as fault:
        raise InputError(
            f"{printable(path)} cannot be read ({fault.strerror}); check its "
            "permissions"
        ) from fault


def _check_events(text: str) -> None:
    # One after the other, since a few bytes that nest take the parser a second.
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        # A node has at most two events, and a document four of its own.
        if count > 2 * limits.YAML_NODES or depth > limits.JSON_DEPTH:
            raise _too_much()


def _too_much() -> Refusal:
    return Refusal(
        "yaml",
        f"YAML may have {limits.YAML_NODES} values, {limits.JSON_DEPTH} deep at most",
    )


class _Reader:
    """Counts nodes on the way, since aliases can make few look like many."""

    def __init__(self) -> None:
        self._seen = 0

    def value(self, node: yaml.Node, depth: int) -> Any:
        """Returns the plain value of a node."""
        self._seen += 1
        if self._seen > limits.YAML_NODES or depth > limits.JSON_DEPTH:
            raise _too_much()
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if isinstance(node, yaml.MappingNode):
            return self._entries(node.value, depth)
        parts = node.value
        if node.tag.endswith("python/object/apply:collections.OrderedDict"):
            pairs = parts[0].value if parts else []
            return self._entries([_pair(pair) for pair in pairs], depth)
        return [self.value(part, depth + 1) for part in parts]

    def _entries(self, pairs: list[Any], depth: int) -> dict[str, Any]:
        entries = {}
        for key, value in pairs:
            if not isinstance(key, yaml.ScalarNode):
                raise Refusal("yaml", "keys must be plain words")
            entries[key.value] = self.value(value, depth + 1)
        return entries


def _pair(node: Any) -> list[Any]:
    if not isinstance(node, yaml.SequenceNode) or len(node.value) != 2:
        raise Refusal("yaml", "an ordered dict must consist of pairs")
    return list(node.value)


def _scalar(node: yaml.ScalarNode) -> Any:
    text = node.value
    if node.style is not None:
        return text  # quoted: a word, whatever it looks like
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text
