"""The rung of affine maps: many restarts at first, then near the best."""

from copy import deepcopy

import torch
from torch import Tensor

from rltransfer.alignment.candidates import Candidate, by_mismatch, different
from rltransfer.alignment.problem import Workbench
from rltransfer.domain import Transitions
from rltransfer.mapping import Affine, DomainMapping, FitConfig, stacked

_NAME = "affine"
_NEAR, _SPREAD, _PARENTS = 6, 0.05, 2
_LOST = 2.0
"""Times what would be enough above which the known maps are no place to begin from."""


def affine(
    bench: Workbench, rows: Transitions, known: list[Candidate]
) -> list[Candidate]:
    """Affine maps for states and actions: many restarts, then near the best of them.

    Where the best known maps are good, the restarts are left out.
    """
    parents = [candidate for candidate in known if candidate.rung == _NAME]
    if not parents or parents[0].mismatch > _LOST * bench.enough(rows):
        parents = sorted([*parents, *_searched(bench, rows)], key=by_mismatch)
    if not parents:
        return []  # every one diverged
    near = _near(bench, [c.mapping for c in different(parents, rows, _PARENTS)])
    schedule = FitConfig(
        updates=bench.config.updates // 2,
        batch_size=bench.config.batch_size,
        learning_rate=1e-2,
        halvings=((0.4, 0.5),),
        evaluate_every=50,
    )
    # Near the answer the moments would pull the map off it, for the two domains are
    # never explored alike; a trace of them still keeps it from shrinking.
    bench.fit(_NAME, near, rows, schedule, (0.02, 0.01))
    return bench.measured(_NAME, near, rows)


def _searched(bench: Workbench, rows: Transitions) -> list[Candidate]:
    start = _anywhere(bench)
    schedule = FitConfig(
        updates=bench.config.updates // 2,
        batch_size=bench.config.batch_size,
        learning_rate=3e-2,
        halvings=((0.1, 0.5), (0.25, 0.25), (0.5, 0.125)),
    )
    bench.fit(_NAME, start, rows, schedule, (0.5, 0.05))
    return sorted(bench.measured(_NAME, start, rows), key=by_mismatch)


def _anywhere(bench: Workbench) -> DomainMapping:
    """Turns of the white target onto the source's states, with small action maps."""
    copies, generator = bench.config.restarts, bench.generator
    states = bench.knowledge.at_random.observation
    inputs, outputs = bench.target.observation_size, states.shape[1]
    values, vectors = torch.linalg.eigh(states.T.cov().reshape(outputs, outputs))
    spread = vectors @ torch.diag(values.clamp_min(0).sqrt()) @ vectors.T
    turns = _turns(copies, inputs, outputs, generator)
    actions_in, actions_out = bench.target.actions.size, bench.source.actions.size
    return DomainMapping(
        Affine.of(turns @ spread, states.mean(dim=0).expand(copies, -1)),
        Affine.of(
            0.3 * torch.randn(copies, actions_in, actions_out, generator=generator),
            torch.zeros(copies, actions_out),
            activation=bench.action_activation,
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


def _near(bench: Workbench, parents: list[DomainMapping]) -> DomainMapping:
    """The parents themselves and noisy copies of them."""
    families = [
        [p, *(_shaken(p, bench.generator) for _ in range(_NEAR))] for p in parents
    ]
    return stacked([mapping for family in families for mapping in family])


def _shaken(mapping: DomainMapping, generator: torch.Generator) -> DomainMapping:
    shaken = deepcopy(mapping)
    with torch.no_grad():
        for parameter in shaken.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(_SPREAD * parameter.abs().mean() * noise)
    return shaken
