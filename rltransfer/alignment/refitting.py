"""A mapping fitted anew to all that was seen of the target since it began to act.

Alignment ends with few steps, most of them at random. What is seen afterwards shows
more: where the mapping itself leads, and errors that did not matter at random.
"""

from dataclasses import replace
from typing import final

import torch

from rltransfer.alignment.align import Alignment
from rltransfer.alignment.align_config import AlignConfig
from rltransfer.alignment.candidates import Candidate
from rltransfer.alignment.families import REFITTED
from rltransfer.alignment.families.fitted_families import noisy
from rltransfer.alignment.problem import AlignmentProblem
from rltransfer.domain import Policy, Transitions
from rltransfer.mapping import Affine, DomainMapping, FitConfig, in_turn, stacked
from rltransfer.translation import MappedPolicy, Translation


@final
class Refitting:
    """Fits a mapping with an affine state map anew, from copies of it with much noise.

    What comes of it explains the target's steps better; whether it earns more, only
    acting shows.

    Args:
        alignment: that found the mapping.
        config: effort and rules.
    """

    def __init__(self, alignment: Alignment, config: AlignConfig) -> None:
        self._alignment, self._config = alignment, config
        seed = config.streams.integer("refitted")
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, policy: Policy, rows: Transitions) -> MappedPolicy | None:
        """Returns the policy through a mapping that explains the rows clearly better.

        Args:
            policy: whose mapping it is.
            rows: all that was seen of the target, as it shows them; logged rows are
                added.

        Returns:
            None where no such mapping was found, or the state map is not affine.
        """
        if not self._applies_to(policy):
            return None
        assert isinstance(policy, MappedPolicy)
        problem, mapping = self._problem(policy, rows), self._mapping(policy)
        config = self._config.refitting
        # Where the target is visited is no longer where the source is at random.
        before = problem.dynamics_error_of(mapping)
        copies = [
            noisy(mapping, config.noise, self._generator) for _ in range(config.copies)
        ]
        schedule = FitConfig(
            updates=config.updates,
            batch_size=self._config.batch_size,
            learning_rate=config.learning_rate,
            halvings=config.halvings,
            evaluate_every=config.evaluate_every,
        )
        near = stacked([mapping, *copies])
        found = problem.fit(near, schedule, config.moments, ranked_by=problem.agreement)
        if not found or found[0].alignment_error > config.clearly_less * before:
            return None
        return policy.through(
            Translation.of(
                found[0].mapping,
                problem.whitening,
                problem.model_data.model,
                problem.history.steps,
            )
        )

    def _applies_to(self, policy: Policy) -> bool:
        """Returns whether the policy acts through a mapping that can be fitted."""
        if not self._config.uses(REFITTED.name) or not isinstance(policy, MappedPolicy):
            return False
        state = policy.translation.state
        affine = isinstance(state, Affine) and state.activation == "identity"
        return affine and not (policy.numbered or policy.pictured)

    def candidate(self, policy: MappedPolicy, rows: Transitions) -> Candidate:
        """Returns the mapping of a policy that came of it, measured on these rows."""
        mapping = self._mapping(policy)
        error = self._problem(policy, rows).error_of(mapping)
        source = self._alignment.chosen.candidate.source
        return Candidate(REFITTED, mapping, error, source=source)

    def _problem(self, policy: MappedPolicy, rows: Transitions) -> AlignmentProblem:
        known = self._alignment
        if known.logged is not None:
            rows = Transitions.join(rows, known.logged)
        problem = AlignmentProblem(
            known.model_data,
            known.target,
            known.whitening,
            policy.history,
            rows,
            self._config,
            self._generator,
            explored=0,
        )
        return problem.seeing(rows)

    def _mapping(self, policy: MappedPolicy) -> DomainMapping:
        """Returns the mapping of a policy, between white coordinates."""
        white, found = self._alignment.whitening, policy.translation
        state = in_turn(Affine.of(white.inverse, white.mean), found.state)
        return DomainMapping(state, found.action)


def with_candidate(
    alignment: Alignment, candidate: Candidate, policy: MappedPolicy
) -> Alignment:
    """Returns the alignment as if it had chosen another candidate."""
    chosen = replace(alignment.chosen, candidate=candidate, policy=policy)
    # None of the steps that are kept was taken by it.
    visited = torch.zeros_like(alignment.visited)
    return replace(alignment, chosen=chosen, visited=visited)
