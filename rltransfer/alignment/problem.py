"""What every rung needs to fit candidates and to measure them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from rltransfer.alignment.align_config import AlignConfig
from rltransfer.alignment.candidates import Candidate
from rltransfer.alignment.source_model_data import SourceModelData
from rltransfer.domain import Domain, Transitions, Whitening
from rltransfer.mapping import (
    Affine,
    DomainMapping,
    DynamicsAgreement,
    FitConfig,
    MomentMatching,
    Objective,
    Progress,
    WeightedSum,
    descending,
    fit,
)

_ENOUGH = 1.5
_MOMENT_PENALTY = 0.05


@final
@dataclass(frozen=True, eq=False)
class AlignmentProblem:
    """A source that is known, a target that is not, and the means to compare them.

    Args:
        knowledge: of the source.
        target: the domain to act in.
        whitening: of the target's observations; stays as it is while rows are added.
        config: effort and cues.
        generator: of starts and batches.
        watch: told the rung's name and how a fit goes on.
    """

    model_data: SourceModelData
    target: Domain
    whitening: Whitening
    config: AlignConfig
    generator: Generator
    watch: Callable[[str, Progress], None]

    @property
    def same_sensors(self) -> bool:
        """Whether observations have the same size, and may mean the same."""
        return self.target.observation_size == self.source.observation_size

    @property
    def same_actions(self) -> bool:
        """Whether actions are encoded alike, and may mean the same."""
        ours, theirs = self.source.actions, self.target.actions
        return (ours.size, ours.discrete) == (theirs.size, theirs.discrete)

    @property
    def source(self) -> Domain:
        """The source's domain."""
        return self.model_data.source.domain

    @property
    def action_activation(self) -> str:
        """What mapped actions pass: mixtures of discrete actions sum to one."""
        return "sum_to_one" if self.source.actions.discrete else "identity"

    def standardised(self, rows: Transitions) -> Transitions:
        """Returns target rows in white coordinates, with rewards in standard units."""
        spread = float(rows.reward.std()) + 1e-3
        return replace(
            rows,
            observation=self.whitening.whiten(rows.observation),
            reward=(rows.reward - rows.reward.mean()) / spread,
            next_observation=self.whitening.whiten(rows.next_observation),
        )

    def between(
        self,
        weight: Float[Tensor, "target source"],
        bias: Float[Tensor, " source"],
    ) -> Affine:
        """Returns a map of raw observations, x·weight + bias, in white coordinates."""
        source, target = self.model_data.model.whitening, self.whitening
        return Affine.of(
            target.inverse @ weight @ source.matrix,
            (target.mean @ weight + bias - source.mean) @ source.matrix,
        )

    def raw(
        self, state: Affine
    ) -> tuple[Float[Tensor, "target source"], Float[Tensor, " source"]]:
        """Returns the weight and bias that `state` has between raw coordinates."""
        source, target = self.model_data.model.whitening, self.whitening
        with torch.no_grad():
            weight = target.matrix @ state.weight @ source.inverse
            bias = state.bias @ source.inverse + source.mean - target.mean @ weight
        return weight, bias

    def selection_loss(
        self, rows: Transitions
    ) -> Objective[DomainMapping, Transitions]:
        """Returns the objective that mismatches are measured by.

        A map that shrinks the target to a point agrees with any dynamics: lying where
        the source's states lie counts a little.
        """
        moment_penalty = MomentMatching.of(self.model_data.at_random.observation)
        return WeightedSum(
            ((1.0, self.agreement(rows)), (_MOMENT_PENALTY, moment_penalty))
        )

    def agreement(self, rows: Transitions) -> DynamicsAgreement:
        """Returns the objective about how mapped target steps move.

        Termination is a cue only where both domains have shown one.
        """
        shared = self.model_data.terminates and bool(rows.terminated.any())
        return DynamicsAgreement(
            self.model_data.model,
            termination_weight=self.config.termination_weight if shared else 0.0,
            reward_weight=self.config.reward_weight,
        )

    def reference_error(self, rows: Transitions) -> float:
        """Returns the mismatch at which a candidate explains the target.

        It is the source's own by the same cues, but half as much again: other rows,
        other noise.
        """
        own = self.model_data.rows
        size = own.observation.shape[1]
        unchanged = DomainMapping(Affine.of(torch.eye(size), torch.zeros(size)))
        with torch.no_grad():
            return _ENOUGH * float(self.selection_loss(rows)(unchanged, own))

    def fit(
        self,
        family: str,
        mapping: DomainMapping,
        rows: Transitions,
        schedule: FitConfig,
        moments: tuple[float, float] | None,
    ) -> None:
        """Fits `mapping` in place to agree with the source's dynamics.

        Args:
            family: that is fitted, by name.
            mapping: a stack of candidates, or a plain one.
            rows: seen in the target, in white coordinates.
            schedule: how long and how fast.
            moments: first and last weight of matching the source's moments; None where
                the state map is fixed.
        """
        agreement = self.agreement(rows)
        objective: Objective[DomainMapping, Transitions] = agreement
        if moments is not None:
            moment_penalty = MomentMatching.of(self.model_data.at_random.observation)
            objective = WeightedSum(
                ((1.0, objective), (descending(*moments), moment_penalty))
            )
        fit(
            mapping,
            objective,
            rows,
            schedule,
            generator=self.generator,
            ranked_by=self.selection_loss(rows),
            watch=lambda progress: self.watch(family, progress),
        )

    def remeasured(self, candidate: Candidate, rows: Transitions) -> Candidate:
        """Returns `candidate` with its mismatch on `rows`."""
        with torch.no_grad():
            alignment_error = self.selection_loss(rows)(candidate.mapping, rows)
        return replace(candidate, alignment_error=float(alignment_error))

    def measured(
        self, family: str, mapping: DomainMapping, rows: Transitions
    ) -> list[Candidate]:
        """Returns every copy of `mapping` as a candidate; broken ones are left out."""
        with torch.no_grad():
            alignment_errors = (
                self.selection_loss(rows)(mapping, rows).reshape(-1).tolist()
            )
        copies = (
            [mapping]
            if mapping.copies is None
            else [mapping.copy(place) for place in range(mapping.copies)]
        )
        return [
            Candidate(copy, family, alignment_error)
            for copy, alignment_error in zip(copies, alignment_errors, strict=True)
            if alignment_error < float("inf")
        ]
