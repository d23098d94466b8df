"""Families that fit the state map: affine maps, and a network added to the best."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Generator, Tensor

from rltransfer.alignment.candidates import Candidate
from rltransfer.alignment.problem import AlignmentProblem, Measured
from rltransfer.mapping import (
    Affine,
    DomainMapping,
    FitConfig,
    FitWatcher,
    ResidualAffine,
    stacked,
)


def affine_among(known: Sequence[Candidate]) -> list[Measured]:
    """Returns those of `known` whose state map and action map are affine, in order."""
    return [
        Measured(candidate.mapping, candidate.alignment_error)
        for candidate in known
        if isinstance(candidate.mapping.state, Affine)
        and isinstance(candidate.mapping.action, Affine)
    ]


def affine(
    problem: AlignmentProblem, known: Sequence[Candidate], watch: FitWatcher
) -> list[Measured]:
    """Affine maps of states and of actions.

    Where the best known ones are good, nothing is searched for: they are refined.
    """
    config = problem.config.affine
    known_maps = affine_among(known)
    lost = config.lost * problem.reference_error
    if all(one.alignment_error > lost for one in known_maps):
        known_maps = sorted(
            [*known_maps, *_searched(problem, known_maps, watch)],
            key=lambda one: one.alignment_error,
        )
    parents: list[DomainMapping] = []
    for one in known_maps:
        if len(parents) < config.parents and problem.is_distinct(one.mapping, parents):
            parents.append(one.mapping)
    if not parents:
        return []  # every one diverged
    near = stacked(
        [
            mapping
            for parent in parents
            for mapping in (
                parent,
                *(
                    noisy(parent, config.noise, problem.generator)
                    for _ in range(config.copies)
                ),
            )
        ]
    )
    schedule = FitConfig(
        updates=problem.config.updates // 2,
        batch_size=problem.config.batch_size,
        learning_rate=config.refine_rate,
        halvings=config.refine_halvings,
        evaluate_every=config.refine_every,
    )
    return problem.fit(near, schedule, config.refine_moments, watch)


def _searched(
    problem: AlignmentProblem, known: Sequence[Measured], watch: FitWatcher
) -> list[Measured]:
    """Returns maps fitted from those that are known, and from random turns."""
    config = problem.config.affine
    schedule = FitConfig(
        updates=problem.config.updates // 2,
        batch_size=problem.config.batch_size,
        learning_rate=config.search_rate,
        halvings=config.search_halvings,
    )
    starts = [one.mapping for one in known[: problem.config.restarts]]
    further = problem.config.restarts - len(starts)
    if further:
        starts.append(_anywhere(problem, further))
    return problem.fit(stacked(starts), schedule, config.search_moments, watch)


def _anywhere(problem: AlignmentProblem, copies: int) -> DomainMapping:
    """Returns turns of the white target onto the source's states, as a stack.

    The action maps are small and random.
    """
    generator = problem.generator
    states = problem.model_data.at_random.observation
    inputs, outputs = problem.rows.observation.shape[1], states.shape[1]
    values, vectors = torch.linalg.eigh(states.T.cov().reshape(outputs, outputs))
    root = vectors @ torch.diag(values.clamp_min(0).sqrt()) @ vectors.T
    turns = random_turns(copies, inputs, outputs, generator)
    actions = (copies, problem.target.actions.size, problem.source.actions.size)
    spread = problem.config.affine.action_spread
    return DomainMapping(
        Affine.of(turns @ root, states.mean(dim=0).expand(copies, -1)),
        Affine.of(
            spread * torch.randn(*actions, generator=generator),
            torch.zeros(copies, actions[-1]),
            activation=problem.action_activation,
        ),
    )


def random_turns(
    copies: int, inputs: int, outputs: int, generator: Generator
) -> Tensor:
    """Returns random matrices whose rows or columns, the fewer, are orthonormal.

    Of square ones, turns and reflections come up alike.

    Args:
        copies: how many.
        inputs: their rows.
        outputs: their columns.
        generator: of the draws.
    """
    tall = torch.randn(
        copies, max(inputs, outputs), min(inputs, outputs), generator=generator
    )
    turns: Tensor = torch.linalg.qr(tall)[0]
    # Householder's method never returns both turns and reflections: draw the sides.
    sides = torch.randint(2, (copies, 1, turns.shape[2]), generator=generator)
    turns = turns * (2 * sides - 1)
    return turns if inputs >= outputs else turns.transpose(1, 2)


def noisy(mapping: DomainMapping, share: float, generator: Generator) -> DomainMapping:
    """Returns a copy of a mapping with noise on its numbers.

    Args:
        mapping: one copy.
        share: of the noise, relative to the mean size of each parameter.
        generator: draws it.
    """
    changed = deepcopy(mapping)
    with torch.no_grad():
        for parameter in changed.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(share * parameter.abs().mean() * noise)
    return changed


def residual(
    problem: AlignmentProblem, known: Sequence[Candidate], watch: FitWatcher
) -> list[Measured]:
    """The best affine map, bent where that lowers the error by much."""
    config = problem.config.residual
    straight = affine_among(known)
    if not straight or problem.explains(straight[0].alignment_error):
        return []
    if len(problem.rows) < config.fewest_rows:
        return []
    state, action = straight[0].mapping.state, straight[0].mapping.action
    assert isinstance(state, Affine) and isinstance(action, Affine)
    bent = DomainMapping(
        ResidualAffine.around(state, config.widths, generator=problem.generator),
        ResidualAffine.around(action, config.widths, generator=problem.generator),
    )
    schedule = FitConfig(
        updates=problem.config.updates,
        batch_size=problem.config.batch_size,
        learning_rate=config.learning_rate,
        validation_share=config.validation_share,
        evaluate_every=config.evaluate_every,
        patience=config.patience,
    )
    found = problem.fit(bent, schedule, config.moments, watch)
    least = config.worth * straight[0].alignment_error
    return [one for one in found if one.alignment_error <= least]
