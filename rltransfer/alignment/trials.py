"""Acting with candidates, and what their returns say."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol, final, runtime_checkable

import torch
from jaxtyping import Bool
from torch import Tensor

from rltransfer.alignment.candidates import Candidate, Trial, preferred, worth_acting
from rltransfer.alignment.problem import AlignmentProblem
from rltransfer.alignment.step_plan import BestTrial, StepPlan
from rltransfer.domain import Policy, Rollout, Transitions
from rltransfer.domain.rollout import Recorder
from rltransfer.mapping import DomainMapping, Progress
from rltransfer.translation import MappedPolicy, Translation


@runtime_checkable
class Watcher(Protocol):
    """Is called while an alignment goes on: progress bars, logs."""

    def source(self, name: str) -> None:
        """Of several alignments the one with this source begins."""

    def phase(self, name: str, used: int) -> None:
        """A phase begins; `used` target steps are spent so far."""

    def fitted(self, family: str, progress: Progress) -> None:
        """A fit went on."""

    def tried(self, trial: Trial, used: int) -> None:
        """A candidate was acted with."""


@final
class Silent:
    """Shows nothing."""

    def source(self, name: str) -> None:
        """Does nothing."""

    def phase(self, name: str, used: int) -> None:
        """Does nothing."""

    def fitted(self, family: str, progress: Progress) -> None:
        """Does nothing."""

    def tried(self, trial: Trial, used: int) -> None:
        """Does nothing."""


@final
class Trials:
    """The trials of one alignment, and all that was seen of the target so far.

    Args:
        problem: as it stands after exploring.
        plan: of the target's steps, after exploring.
        explored: what exploring left.
        watch: is called after each trial.
        logged: what is known of the target besides.
    """

    def __init__(
        self,
        problem: AlignmentProblem,
        plan: StepPlan,
        explored: Rollout,
        watch: Watcher,
        logged: Transitions | None = None,
    ) -> None:
        self.problem, self.plan = problem, plan
        self.random_returns = explored.returns
        self.acted: list[Trial] = []
        """In the order in which they were acted with."""
        self.ranking: list[Trial] = []
        """Best first; their alignment errors are measured on all that was seen."""
        self.returns_stopped = False
        """Whether no other candidate acts because the best one earned so much."""
        known = [explored.transitions, *([] if logged is None else [logged])]
        self.seen = Transitions.join(*known)
        """What exploring, logs and trials showed of the target, as it shows it."""
        self._watch = watch
        self._rows: list[tuple[Policy | None, Transitions]] = [
            (None, explored.transitions)
        ]

    def act(self, number: int, candidates: Sequence[Candidate]) -> bool:
        """Acts with the best of `candidates`; returns whether another round may help.

        Args:
            number: of the round, from 0.
            candidates: at least one, the smallest alignment error first.
        """
        config, target = self.problem.config, self.problem.target
        # Where the acceptance test takes all the steps there are, the likeliest
        # candidate acts alone, and all that it does is part of the test.
        alone = self.plan.alone and not self.acted
        beam = 1 if alone else max(1, config.beam // (2 if number else 1))
        before, best = len(self.acted), self.ranking[:1]
        for candidate in worth_acting(self.problem, candidates, beam):
            if not self.plan.affords_trial(target.budget.used, self.best):
                break
            self.add(number, candidate)
            if self.settled:
                # Alone, all that it does is part of the test, whatever it earned.
                self.returns_stopped = self.earns_enough is True and not alone
                return False
        if len(self.acted) == before:
            return False
        # Where random episodes end early, acting shows what random acting never did.
        if best and self.plan.none_ended and self.ranking[0].policy is best[0].policy:
            return False
        if alone and self.acted[0].score > self.random_returns.mean():
            return False
        return self.plan.affords_trial(target.budget.used, self.best)

    def unacted(self, candidates: Sequence[Candidate]) -> list[Trial]:
        """Returns those that would act first as trials without a step, likeliest first.

        Args:
            candidates: at least one, the smallest alignment error first.
        """
        problem = self.problem
        none = Recorder().rollout(
            problem.target.observation_size, problem.target.actions.size
        )
        first = worth_acting(problem, candidates, problem.config.beam)
        return [Trial(0, one, self._policy(one.mapping), none, 0) for one in first]

    def collect(self, policy: Policy, **how: Any) -> Rollout:
        """Acts in the target as `Domain.collect` does, and keeps what it showed."""
        rollout = self.problem.target.collect(policy, **how)
        self._rows.append((policy, rollout.transitions))
        return rollout

    @property
    def experience(self) -> Transitions:
        """Every step that was taken in the target, as it shows them."""
        return Transitions.join(*(rows for _, rows in self._rows))

    def acted_by(self, policy: Policy) -> Bool[Tensor, " step"]:
        """Returns which steps of `experience` a policy took."""
        return torch.cat(
            [torch.full((len(rows),), who is policy) for who, rows in self._rows]
        )

    @property
    def best(self) -> BestTrial | None:
        """What the plan must know of the best trial; None where nothing was tried."""
        if not self.ranking:
            return None
        loses = bool((self.seen.reward < 0).any()) or not len(self.random_returns)
        above = None if loses else float(self.random_returns.max())
        return self.ranking[0].plan_facts(self._episode_limit, above)

    @property
    def _episode_limit(self) -> int | None:
        """Steps after which episodes are truncated, where it is said or was seen."""
        plan, said = self.plan, self.problem.target.episode_limit
        if said is None and plan.none_ended and plan.random_episodes:
            return int(plan.random_episode_steps)
        return said

    @property
    def spare(self) -> int:
        """Steps that trials may still take."""
        return self.plan.spare(self.problem.target.budget.used, self.best)

    @property
    def settled(self) -> bool:
        """Whether the best candidate explains the target and earns what it can."""
        best = self.ranking[0].candidate
        explains = best.settles or (
            best.family.trusts_sensors and self.problem.explains(best.alignment_error)
        )
        return explains and self.earns_enough is not False

    @property
    def earns_enough(self) -> bool | None:
        """Whether the best trial came near the source's policy at home.

        Where rewards mean something else there, nothing is near or far: None if home is
        no better than acting at random here, or nothing is known of either.
        """
        home, floor = self.problem.model_data.home_returns, self.random_returns
        best, limit = self.ranking[0].rollout, self._episode_limit
        part = 1.0
        if not len(best.returns) and self.plan.none_ended and limit:
            part = best.unfinished_steps / limit
        elif not len(best.returns):
            return None
        if not (len(home) and len(floor)):
            return None
        way = float(home.mean() - floor.mean())
        if way <= 0:
            return None
        share = self.problem.config.selection.near_home
        return bool(best.mean_return >= part * (floor.mean() + share * way))

    @property
    def worth_tuning(self) -> bool:
        """Whether the best candidate's return may be raised by short trials."""
        enough = self.settled or self.earns_enough
        return self.plan.none_ended and not self.plan.alone and not enough

    def earned(self, mapping: DomainMapping, steps: int, seed: int) -> float:
        """Returns what a mapping earns in one episode, or in its first steps."""
        return self.collect(
            self._policy(mapping),
            purpose="selection",
            seed=seed,
            steps=steps,
            episodes=1,
        ).mean_return

    def _policy(self, mapping: DomainMapping) -> MappedPolicy:
        problem, model_data = self.problem, self.problem.model_data
        return MappedPolicy(
            model_data.source.policy,
            Translation.of(
                mapping,
                problem.whitening,
                model_data.model,
                problem.history.steps,
            ),
            problem.source.actions,
            problem.target.actions,
        )

    def add(self, number: int, candidate: Candidate) -> None:
        """Acts with a candidate, and ranks all that were acted with anew.

        Args:
            number: of the round, from 0.
            candidate: what acts.
        """
        problem, target = self.problem, self.problem.target
        policy = self._policy(candidate.mapping)
        most = self.plan.trial_steps if candidate.settles else self.plan.short_steps
        rollout = self.collect(
            policy,
            purpose="selection",
            # Every trial starts alike, so that none is lucky in where it starts.
            seed=problem.config.streams.integer("selection"),
            steps=min(most, self.spare),
            episodes=self.plan.trial_episodes,
            whole=most == self.plan.trial_steps,
        )
        trial = Trial(number, candidate, policy, rollout, target.budget.used)
        self.acted.append(trial)
        self.seen = Transitions.join(self.seen, rollout.transitions)
        self.problem = problem.seeing(self.seen)
        measured = [
            replace(
                trial,
                candidate=replace(
                    trial.candidate,
                    alignment_error=self.problem.error_of(trial.candidate.mapping),
                ),
            )
            for trial in self.acted
        ]
        self.ranking = preferred(
            measured, self.random_returns, problem.config.selection
        )
        self._watch.tried(trial, target.budget.used)
