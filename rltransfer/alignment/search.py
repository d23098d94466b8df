"""What an alignment does within its budget: explore, fit and act, prove."""

from dataclasses import replace
from typing import final

import numpy as np
import torch

from rltransfer.alignment.acceptance_test import (
    AcceptanceTest,
    episodes_needed,
    stronger,
)
from rltransfer.alignment.align_config import AlignConfig
from rltransfer.alignment.candidates import Candidate, different
from rltransfer.alignment.families import propose
from rltransfer.alignment.problem import AlignmentProblem
from rltransfer.alignment.source_model_data import (
    Source,
    SourceModelData,
    learn_source_model,
)
from rltransfer.alignment.trials import Trial, Watcher, preferred
from rltransfer.domain import Domain, StickyRandomPolicy, Transitions, Whitening
from rltransfer.errors import InputError
from rltransfer.translation import MappedPolicy, Translation

_LEAST_EXPLORATION = 100
_TRIALS_SHARE = 6
"""A trial may take the budget divided by this."""
_FEWEST_EPISODES, _MOST_EPISODES = 2, 6
"""Of a trial: more where episodes are short."""
_HOPELESS = 4.0
"""Times the smallest mismatch above which a candidate is not worth its steps."""
_PROOF_EPISODES = 5
"""Taken if the budget allows, even where fewer would do."""
_MANY = 10
"""Episodes of a proof that leave no steps to choose with."""
_SPARE = 1.05
"""Episodes differ in length; the proof's reserve allows for that."""
_SEARCH_SEED = 5
"""Added to the run's seed: restarts must not draw what the source's model drew."""


