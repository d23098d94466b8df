"""What a finished transfer says it was made from, in its manifest."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, final

from pydantic import ConfigDict, TypeAdapter, ValidationError

from rltransfer.io import FirstError
from rltransfer.workflows.environment_choice import EnvironmentChoice
from rltransfer_agents.loading.environment_spec import (
    require_harmless,
    require_registered,
)
from rltransfer_agents.loading.hub import is_on_hub
from rltransfer_agents.loading.refusal import Refusal


@final
@dataclass(frozen=True)
class TransferSettings:
    """The settings in the manifest of a transfer, of the right types."""

    __pydantic_config__: ClassVar[ConfigDict] = {"extra": "forbid"}

    target: str
    target_kwargs: dict[str, Any]
    source: str
    source_env: str
    source_kwargs: dict[str, Any]
    source_sha256: str
    budget: int

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "TransferSettings":
        """Returns settings that were read, or raises."""
        try:
            told = _ADAPTER.validate_python(dict(settings))
        except ValidationError as fault:
            where = FirstError.of(fault).where
            raise Refusal(
                "manifest", f"its settings are not of a transfer ({where})"
            ) from fault
        if is_on_hub(told.source):
            # What was fetched is named by its place in the cache.
            raise Refusal("manifest", "its agent must lie on this disk, not on the hub")
        return told

    @property
    def agent(self) -> Path:
        """Where the agent lay."""
        return Path(self.source)

    def target_choice(self, typed: Collection[str]) -> EnvironmentChoice:
        """Returns where it acts; raises where that is not for a file to say.

        Args:
            typed: what the user typed about environments.
        """
        return _choice(self.target, self.target_kwargs, typed)

    def source_choice(self, typed: Collection[str]) -> EnvironmentChoice:
        """Returns where its agent is at home, as `target_choice` does."""
        return _choice(self.source_env, self.source_kwargs, typed)


_ADAPTER = TypeAdapter(TransferSettings)


def _choice(
    env_id: str, kwargs: Mapping[str, Any], typed: Collection[str]
) -> EnvironmentChoice:
    return EnvironmentChoice(
        require_registered(env_id, typed=typed), require_harmless(kwargs, typed=typed)
    )
