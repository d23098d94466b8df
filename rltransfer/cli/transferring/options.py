"""What one transfer is asked for."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from rltransfer.cli.environments import EnvironmentChoice, Stepping
from rltransfer.cli.options import FEWEST_EPISODES, require_at_least, require_seed
from rltransfer.errors import InputError

DEFAULT_BUDGET = 3_000


@final
@dataclass(frozen=True)
class TransferOptions:
    """Checked as far as that needs neither files nor environments."""

    sources: tuple[Path, ...]
    target: EnvironmentChoice
    source_environments: tuple[str, ...] = ()
    """None, one for all sources, or one for each."""
    digests: tuple[str, ...] = ()
    """SHA-256 that the sources must have; none, or one for each."""
    budget: int = DEFAULT_BUDGET
    """Target steps, all told."""
    seed: int = 0
    log_folder: Path = Path("runs")
    episodes: int = FEWEST_EPISODES
    """Fresh ones for each reported figure; they choose nothing."""
    progress: bool = False
    tensorboard_folder: Path | None = None
    stepping: Stepping = field(default_factory=Stepping)

    def __post_init__(self) -> None:
        require_at_least("--n-timesteps", self.budget, 1)
        reason = "figures on fewer say little"
        require_at_least("--episodes", self.episodes, FEWEST_EPISODES, reason)
        require_seed(self.seed)
        named = len(self.source_environments)
        if named > 1 and named != len(self.sources):
            raise InputError(
                "--env is given once, or once for each --source, got "
                f"{named} for {len(self.sources)}; name one for each"
            )
        if self.digests and len(self.digests) != len(self.sources):
            raise InputError(
                "--sha256 is given once for each --source, got "
                f"{len(self.digests)} for {len(self.sources)}; name one for each"
            )

    @property
    def share(self) -> int:
        """Target steps that each source may use."""
        return self.budget // len(self.sources)

    def source_environment(self, place: int) -> str | None:
        """Returns the environment named for the source at `place`, if one is."""
        if len(self.source_environments) > 1:
            return self.source_environments[place]
        return next(iter(self.source_environments), None)

    def digest(self, place: int) -> str | None:
        """Returns the SHA-256 that the source at `place` must have, if one is given."""
        return self.digests[place] if self.digests else None
