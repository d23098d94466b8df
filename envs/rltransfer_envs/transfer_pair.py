"""What a named pair is: a source, a target, goals, and what scratch needs there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, final

SCRAMBLED = "rltransfer/Scrambled-v0"
SENSORS = "rltransfer/Sensors-v0"
CAMERA = "rltransfer/Camera-v0"


@final
@dataclass(frozen=True, eq=False)
class Agent:
    """An agent, and how `train_source` makes one where none is at hand."""

    env_id: str
    algorithm: Literal["a2c", "dqn", "ppo", "sac", "td3"]
    steps: int
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    hyperparams: Mapping[str, Any] = field(default_factory=dict)
    """Those that differ from the tuned ones."""
    kind: Literal["", "weak", "random"] = ""
    """Why it is no expert; such agents lie in a folder of that name."""


@final
@dataclass(frozen=True)
class Goal:
    """What the median zero-shot return over seeds must reach."""

    of: Literal["return", "home", "expert", "unmapped"]
    """Where the goal lies: at a return; on the way from random actions to the source at
    home, or to the expert in the target; or at a multiple of what the source earns in
    the target as it is."""
    threshold: float

    def __str__(self) -> str:
        amount = f"≥ {self.threshold:g}"
        return amount if self.of == "return" else f"{amount} of {self.of}"


@final
@dataclass(frozen=True, eq=False)
class Learning:
    """What was known of learning from scratch in a target before anything was run."""

    scratch: Agent
    """How Stable-Baselines3 learns it best; `steps` as below, of that."""
    student: Literal["dqn", "sac", "td3"] | None
    """The learner of `--improve`, where it needs fewer steps than that: then this is
    what learns from scratch, and what transfer has to beat."""
    steps: int
    """Median of three seeds, of the faster of both, to two evaluations running at the
    threshold."""
    alignment_steps: int
    """Of these alignment may take so many, chosen on seeds 20 to 23: what scratch
    learns fast leaves little time to find a mapping."""
    threshold: float
    """Mean return that counts as solved."""
    random: float
    """Mean return of random actions: 0 of a normalised return."""
    final: float
    """What scratch comes to: 1 of a normalised return."""
    seconds: float
    """That scratch takes for the budget on one core, roughly."""
    origin: str
    """Where the numbers come from."""

    @property
    def tuned_scratch(self) -> str:
        """Who learns from scratch, for tables."""
        return (
            f"our {self.student}" if self.student else f"SB3's {self.scratch.algorithm}"
        )

    @property
    def budget(self) -> int:
        """Target steps of every strategy, alignment's included."""
        return 3 * self.steps


@final
@dataclass(frozen=True, eq=False)
class Pair:
    """A source, a target, and the goals of a transfer between them."""

    name: str
    source: Agent
    target: str
    budget: int
    """Steps in the target, all counted; a hard limit."""
    goals: tuple[Goal, ...]
    """Of the zero-shot return; all have to be reached."""
    notes: str
    target_kwargs: Mapping[str, Any] = field(default_factory=dict)
    """All but the seed of sensors and motors, which `target_options` adds."""
    expert: Agent | None = None
    """Trained in the target itself."""
    same_reward: bool = True
    """Whether source and target pay for the same, so that returns compare."""
    refusal: Literal["wrong", "allowed", "right"] = "wrong"
    """What to think of a mapping that is refused: `allowed` is as good as the goals."""
    learning: Learning | None = None
    """How learning on is measured; None where it is not."""
    mapping: Literal["found", "spoilt", "wrong"] = "found"
    """What acts: the found mapping, or what was made of it on purpose."""
    target_of: str = ""
    """Another pair with this very target: learning from scratch is the same in both."""
    weak_source: bool = False
    """Whether the source may be no better than random actions at home."""

    @property
    def unmapped(self) -> Agent:
        """Who acts in the target without a mapping, to compare with."""
        return self.expert or self.source

    @property
    def drawn(self) -> bool:
        """Whether the target differs from seed to seed."""
        return self.target in (SCRAMBLED, SENSORS, CAMERA)

    def target_options(self, seed: int) -> dict[str, Any]:
        """Returns the target's keyword arguments; `seed` is of what is drawn."""
        return {**self.target_kwargs, **({"seed": seed} if self.drawn else {})}
