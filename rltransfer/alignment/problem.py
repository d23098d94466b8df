"""What every candidate family needs to fit mappings and to measure them."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, final

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Generator, Tensor

from rltransfer.alignment.align_config import AlignConfig
from rltransfer.alignment.moment_terms import moment_term
from rltransfer.alignment.sensor_noise import is_noisy
from rltransfer.alignment.sensor_views import hides_state
from rltransfer.alignment.source_model_data import SourceModelData
from rltransfer.alignment.wirings import every_wiring
from rltransfer.domain import Domain, History, Transitions, Whitening
from rltransfer.errors import InputError
from rltransfer.mapping import (
    Affine,
    DomainMapping,
    DynamicsAgreement,
    FitConfig,
    FitWatcher,
    MomentMatching,
    Objective,
    WeightedSum,
    descending,
    fit,
)


class Measured(NamedTuple):
    """A mapping between white coordinates, one copy, and how well it explains them."""

    mapping: DomainMapping
    alignment_error: float
    """Relative one-step error, with the cues; lower is better."""
    settles: bool = False
    """Whether it explains what was seen so well that no other one need be sought."""
    retraced: bool = False
    """Whether the source itself, under the target's actions, went where it says."""


@final
@dataclass(frozen=True, eq=False)
class AlignmentProblem:
    """A known source, what was seen of the target, and the means to compare them.

    Args:
        model_data: of the source.
        target: the domain to act in.
        whitening: of stacks of observations; stays as it is while rows are added.
        history: what an observation is stacked upon; the rows' observations are stacks.
        rows: all that is known of the target, in white coordinates; see `seeing`.
        config: effort and cues.
        generator: of starts and batches.
        explored: how many of the rows, the first ones, were acted at random; logged
            rows follow, whoever acted then.
        noisy: whether sensors of the target are: errors over one step then say little.
    """

    model_data: SourceModelData
    target: Domain
    whitening: Whitening
    history: History
    rows: Transitions
    config: AlignConfig
    generator: Generator
    explored: int
    noisy: bool = False

    @classmethod
    def of(
        cls,
        model_data: SourceModelData,
        target: Domain,
        explored: Transitions,
        config: AlignConfig,
        logged: Transitions | None = None,
    ) -> "AlignmentProblem":
        """Returns the problem as it stands after exploring the target.

        Args:
            model_data: of the source.
            target: the domain to act in.
            explored: seen there so far, as the target shows it.
            config: effort and cues.
            logged: what others saw there, likewise.
        """
        known = explored if logged is None else Transitions.join(explored, logged)
        one, several = (
            History(steps, target.observation_size, target.actions.size)
            for steps in (1, config.history.steps)
        )
        unscaled = target.finite or target.observations.picture is not None
        fewer = one.observation < model_data.rows.observation.shape[1]
        at_random = known[: len(explored) or None]
        noisy = not unscaled and is_noisy(at_random, config.noise)
        hides = fewer and not unscaled and hides_state(known, several, config.history)
        history = several if hides or noisy else one
        whitening = (
            Whitening.unchanged(one.observation)
            if unscaled
            else Whitening.of(history.stacked(known).observation)
        )
        generator = torch.Generator().manual_seed(config.streams.integer("fit"))
        own = config, generator, len(explored), noisy
        problem = cls(model_data, target, whitening, history, known, *own)
        return problem.seeing(known)

    def seeing(self, rows: Transitions) -> "AlignmentProblem":
        """Returns the problem with these rows, as the target shows them.

        Their rewards are brought to standard units; in finite worlds and behind
        cameras, where they are compared one by one, to the source's.
        """
        if self.finite:
            return replace(self, rows=self.model_data.model.standardised(rows))
        if self.pictured:
            rewards = self.source_rewards(rows)
            return replace(self, rows=replace(rows, reward=rewards))
        rows = self.history.stacked(rows)
        spread = float(rows.reward.std()) + 1e-3
        standard = replace(
            rows,
            observation=self.whitening.whiten(rows.observation),
            reward=(rows.reward - rows.reward.mean()) / spread,
            next_observation=self.whitening.whiten(rows.next_observation),
        )
        return replace(self, rows=standard)

    @property
    def source(self) -> Domain:
        """The source's domain."""
        return self.model_data.source.domain

    @property
    def finite(self) -> bool:
        """Whether both domains have finitely many states, which are numbered."""
        return self.target.finite

    @property
    def pictured(self) -> bool:
        """Whether the target shows pictures."""
        return self.target.observations.picture is not None

    def source_rewards(self, rows: Transitions) -> Float[Tensor, " step"]:
        """Returns what raw rewards of the target are in the source's standard units."""
        shape = len(rows), self.source.observation_size
        nothing = torch.zeros(shape)
        shown = replace(rows, observation=nothing, next_observation=nothing)
        standard: Tensor = self.model_data.model.standardised(shown).reward
        return standard

    @property
    def same_sensors(self) -> bool:
        """Whether observations have the same size, and may mean the same."""
        return (
            self.history.steps == 1
            and self.target.observation_size == self.source.observation_size
        )

    @property
    def same_actions(self) -> bool:
        """Whether actions are encoded alike, and may mean the same."""
        ours, theirs = self.source.actions, self.target.actions
        return (ours.size, ours.discrete) == (theirs.size, theirs.discrete)

    @property
    def action_activation(self) -> str:
        """What mapped actions pass: mixtures of discrete actions sum to one."""
        return "sum_to_one" if self.source.actions.discrete else "identity"

    def wired(self, wiring: Float64[np.ndarray, "source target"]) -> Affine:
        """Returns the action map of a wiring: encoded source action = `wiring` · b."""
        weight = torch.from_numpy(np.ascontiguousarray(wiring.T)).float()
        shift = torch.zeros(len(wiring))
        return Affine.of(weight, shift, activation=self.action_activation)

    @cached_property
    def agreement(self) -> DynamicsAgreement:
        """The objective about how mapped target steps move.

        Termination is a cue only where both domains have shown one.
        """
        shared = self.model_data.terminates and bool(self.rows.terminated.any())
        return DynamicsAgreement(
            self.model_data.model,
            termination_weight=self.config.termination_weight if shared else 0.0,
            reward_weight=self.config.reward_weight,
            floor=self.config.selection.resting,
        )

    @cached_property
    def moments(self) -> MomentMatching:
        """The objective about where mapped target states lie: as the source's do."""
        return MomentMatching.of(self.model_data.at_random.observation)

    def _moment_term(self, copies: int | None) -> Objective[DomainMapping, Transitions]:
        seed = self.config.streams.integer("moment term")
        generator = torch.Generator().manual_seed(seed)
        states = self.model_data.at_random.observation
        return moment_term(self.config.moment_term, states, copies, generator)

    @cached_property
    def selection_loss(self) -> Objective[DomainMapping, Transitions]:
        """The objective whose value is the alignment error."""
        penalty = self.config.selection.moment_penalty
        return WeightedSum(((1.0, self.agreement), (penalty, self.moments)))

    @cached_property
    def reference_error(self) -> float:
        """The alignment error at which a candidate explains the target.

        It is that of the source's own steps, by the same cues, with an allowance.
        """
        return self.config.selection.reference * self._own_error(self.model_data.rows)

    @cached_property
    def error_at_random(self) -> float:
        """The alignment error of the source's own random steps."""
        return self._own_error(self.model_data.at_random)

    @cached_property
    def dynamics_reference(self) -> float:
        """As `reference_error`, of the part that is about how states move."""
        return self.config.selection.reference * self.own_dynamics_error

    @cached_property
    def own_dynamics_error(self) -> float:
        """The share of how the source itself moves that its model leaves open."""
        return self._own_error(self.model_data.rows, self.agreement)

    def _own_error(
        self,
        own: Transitions,
        objective: Objective[DomainMapping, Transitions] | None = None,
    ) -> float:
        size = own.observation.shape[1]
        unchanged = DomainMapping(Affine.of(torch.eye(size), torch.zeros(size)))
        with torch.no_grad():
            return float((objective or self.selection_loss)(unchanged, own))

    def explains(self, alignment_error: float) -> bool:
        """Returns whether a candidate of this error explains the target.

        That is: about as well as the source's model explains the source.
        """
        return alignment_error <= self.reference_error

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

    def raw_weight(self, state: Affine) -> Float[Tensor, "target source"]:
        """Returns the weight that `state` has between raw observations."""
        with torch.no_grad():
            weight: Tensor = (
                self.whitening.matrix
                @ state.weight
                @ self.model_data.model.whitening.inverse
            )
        return weight

    def fit(
        self,
        mapping: DomainMapping,
        schedule: FitConfig,
        moments: tuple[float, float] | None,
        watch: FitWatcher | None = None,
        ranked_by: Objective[DomainMapping, Transitions] | None = None,
    ) -> list[Measured]:
        """Fits `mapping` to agree with the source's dynamics, and measures its copies.

        Args:
            mapping: a stack of candidates, or a plain one; fitted in place.
            schedule: how long and how fast.
            moments: first and last weight of matching the source's moments; None where
                the state map is fixed.
            watch: called with the progress of the fit.
            ranked_by: what copies are measured with; `selection_loss` by default.
        """
        objective: Objective[DomainMapping, Transitions] = self.agreement
        if moments is not None:
            term = self._moment_term(mapping.copies)
            parts = ((1.0, objective), (descending(*moments), term))
            objective = WeightedSum(parts)
        fit(
            mapping,
            objective,
            self.rows,
            schedule,
            generator=self.generator,
            ranked_by=ranked_by or self.selection_loss,
            watch=watch,
        )
        return self.measured(mapping, ranked_by)

    def measured(
        self,
        mapping: DomainMapping,
        by: Objective[DomainMapping, Transitions] | None = None,
    ) -> list[Measured]:
        """Returns the copies of `mapping`, best first; diverged ones are left out.

        Args:
            mapping: a stack of candidates, or a plain one.
            by: what they are measured with; `selection_loss` by default.
        """
        with torch.no_grad():
            error = (by or self.selection_loss)(mapping, self.rows)
        errors = error.reshape(-1).tolist()
        copies = (
            [mapping]
            if mapping.copies is None
            else [mapping.copy(place) for place in range(mapping.copies)]
        )
        found = [Measured(*pair) for pair in zip(copies, errors, strict=True)]
        finite = [one for one in found if one.alignment_error < float("inf")]
        return sorted(finite, key=lambda one: one.alignment_error)

    def error_of(self, mapping: DomainMapping) -> float:
        """Returns the alignment error of one mapping on all rows."""
        with torch.no_grad():
            return float(self.selection_loss(mapping, self.rows))

    def dynamics_error_of(self, mapping: DomainMapping) -> float:
        """Returns the part of the alignment error that is about how states move."""
        with torch.no_grad():
            return float(self.agreement(mapping, self.rows))

    def is_distinct(self, mapping: DomainMapping, others: list[DomainMapping]) -> bool:
        """Returns whether `mapping` carries states elsewhere than the others do."""
        with torch.no_grad():
            place = mapping.state(self.rows.observation)
            least = self.config.selection.distinct * place.norm()
            return all(
                bool((place - other.state(self.rows.observation)).norm() > least)
                for other in others
            )


