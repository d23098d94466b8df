"""The figures of a transfer over fresh episodes, and the result that they are in."""

from itertools import chain
from pathlib import Path

from rltransfer.alignment import Alignment
from rltransfer.domain import Domain, LoggedRows, Policy, StickyRandomPolicy
from rltransfer.evaluation import ReturnSummary, summarise
from rltransfer.translation import EnsemblePolicy, MappedPolicy
from rltransfer.workflows.improvement import Improvement
from rltransfer.workflows.policy_loading import environment_of
from rltransfer.workflows.transfer_folder import AlignedSource, kept_of
from rltransfer.workflows.transfer_request import TransferRequest
from rltransfer.workflows.transfer_result import TransferResult


def figure(request: TransferRequest, domain: Domain, policy: Policy) -> ReturnSummary:
    """Returns what a policy earns in fresh episodes, which are the same for all."""
    streams = request.streams
    returns = domain.evaluate(
        policy, episodes=request.episodes, seed=streams.integer("report")
    )
    return summarise(returns, streams.integer("intervals"))


def own_and_random(
    request: TransferRequest, domain: Domain, policy: Policy, use: str
) -> tuple[ReturnSummary, ReturnSummary]:
    """Returns what a policy earns in fresh episodes, and what random actions do.

    Args:
        request: decides how many episodes, and all that is drawn.
        domain: where they act.
        policy: acts first.
        use: the stream of random actions.
    """
    # One step each: what everybody means by random actions.
    rng = request.streams.generator(use)
    random = StickyRandomPolicy(domain.actions, rng, longest=1)
    return figure(request, domain, policy), figure(request, domain, random)


_REMEMBERS = (
    "one observation does not tell the state: the policy acts on the last {}; hand the "
    "state that predict returns to its next call, None where an episode begins"
)
_ALONE = (
    "the mapping was refused, so scratch learned alone, from the rows that alignment "
    "saw and the steps after it"
)


def reported(
    request: TransferRequest,
    alignment: Alignment,
    aligned: list[AlignedSource],
    target_log: LoggedRows | None,
    improvement: Improvement | None,
    folder: Path,
) -> TransferResult:
    """Returns the result, with figures over fresh episodes.

    Args:
        request: what was asked for.
        alignment: of all sources.
        aligned: what is known of each of them.
        target_log: what was known of the target besides.
        improvement: what learning on came to; None where the zero-shot policy stays.
        folder: of the run.
    """
    target, best = alignment.target, kept_of(aligned)
    policy: Policy = alignment.policy
    accepted = alignment.acceptance.accepted
    zero_shot, random = None, None
    if not request.untouched:
        zero_shot, random = own_and_random(request, target, policy, "report actions")
    improved, learning = None, None
    notes = list(chain.from_iterable(one.notes for one in aligned))
    if improvement is not None and random is not None:
        learning = improvement.record(request, folder, random.mean_return)
        policy, improved = improvement.learned.policy, zero_shot
        if learning.winner != "mapped":
            improved = figure(request, target, policy)
        others = [arm for arm in learning.arms if arm.name != "scratch"]
        mapped = {"mapped", "refitted"}
        if not accepted and all(arm.name in mapped and arm.dropped for arm in others):
            notes.append(_ALONE)
    stacked = alignment.lead.history.steps
    if stacked > 1 and isinstance(policy, MappedPolicy | EnsemblePolicy):
        notes.append(_REMEMBERS.format(stacked))
    return TransferResult(
        policy=policy,
        folder=folder,
        source=best.loaded.title,
        source_environment=environment_of(best.loaded),
        target=request.target,
        accepted=accepted,
        verdict=alignment.acceptance.verdict,
        budget=request.budget,
        steps=target.budget.taken,
        random=random,
        zero_shot=zero_shot,
        source_at_home=best.at_home,
        random_at_home=best.random_at_home,
        improved=improved,
        target_data=target_log and target_log.record(),
        source_data=best.log and best.log.record(),
        # Counted by the episodes above.
        reported_steps=sum(target.budget.reported.values()),
        seed=request.seed,
        report_seed=request.streams.integer("report"),
        sources=tuple(one.record(alignment) for one in aligned),
        learning=learning,
        notes=tuple(notes),
        picture=folder / "transfer.png",
    )
