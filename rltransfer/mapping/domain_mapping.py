"""The networks between two domains."""

from typing import Any, final

from typing_extensions import override

from rltransfer.mapping.networks import Network, describe, network_of
from rltransfer.mapping.stacking import Stackable, common_copies


@final
class DomainMapping(Stackable):
    """Maps target states and target actions to the source.

    Args:
        state: target state to source state.
        action: target action to source action; `None` where they are the same.
    """

    def __init__(self, state: Network, action: Network | None = None) -> None:
        super().__init__()
        self.state = state
        self.action = action
        common_copies(self.children())  # raises where the two disagree

    @property
    @override
    def copies(self) -> int | None:
        return common_copies(self.children())

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {
            "state": describe(self.state),
            "action": None if self.action is None else describe(self.action),
        }

    @classmethod
    @override
    def build(cls, settings: dict[str, Any]) -> "DomainMapping":
        action = settings["action"]
        return cls(
            network_of(settings["state"]),
            None if action is None else network_of(action),
        )