MOST_CELLS = 20_000_000
"""Of a table of states, actions and next states: 80 MB."""


def require_same_kind(source: Domain, target: Domain, config: AlignConfig) -> None:
    """Raises unless both are finite worlds that can be compared, or neither is one.

    Args:
        source: its domain.
        target: likewise, not yet acted in.
        config: how many ways to wire motors are tried behind a camera.

    Raises:
        InputError: only one has numbered states, they have unequal numbers of actions,
            or tables would be too large; or the source shows pictures, or the target
            does and its actions are of another kind or number, or too many.
    """
    pictured = [one.observations.picture is not None for one in (source, target)]
    if pictured[0]:
        raise InputError(
            "pictures are mapped to states, so that a source shows states; "
            f"{source.name} has {source.observation_space}: choose an agent that was "
            "trained on states"
        )
    if pictured[1]:
        require_same_motors(source, target)
        every_wiring(source.actions, config.camera.most_wirings)
    numbered = [one.observations.numbered for one in (source, target)]
    if not any(numbered):
        return
    if not (source.finite and target.finite):
        raise InputError(
            "numbered states are mapped to numbered states, and with Discrete actions "
            f"on both sides; {source.name} has {source.observation_space} and "
            f"{source.action_space}, {target.name} {target.observation_space} and "
            f"{target.action_space}: choose another source"
        )
    if source.actions.size != target.actions.size:
        raise InputError(
            "numbered states are told apart by what each action does, so both sides "
            f"need as many; {source.name} has {source.actions.size}, {target.name} "
            f"{target.actions.size}: choose another source"
        )
    states = max(source.observation_size, target.observation_size)
    if states**2 * target.actions.size > MOST_CELLS:
        raise InputError(
            f"a table of states, actions and next states has at most {MOST_CELLS:,} "
            f"cells, {target.name} and its source would need more ({states} states, "
            f"{target.actions.size} actions): choose a smaller world"
        )


def require_same_motors(source: Domain, target: Domain) -> None:
    """Raises unless both have as many actions of one kind.

    Raises:
        InputError: which motor is which could not be told behind a camera.
    """
    ours, theirs = source.actions, target.actions
    if (ours.discrete, ours.size) != (theirs.discrete, theirs.size):
        raise InputError(
            "behind a camera, actions are those of the source in another order or "
            f"direction; {source.name} has {source.action_space}, {target.name} "
            f"{target.action_space}: choose a source with the same actions"
        )
