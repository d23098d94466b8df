"""The rung of affine maps: many restarts at first, then near the best."""

from copy import deepcopy

import torch
from torch import Tensor

from rltransfer.alignment.candidates import Candidate
from rltransfer.alignment.ladder.workbench import Workbench
from rltransfer.experience import Transitions
from rltransfer.mapping import Affine, DomainMapping, FitConfig, stacked

_NAME, _HEIGHT = "affine", 3
_HALVINGS = ((0.2, 0.5), (0.4, 0.25), (0.7, 0.125))
_NEAR, _SPREAD, _PARENTS = 6, 0.05, 2


def affine(
    bench: Workbench, rows: Transitions, known: list[Candidate]
) -> list[Candidate]:
    """Affine maps for states and actions; from nothing, or near the best known ones."""
    parents = [c.mapping for c in known if c.rung == _NAME][:_PARENTS]
    start = _near(bench, parents) if parents else _anywhere(bench)
    schedule = FitConfig(
        updates=bench.config.updates if not parents else bench.config.updates // 2,
        batch_size=bench.config.batch_size,
        learning_rate=1e-2 if parents else 2e-2,
        halvings=((0.3, 0.5),) if parents else _HALVINGS,
    )
    # Far from the answer the moments keep the map from shrinking; near it they would
    # pull it off, since the two domains are never explored alike.
    bench.fit(_NAME, start, rows, schedule, (0.3, 0.3) if parents else (5.0, 0.5))
    return bench.measured(_NAME, _HEIGHT, start, rows)


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
