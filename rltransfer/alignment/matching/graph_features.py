"""What the nodes and edges of a domain's graph say, in numbers without units."""

import math
from typing import NamedTuple, final

import torch
from torch import Tensor
from torch.nn import functional as F

from rltransfer.alignment.matching.standard_rows import StandardRows, in_deviations

EVEN, ODD = 26, 9
"""Features of a node."""
ODD_ODD, EVEN_ODD, EVEN_EVEN = 19, 3, 4
"""Features of an edge."""
_MOST_PAIRS = 18
"""Observations up to which the drift of a step has all their products."""


@final
class Influence(NamedTuple):
    """What actions do beside a quadratic drift of the state."""

    pull: Tensor
    """Coefficient from each action to each result."""
    partial: Tensor
    """Partial correlation from each action to each result."""
    rest: Tensor
    """Correlations of what is left of the results."""
    explained: Tensor
    """Share of each result that is explained."""


def influence_of(seen: StandardRows) -> Influence:
    """Returns it from moves and actions cleared of what the state explains.

    What is left of both is regressed on each other (Frisch & Waugh, 1933; Lovell,
    1963).
    """
    size, d = seen.observations, seen.states
    first, second = torch.triu_indices(size, size)
    if size > _MOST_PAIRS:
        first = second = torch.arange(size)
    drift = torch.cat([d, in_deviations(d[..., first] * d[..., second])], dim=-1)
    results = seen.moves[..., seen.results]
    both = torch.cat([results, seen.levels[..., size : size + seen.actions]], -1)
    ridge = 0.01 + 0.2 / seen.count * size
    gram = seen.lagged(drift, drift, 0) + ridge * torch.eye(drift.shape[-1])
    clear = both - drift @ torch.linalg.solve(gram, seen.lagged(drift, both, 0))
    left, acts = clear[..., : size + 2], clear[..., size + 2 :]
    gram = seen.lagged(acts, acts, 0) + 0.02 * torch.eye(seen.actions)
    pull = torch.linalg.solve(gram, seen.lagged(acts, left, 0))
    rest = left - acts @ pull
    size_of_rest = rest.square().mean(dim=1)[:, None]
    partial = pull / (pull.square() + size_of_rest + 1e-4).sqrt()
    scaled = in_deviations(rest)
    explained = 1 - size_of_rest[:, 0] / results.square().mean(1).clamp_min(1e-6)
    return Influence(pull, partial, seen.lagged(scaled, scaled, 0), explained)


def edge_features(
    seen: StandardRows, influence: Influence
) -> tuple[Tensor, Tensor, Tensor]:
    """Features that are odd in both ends, in the later end only, and in neither."""
    levels, moves = seen.levels, seen.moves
    pull, partial, rest, _ = influence
    inputs = levels[..., : seen.observations + seen.actions]
    ridge = 0.02 * torch.eye(inputs.shape[-1])
    results = moves[..., seen.results]
    linear = torch.linalg.solve(
        seen.lagged(inputs, inputs, 0) + ridge, seen.lagged(inputs, results, 0)
    )
    empty = levels.new_zeros(4, seen.systems, seen.nodes, seen.nodes)
    drift, left, acts, share = empty
    causes = torch.arange(inputs.shape[-1])[:, None]
    pulling = causes[seen.observations :]
    drift[:, causes, seen.results] = linear.clamp(-3, 3)
    left[:, seen.results[:, None], seen.results] = rest
    acts[:, pulling, seen.results] = pull.clamp(-3, 3)
    share[:, pulling, seen.results] = partial
    directed = [
        *(seen.lagged(levels, moves, lag) for lag in (0, 1, 3)),
        seen.lagged(moves, moves, 1),
        seen.lagged(levels, levels, 4),
        *(drift, acts, share),
    ]
    both_ways = [part for one in directed for part in (one, one.transpose(1, 2))]
    symmetric = [seen.lagged(part, part, 0) for part in (levels, moves)]
    odd_odd = torch.stack([*symmetric, left, *both_ways], dim=-1)
    levels_squared, moves_squared = (
        in_deviations(levels.square()),
        in_deviations(moves.square()),
    )
    even_odd = torch.stack(
        [
            seen.lagged(levels_squared, moves, 0),
            seen.lagged(levels_squared, levels, 0),
            seen.lagged(levels_squared, moves, 1),
        ],
        dim=-1,
    )
    crossed = seen.lagged(levels_squared, moves_squared, 0)
    even_even = torch.stack(
        [
            seen.lagged(levels_squared, levels_squared, 0),
            seen.lagged(moves_squared, moves_squared, 0),
            *(crossed, crossed.transpose(1, 2)),
        ],
        dim=-1,
    )
    return odd_odd, even_odd, even_even


