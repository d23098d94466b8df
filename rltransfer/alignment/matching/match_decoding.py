"""Whole matches out of the network's pairs, in rounds, and several different ones.

One look cannot choose between the mirror images of a symmetric world. So the surest
pairs are marked alike on both sides, and the rest is looked at again in their light.
"""

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from rltransfer.alignment.matching.domain_graph import DomainGraph
from rltransfer.alignment.matching.match_network import TAG, MatchNetwork

_SURE = 0.7
"""Probability from which a pair is marked at once; the surest one always is."""
_ROUNDS = 8
_LEAST_LOG = -30.0


@final
@dataclass(frozen=True, eq=False)
class Match:
    """Which variable of a target each one of a source is.

    Args:
        partner: of each source variable, observations first and then actions, its place
            among the target's; -1 where it has none.
        sign: of each source variable, -1 where its partner is turned round.
        score: by which matches of one kind are compared; higher is better.
    """

    partner: NDArray[np.int64]
    sign: NDArray[np.float64]
    score: float

    @property
    def key(self) -> tuple[float, ...]:
        """Equal for equal matches."""
        sides = np.where(self.partner < 0, 1.0, self.sign)
        return (*self.partner.astype(float).tolist(), *sides.tolist())


def distinct_matches(matches: list[Match]) -> list[Match]:
    """Returns the different ones, each with its best score, best first."""
    best: dict[tuple[float, ...], Match] = {}
    for match in matches:
        if match.key not in best or match.score > best[match.key].score:
            best[match.key] = match
    return sorted(best.values(), key=lambda match: -match.score)


@torch.no_grad()
def network_matches(
    network: MatchNetwork, source: DomainGraph, target: DomainGraph, beam: int
) -> list[Match]:
    """Returns at most `beam` different matches, the likeliest first.

    The beam begins with the likeliest alternatives to the first choices: in symmetric
    worlds these are the mirror images.

    Args:
        network: trained.
        source: one graph.
        target: one graph.
        beam: at least 1.
    """
    ours, theirs = network.encode(source), network.encode(target)
    count, places = source.variables, target.variables
    tags = _Tags(beam, ours.count, theirs.count)
    first = network(ours, theirs, tags.source[:1], tags.target[:1])
    first = first[0, :count, :places].flatten(1)
    second = first.topk(min(2, first.shape[1]), dim=1)
    doubtful = second.values[:, -1].argsort(descending=True)[: beam - 1].tolist()
    for branch, variable in enumerate(doubtful, start=1):
        place = int(second.indices[variable, -1])
        likelihood = float(second.values[variable, -1])
        tags.fix(branch, variable, place // 2, place % 2, likelihood)
    kinds = source.kind[:count, None] == target.kind[:places]
    for turn in range(_ROUNDS):
        log = network(ours, theirs, tags.source, tags.target)[:, :count, :places]
        for branch in range(beam):
            best, side = log[branch].max(dim=-1)
            score = best.clamp_min(_LEAST_LOG).masked_fill(~kinds, 2 * _LEAST_LOG)
            known = tags.known[branch]
            taken = [place for place, _ in known.values()]
            score[list(known)] = score[:, taken] = 3 * _LEAST_LOG
            rows, columns = linear_sum_assignment(-score.numpy())
            free = sorted(
                (
                    (float(score[i, j]), int(i), int(j))
                    for i, j in zip(rows, columns, strict=True)
                    if score[i, j] > 1.5 * _LEAST_LOG
                ),
                reverse=True,
            )
            for rank, (likelihood, i, j) in enumerate(free):
                sure = likelihood > math.log(_SURE)
                if rank == 0 or sure or turn == _ROUNDS - 1:
                    tags.fix(branch, i, j, int(side[i, j]), likelihood)
    return distinct_matches([tags.match(branch, count) for branch in range(beam)])


@torch.no_grad()
def leave_one_out(
    network: MatchNetwork, source: DomainGraph, target: DomainGraph, match: Match
) -> NDArray[np.float64]:
    """Returns how likely each pair of a match is when the network is told all others.

    A variable without a partner has 0.

    Args:
        network: trained.
        source: one graph.
        target: one graph.
        match: of the two.
    """
    matched = np.flatnonzero(match.partner >= 0)
    ours, theirs = network.encode(source), network.encode(target)
    tags = _Tags(len(matched), ours.count, theirs.count)
    for branch, left_out in enumerate(matched):
        for variable in matched[matched != left_out]:
            side = int(match.sign[variable] < 0)
            tags.fix(branch, int(variable), int(match.partner[variable]), side, 0.0)
    log = network(ours, theirs, tags.source, tags.target)
    sides = torch.from_numpy((match.sign[matched] < 0).astype(np.int64))
    likely = log[
        torch.arange(len(matched)),
        torch.from_numpy(matched),
        torch.from_numpy(match.partner[matched]),
        sides,
    ].exp()
    found = np.zeros(len(match.partner))
    found[matched] = likely.clamp_max(1).double().numpy()
    return found


@final
class _Tags:
    """What each branch of the beam knows, and how the network is told."""

    def __init__(self, beam: int, nodes: int, target_nodes: int) -> None:
        self.source = torch.zeros(beam, nodes, TAG + 1)
        self.target = torch.zeros(beam, target_nodes, TAG + 1)
        self.known: list[dict[int, tuple[int, int]]] = [{} for _ in range(beam)]
        self._score = [0.0] * beam
        # Which numbers mark a pair means nothing.
        self._generator = torch.Generator().manual_seed(0)

    def fix(
        self, branch: int, variable: int, place: int, side: int, likelihood: float
    ) -> None:
        """Marks a pair alike on both sides; the target's turned round for side 1."""
        self.known[branch][variable] = place, side
        self._score[branch] += likelihood
        tag: Tensor = torch.randn(TAG, generator=self._generator)
        there = torch.ones(1)
        self.source[branch, variable] = torch.cat([tag, there])
        self.target[branch, place] = torch.cat([tag * (1 - 2 * side), there])

    def match(self, branch: int, count: int) -> Match:
        """Returns what a branch came to."""
        partner: NDArray[Any] = np.full(count, -1)
        sign = np.ones(count)
        for variable, (place, side) in self.known[branch].items():
            partner[variable], sign[variable] = place, 1 - 2 * side
        return Match(partner, sign, self._score[branch])
