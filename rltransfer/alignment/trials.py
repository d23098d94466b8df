"""Acting with candidates, and what their returns say."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, final

import torch
from jaxtyping import Bool
from torch import Tensor

from rltransfer.alignment.candidates import Candidate, Trial, preferred, worth_acting
from rltransfer.alignment.problem import AlignmentProblem
from rltransfer.alignment.source_race import likeliest_first, rungs
from rltransfer.alignment.step_plan import BestTrial, StepPlan
from rltransfer.alignment.watcher import Watcher
from rltransfer.domain import Policy, Rollout, Transitions
from rltransfer.domain.rollout import Recorder
from rltransfer.translation import EnsemblePolicy, MappedPolicy, Translation


@final
class Trials:
    """The trials of one alignment, and all that was seen of the target so far.

    All sources share what is seen, whichever of them acted.

    Args:
        problems: one for each source, as they stand after exploring.
        plan: of the target's steps, after exploring.
        explored: what exploring left.
        watch: is called after each trial.
        logged: what is known of the target besides.
    """

    def __init__(
        self,
        problems: Sequence[AlignmentProblem],
        plan: StepPlan,
        explored: Rollout,
        watch: Watcher,
        logged: Transitions | None = None,
    ) -> None:
        self.problems, self.plan = list(problems), plan
        self.alive = list(range(len(problems)))
        """Places of the sources that may still act, the best one first."""
        self.random_returns = explored.returns
        self.likeliest: dict[int, Candidate] = {}
        """Of each source that had one, the candidate that was to act first."""
        self.acted: list[Trial] = []
        """In the order in which they were acted with."""
        self.ranking: list[Trial] = []
        """Those of sources that may still act, best first.

        Their alignment errors are measured on all that was seen.
        """
        self.returns_stopped = False
        """Whether no other candidate acts because the best one earned so much."""
        known = [explored.transitions, *([] if logged is None else [logged])]
        self.seen = Transitions.join(*known)
        """What exploring, logs and trials showed of the target, as it shows it."""
        self._watch = watch
        self._rows: list[tuple[Policy | None, Transitions]] = [
            (None, explored.transitions)
        ]

    @property
    def problem(self) -> AlignmentProblem:
        """Of the source that leads so far; of the first one where none has acted."""
        return self.problems[self.alive[0]]

    def act(self, number: int, candidates: Mapping[int, Sequence[Candidate]]) -> bool:
        """Acts with the best of `candidates`; returns whether another round may help.

        Where several sources are left, all but one drop out: see `rungs`.

        Args:
            number: of the round, from 0.
            candidates: of each source that is left, by its place; at least one of each,
                the smallest alignment error first.
        """
        config, target = self.problem.config, self.problem.target
        # Where the acceptance test takes all the steps there are, the likeliest
        # candidate acts alone, and all that it does is part of the test.
        alone = self.plan.alone and not self.acted
        beam = 1 if alone else max(1, config.beam // (2 if number else 1))
        before, best = len(self.acted), self.ranking[:1]
        waiting = {
            place: worth_acting(self.problems[place], own, beam)
            for place, own in candidates.items()
        }
        self.alive = likeliest_first(waiting)
        self.likeliest |= {place: own[0] for place, own in waiting.items()}
        of_each = 0
        for sources, most in rungs(1 if alone else len(waiting), beam):
            self._keep(sources)
            for left, place in zip(
                range(sources, 0, -1), tuple(self.alive), strict=True
            ):
                for candidate in islice(waiting[place], of_each, most):
                    if not self.plan.affords_trial(target.budget.used, self.best):
                        break
                    self.add(number, candidate, left)
                    if sources == 1 and self.settled:
                        break
            of_each = most
            if len(self.acted) > before and self.settled:
                self._keep(1)
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

    def unacted(self, candidates: Mapping[int, Sequence[Candidate]]) -> Trial:
        """Keeps what would act first as trials without a step; returns the likeliest.

        Args:
            candidates: as for `act`.
        """
        beam = self.problem.config.beam
        waiting = {
            place: worth_acting(self.problems[place], own, beam)
            for place, own in candidates.items()
        }
        target = self.problem.target
        none = Recorder().rollout(target.observation_size, target.actions.size)
        self.likeliest = {place: own[0] for place, own in waiting.items()}
        self.alive = likeliest_first(waiting)[:1]
        self.acted = [
            Trial(0, one, self._policy(one), none, 0) for one in waiting[self.alive[0]]
        ]
        return self.acted[0]

    def of(self, place: int) -> list[Trial]:
        """Returns the trials of one source, in the order in which they acted."""
        return [trial for trial in self.acted if trial.candidate.source == place]

    def _keep(self, sources: int) -> None:
        """Lets so many sources act on, those whose trials rank best."""
        ranked = [trial.candidate.source for trial in self.ranking]
        left = list(dict.fromkeys([*ranked, *self.alive]))[:sources]
        dropped = len(left) < len(self.alive)
        self.alive = left
        if dropped:
            self._rank()

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

    def earned(self, candidate: Candidate, steps: int, seed: int) -> float:
        """Returns what a candidate earns in one episode, or in its first steps."""
        return self.collect(
            self._policy(candidate),
            purpose="selection",
            seed=seed,
            steps=steps,
            episodes=1,
        ).mean_return

    def _policy(self, candidate: Candidate) -> MappedPolicy:
        problem = self.problems[candidate.source]
        model_data = problem.model_data
        return MappedPolicy(
            model_data.source.policy,
            Translation.of(
                candidate.mapping,
                problem.whitening,
                model_data.model,
                problem.history.steps,
            ),
            problem.source.actions,
            problem.target.actions,
            (problem.source.observations, problem.target.observations),
        )

    def add(
        self,
        number: int,
        candidate: Candidate,
        sharing: int = 1,
        policy: EnsemblePolicy | None = None,
    ) -> None:
        """Acts with a candidate, and ranks all that were acted with anew.

        Args:
            number: of the round, from 0.
            candidate: what acts.
            sharing: sources that are to act yet, this one among them: a trial must
                leave them steps.
            policy: acts instead of the candidate's own mapping.
        """
        target = self.problem.target
        acting = policy or self._policy(candidate)
        most = self.plan.trial_steps if candidate.settles else self.plan.short_steps
        rollout = self.collect(
            acting,
            purpose="selection",
            # Every trial starts alike, whatever its source, so that none is lucky in
            # where it starts.
            seed=self.problems[0].config.streams.integer("selection"),
            steps=min(most, self.plan.trial_share(self.spare, sharing)),
            episodes=self.plan.trial_episodes,
            whole=most == self.plan.trial_steps,
        )
        trial = Trial(number, candidate, acting, rollout, target.budget.used)
        self.acted.append(trial)
        self.seen = Transitions.join(self.seen, rollout.transitions)
        self._rank()
        self._watch.tried(trial, target.budget.used)

    def _rank(self) -> None:
        """Ranks the trials of the sources that are left, on all that was seen."""
        for place in self.alive:
            self.problems[place] = self.problems[place].seeing(self.seen)
        measured = [
            replace(trial, candidate=self._measured(trial.candidate))
            for trial in self.acted
            if trial.candidate.source in self.alive
        ]
        if measured:
            config = self.problem.config.selection
            self.ranking = preferred(measured, self.random_returns, config)
            leader = self.ranking[0].candidate.source
            self.alive.sort(key=lambda place: place != leader)

    def _measured(self, candidate: Candidate) -> Candidate:
        error = self.problems[candidate.source].error_of(candidate.mapping)
        return replace(candidate, alignment_error=error)
