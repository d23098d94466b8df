"""The returns of an agent or of a transfer in fresh episodes."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from typing_extensions import override

from rltransfer.argument_checks import (
    EPISODE_CAP,
    REPORTED_EPISODES,
    STEP_SECONDS,
    VecEnv,
    require_at_least,
    require_seed,
)
from rltransfer.errors import UserError
from rltransfer.evaluation import ReturnSummary, summarise
from rltransfer.report import Result
from rltransfer.report.tables import facts, returns_table
from rltransfer.workflows.adaptation import Adaptation, adapting
from rltransfer.workflows.environments import (
    EnvironmentChoice,
    MakeEnv,
    Stepping,
    domain_of,
)
from rltransfer.workflows.policy_loading import (
    MADE_FOR,
    NAME_ENVIRONMENT,
    AgentLike,
    environment_of,
    load_agent,
    opened_home,
)
from rltransfer.workflows.progress_bars import progress_bars
from rltransfer.wrappers import SEEDS_IGNORED, StepTimeout
from rltransfer_agents.loading import LoadedPolicy
from rltransfer_agents.loading.agent_files import StatisticsChoice


@final
@dataclass(frozen=True, eq=False)
class EvaluationResult(Result):
    """Fresh episodes of one policy in one environment."""

    agent: LoadedPolicy
    notes: tuple[str, ...]
    """What a reader of the figures should know."""
    environment: EnvironmentChoice
    seed: int
    returns: NDArray[np.float64]
    """Undiscounted, as the environment pays them; shape (episode,)."""
    summary: ReturnSummary
    seeds_ignored: bool
    """Whether two resets with one seed show different observations."""
    adaptation: Adaptation | None = None
    """What correcting the map came to; None where it was left as it is."""

    @property
    def mean_return(self) -> float:
        """Mean over the episodes."""
        return self.summary.mean_return

    @property
    def made_for(self) -> EnvironmentChoice | None:
        """The target of a transfer, as recorded; None for an agent."""
        found = self.agent.provenance.get(MADE_FOR)
        return found and EnvironmentChoice(found["env"], found["env_kwargs"])

    @override
    def as_json(self) -> dict[str, Any]:
        """Returns the object that `--json` prints."""
        statistics = self.agent.statistics
        return {
            "env": self.environment.env_id,
            "env_kwargs": dict(self.environment.kwargs),
            "env_wrappers": [str(wrapper) for wrapper in self.environment.wrappers],
            "statistics": None if statistics is None else str(statistics),
            "seed": self.seed,
            **self.summary.as_json(),
            "run": str(self.agent.path),
            "notes": list(self.notes),
            "seeds_ignored": self.seeds_ignored,
            "made_for": self.agent.provenance.get(MADE_FOR),
            "adaptation": self.adaptation and asdict(self.adaptation),
        }

    @override
    def __rich__(self) -> RenderableType:
        """Returns the figures and the seeds of the episodes."""
        several = self.summary.episodes > 1
        last = self.seed + self.summary.episodes - 1
        other = self.made_for if self.made_for != self.environment else None
        return Group(
            returns_table({self.agent.title: self.summary}, self.environment.title),
            facts(
                [
                    ("agent", self.agent.path),
                    ("statistics", self.agent.statistics),
                    ("mapping", other and f"made for {other.title}"),
                    ("seeds", f"{self.seed} to {last}") if several else ("seed", last),
                    ("adapted", self.adaptation and str(self.adaptation)),
                    *(("note", note) for note in self.notes),
                ]
            ),
        )


def evaluate(
    agent: AgentLike,
    env: str | MakeEnv | None = None,
    *,
    env_kwargs: Mapping[str, Any] | None = None,
    episodes: int = REPORTED_EPISODES,
    seed: int = 0,
    sha256: str | None = None,
    statistics: StatisticsChoice = None,
    vec_env: VecEnv = "dummy",
    step_seconds: float = STEP_SECONDS,
    episode_cap: int = EPISODE_CAP,
    progress: bool = False,
    adapt: bool = False,
    tensorboard_log: str | Path | None = None,
) -> EvaluationResult:
    """Returns the returns of an agent or of a transfer, with their interval.

    Args:
        agent: anything that `load_agent` reads, or what it returned.
        env: where to evaluate it; by default the agent's own environment.
        env_kwargs: arguments of the environment; each replaces the recorded one of its
            name, the others are kept.
        episodes: how many; episode i is reset with `seed` + i.
        seed: of the first episode.
        sha256: the hash that the agent's file must have.
        statistics: of the agent, as for `load_agent`.
        vec_env: `dummy`, or `subproc` for an environment in a process of its own.
        step_seconds: longest time of one step of the environment, in seconds.
        episode_cap: most steps of one reported episode; longer ones are a fault.
        progress: whether to show it on standard error.
        adapt: whether to correct the mapping of a transfer while it acts, for a target
            that changes; see `rltransfer.load_adaptive`. Its steps are learned from.
        tensorboard_log: folder for TensorBoard, with `adapt`; by default none.

    Raises:
        InputError: the agent does not fit the environment, or an argument is wrong.
        ArtifactRefused: a file of the agent is refused.
        EnvironmentFault: the environment broke its contract.
    """
    require_at_least("--episodes", episodes, 1)
    require_seed(seed)
    stepping = Stepping(vec_env, step_seconds, episode_cap)
    loaded = load_agent(
        agent, env=env, env_kwargs=env_kwargs, sha256=sha256, statistics=statistics
    )
    logs = None if tensorboard_log is None else Path(tensorboard_log)
    with (
        opened_home(loaded, stepping, mapped=False, remedy=_remedy) as (domain, notes),
        adapting(loaded, adapt, seed, logs) as corrected,
        StepTimeout(step_seconds).active() as timeout,
        progress_bars(progress) as bars,
    ):
        domain.use_timeout(timeout)
        seeds_ignored = domain.ignores_seeds(seed)
        bar = bars.add_task("episodes", total=episodes, note="")
        returns = np.zeros(episodes)
        policy = loaded.policy if corrected is None else corrected.policy
        for episode in range(episodes):
            first = seed + episode
            one = domain.evaluate(policy, episodes=1, seed=first, counted=adapt)
            returns[episode] = one[0]
            if corrected is not None:
                corrected.ended(one[0])
            bars.update(bar, advance=1, note=f"return {one[0]:.1f}")
    summary = summarise(returns, seed)
    more = (SEEDS_IGNORED if seeds_ignored else None, summary.warning)
    return EvaluationResult(
        loaded,
        (*loaded.notes, *notes, *filter(None, more)),
        environment_of(loaded),
        seed,
        returns,
        summary,
        seeds_ignored,
        corrected and corrected.outcome,
    )


def _remedy(agent: LoadedPolicy) -> str:
    """Returns the command that transfers an agent, if that would be taken."""
    target, made_for = environment_of(agent), agent.provenance.get(MADE_FOR)
    recorded = agent.recorded_env
    if made_for is not None:
        recorded = made_for["env"], made_for["env_kwargs"]
    if not recorded or not recorded[0]:
        return NAME_ENVIRONMENT
    words = ["rltransfer", "transfer", "--source", str(agent.path)]
    try:
        domain_of(target).close()
        if ":" in recorded[0]:
            # The agent's own files may not import a module; the user's word may.
            words += ["--source-env", recorded[0]]
        else:
            with opened_home(
                replace(agent, env_id=recorded[0], env_kwargs=recorded[1])
            ):
                pass
    except UserError:
        return NAME_ENVIRONMENT
    words += ["--target", target.env_id]
    for name, value in target.kwargs.items():
        words += ["--target-kwargs", f"{name}={value!r}"]
    return f"transfer it: {shlex.join(words)}"
