"""A small student of a mapped policy, and how much of the return it keeps."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from gymnasium import spaces
from rich.console import RenderableType
from typing_extensions import override

from rltransfer.argument_checks import require_at_least, require_seed
from rltransfer.domain import Domain, Policy, StickyRandomPolicy
from rltransfer.errors import InputError
from rltransfer.mapping import FitConfig
from rltransfer.one_thread import one_thread
from rltransfer.random_streams import RandomStreams
from rltransfer.report import Result
from rltransfer.report.tables import facts
from rltransfer.translation import MappedPolicy
from rltransfer.workflows.environments import Stepping
from rltransfer.workflows.policy_loading import load_agent, opened_home
from rltransfer.workflows.run_experience import EXPERIENCE, RunExperience
from rltransfer.wrappers import StepTimeout
from rltransfer_agents.export.distillation import FIT, Distillation, StudentShape
from rltransfer_agents.export.multiplications import of_policy
from rltransfer_agents.loading.refusal import printable
from rltransfer_agents.policies import FrozenPolicy

KEPT = 0.99
"""Share of the mapped policy's return that a student must keep."""
STEPS, EPISODES = 10_000, 100
_ROUNDS = 4
"""In which target steps are taken, each with the student of the one before."""
_USES = ("network", "acting", "check", "random")


@final
@dataclass(frozen=True)
class DistilConfig:
    """How a student is made."""

    width: int
    """Of each of its two hidden layers."""
    steps: int = STEPS
    """Target steps to learn from, beside those that the run keeps."""
    episodes: int = EPISODES
    """Of the check, for each of the three that act."""
    seed: int = 0
    force: bool = False
    """Whether a student that keeps less is written all the same."""
    stepping: Stepping = field(default_factory=Stepping)
    fit: FitConfig = FIT
    """Of the first round."""

    def __post_init__(self) -> None:
        require_at_least("--distil", self.width, 1)
        require_at_least("-n", self.steps, 0)
        require_at_least("--episodes", self.episodes, 1)
        require_seed(self.seed)


@final
@dataclass(frozen=True, eq=False)
class Distilled(Result):
    """A student, and what it keeps."""

    student: FrozenPolicy
    width: int
    kept_rows: int
    """Of the run, from which it learned."""
    target_steps: int
    """Taken to learn from, beside them."""
    checked_steps: int
    """Of the episodes behind the returns: nothing was learned from them."""
    episodes: int
    returns: dict[str, float]
    """Means over the same starts, of `random`, `mapped` and `student`."""
    multiplications: dict[str, int]
    """Of one `predict`, of `mapped` and `student`."""

    @property
    def share(self) -> float | None:
        """(student - random) / (mapped - random); None where mapped is not above."""
        low, whole, part = (
            self.returns[name] for name in ("random", "mapped", "student")
        )
        return (part - low) / (whole - low) if whole > low else None

    @property
    def cost(self) -> float:
        """Share of the multiplications."""
        return self.multiplications["student"] / self.multiplications["mapped"]

    @override
    def as_json(self) -> dict[str, Any]:
        """Returns all figures."""
        names = ("width", "kept_rows", "target_steps", "checked_steps", "episodes")
        told = {name: getattr(self, name) for name in names}
        figures = {"returns": self.returns, "multiplications": self.multiplications}
        return {**told, **figures, "share": self.share, "cost": self.cost}

    @override
    def __rich__(self) -> RenderableType:
        """Returns the same in words."""
        return facts(self.entries)

    @property
    def entries(self) -> list[tuple[str, object]]:
        """Named lines of a table."""
        count = self.multiplications
        return [
            ("keeps", self.kept_text),
            (
                "costs",
                f"{count['student']:,} of {count['mapped']:,} multiplications a step "
                f"({self.cost:.3f})",
            ),
            (
                "learned from",
                f"{self.kept_rows:,} steps that the run keeps and "
                f"{self.target_steps:,} further target steps",
            ),
            ("checked in", f"{self.checked_steps:,} target steps, not learned from"),
        ]

    @property
    def kept_text(self) -> str:
        """What it keeps of the return, in words."""
        means = (f"{name} {mean:.1f}" for name, mean in self.returns.items())
        share = "none" if self.share is None else f"{self.share:.3f}"
        return (
            f"{share} of what the mapped policy earns above random, over "
            f"{self.episodes} episodes each ({', '.join(means)})"
        )


