"""RL Zoo's YAML as plain data, in one pass: no tag ever calls anything."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, final

import yaml

from rltransfer_agents.loading import limits
from rltransfer_agents.loading.refusal import (
    Refusal,
    printable,
    quoted,
    read_bounded,
    refusals_about,
)

# Words that are numbers for `yaml.safe_load`, with which RL Zoo reads, are so here.
_RESOLVER: Any = yaml.resolver.Resolver()
_CONSTRUCTOR = yaml.constructor.SafeConstructor()
_PLAIN: dict[str, Callable[[yaml.ScalarNode], Any]] = {
    "tag:yaml.org,2002:null": lambda node: None,
    "tag:yaml.org,2002:bool": _CONSTRUCTOR.construct_yaml_bool,
    "tag:yaml.org,2002:int": _CONSTRUCTOR.construct_yaml_int,
    "tag:yaml.org,2002:float": _CONSTRUCTOR.construct_yaml_float,
}


def read_yaml(path: Path) -> dict[str, Any]:
    """Returns the top-level entries of a YAML file; an absent file has none.

    Raises:
        Refusal: if it is damaged, or breaks a limit.
    """
    if not path.is_file():
        return {}
    data = read_bounded(path, limits.YAML_BYTES, code="yaml")
    with refusals_about(printable(path)):
        value = parse_yaml(data)
    return value if isinstance(value, dict) else {}


def parse_yaml(data: bytes) -> Any:
    """Returns what a YAML document describes, ordered dicts of Python as dicts.

    Raises:
        Refusal: if it is damaged, or breaks a limit.
    """
    if len(data) > limits.YAML_BYTES:
        raise Refusal("yaml", f"YAML may have {limits.YAML_BYTES} bytes")
    try:
        # Only constructing objects would call anything; events are text.
        return _Document(yaml.parse(data.decode(), Loader=yaml.SafeLoader)).value()
    except Refusal:
        raise
    except (yaml.YAMLError, ValueError, RecursionError) as fault:
        reason = quoted(str(fault).partition("\n")[0])
        raise Refusal("yaml", f"this is no YAML: {reason}") from fault


@final
class _Document:
    """Reads one event after the other, since nesting is slow for the parser.

    An alias stands for all that it repeats, since few of them can make a small file
    look like a huge one.
    """

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._values = 0
        self._deepest = 0
        self._anchors: dict[str, tuple[Any, int, int]] = {}
        """What aliases stand for: the value, how many it holds and how deep."""

    def value(self) -> Any:
        """Returns the value of the only document."""
        found: list[Any] = []
        for event in self._events:
            if isinstance(event, yaml.NodeEvent):
                if found:
                    raise Refusal("yaml", "a file may hold one YAML document")
                found.append(self._value(event, 0))
        return found[0] if found else None

    def _value(self, event: Any, depth: int) -> Any:
        before, outer = self._values, self._deepest
        self._deepest = depth
        self._count(1, depth)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise Refusal("yaml", "an alias must follow what it repeats")
            value, count, height = self._anchors[event.anchor]
            self._count(count, depth + height)
        elif isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = list(self._parts(yaml.SequenceEndEvent, depth))
            if (event.tag or "").endswith("apply:collections.OrderedDict"):
                value = _ordered(value)
        else:
            parts = list(self._parts(yaml.MappingEndEvent, depth))
            value = _entries(parts[::2], parts[1::2])
        if event.anchor is not None:
            height = self._deepest - depth
            self._anchors[event.anchor] = value, self._values - before, height
        self._deepest = max(outer, self._deepest)
        return value

    def _parts(self, end: type[yaml.Event], depth: int) -> Iterator[Any]:
        for event in self._events:
            if isinstance(event, end):
                return
            yield self._value(event, depth + 1)

    def _count(self, values: int, depth: int) -> None:
        self._values += values
        self._deepest = max(self._deepest, depth)
        if self._values > limits.YAML_NODES or depth > limits.JSON_DEPTH:
            raise Refusal(
                "yaml",
                f"YAML may have {limits.YAML_NODES} values, {limits.JSON_DEPTH} deep "
                "at most",
            )


def _ordered(parts: list[Any]) -> dict[Any, Any]:
    pairs = parts[0] if parts else []
    if not isinstance(pairs, list) or not all(
        isinstance(pair, list) and len(pair) == 2 for pair in pairs
    ):
        raise Refusal("yaml", "an ordered dict must consist of pairs")
    return _entries([key for key, _ in pairs], [value for _, value in pairs])


def _entries(keys: list[Any], values: list[Any]) -> dict[Any, Any]:
    if any(isinstance(key, list | dict) for key in keys):
        raise Refusal("yaml", "keys must be plain words")
    return dict(zip(keys, values, strict=True))


def _scalar(event: yaml.ScalarEvent) -> Any:
    text: str = event.value
    if event.style is not None:
        return text  # quoted: a word, whatever it looks like
    tag = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))
    if tag not in _PLAIN:
        return text
    value = _PLAIN[tag](yaml.ScalarNode(tag, text))
    # Python does not write out very large numbers, which 0x lets through.
    if isinstance(value, int) and value.bit_length() > limits.YAML_NUMBER_BITS:
        raise Refusal("yaml", f"a number may have {limits.YAML_NUMBER_BITS} bits")
    return value
