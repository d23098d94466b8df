"""Rows of one environment and its variables' names: acted at random, or logged."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from rltransfer.alignment import AlignConfig
from rltransfer.alignment.matching.match_proposals import (
    FEWEST_ROWS,
    MOST_ROWS,
    MatchSide,
)
from rltransfer.alignment.source_model_data import exploring
from rltransfer.domain import Domain, Transitions
from rltransfer.errors import InputError
from rltransfer.random_streams import RandomStreams
from rltransfer.report.variable_names import action_names, observation_names
from rltransfer.workflows.environments import (
    EnvironmentChoice,
    MakeEnv,
    Stepping,
    domain_of,
    environment_id,
    require_plain,
)
from rltransfer.workflows.policy_loading import environment_of, load_agent
from rltransfer.wrappers import StepTimeout
from rltransfer_agents.loading.hub import is_on_hub
from rltransfer_agents.loading.logged_files import read_logged_file

SIDE_USES = ("source actions", "source", "target actions", "target")
"""Of random streams, by the role of the side."""


@final
@dataclass(frozen=True, eq=False)
class NamedSide:
    """Rows of one environment, and what its variables are called."""

    title: str
    side: MatchSide
    observations: tuple[str, ...]
    actions: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of all variables, observations first."""
        return (*self.observations, *self.actions)


def named_side(
    env: str | Path | MakeEnv,
    kwargs: Mapping[str, Any] | None,
    data: str | Path | None,
    role: str,
    steps: int,
    streams: RandomStreams,
    stepping: Stepping,
) -> NamedSide:
    """Returns what a log says of an environment, or what acting at random shows.

    Args:
        env: its id, a callable that makes it, or the path of an agent.
        kwargs: its arguments.
        data: a log of it, which must fit its spaces; None acts at random.
        role: `source` or `target`.
        steps: random ones; with a log none is taken.
        streams: with the uses of `SIDE_USES`.
        stepping: of the environment.

    Raises:
        InputError: the environment is not known, or the log does not fit it.
        ArtifactRefused: the log is damaged.
    """
    choice = _choice(env, kwargs or {}, role)
    domain = domain_of(choice, stepping, kwargs_option=f"--{role}-kwargs")
    with closing(domain), StepTimeout(stepping.step_seconds).active() as timeout:
        domain.use_timeout(timeout)
        if domain.observations.numbered:
            raise InputError(
                f"match tells variables apart, {domain.name} shows a number of a state "
                f"({domain.observation_space}); transfer tells its states apart"
            )
        if domain.observations.picture is not None:
            raise InputError(
                f"match tells variables apart, {domain.name} shows pictures "
                f"({domain.observation_space}); transfer finds a map of them"
            )
        if data is None:
            rows = _explored(domain, role, steps, streams)
        else:
            rows = _logged(domain, data)
        return NamedSide(
            choice.title,
            MatchSide.of(rows, domain.actions),
            observation_names(choice.env_id, domain.observation_size),
            action_names(choice.env_id, domain.actions.size),
        )


def _explored(
    domain: Domain, role: str, steps: int, streams: RandomStreams
) -> Transitions:
    rng = streams.generator(f"{role} actions")
    return domain.collect(
        exploring(domain, AlignConfig(), rng),
        purpose="matching",
        seed=streams.integer(role),
        steps=steps,
    ).transitions


def _logged(domain: Domain, data: str | Path) -> Transitions:
    """Returns logged rows, of a longer log whole episodes, evenly spread."""
    file = read_logged_file(data)
    return file.rows(domain, least=FEWEST_ROWS, most=MOST_ROWS).transitions


def _choice(
    env: str | Path | MakeEnv, kwargs: Mapping[str, Any], role: str
) -> EnvironmentChoice:
    plain = require_plain(f"--{role}-kwargs", kwargs)
    if isinstance(env, str | Path) and (is_on_hub(env) or Path(env).exists()):
        return environment_of(load_agent(env, env_kwargs=plain))
    name = str(env) if isinstance(env, Path) else env
    return EnvironmentChoice(environment_id(name), plain)
