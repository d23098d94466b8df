"""Finding a mapping: explore, rounds of fitting and acting, an acceptance test."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

from jaxtyping import Bool
from torch import Tensor

from rltransfer.alignment.acceptance_test import AcceptanceTest, accept
from rltransfer.alignment.align_config import AlignConfig
from rltransfer.alignment.candidates import Candidate, Trial
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
    """In the order in which they were acted with.

    Where no step is allowed, those that would have acted first, without a step.
    """
    chosen: Trial
    acceptance: AcceptanceTest
    experience: Transitions
    """Every step that was taken in the target, as it shows them."""
    visited: Bool[Tensor, " step"]
    """Which of these steps the chosen candidate took."""
    logged: Transitions | None = None
    """What was known of the target besides, likewise."""

    @property
    def acted_upon(self) -> Transitions:
        """What candidates saw in the target; logged steps where none has acted."""
        seen = Transitions.join(*(trial.rollout.transitions for trial in self.trials))
        return seen if len(seen) or self.logged is None else self.logged

    @property
    def policy(self) -> MappedPolicy:
        """The zero-shot policy."""
        return self.chosen.policy

    @property
    def rank(self) -> tuple[bool, float]:
        """Smaller is better: accepted first, then by the measured return.

        Where nothing was tested, what settles it comes first, then the smallest error.
        """
        candidate = self.chosen.candidate
        if self.acceptance.untested:
            return not candidate.settles, candidate.alignment_error
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
    logged: Transitions | None = None,
) -> Alignment:
    """Finds a mapping between the target and the source, and accepts or refuses it.

    Every step in the target is counted by its budget. Of 0 steps none is taken: the
    likeliest candidate by the logged rows is chosen, and nothing is tested.

    Args:
        source: an agent and its environment, or what was learned of them before.
        target: with a limited budget; may be 0 where there are logged rows.
        config: effort and rules.
        watch: is called while it goes on.
        logged: steps that others took in the target; they cost none, and whoever acted
            in them, their returns choose nothing.

    Raises:
        InputError: the budget is too small for one round, or every fit diverged.
    """
    require_known_families(config.without)
    watch, budget = watch or Silent(), target.budget
    plan = StepPlan(
        require_budget(target, config.steps, logged),
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
    explored_rows = explored.transitions
    problem = AlignmentProblem.of(source, target, explored_rows, config, logged)
    trials = Trials(problem, plan, explored, watch, logged)
    if plan.budget:
        for number in range(config.rounds):
            watch.phase(f"round {number + 1}", budget.used)
            candidates = _proposed(trials, watch)
            if not candidates or not trials.act(number, candidates):
                break
        tune(trials, watch)
        watch.phase("acceptance", budget.used)
        tried = trials.acted
        chosen, acceptance = accept(trials)
    else:
        watch.phase("round 1", budget.used)
        tried = trials.unacted(_proposed(trials, watch))
        chosen = tried[0]
        acceptance = AcceptanceTest.none(config.confidence, config.sources)
    return Alignment(
        source,
        target,
        problem.whitening,
        tuple(tried),
        chosen,
        acceptance,
        trials.experience,
        trials.acted_by(chosen.policy),
        logged,
    )


def _proposed(trials: Trials, watch: Watcher) -> list[Candidate]:
    """Returns candidates for all that is known; there must be one to begin with."""
    problem = trials.problem
    known = [trial.candidate for trial in trials.ranking]
    candidates = propose(problem, known, watch.fitted)
    if not candidates and not trials.acted:
        without = problem.config.without
        raise InputError(
            "a mapping needs a finite error, every one fitted to "
            f"{problem.target.name} diverged: rescale its observations and rewards to "
            "ordinary sizes, or try another seed"
            + (f", or leave out less than {without}" if without else "")
        )
    return candidates


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
    logged: Transitions | None = None,
) -> list[Alignment]:
    """Aligns every source with its own share of the budget, in their order.

    What one source leaves of its share the next one gets.

    Args:
        sources: at least one.
        targets: the target once for each, its budget limited to the share.
        config: of each alignment; how many sources there are is put in.
        watch: is called while they go on.
        logged: steps that others took in the target.
    """
    config, watch = replace(config, sources=len(sources)), watch or Silent()
    alignments: list[Alignment] = []
    pairs = zip(sources, targets, strict=True)
    for number, (source, target) in enumerate(pairs):
        watch.source(source.name)
        if alignments:
            target.budget.take_over(alignments[-1].target.budget)
        own = replace(config, spawn_key=(*config.spawn_key, number))
        alignments.append(align(source, target, own, watch, logged))
    return alignments


def require_budget(
    target: Domain,
    config: StepPlanConfig | None = None,
    logged: Transitions | None = None,
) -> int:
    """Returns the target's budget; raises `InputError` if a round needs more.

    Args:
        target: whose budget it is.
        config: how it is shared out.
        logged: what is known of the target, which may be enough without a step.
    """
    budget = target.budget.limit
    if budget is None:
        raise InputError(
            f"{target.name} needs a hard budget of target steps, got none: give its "
            "StepBudget a limit"
        )
    least = 4 * (config or StepPlanConfig()).least_exploration
    if budget < least and (budget or logged is None):
        without = " (or 0)" if logged is not None else ""
        raise InputError(
            f"one round needs a budget of at least {least} target steps{without}, got "
            f"{budget}: raise -n"
        )
    return budget
