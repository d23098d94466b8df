"""Finding a mapping: explore, rounds of fitting and acting, an acceptance test."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

from rltransfer.alignment.acceptance_test import AcceptanceTest, accept
from rltransfer.alignment.align_config import AlignConfig
from rltransfer.alignment.candidates import Trial
from rltransfer.alignment.families import propose, require_known_families
from rltransfer.alignment.problem import AlignmentProblem
from rltransfer.alignment.source_model_data import (
    Source,
    SourceModelData,
    exploring,
)
from rltransfer.alignment.step_plan import StepPlan, StepPlanConfig
from rltransfer.alignment.trials import Silent, Trials, Watcher
from rltransfer.alignment.tuning import tune
from rltransfer.domain import Domain, Rollout, Transitions, Whitening
from rltransfer.errors import InputError
from rltransfer.translation import MappedPolicy


@final
@dataclass(frozen=True, eq=False)
class Alignment:
    """What came of aligning one source with the target."""

    model_data: SourceModelData
    target: Domain
    whitening: Whitening
    trials: tuple[Trial, ...]
    """In the order in which they were acted with."""
    chosen: Trial
    acceptance: AcceptanceTest
    experience: Transitions
    """Every step that was taken in the target, as it shows them."""

    @property
    def policy(self) -> MappedPolicy:
        """The zero-shot policy."""
        return self.chosen.policy

    @property
    def rank(self) -> tuple[bool, float]:
        """Smaller is better: accepted first, then by the measured return."""
        tested, stopped = self.acceptance.returns, self.acceptance.stopped_above
        # What stopped episodes would have earned is not known.
        whole = len(tested) and stopped is None
        measured = tested.mean() if whole else self.chosen.score
        return not self.acceptance.accepted, -float(measured)


def align(
    source: Source | SourceModelData,
    target: Domain,
    config: AlignConfig,
    watch: Watcher | None = None,
) -> Alignment:
    """Finds a mapping between the target and the source, and accepts or refuses it.

    Every step in the target is counted by its budget.

    Args:
        source: an agent and its environment, or what was learned of them before.
        target: with a limited budget.
        config: effort and rules.
        watch: is called while it goes on.

    Raises:
        InputError: the budget is too small for one round, or every fit diverged.
    """
    require_known_families(config.without)
    watch, budget = watch or Silent(), target.budget
    plan = StepPlan(
        require_budget(target, config.steps),
        config.steps,
        config.level,
        target.episode_limit,
    )
    if isinstance(source, Source):
        watch.phase("source", budget.used)
        source = source.model_data(config)
    watch.phase("exploration", budget.used)
    explored = explore(target, plan, config)
    plan = plan.after(explored)
    problem = AlignmentProblem.of(source, target, explored.transitions, config)
    trials = Trials(problem, plan, explored, watch)
    for number in range(config.rounds):
        watch.phase(f"round {number + 1}", budget.used)
        known = [trial.candidate for trial in trials.ranking]
        candidates = propose(trials.problem, known, watch.fitted)
        if not candidates and not trials.acted:
            raise InputError(
                "a mapping needs a finite error, every one fitted to "
                f"{target.name} diverged: rescale its observations and rewards to "
                "ordinary sizes, or try another seed"
                + (
                    f", or leave out less than {config.without}"
                    if config.without
                    else ""
                )
            )
        if not candidates or not trials.act(number, candidates):
            break
    tune(trials, watch)
    watch.phase("acceptance", budget.used)
    chosen, acceptance = accept(trials)
    tried = tuple(trials.acted)
    return Alignment(
        source,
        target,
        problem.whitening,
        tried,
        chosen,
        acceptance,
        trials.experience,
    )


def explore(target: Domain, plan: StepPlan, config: AlignConfig) -> Rollout:
    """Acts at random in the target, until some episodes are finished if that can be."""
    streams = config.streams
    return target.collect(
        exploring(target, config, streams.generator("exploration actions")),
        purpose="exploration",
        seed=streams.integer("exploration"),
        steps=plan.exploration,
        wanted=plan.wanted_episodes,
    )


def align_each(
    sources: Sequence[Source],
    targets: Sequence[Domain],
    config: AlignConfig,
    watch: Watcher | None = None,
) -> list[Alignment]:
    """Aligns every source with its own share of the budget, in their order.

    What one source leaves of its share the next one gets.

    Args:
        sources: at least one.
        targets: the target once for each, its budget limited to the share.
        config: of each alignment; how many sources there are is put in.
        watch: is called while they go on.
    """
    config, watch = replace(config, sources=len(sources)), watch or Silent()
    alignments: list[Alignment] = []
    pairs = zip(sources, targets, strict=True)
    for number, (source, target) in enumerate(pairs):
        watch.source(source.name)
        if alignments:
            target.budget.take_over(alignments[-1].target.budget)
        own = replace(config, spawn_key=(*config.spawn_key, number))
        alignments.append(align(source, target, own, watch))
    return alignments


def require_budget(target: Domain, config: StepPlanConfig | None = None) -> int:
    """Returns the target's budget; raises `InputError` if a round needs more."""
    budget = target.budget.limit
    if budget is None:
        raise InputError(
            f"{target.name} needs a hard budget of target steps, got none: give its "
            "StepBudget a limit"
        )
    least = 4 * (config or StepPlanConfig()).least_exploration
    if budget < least:
        raise InputError(
            f"one round needs a budget of at least {least} target steps, got {budget}: "
            "raise -n"
        )
    return budget
