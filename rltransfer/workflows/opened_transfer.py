"""Sources and their target, opened and checked before a transfer does any work."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import final

from rltransfer.alignment import Source, require_budget
from rltransfer.alignment.problem import require_same_kind
from rltransfer.domain import Domain, LoggedRows
from rltransfer.errors import InputError
from rltransfer.workflows.ensemble_files import require_agents
from rltransfer.workflows.environments import domain_of
from rltransfer.workflows.improvement import require_learning
from rltransfer.workflows.policy_loading import load_agent, opened_home
from rltransfer.workflows.source_model_cache import SourceModelCache
from rltransfer.workflows.transfer_request import NO_LOG, TransferRequest
from rltransfer.wrappers import StepBudget
from rltransfer_agents.loading import LoadedPolicy
from rltransfer_agents.loading.logged_files import LoggedFile, read_logged_file


@final
@dataclass(frozen=True, eq=False)
class OpenedSource:
    """A source, open and not yet acted in."""

    loaded: LoadedPolicy
    notes: tuple[str, ...]
    source: Source
    cache: SourceModelCache
    log: LoggedRows | None
    """What others did in its environment."""


@final
@dataclass(frozen=True, eq=False)
class OpenedTransfer:
    """All sources of a transfer, and the target that they share."""

    sources: tuple[OpenedSource, ...]
    target: Domain
    target_log: LoggedRows | None
    """What others did in the target."""


@contextmanager
def opened_transfer(request: TransferRequest) -> Iterator[OpenedTransfer]:
    """Opens every source and the target, or raises; closes them after."""
    with ExitStack() as stack:
        named, most = request.target_data, request.align_config().ensemble.members
        file = None if named is None else read_logged_file(named)
        places = range(len(request.sources))
        sources = tuple(_source(request, place, stack) for place in places)
        require_agents([one.loaded for one in sources], most)
        target = domain_of(
            request.target,
            request.stepping,
            StepBudget(request.alignment_budget),
            kwargs_option="--target-kwargs",
        )
        stack.callback(target.close)
        for one in sources:
            require_same_kind(one.source.domain, target, request.align_config())
        if request.learning is not None:
            require_learning(request, target, [one.loaded for one in sources])
        log = None if file is None else _rows(request, file, target)
        try:
            require_budget(target, logged=log and log.transitions)
        except InputError as fault:
            if request.learning is None:
                raise
            raise InputError(f"{fault} or --alignment-steps") from fault
        yield OpenedTransfer(sources, target, log)


def _source(request: TransferRequest, place: int, stack: ExitStack) -> OpenedSource:
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
    named = request.source_data[place] if request.source_data else NO_LOG
    log = None
    if named != NO_LOG:
        log = _rows(request, read_logged_file(named), domain)
    cache = SourceModelCache(loaded, log)
    source = Source(
        domain,
        loaded.policy,
        loaded.title,
        cache if request.cache else None,
        log and log.transitions,
    )
    return OpenedSource(loaded, (*loaded.notes, *notes), source, cache, log)


def _rows(request: TransferRequest, file: LoggedFile, domain: Domain) -> LoggedRows:
    """Returns what a log says about a domain, or raises."""
    config = request.align_config()
    least, most = config.steps.least_exploration, config.logged_steps
    return file.rows(domain, least=least, most=most)
