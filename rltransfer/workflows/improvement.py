"""Learning on in the target from what the alignment left, and the student's folder."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import numpy as np
from gymnasium import spaces

from rltransfer.alignment import Alignment
from rltransfer.alignment.refitting import Refitting, with_candidate
from rltransfer.domain import Domain
from rltransfer.errors import InputError
from rltransfer.io import storage_faults
from rltransfer.translation import MappedPolicy
from rltransfer.workflows.learning_record import ArmRow, LearningRecord
from rltransfer.workflows.progress_bars import AlignmentProgress
from rltransfer.workflows.transfer_description import STUDENT_FOLDER
from rltransfer.workflows.transfer_request import TransferRequest
from rltransfer_agents.learning_on import (
    NOTHING_KNOWN,
    STRATEGIES,
    ArmRecord,
    KnownReturns,
    LearnedOn,
    LearnOnConfig,
    learn_on,
    require_learning_steps,
    require_student,
)
from rltransfer_agents.learning_on.learner_config import LearnerConfig
from rltransfer_agents.learning_on.potential import Potential, source_value
from rltransfer_agents.learning_on.source_networks import require_networks
from rltransfer_agents.loading import LoadedPolicy
from rltransfer_agents.training.evaluations import EvaluationHistory
from rltransfer_agents.training.run_files import RunFiles
from rltransfer_agents.training.student_files import (
    student_files,
    write_student,
)

_EPISODES = 20
"""Behind each point of the learning curve; they choose nothing."""


def require_learning(
    request: TransferRequest, target: Domain, sources: Sequence[LoadedPolicy] = ()
) -> str:
    """Returns the student's algorithm, or raises where nothing could be learned.

    Args:
        request: that asks for learning on.
        target: open, not yet acted in.
        sources: any of which the student may have to begin with.

    Raises:
        InputError: the student, the strategy, the threshold, the budget or a source is
            wrong.
    """
    learning = request.learning
    assert learning is not None
    student = require_student(
        learning.student,
        learning.strategy,
        target.name,
        target.action_space,
    )
    shown = target.observations
    vectors = not shown.numbered and shown.picture is None
    if not vectors or not isinstance(target.action_space, spaces.Box | spaces.Discrete):
        raise InputError(
            "learning on needs vectors, and Discrete actions or a Box; "
            f"{target.name} has {target.observation_space} and {target.action_space}: "
            "leave out --improve, or train in it with train-source"
        )
    learning.threshold_in(request.target)
    takes = STRATEGIES[learning.strategy].takes
    for source in sources:
        if takes is not None:
            asked = f"--strategy {learning.strategy}"
            require_networks(takes, asked, source, target, student)
    require_learning_steps(
        request.budget - request.alignment_budget, target.episode_limit
    )
    return student


@final
@dataclass(frozen=True, eq=False)
class Improvement:
    """What learning on came to."""

    learned: LearnedOn
    algorithm: str
    """Of the student."""
    target: Domain
    alignment_steps: int
    """Target steps that were taken before."""
    refitting: Refitting

    def tested(self, alignment: Alignment) -> Alignment:
        """Returns it with the test that learning on went on with, if it did."""
        acceptance = self.learned.acceptance
        return (
            alignment
            if acceptance is None
            else replace(alignment, acceptance=acceptance)
        )

    def kept(self, alignment: Alignment) -> Alignment:
        """Returns it with the mapping that came out, if that was fitted anew."""
        policy = self.learned.policy
        if self.learned.winner != "refitted" or not isinstance(policy, MappedPolicy):
            return alignment
        candidate = self.refitting.candidate(policy, alignment.experience)
        return with_candidate(alignment, candidate, policy)

    def student_files(self, request: TransferRequest, run: Path) -> RunFiles | None:
        """Returns where the model that came out lies; None where a mapping did."""
        if self.learned.learner is None:
            return None
        return student_files(
            run / STUDENT_FOLDER,
            self.algorithm,
            request.target.env_id,
            request.target.kwargs,
            steps=self.target.budget.used,
            seed=request.seed,
        )

    def write(self, request: TransferRequest, run: Path) -> None:
        """Writes the model that came out, if one did, as RL Zoo would.

        Args:
            request: names the target.
            run: folder of the transfer.
        """
        with storage_faults(run / STUDENT_FOLDER):
            # A run that was stopped here has written some of it already.
            if (run / STUDENT_FOLDER).exists():
                shutil.rmtree(run / STUDENT_FOLDER)
        files, learner = self.student_files(request, run), self.learned.learner
        if files is not None and learner is not None:
            spaces = self.target.observation_space, self.target.action_space
            write_student(files, learner.model, spaces, self._history)

    @property
    def _history(self) -> EvaluationHistory:
        """The curve of what would have come out, whoever it was at each point."""
        curve = self.learned.curve
        return EvaluationHistory(
            steps=[at.target_steps for at in curve],
            returns=[np.array(at.returns) for at in curve],
            lengths=[np.array(at.lengths) for at in curve],
        )

    def record(
        self, request: TransferRequest, run: Path, random: float
    ) -> LearningRecord:
        """Returns it as plain data.

        Args:
            request: that was asked.
            run: folder of the transfer.
            random: mean return of random actions, where the curve begins.
        """
        learning, learned = request.learning, self.learned
        assert learning is not None
        files = self.student_files(request, run)
        points = ((at.target_steps, at.mean_return, at.arm) for at in learned.curve)
        return LearningRecord(
            strategy=learning.strategy,
            algorithm=self.algorithm,
            winner=learned.winner,
            verdict=learned.verdict,
            student=None if files is None else files.agent,
            threshold=learning.threshold_in(request.target),
            alignment_budget=request.alignment_budget,
            alignment_steps=self.alignment_steps,
            learning_steps=self.target.budget.used - self.alignment_steps,
            curve=((0, random, "random"), *points),
            arms=tuple(map(_row, learned.arms)),
        )


def _row(arm: ArmRecord) -> ArmRow:
    finals = arm.final_returns
    return ArmRow(
        name=arm.name,
        episodes=arm.episodes,
        steps=arm.steps,
        final_return=float(np.mean(finals)) if len(finals) else None,
        final_episodes=len(finals),
        mean_return=arm.mean_return,
        dropped=arm.dropped,
    )


_VALUE_UPDATES = 5_000
"""Of what values the source's states; a few seconds."""


