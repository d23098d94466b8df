"""Every term keeps a fit from shrinking the target to a point."""

import pytest
import torch

from rltransfer.alignment import AlignConfig
from rltransfer.alignment.moment_terms import MOMENT_TERMS, moment_term
from rltransfer.errors import InputError
from rltransfer.mapping import (
    Affine,
    DomainMapping,
    FitConfig,
    Transitions,
    fit,
    stacked,
)


def rows_at(states: torch.Tensor) -> Transitions:
    count = len(states)
    none = torch.zeros(count, dtype=torch.bool)
    return Transitions(
        torch.zeros(count, dtype=torch.int64),
        states,
        torch.zeros(count, 1),
        torch.zeros(count),
        states,
        none,
        none,
    )


@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("name", MOMENT_TERMS)
def test_mapped_states_are_drawn_to_where_the_sources_lie(
    name: str, copies: int
) -> None:
    generator = torch.Generator().manual_seed(0)
    source = 2.0 + torch.randn(400, 2, generator=generator)
    rows = rows_at(torch.randn(400, 2, generator=generator))
    starts = [
        DomainMapping(Affine.of(0.3 * torch.eye(2), torch.zeros(2)))
        for _ in range(copies)
    ]
    mapping = stacked(starts) if copies > 1 else starts[0]
    term = moment_term(name, source, mapping.copies, generator)
    schedule = FitConfig(updates=250, learning_rate=0.03, batch_size=64)
    fit(mapping, term, rows, schedule, generator=generator)
    placed = mapping.state(rows.observation).detach().reshape(copies, 400, 2)
    assert (placed.mean(dim=1) - 2.0).abs().max() < 0.6
    assert placed.std(dim=1).min() > 0.4


def test_a_term_that_there_is_not_is_refused() -> None:
    told = "moment_term is one of moments, mmd, coral, transport, adversary, got 'ot'"
    with pytest.raises(InputError, match=told):
        AlignConfig(moment_term="ot")
