"""Sources and their target, opened and checked before a transfer does any work."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import final

from rltransfer.alignment import Source, require_budget
from rltransfer.domain import Domain, LoggedRows
from rltransfer.errors import InputError
from rltransfer.workflows.environments import domain_of
from rltransfer.workflows.improvement import require_learning
from rltransfer.workflows.policy_loading import load_agent, opened_home
from rltransfer.workflows.source_model_cache import SourceModelCache
from rltransfer.workflows.transfer_request import NO_LOG, TransferRequest
from rltransfer.wrappers import StepBudget
from rltransfer_agents.loading import LoadedPolicy
from rltransfer_agents.loading.logged_files import LoggedFile, read_logged_file
from rltransfer_agents.loading.refusal import printable


@final
@dataclass(frozen=True, eq=False)
class OpenedPair:
    """A source, and the target with the source's own share of the budget."""

    loaded: LoadedPolicy
    notes: tuple[str, ...]
    source: Source
    target: Domain
    cache: SourceModelCache
    target_log: LoggedRows | None
    """What others did in the target; the same for all sources."""
    source_log: LoggedRows | None
    """What others did in the source's environment."""


@contextmanager
def opened_pairs(request: TransferRequest) -> Iterator[list[OpenedPair]]:
    """Opens every source with a target of its own, or raises; closes them after."""
    with ExitStack() as stack:
        # Read once: it is the same for all sources.
        named = request.target_data
        file = None if named is None else read_logged_file(named)
        places = range(len(request.sources))
        pairs = [_pair(request, place, file, stack) for place in places]
        if request.learning is not None:
            loaded = [pair.loaded for pair in pairs]
            require_learning(request, pairs[0].target, loaded)
        yield pairs


def _pair(
    request: TransferRequest, place: int, file: LoggedFile | None, stack: ExitStack
) -> OpenedPair:
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
    target_log = None if file is None else _rows(request, file, target)
    try:
        require_budget(target, logged=target_log and target_log.transitions)
    except InputError as fault:
        if request.learning is None:
            raise
        raise InputError(f"{fault} or --alignment-steps") from fault
    named = request.source_data[place] if request.source_data else NO_LOG
    source_log = None
    if named != NO_LOG:
        source_log = _rows(request, read_logged_file(named), domain)
    cache = SourceModelCache(loaded, source_log)
    source = Source(
        domain,
        loaded.policy,
        loaded.title,
        cache if request.cache else None,
        source_log and source_log.transitions,
    )
    notes = (*loaded.notes, *notes)
    return OpenedPair(loaded, notes, source, target, cache, target_log, source_log)


def _rows(request: TransferRequest, file: LoggedFile, domain: Domain) -> LoggedRows:
    """Returns what a log says about a domain, or raises."""
    config = request.align_config()
    return LoggedRows.of(
        file.columns,
        domain,
        origin=printable(file.origin),
        sha256=file.sha256,
        least=config.steps.least_exploration,
        most=config.logged_steps,
    )
