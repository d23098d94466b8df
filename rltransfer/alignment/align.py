"""Finding a mapping: explore, rounds of fitting and acting, an acceptance test."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import Bool
from torch import Tensor

from rltransfer.alignment.accept import accept
from rltransfer.alignment.acceptance_test import AcceptanceTest
from rltransfer.alignment.align_config import AlignConfig
from rltransfer.alignment.candidates import Candidate, Trial
from rltransfer.alignment.ensembling import ENSEMBLE, combine, member_sources
from rltransfer.alignment.families import propose, require_known_families
from rltransfer.alignment.leftover_motors import drive_leftover_motors
from rltransfer.alignment.problem import AlignmentProblem, require_same_kind
from rltransfer.alignment.source_model_data import (
    Source,
    SourceModelData,
    exploring,
)
from rltransfer.alignment.source_race import SourceEvidence
from rltransfer.alignment.step_plan import StepPlan, StepPlanConfig
from rltransfer.alignment.trials import Trials
from rltransfer.alignment.tuning import tune
from rltransfer.alignment.watcher import Silent, Watcher
from rltransfer.domain import (
    Domain,
    Rollout,
    SeekingPolicy,
    Transitions,
    Whitening,
)
from rltransfer.errors import InputError
from rltransfer.translation import EnsemblePolicy, MappedPolicy


@final
@dataclass(frozen=True, eq=False)
class Alignment:
    """What came of aligning sources with the target: the best one, and its mapping."""

    model_data: SourceModelData
    target: Domain
    whitening: Whitening
    trials: tuple[Trial, ...]
    """Those of this source, in the order in which they were acted with.

    Where no step is allowed, those that would have acted first, without a step.
    """
    chosen: Trial
    acceptance: AcceptanceTest
    experience: Transitions
    """Every step that was taken in the target, as it shows them."""
    visited: Bool[Tensor, " step"]
    """Which of these steps the chosen candidate took."""
    logged: Transitions | None
    """What was known of the target besides, likewise."""
    sources: tuple[SourceEvidence, ...]
    """What is known of every source, in their order."""
    owners: tuple[int, ...]
    """Places of the sources of the policy's members; of a mapping its own alone."""

    @property
    def acted_upon(self) -> Transitions:
        """What candidates saw in the target; logged steps where none has acted."""
        seen = Transitions.join(*(trial.rollout.transitions for trial in self.trials))
        return seen if len(seen) or self.logged is None else self.logged

    @property
    def policy(self) -> MappedPolicy | EnsemblePolicy:
        """The zero-shot policy."""
        return self.chosen.policy

    @property
    def lead(self) -> MappedPolicy:
        """The same; of an ensemble the member whose mapping stands for all."""
        return self.policy.lead


def align(
    sources: Sequence[Source | SourceModelData],
    target: Domain,
    config: AlignConfig,
    watch: Watcher | None = None,
    logged: Transitions | None = None,
) -> Alignment:
    """Finds a mapping between the target and a source, and accepts or refuses it.

    Every step in the target is counted by its budget. Of 0 steps none is taken: the
    likeliest candidate by the logged rows is chosen, and nothing is tested.

    Several sources share the exploration and the budget. Candidates of each act in the
    first round, until counted returns have left one source: the others' mappings are
    not tested, so that the test needs no more confidence than for one.

    Args:
        sources: at least one agent and its environment, or what was learned of them
            before.
        target: with a limited budget; may be 0 where there are logged rows.
        config: effort and rules.
        watch: is called while it goes on.
        logged: steps that others took in the target; they cost none, and whoever acted
            in them, their returns choose nothing.

    Raises:
        InputError: the budget is too small for one round, or every fit diverged.
    """
    require_known_families(config.without)
    for source in sources:
        own = source if isinstance(source, Source) else source.source
        require_same_kind(own.domain, target, config)
    watch, budget = watch or Silent(), target.budget
    plan = StepPlan(
        require_budget(target, config.steps, logged),
        config.steps,
        config.confidence,
        target.episode_limit,
    )
    known = [_known(source, config, watch, budget.used) for source in sources]
    watch.phase("exploration", budget.used)
    explored = explore(target, plan, config.for_source(0))
    plan = plan.after(explored)
    rows, problem = explored.transitions, AlignmentProblem.of
    problems = [
        problem(model_data, target, rows, config.for_source(place), logged)
        for place, model_data in enumerate(known)
    ]
    trials = Trials(problems, plan, explored, watch, logged)
    if plan.budget:
        for number in range(config.rounds):
            watch.phase(f"round {number + 1}", budget.used)
            candidates = _proposed(trials, watch)
            goes_on = bool(candidates) and trials.act(number, candidates)
            combine(trials, watch)
            # Further rounds would fit anew by agreement, which knows nothing of them.
            if not number and drive_leftover_motors(trials, watch):
                break
            if not goes_on:
                break
        tune(trials, watch)
        watch.phase("acceptance", budget.used)
        chosen, acceptance = accept(trials)
    else:
        watch.phase("round 1", budget.used)
        chosen = trials.unacted(_proposed(trials, watch))
        acceptance = AcceptanceTest.none(config.confidence)
    kept = trials.problem
    return Alignment(
        kept.model_data,
        target,
        kept.whitening,
        tuple(trials.of(chosen.candidate.source)),
        chosen,
        acceptance,
        trials.experience,
        trials.acted_by(chosen.policy),
        logged,
        _evidence(trials, chosen, budget.used - len(rows)),
        member_sources(chosen, trials.acted),
    )