def node_features(seen: StandardRows, influence: Influence) -> tuple[Tensor, Tensor]:
    """Even and odd features of each variable by itseen."""
    levels, moves, begins = seen.levels, seen.moves, seen.rows.begins.float()
    high, low = levels.amax(dim=1, keepdim=True), levels.amin(dim=1, keepdim=True)
    edge = 0.02 * (high - low)
    top = (levels > high - edge).float().mean(dim=1)
    bottom = (levels < low + edge).float().mean(dim=1)
    ordered = levels.sort(dim=1)[0]
    values = (ordered.diff(dim=1) > 1e-5).float().mean(dim=1)

    def quantile(share: float) -> Tensor:
        # Counted from the nearer end, so that it goes with the sign exactly.
        low = int(min(share, 1 - share) * (seen.count - 1) + 1e-6)
        both = ordered[:, low], ordered[:, seen.count - 1 - low]
        if share == 0.5:
            return (both[0] + both[1]) / 2
        return both[share > 0.5]

    def weighted(weight: Tensor, values: Tensor) -> Tensor:
        weight = weight[..., None]
        return (weight * values).sum(dim=1) / weight.sum(dim=1).clamp_min(1)

    at_start, at_end = (
        weighted(weight, levels) for weight in (begins, seen.rows.terminated)
    )
    spread_at_start = weighted(begins, (levels - at_start[:, None]).square()).sqrt()
    explained = levels.new_zeros(seen.systems, seen.nodes)
    explained[:, seen.results] = influence.explained
    speed = seen.steps.std(dim=1).clamp_min(1e-4).log() / 3
    skew, move_skew = levels.pow(3).mean(dim=1), moves.pow(3).mean(dim=1)

    def constant(value: Tensor | float) -> Tensor:
        return torch.as_tensor(value).reshape(-1, 1).expand(seen.systems, seen.nodes)

    even = [
        levels.pow(4).mean(dim=1).clamp_min(0.1).log(),
        moves.pow(4).mean(dim=1).clamp_min(0.1).log(),
        *(seen.autocorrelation(levels, lag) for lag in (1, 2, 4, 8, 16)),
        *(seen.autocorrelation(moves, lag) for lag in (1, 2, 4)),
        F.pad(speed, (0, seen.nodes - seen.observations)),
        (seen.raw_moves.abs() < 1e-5).float().mean(dim=1),
        values,
        values.clamp_min(1 / seen.count).log() / 5,
        *(top + bottom, explained, skew.abs(), spread_at_start),
        constant(float(seen.rows.discrete)),
        constant(math.log(seen.count / 500)),
        quantile(0.75) - quantile(0.25),
        constant(begins.mean(dim=1) * 30),
    ]
    kinds = F.one_hot(seen.kind, 4).float().expand(seen.systems, -1, -1)
    odd = [
        *(skew, move_skew, seen.raw_moves.mean(dim=1)),
        *(quantile(0.95) + quantile(0.05), quantile(0.75) + quantile(0.25)),
        *(quantile(0.5), top - bottom, at_start, at_end),
    ]
    joined = torch.cat([torch.stack(even, dim=-1), kinds], dim=-1)
    return joined, torch.stack(odd, dim=-1).clamp(-5, 5)
