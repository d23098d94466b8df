"""Sources and their target, opened and checked before a transfer does any work."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import final

from rltransfer.alignment import Source, require_budget
from rltransfer.domain import Domain
from rltransfer.errors import InputError
from rltransfer.workflows.environments import domain_of
from rltransfer.workflows.improvement import require_learning
from rltransfer.workflows.policy_loading import load_agent, opened_home
from rltransfer.workflows.source_model_cache import SourceModelCache
from rltransfer.workflows.transfer_request import TransferRequest
from rltransfer.wrappers import StepBudget
from rltransfer_agents.loading import LoadedPolicy


@final
@dataclass(frozen=True, eq=False)
class OpenedPair:
    """A source, and the target with the source's own share of the budget."""

    loaded: LoadedPolicy
    notes: tuple[str, ...]
    source: Source
    target: Domain
    cache: SourceModelCache


@contextmanager
def opened_pairs(request: TransferRequest) -> Iterator[list[OpenedPair]]:
    """Opens every source with a target of its own, or raises; closes them after."""
    with ExitStack() as stack:
        places = range(len(request.sources))
        pairs = [_pair(request, place, stack) for place in places]
        if request.learning is not None:
            loaded = [pair.loaded for pair in pairs]
            require_learning(request, pairs[0].target, loaded)
        yield pairs


def _pair(request: TransferRequest, place: int, stack: ExitStack) -> OpenedPair:
    loaded = load_agent(
        request.sources[place],
        env=request.source_environment(place),
        env_kwargs=request.source_kwargs,
        sha256=request.digests[place] if request.digests else None,
        statistics=request.statistics[place] if request.statistics else None,
    )
    domain, notes = stack.enter_context(
        opened_home(loaded, request.stepping, kwargs_option="--source-kwargs")
    )
    budget = StepBudget(request.alignment_budget // len(request.sources))
    option = "--target-kwargs"
    target = domain_of(request.target, request.stepping, budget, kwargs_option=option)
    stack.callback(target.close)
    try:
        require_budget(target)
    except InputError as fault:
        if request.learning is None:
            raise
        raise InputError(f"{fault} or --alignment-steps") from fault
    cache = SourceModelCache(loaded)
    learn = cache if request.cache else None
    source = Source(domain, loaded.policy, loaded.title, learn)
    return OpenedPair(loaded, (*loaded.notes, *notes), source, target, cache)
