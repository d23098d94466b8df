"""The rung of affine maps: many restarts at first, then near the best."""

from copy import deepcopy

import torch
from torch import Tensor

from rltransfer.alignment.candidates import Candidate, by_alignment_error, different
from rltransfer.alignment.problem import AlignmentProblem
from rltransfer.domain import Transitions
from rltransfer.mapping import Affine, DomainMapping, FitConfig, stacked

_NAME = "affine"
_NEAR, _SPREAD, _PARENTS = 6, 0.05, 2
_LOST = 2.0
"""Times what would be enough above which the known maps are no place to begin from."""


def affine(
    problem: AlignmentProblem, rows: Transitions, known: list[Candidate]
) -> list[Candidate]:
    """Affine maps for states and actions: many restarts, then near the best of them.

    Where the best known maps are good, the restarts are left out.
    """
    parents = [candidate for candidate in known if candidate.family == _NAME]
    if not parents or parents[0].alignment_error > _LOST * problem.reference_error(
        rows
    ):
        parents = sorted([*parents, *_searched(problem, rows)], key=by_alignment_error)
    if not parents:
        return []  # every one diverged
    near = _near(problem, [c.mapping for c in different(parents, rows, _PARENTS)])
    schedule = FitConfig(
        updates=problem.config.updates // 2,
        batch_size=problem.config.batch_size,
        learning_rate=1e-2,
        halvings=((0.4, 0.5),),
        evaluate_every=50,
    )
    # Near the answer the moments would pull the map off it, for the two domains are
    # never explored alike; a trace of them still keeps it from shrinking.
    problem.fit(_NAME, near, rows, schedule, (0.02, 0.01))
    return problem.measured(_NAME, near, rows)


def _searched(problem: AlignmentProblem, rows: Transitions) -> list[Candidate]:
    start = _anywhere(problem)
    schedule = FitConfig(
        updates=problem.config.updates // 2,
        batch_size=problem.config.batch_size,
        learning_rate=3e-2,
        halvings=((0.1, 0.5), (0.25, 0.25), (0.5, 0.125)),
    )
    problem.fit(_NAME, start, rows, schedule, (0.5, 0.05))
    return sorted(problem.measured(_NAME, start, rows), key=by_alignment_error)


def _anywhere(problem: AlignmentProblem) -> DomainMapping:
    """Turns of the white target onto the source's states, with small action maps."""
    copies, generator = problem.config.restarts, problem.generator
    states = problem.model_data.at_random.observation
    inputs, outputs = problem.target.observation_size, states.shape[1]
    values, vectors = torch.linalg.eigh(states.T.cov().reshape(outputs, outputs))
    spread = vectors @ torch.diag(values.clamp_min(0).sqrt()) @ vectors.T
    turns = _turns(copies, inputs, outputs, generator)
    actions_in, actions_out = problem.target.actions.size, problem.source.actions.size
    return DomainMapping(
        Affine.of(turns @ spread, states.mean(dim=0).expand(copies, -1)),
        Affine.of(
            0.3 * torch.randn(copies, actions_in, actions_out, generator=generator),
            torch.zeros(copies, actions_out),
            activation=problem.action_activation,
        ),
    )


def _turns(
    copies: int, inputs: int, outputs: int, generator: torch.Generator
) -> Tensor:
    tall = torch.randn(
        copies, max(inputs, outputs), min(inputs, outputs), generator=generator
    )
    turns: Tensor = torch.linalg.qr(tall)[0]
    # Householder's method never returns both turns and reflections: draw the sides.
    sides = torch.randint(2, (copies, 1, turns.shape[2]), generator=generator)
    turns = turns * (2 * sides - 1)
    return turns if inputs >= outputs else turns.transpose(1, 2)


def _near(problem: AlignmentProblem, parents: list[DomainMapping]) -> DomainMapping:
    """The parents themselves and noisy copies of them."""
    families = [
        [p, *(_shaken(p, problem.generator) for _ in range(_NEAR))] for p in parents
    ]
    return stacked([mapping for family in families for mapping in family])


def _shaken(mapping: DomainMapping, generator: torch.Generator) -> DomainMapping:
    shaken = deepcopy(mapping)
    with torch.no_grad():
        for parameter in shaken.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(_SPREAD * parameter.abs().mean() * noise)
    return shaken
