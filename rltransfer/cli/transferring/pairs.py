"""Sources and targets, opened before anything is made for them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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


@contextmanager
def opened_pairs(options: TransferOptions) -> Iterator[list[Pair]]:
    """Opens every source with a target of its own, or raises; closes them after."""
    with ExitStack() as stack:
        yield [_pair(options, place, stack) for place in range(len(options.sources))]


def _pair(options: TransferOptions, place: int, stack: ExitStack) -> Pair:
    path = options.sources[place]
    named = options.source_environment(place)
    actor = actor_at(path, env_id=named, sha256=options.digest(place))
    if actor.home is None:
        raise InputError(
            f"{path} does not say which environment its agent is from; "
            "name it with --env"
        )
    domain = domain_of(actor.home, options.stepping)
    stack.callback(domain.close)
    require_fit(actor, domain, "name the agent's own environment with --env")
    target = domain_of(options.target, options.stepping, StepMeter(options.share))
    stack.callback(target.close)
    require_budget(target)
    return Pair(actor, actor.home, Source(domain, actor.policy, actor.title), target)