def _known(
    source: Source | SourceModelData, config: AlignConfig, watch: Watcher, used: int
) -> SourceModelData:
    if isinstance(source, SourceModelData):
        return source
    watch.source(source.name)
    watch.phase("source", used)
    return source.model_data(config)


def _proposed(trials: Trials, watch: Watcher) -> dict[int, list[Candidate]]:
    """Returns candidates of each source that is left and has any, by its place.

    In the first round there must be some.
    """
    found = {}
    for place in sorted(trials.alive):
        problem = trials.problems[place]
        if len(trials.alive) > 1:
            watch.source(problem.model_data.source.name)
        known = [
            trial.candidate
            for trial in trials.ranking
            if trial.candidate.source == place
            and trial.candidate.family is not ENSEMBLE
        ]
        candidates = [
            replace(candidate, source=place)
            for candidate in propose(problem, known, watch.fitted)
        ]
        if candidates:
            found[place] = candidates
    if not found and not trials.acted:
        problem, without = trials.problem, trials.problem.config.without
        raise InputError(
            f"no candidate family proposes a mapping for {problem.target.name}: none "
            "explains it, or every fit diverged; rescale its observations and rewards "
            "to ordinary sizes, or try another seed"
            + (f", or leave out less than {without}" if without else "")
        )
    return found


def _evidence(trials: Trials, chosen: Trial, steps: int) -> tuple[SourceEvidence, ...]:
    """Returns what is known of every source.

    Args:
        trials: of all.
        chosen: of the source that is kept.
        steps: that were taken for all of them, exploring left out.
    """
    kept = chosen.candidate.source
    known = [
        SourceEvidence.of(trials.likeliest.get(place), trials.of(place))
        for place in range(len(trials.problems))
    ]
    others = sum(one.target_steps for place, one in enumerate(known) if place != kept)
    acted = bool(len(chosen.rollout.transitions))
    if isinstance(chosen.policy, EnsemblePolicy):
        said = chosen.policy.say(chosen.rollout.transitions.observation.numpy())
        owners = np.array(member_sources(chosen, trials.acted))
        for place, one in enumerate(known):
            own = owners == place
            say = float(said.shares[own].sum(axis=0).mean()) if own.any() else 0.0
            known[place] = replace(one, members=int(own.sum()), say=say)
    known[kept] = replace(
        known[kept],
        kept=True,
        trials=known[kept].trials if acted else 0,
        candidate=chosen.candidate,
        trial_return=chosen.score if acted else None,
        target_steps=steps - others,
    )
    return tuple(known)


def explore(target: Domain, plan: StepPlan, config: AlignConfig) -> Rollout:
    """Acts at random in the target, until some episodes are finished if that can be.

    A finite world is explored further while an action is known to be untried, up to
    half of the budget.
    """
    streams = config.streams
    policy = exploring(target, config, streams.generator("exploration actions"))
    explored = target.collect(
        policy,
        purpose="exploration",
        seed=streams.integer("exploration"),
        steps=plan.exploration,
        wanted=plan.wanted_episodes,
    )
    seed = streams.integer("further exploration")
    while isinstance(policy, SeekingPolicy) and not policy.finished:
        left = plan.budget // 2 - len(explored.transitions)
        if left <= 0:
            break
        further = target.collect(
            policy, purpose="exploration", seed=seed, steps=left, episodes=1
        )
        explored, seed = explored.followed_by(further), seed + 1
    return explored


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
