"""What can act, and where."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, final

from rltransfer.cli.environments import EnvironmentChoice, Stepping
from rltransfer.domain import Domain, Policy, StepMeter
from rltransfer.errors import InputError
from rltransfer.wrappers import STEP_SECONDS, Apart, made_in_time
from rltransfer_agents.reading.refusal import spelt
from rltransfer_envs.making import make


@final
@dataclass(frozen=True, eq=False)
class Actor:
    """A policy, and the environment it is at home in if that is known."""

    policy: Policy
    home: EnvironmentChoice | None
    title: str
    path: Path
    sha256: str
    """Of the file that was read."""
    observation_space: Any
    action_space: Any


def domain_of(
    choice: EnvironmentChoice,
    stepping: Stepping | None = None,
    meter: StepMeter | None = None,
) -> Domain:
    """Returns an environment as a domain.

    Args:
        choice: id and arguments.
        stepping: where it is stepped; by default in this process.
        meter: counts the steps taken in it.

    Raises:
        InputError: there is no such environment, or its spaces cannot be mapped.
    """
    make_here = partial(make, choice.env_id, **choice.kwargs)
    seconds = STEP_SECONDS if stepping is None else stepping.step_seconds
    if stepping is None or stepping.vec_env == "dummy":
        in_time = partial(made_in_time, make_here, choice.title, seconds)
        return Domain(in_time, choice.title, meter)
    return Domain(lambda: Apart(make_here, choice.title, seconds), choice.title, meter)


def require_fit(actor: Actor, domain: Domain, remedy: str) -> None:
    """Raises unless the actor's spaces are those of the environment.

    Args:
        actor: what shall act.
        domain: where it shall act.
        remedy: what to do where it cannot.
    """
    for word, own, other in (
        ("observations", actor.observation_space, domain.observation_space),
        ("actions", actor.action_space, domain.action_space),
    ):
        same_kind = type(own) is type(other) and own.shape == other.shape
        if not same_kind or getattr(own, "n", None) != getattr(other, "n", None):
            raise InputError(
                f"the {word} of an agent and of its environment must agree, "
                f"{spelt(actor.path)} knows {_told(own)} and {domain.name} has "
                f"{_told(other)}; {remedy}"
            )


def _told(space: Any) -> str:
    size = getattr(space, "n", None) or space.shape
    return f"{type(space).__name__}({size})"