@final
class Search:
    """What an alignment knows between its rounds."""

    def __init__(
        self,
        source: Source | SourceModelData,
        target: Domain,
        config: AlignConfig,
        watch: Watcher,
    ) -> None:
        self._target, self._config, self._watch = target, config, watch
        self._budget = require_budget(target)
        if isinstance(source, Source):
            watch.phase("source", target.meter.used)
            source = learn_source_model(source, config)
        self._knowledge = source
        watch.phase("exploration", target.meter.used)
        explorer = StickyRandomPolicy(
            target.actions, np.random.default_rng(config.seed + 1)
        )
        share = int(config.exploration_share * self._budget)
        explored = target.collect(
            explorer,
            purpose="exploration",
            seed=config.seed + 1,
            steps=max(_LEAST_EXPLORATION, share),
            first_episode_within=self._budget // 3 + 1,
        )
        self._random_returns = explored.returns
        self._unheld_returns = np.zeros(0)
        self._explored_steps = len(explored.transitions) - explored.unfinished_steps
        self._bench = AlignmentProblem(
            source,
            target,
            Whitening.of(explored.transitions.observation),
            config,
            torch.Generator().manual_seed(config.seed + _SEARCH_SEED),
            watch.fitted,
        )
        self._seen = explored.transitions
        self._trials: list[Trial] = []

    def round(self, number: int) -> bool:
        """Fits and acts once; returns whether another round may help."""
        self._watch.phase(f"round {number + 1}", self._target.meter.used)
        rows = self._bench.standardised(self._seen)
        kept = [trial.candidate for trial in self._ranked()]
        candidates = propose(self._bench, rows, kept)
        if not candidates and self._trials:
            return False
        if not candidates:
            raise InputError(
                "a mapping needs a finite error, every one fitted to "
                f"{self._target.name} diverged: rescale its observations and rewards "
                "to ordinary sizes, or try another seed"
            )
        beam = max(1, self._config.beam // (2 if number else 1))
        # With a random episode or two a proof takes all the steps there are: then the
        # likeliest candidate acts alone, and all that it does is part of the proof.
        alone = self._episodes_needed >= _MANY and not self._trials
        beam = 1 if alone else beam
        acted = 0
        bar = _HOPELESS * max(
            candidates[0].alignment_error, self._bench.reference_error(rows)
        )
        hopeful = [c for c in candidates if c.alignment_error <= bar]
        # What asks for nothing new is tried first: it may not be tried at all else.
        hopeful.sort(key=lambda c: c.family != "identity")
        for candidate in different(hopeful, rows, beam):
            if not self._affordable():
                break
            self._try(number, candidate)
            acted += 1
        if not acted:
            return False
        if alone and self._trials[0].score > self._random_returns.mean():
            return False
        best = self._ranked()[0].candidate
        settled = (
            best.trusts_sensors
            and best.alignment_error <= self._bench.reference_error(rows)
        )
        return self._affordable() and not settled

    def test(self) -> tuple[Trial, AcceptanceTest]:
        """Acts with the best candidate on fresh episodes, and compares.

        How many episodes are aimed at is settled before; where the budget is short, one
        that would not end in time, going by the mean so far, is not begun.
        """
        self._watch.phase("proof", self._target.meter.used)
        chosen = self._ranked()[0]
        self._act_at_random_again(chosen)
        length = chosen.episode_steps(self._target.episode_limit)
        tested = self._target.collect(
            chosen.policy,
            purpose="proof",
            seed=self._config.seed + 3,
            steps=self._budget,
            episodes=max(_PROOF_EPISODES, self._episodes_needed),
            whole=True,
            expected_steps=length,
        )
        returns = tested.returns
        if len(self._trials) == 1:
            # Nothing was chosen by these: they are as good a proof as any.
            returns = np.concatenate([chosen.rollout.returns, returns])
        confidence = self._config.confidence
        random_returns = stronger(
            self._random_returns, self._unheld_returns, len(returns), confidence
        )
        return chosen, AcceptanceTest(random_returns, returns, confidence)

    def _act_at_random_again(self, chosen: Trial) -> None:
        """Adds random episodes that hold no action, where steps are left over.

        Holding actions may be the better or the worse way to act at random.
        """
        seen = len(self._random_returns)
        if not seen:
            return
        length = chosen.episode_steps(self._target.episode_limit)
        own = _SPARE * length * self._episodes_needed
        left = self._target.meter.allowed(self._budget) - int(own)
        episode = max(1.0, self._explored_steps / seen)
        episodes = min(_PROOF_EPISODES, int(left / episode))
        if episodes < 1:
            return
        rng = np.random.default_rng(self._config.seed + 4)
        again = self._target.collect(
            StickyRandomPolicy(self._target.actions, rng, longest=1),
            purpose="proof",
            seed=self._config.seed + 4,
            steps=left,
            episodes=episodes,
        )
        self._unheld_returns = again.returns

    @property
    def _episodes_needed(self) -> int:
        return episodes_needed(len(self._random_returns), self._config.confidence)

    def _affordable(self) -> bool:
        """Whether one more trial leaves enough to prove the best candidate."""
        if not self._trials:
            return True
        episode = self._ranked()[0].episode_steps(self._target.episode_limit)
        return self._spare >= min(self._trial_steps, _SPARE * episode)

    @property
    def _spare(self) -> int:
        return self._target.meter.allowed(self._budget) - self._reserve

    @property
    def _trial_steps(self) -> int:
        share = self._budget // _TRIALS_SHARE
        return min(share, self._target.episode_limit or share)

    @property
    def _trial_episodes(self) -> int:
        finished = len(self._random_returns)
        if not finished:
            return _FEWEST_EPISODES
        length = max(1.0, self._explored_steps / finished)
        fitting = int(self._trial_steps / 2 / length)
        return min(max(fitting, _FEWEST_EPISODES), _MOST_EPISODES)

    @property
    def _reserve(self) -> int:
        """Steps kept back for the proof: as many episodes as it needs, like the best's.

        Nothing is known of their length before anything was acted with.
        """
        most = self._config.acceptance_share * self._budget
        if not self._trials:
            return int(most / 2)
        best = self._ranked()[0]
        if not len(best.rollout.returns) and self._episodes_needed >= _MANY:
            # There is nothing to prove yet, and no way to prove it by long episodes.
            return int(most / 2)
        length = best.episode_steps(self._target.episode_limit)
        return int(min(_SPARE * length * self._episodes_needed, most))

    def _ranked(self) -> list[Trial]:
        """Trials, best first, their mismatches measured on all that was seen."""
        rows = self._bench.standardised(self._seen)
        measured = [
            replace(t, candidate=self._bench.remeasured(t.candidate, rows))
            for t in self._trials
        ]
        return preferred(measured, self._random_returns) if measured else []

    def _try(self, number: int, candidate: Candidate) -> None:
        translation = Translation.of(
            candidate.mapping, self._bench.whitening, self._knowledge.model
        )
        policy = MappedPolicy(
            self._knowledge.source.policy,
            translation,
            self._bench.source.actions,
            self._target.actions,
        )
        # Every trial starts alike, so that none is lucky in where it starts.
        rollout = self._target.collect(
            policy,
            purpose="selection",
            seed=self._config.seed + 2,
            steps=min(self._trial_steps, self._spare),
            episodes=self._trial_episodes,
            whole=True,
        )
        trial = Trial(number, candidate, policy, rollout)
        self._trials.append(trial)
        self._seen = Transitions.join(self._seen, rollout.transitions)
        self._watch.tried(trial, self._target.meter.used)

    @property
    def model_data(self) -> SourceModelData:
        """What is known of the source."""
        return self._knowledge

    @property
    def whitening(self) -> Whitening:
        """How the target's observations are whitened."""
        return self._bench.whitening

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All that were acted with, in their order."""
        return tuple(self._trials)


def require_budget(target: Domain) -> int:
    """Returns the target's budget; raises `InputError` if a round needs more."""
    budget = target.meter.limit
    if budget is None:
        raise InputError(
            f"{target.name} needs a hard budget of target steps, got none: give its "
            "StepMeter a limit"
        )
    least = 4 * _LEAST_EXPLORATION
    if budget < least:
        raise InputError(
            f"one round needs a budget of at least {least} target steps, got {budget}: "
            "raise -n"
        )
    return budget
