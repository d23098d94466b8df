"""Sources and targets, opened before anything is made for them."""

from dataclasses import dataclass
from typing import final

from rltransfer.alignment import Source, require_budget
from rltransfer.cli.agents import Actor, actor_at, domain_of, require_fit
from rltransfer.cli.environments import EnvironmentChoice
from rltransfer.cli.transferring.options import TransferOptions
from rltransfer.domain import Domain, StepMeter
from rltransfer.errors import InputError


@final
@dataclass(frozen=True, eq=False)
class Pair:
    """A source, and the target with the source's own share of the budget."""

    actor: Actor
    home: EnvironmentChoice
    source: Source
    target: Domain


def pairs_of(options: TransferOptions) -> list[Pair]:
    """Returns every source with a target of its own, or raises."""
    return [_pair(options, place) for place in range(len(options.sources))]


def _pair(options: TransferOptions, place: int) -> Pair:
    path = options.sources[place]
    named = options.source_environment(place)
    actor = actor_at(path, env_id=named, sha256=options.digest(place))
    if actor.home is None:
        raise InputError(
            f"{path} does not say which environment its agent is from; "
            "name it with --env"
        )
    domain = domain_of(actor.home)
    require_fit(actor, domain, "name the agent's own environment with --env")
    target = domain_of(options.target, StepMeter(options.share))
    require_budget(target)
    return Pair(actor, actor.home, Source(domain, actor.policy, actor.title), target)
