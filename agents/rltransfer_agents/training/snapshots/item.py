"""One part of a learner's state."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, final

from rltransfer_agents.training.algorithms import Learner


@final
@dataclass(frozen=True)
class Item:
    """How one part is taken from a learner and put into another."""

    take: Callable[[Learner], Any]
    """Gives None where a learner has no such part."""
    put: Callable[[Learner, Any], None]


def attributes(*names: str) -> Item:
    """Returns the item of plain attributes, of those that a learner has."""

    def take(learner: Learner) -> dict[str, Any]:
        return {
            name: getattr(learner, name) for name in names if hasattr(learner, name)
        }

    def put(learner: Learner, values: dict[str, Any]) -> None:
        require_names(values, take(learner))
        for name, value in values.items():
            setattr(learner, name, value)

    return Item(take, put)


def require_names(found: Mapping[str, Any], expected: Collection[str]) -> None:
    """Raises unless the names in `found` are those that are `expected`."""
    if found.keys() != set(expected):
        raise ValueError(f"expected {sorted(expected)}, got {list(found)}")