def _potential(request: TransferRequest, alignment: Alignment) -> Potential | None:
    """Returns what shapes the rewards, where the strategy asks for that."""
    learning = request.learning
    assert learning is not None
    if not STRATEGIES[learning.strategy].shapes or not _enters(alignment):
        return None
    rng = request.streams.generator("source value")
    discount = LearnerConfig().discount
    value = source_value(alignment.model_data, discount, _VALUE_UPDATES, rng)
    return Potential(alignment.lead, value)


def learn_on_from(
    request: TransferRequest, alignment: Alignment, watch: AlignmentProgress
) -> Improvement:
    """Learns on in the target with all steps left.

    Where its mapping was refused, what learns knows no mapping.

    Args:
        request: asks for it.
        alignment: of all sources.
        watch: is called while it goes on.
    """
    learning, target, streams = request.learning, alignment.target, request.streams
    assert learning is not None
    taken = target.budget.used
    left = request.budget - taken
    student = require_learning(request, target)
    target.budget.raise_to(request.budget)
    watch.phase("learning", taken)
    acceptance, altered = alignment.acceptance, request.alter is not None
    place = alignment.chosen.candidate.source
    refitting = Refitting(alignment, request.align_config().for_source(place))
    learned = learn_on(
        target,
        alignment.policy if _enters(alignment) else None,
        alignment.experience,
        LearnOnConfig(
            strategy=learning.strategy,
            student=student,
            steps=left,
            solved=learning.threshold_in(request.target),
            points=learning.evaluations,
            evaluation_episodes=_EPISODES,
            # The episodes of the figures: all strategies are compared in the same.
            evaluation_seed=streams.integer("report"),
            seed=streams.sequence("learning"),
            potential=_potential(request, alignment),
        ),
        watch,
        # What was altered since is another policy than the one that was tested, and
        # enters as it is.
        NOTHING_KNOWN if altered else _tested(alignment),
        None if altered or acceptance.accepted else acceptance,
        refitting,
    )
    return Improvement(learned, student, target, taken, refitting)


def _enters(alignment: Alignment) -> bool:
    """Returns whether the mapped policy takes part: accepted, or still to be tested."""
    acceptance = alignment.acceptance
    return bool(acceptance.accepted) or acceptance.open


def _tested(alignment: Alignment) -> KnownReturns:
    """Returns what the kept mapping earned in whole episodes that did not choose it."""
    acceptance = alignment.acceptance
    if not _enters(alignment) or acceptance.stopped_above is not None:
        return NOTHING_KNOWN
    facts = alignment.chosen.plan_facts(alignment.target.episode_limit)
    return KnownReturns(tuple(acceptance.returns.tolist()), facts.episode_steps)
