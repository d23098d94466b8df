"""`rltransfer evaluate`: lets an agent or a transfer act, and reports its returns."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, final

import typer
from rich.console import Group, RenderableType
from rich.markup import escape

from rltransfer.cli.arguments import read_pairs
from rltransfer.cli.options import (
    FEWEST_EPISODES,
    EnvKwargs,
    Json,
    Seed,
    StepSeconds,
    VecEnvChoice,
    require_at_least,
    require_seed,
    require_stepping,
)
from rltransfer.errors import InputError
from rltransfer.evaluation import ReturnSummary, summarise
from rltransfer.report.tables import facts, returns_table
from rltransfer.workflows.environment_choice import EnvironmentChoice
from rltransfer.wrappers import STEP_SECONDS, StepTimeout


@final
@dataclass(frozen=True)
class Evaluated:
    """Fresh episodes of one policy in one environment."""

    title: str
    path: Path
    environment: EnvironmentChoice
    seed: int
    summary: ReturnSummary

    def as_json(self) -> dict[str, Any]:
        """Returns the object that `--json` prints."""
        return {
            "env": self.environment.env_id,
            "env_kwargs": dict(self.environment.kwargs),
            "seed": self.seed,
            **self.summary.as_json(),
            "run": str(self.path),
        }

    def as_table(self) -> RenderableType:
        """Returns the figures and the seeds of the episodes."""
        last = self.seed + self.summary.episodes - 1
        return Group(
            # Brackets in arguments, as lists have them, are no markup.
            returns_table(
                [(self.title, self.summary)], title=escape(self.environment.title)
            ),
            facts([("agent", str(self.path)), ("seeds", f"{self.seed} to {last}")]),
        )


def evaluate(
    agent: Annotated[
        Path, typer.Argument(help="Run folder, RL Zoo folder, zip, or transfer.")
    ],
    env: Annotated[
        str | None,
        typer.Option(
            "--env", "--source-env", metavar="ID", help="Default: the agent's own."
        ),
    ] = None,
    env_kwargs: EnvKwargs = None,
    episodes: Annotated[
        int,
        typer.Option("--episodes", help="Fresh episodes; more narrow the interval."),
    ] = FEWEST_EPISODES,
    seed: Seed = 0,
    sha256: Annotated[
        str | None, typer.Option("--sha256", help="Hash the agent's file must have.")
    ] = None,
    vec_env: VecEnvChoice = "dummy",
    step_seconds: StepSeconds = STEP_SECONDS,
    json: Json = False,
) -> Evaluated:
    """Report the returns of an agent or of a transfer, with their interval."""
    del json  # what prints the outcome knows
    require_at_least("--episodes", episodes, 1)
    require_seed(seed)
    stepping = require_stepping(vec_env, step_seconds)
    kwargs = read_pairs(env_kwargs or (), "--env-kwargs")
    from rltransfer.workflows.source_agents import domain_of, load_policy, require_fit

    loaded = load_policy(
        agent,
        env_id=env,
        sha256=sha256,
        typed=[str(value) for value in kwargs.values()],
    )
    environment = _environment(loaded.home, env, kwargs)
    domain = domain_of(environment, stepping)
    try:
        require_fit(
            loaded,
            domain,
            "carry the agent over: rltransfer transfer "
            f"--source {agent} --target {environment.env_id}",
        )
        with StepTimeout(step_seconds).active() as timeout:
            domain.use_timeout(timeout)
            returns = domain.evaluate(loaded.policy, episodes=episodes, seed=seed)
    finally:
        domain.close()
    return Evaluated(loaded.title, agent, environment, seed, summarise(returns, seed))


def _environment(
    home: EnvironmentChoice | None, env_id: str | None, kwargs: dict[str, Any]
) -> EnvironmentChoice:
    if env_id is not None:
        return EnvironmentChoice(env_id, kwargs)
    if home is None:
        raise InputError(
            "the file does not say which environment the agent is from; "
            "name one with --env"
        )
    return EnvironmentChoice(home.env_id, {**home.kwargs, **kwargs})
