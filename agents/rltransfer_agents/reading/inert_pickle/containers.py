"""What a pickle does to the lists, dicts and objects it has made."""

from typing import Any

from rltransfer_agents.reading.inert_pickle.trees import Call
from rltransfer_agents.reading.refusal import Refusal

# Larger numbers are no keys in any agent, but could be chosen to collide in a dict.
_LARGEST_KEY = 1 << 32
# Two long texts that are equal are compared anew each time one meets the other.
_LONGEST_KEY = 1000


def set_items(container: Any, flat: list[Any]) -> None:
    """Sets entries, given as keys and values in turn."""
    entries = container.items if isinstance(container, Call) else container
    if not isinstance(entries, dict) or len(flat) % 2:
        raise broken("it sets entries of what is no dict")
    for key, value in zip(flat[::2], flat[1::2], strict=True):
        if not _is_key(key):
            raise broken(f"it uses a {type(key).__name__} as a key")
        entries[key] = value


def _is_key(key: Any) -> bool:
    if isinstance(key, int):
        return -_LARGEST_KEY < key < _LARGEST_KEY
    if isinstance(key, str | bytes):
        return len(key) <= _LONGEST_KEY
    return key is None


def extend(container: Any, values: list[Any]) -> None:
    """Appends values."""
    elements = container.elements if isinstance(container, Call) else container
    if not isinstance(elements, list):
        raise broken("it appends to what is no list")
    elements.extend(values)


def broken(reason: str) -> Refusal:
    """Returns the refusal of a pickle that contradicts itself."""
    return Refusal("pickle", f"the pickle is damaged: {reason}")
