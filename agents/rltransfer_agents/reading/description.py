"""What can be said about a file, for people."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import final


@final
@dataclass(frozen=True)
class Refused:
    """A part that cannot be used, and why."""

    part: str
    code: str
    reason: str


@final
@dataclass(frozen=True)
class ArtifactDescription:
    """All that can be said about a file without running it; None where unknown."""

    path: Path
    kind: str
    """Such as "Stable-Baselines3 checkpoint"."""
    sha256: str
    size: int
    """In bytes."""
    algorithm: str | None = None
    policy_class: str | None = None
    environment: str | None = None
    """As the files call it."""
    environment_id: str | None = None
    """The registered id that this means."""
    nearest_id: str | None = None
    """The registered id most like it, where it means none; a suggestion."""
    observation_space: str | None = None
    action_space: str | None = None
    network: tuple[str, ...] = ()
    """Its layers, from observation to action."""
    hidden_parameters: int | None = None
    """Numbers in its hidden layers."""
    normalisation: str | None = None
    statistics_path: Path | None = None
    statistics_sha256: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    steps: int | None = None
    seed: int | None = None
    members: tuple[tuple[str, int], ...] = ()
    """Names and sizes of the files inside."""
    ignored: tuple[str, ...] = ()
    """Fields that are not read; pickled ones are marked."""
    refused: tuple[Refused, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether the file can serve as an agent."""
        return not self.refused and self.algorithm is not None