def distil(run: Path, config: DistilConfig, sha256: str | None = None) -> Distilled:
    """Returns a student of the mapped policy of a transfer, and checks it.

    It learns from the steps that the run keeps, and then, in rounds, from steps that
    the student takes in the target; the mapped policy says what it does in all of them.

    Args:
        run: folder of the transfer, which acts through a map.
        config: how.
        sha256: of the source's file, which must be this.

    Raises:
        InputError: the policy cannot be distilled, there is nothing to learn from, or
            the student keeps too little.
    """
    loaded = load_agent(run, sha256=sha256)
    policy, observations = loaded.policy, loaded.observation_space
    pictured = isinstance(policy, MappedPolicy) and policy.pictured
    vectors = isinstance(observations, spaces.Box) or pictured
    if not isinstance(policy, MappedPolicy) or not vectors:
        raise InputError(
            "a student is distilled of the mapped policy of a transfer, "
            f"{printable(run)} acts as another kind; export it without --distil"
        )
    if policy.pictured:
        raise InputError(
            "a student sees vectors, this mapping is of pictures; act with "
            "rltransfer.load_agent instead"
        )
    if policy.history.steps > 1:
        raise InputError(
            "a student sees one observation, this mapping is of the last "
            f"{policy.history.steps}; act with rltransfer.load_agent instead"
        )
    if not isinstance(loaded.action_space, spaces.Box | spaces.Discrete):
        raise InputError(
            "a student has Discrete actions or a Box, the target of "
            f"{printable(run)} has {loaded.action_space}; act with "
            "rltransfer.load_agent instead"
        )
    count = of_policy(policy, loaded.action_space)
    streams = RandomStreams(config.seed, *_USES)
    with (
        one_thread(),
        opened_home(loaded, config.stepping) as (domain, _),
        StepTimeout(config.stepping.step_seconds).active() as timeout,
    ):
        domain.use_timeout(timeout)
        seen = np.zeros((0, domain.observation_size), np.float32)
        if (run / EXPERIENCE).is_file():
            kept = RunExperience.read(run, policy, domain.actions.discrete)
            seen = kept.rows.observation.numpy()
        shape = StudentShape(observations, loaded.action_space, config.width)
        generator = torch.Generator().manual_seed(streams.integer("network"))
        learning = Distillation(policy, shape, generator, config.fit)
        _learn(learning, policy, domain, seen, config.steps, streams)
        student = learning.student
        random = StickyRandomPolicy(
            domain.actions, streams.generator("random"), longest=1
        )
        acting: dict[str, Policy] = {
            "random": random,
            "mapped": policy,
            "student": student,
        }
        returns = {
            name: float(
                domain.evaluate(
                    who, episodes=config.episodes, seed=streams.integer("check")
                ).mean()
            )
            for name, who in acting.items()
        }
        found = Distilled(
            student,
            config.width,
            len(seen),
            domain.budget.used,
            sum(domain.budget.reported.values()),
            config.episodes,
            returns,
            {"mapped": count, "student": of_policy(student, loaded.action_space)},
        )
    if not config.force:
        require_kept(found)
    return found


def require_kept(found: Distilled) -> None:
    """Raises unless a student keeps enough of the return."""
    if found.share is None or found.share < KEPT:
        raise InputError(
            f"a student must keep {KEPT} of the return, one of width {found.width} "
            f"keeps {found.kept_text}; raise --distil or -n, or take it with --force"
        )


def _learn(
    learning: Distillation,
    policy: MappedPolicy,
    domain: Domain,
    seen: Any,
    steps: int,
    streams: RandomStreams,
) -> None:
    """Teaches a student by the rows that were kept, and by `steps` further ones."""
    if not len(seen) and not steps:
        raise InputError(
            "a student learns from steps, this run keeps none and -n is 0: raise -n"
        )
    if len(seen):
        learning.learn(seen)
    ends = np.linspace(0, steps, _ROUNDS + 1).astype(int)
    for number, count in enumerate(np.diff(ends)):
        if not count:
            continue
        rollout = domain.collect(
            learning.student if learning.rows else policy,
            purpose="distillation",
            seed=streams.integer("acting") + number,
            steps=int(count),
        )
        learning.learn(rollout.transitions.observation.numpy())
