"""The jobs of a benchmark as plain data: a pair, a strategy and a seed.

The seed is both the scramble's and the run's. A job needs the agents that it names, and
`rltransfer.workflows.benchmark_runs` runs it.
"""

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, final

import gymnasium as gym

from rltransfer import __version__
from rltransfer.errors import InputError
from rltransfer.io import storage_faults
from rltransfer_agents.learning_on import STRATEGIES as LEARNED_ON
from rltransfer_agents.training.train_config import TrainConfig
from rltransfer_agents.training.training_run import train_source
from rltransfer_envs.pairs import Agent, Learning, Pair

_POINTS = 50
_QUICKER = 5
"""Times fewer learning steps and points, to see whether all works."""
_LEAST_EPISODES, _USUAL_LIMIT = 10, 200
"""Of learning, however quick: with fewer it is refused."""


JobKey: TypeAlias = tuple[str, str, int, int, int, bool, str]


@final
@dataclass(frozen=True)
class Strategy:
    """A way to get a policy for the target."""

    learner: str | None
    """Who learns: `scratch`, or what `transfer` knows by that name; None: nobody."""
    source: Literal["own", "random"] | None = "own"
    """Which source it begins from."""
    mapping: Literal["shuffled"] | None = None
    """What is made of the mapping; by default what the pair says."""
    run: "Callable[[Job], dict[str, Any]] | None" = None
    """Runs a job of it, where the package does not."""


STRATEGIES: Mapping[str, Strategy] = MappingProxyType(
    {
        "zero-shot": Strategy(None),
        "scratch": Strategy("scratch", source=None),
        **{name: Strategy(name) for name in LEARNED_ON if name != "scratch"},
        "random-source": Strategy("hold", source="random"),
        "shuffled-map": Strategy("hold", mapping="shuffled"),
    }
)
"""Scratch is tuned and knows nothing of transfers. The last two are controls: what a
source that knows nothing, or a map that is wrong, does to learning."""
_PEERS: dict[str, Strategy] = {}


def register_peer(name: str, run: "Callable[[Job], dict[str, Any]]") -> None:
    """Adds somebody else's zero-shot method to the strategies, in this process.

    Args:
        name: by which `benchmark` knows it.
        run: as `rltransfer.workflows.benchmark_runs.zero_shot`: may take the pair's
            steps in its target, all counted, and returns what that does. It is pickled,
            so it is a function of a module.

    Raises:
        InputError: another strategy has the name.
    """
    if name in STRATEGIES or _PEERS.get(name, Strategy(None, run=run)).run is not run:
        raise InputError(
            f"each strategy has a name of its own, {name!r} is taken; choose another"
        )
    _PEERS[name] = Strategy(None, run=run)


def known_strategies() -> dict[str, Strategy]:
    """Returns all strategies by name, and then the peers that were registered."""
    return {**STRATEGIES, **_PEERS}


@final
@dataclass(frozen=True)
class Job:
    """What has to be known to run one part of a benchmark."""

    pair: Pair
    strategy: str
    """A name in `known_strategies`."""
    seed: int
    folder: Path
    """Where sources are, and where the job has a folder of its own."""
    quick: bool = False
    peer: Strategy | None = None
    """What its strategy does, where that is a peer: who runs it knows no names."""

    @property
    def key(self) -> JobKey:
        """All that decides what comes out; another version measures anew."""
        steps = self.alignment_steps, self.budget
        shared = self.pair.target_of if self.way.source is None else ""
        return (
            *(shared or self.pair.name, self.strategy, self.seed),
            *(*steps, self.quick, __version__),
        )

    @property
    def way(self) -> Strategy:
        """What its strategy does."""
        return self.peer or STRATEGIES[self.strategy]

    @property
    def name(self) -> str:
        """What users call it."""
        return f"{self.pair.name}, {self.strategy}, seed {self.seed}"

    @property
    def budget(self) -> int:
        """Target steps, alignment's included; 0 where nothing is learned."""
        learning = self.pair.learning
        if learning is None or self.way.learner is None:
            return 0
        if not self.quick:
            return learning.budget
        # Alignment takes what it takes, and something must be left to learn from.
        options, spec = self.pair.target_kwargs, gym.registry.get(self.pair.target)
        limit = options.get("max_episode_steps", spec and spec.max_episode_steps)
        least = _LEAST_EPISODES * (limit or _USUAL_LIMIT)
        return max(learning.budget // _QUICKER, self.alignment_steps + least)

    @property
    def alignment_steps(self) -> int:
        """Target steps that alignment may take; all where nobody learns."""
        learning = self.pair.learning
        if learning is None or self.way.learner is None:
            return self.pair.budget
        return learning.alignment_steps

    @property
    def points(self) -> int:
        """Of the learning curve."""
        return _POINTS // (_QUICKER if self.quick else 1)

    @property
    def learning(self) -> Learning:
        """What is known of the pair's target; only jobs that learn ask for it."""
        if self.pair.learning is None:
            raise ValueError(f"{self.pair.name} is not learned on")
        return self.pair.learning

    @property
    def own_folder(self) -> Path:
        """Where it works."""
        return self.folder / "jobs" / "-".join(map(str, self.key[:3]))

    @property
    def source(self) -> Agent | None:
        """Whom it begins from."""
        source = self.pair.source
        if self.way.source == "random":
            # So small that the weights stay as they were drawn.
            settings = {**source.hyperparams, "learning_rate": 1e-12}
            return replace(source, steps=1_100, hyperparams=settings, kind="random")
        return source if self.way.source == "own" else None

    @property
    def compares(self) -> bool:
        """Whether an agent that needs no mapping acts in the target as well."""
        kinds = {goal.of for goal in self.pair.goals}
        return self.way.learner is None and bool(kinds & {"unmapped", "expert"})

    @property
    def agents(self) -> tuple[Agent, ...]:
        """Agents that must be there before it."""
        compared = self.pair.unmapped if self.compares else None
        return tuple(agent for agent in (self.source, compared) if agent is not None)


def missing_sources(jobs: Iterable[Job]) -> list[tuple[Agent, Path]]:
    """Returns the agents that jobs need and that are not there, each once."""
    wanted = {
        folder_of(agent, job.folder): (agent, job.folder)
        for job in jobs
        for agent in job.agents
    }
    return [found for folder, found in wanted.items() if not folder.exists()]


def folder_of(agent: Agent, folder: Path) -> Path:
    """Returns the run folder of an agent, whether it is there or not."""
    name = f"{agent.env_id.replace('/', '-')}_1"
    return folder / agent.kind / agent.algorithm / name


def train_agent(agent: Agent, folder: Path) -> None:
    """Trains an agent into `folder_of` it, where it appears when it is finished."""
    place = folder_of(agent, folder)
    if place.exists():
        return  # by one whose worker was lost before it could say so
    work = folder / "jobs" / f"{agent.kind}{agent.algorithm}-{agent.env_id}"
    run = train_source(
        TrainConfig(
            env_id=agent.env_id,
            algorithm=agent.algorithm,
            log_folder=work,
            steps=agent.steps,
            env_kwargs=agent.env_kwargs,
            hyperparameters=agent.hyperparams,
        )
    )
    with storage_faults(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        run.folder.rename(place)
        shutil.rmtree(work, ignore_errors=True)
