"""How well matches do on made-up systems that no training saw."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from rltransfer.alignment.matching.influence_matching import (
    influence_matches,
    refined_matches,
)
from rltransfer.alignment.matching.match_decoding import Match, network_matches
from rltransfer.alignment.matching.match_network import MatchNetwork
from rltransfer.alignment.matching.match_proposals import in_turn
from rltransfer.alignment.matching.match_training import (
    MatchExample,
    match_example,
    match_score,
    no_tags,
)

BEAM = 8
_SEED = 2**40
"""Above every seed that a training may have."""
_ROWS = (256, 1000)


class HeldOutScores(NamedTuple):
    """Shares of pairs of systems whose variables were told rightly."""

    rows: int
    """Of each target."""
    pairs: int
    variables: float
    """Share of variables that the network's first look tells rightly."""
    first: float
    """Share of pairs whose whole match is the network's first one."""
    beam: float
    """Likewise within a beam of the network's alone."""
    influence: float
    """Within a beam found by the search alone."""
    union: float
    """Within a beam of the network's and what the search finds near, in turn."""


def held_out_scores(
    network: MatchNetwork, pairs: int, seed: int = _SEED
) -> Iterator[HeldOutScores]:
    """Yields the scores for few and for many rows.

    Where systems have mirror images only one of them counts as right.

    Args:
        network: trained.
        pairs: of systems.
        seed: of the systems.
    """
    for rows in _ROWS:
        found = []
        for child in np.random.SeedSequence(seed).spawn(pairs):
            example = match_example(child, pairs=1, rows=rows)
            found.append(_scores(network, example, np.random.default_rng(child)))
        means = np.mean(found, axis=0).tolist()
        yield HeldOutScores(rows, pairs, *means)


def _scores(
    network: MatchNetwork, example: MatchExample, rng: np.random.Generator
) -> tuple[float, ...]:
    known = example.partner.numpy()

    def right(match: Match) -> bool:
        told = known >= 0
        same = match.partner[told] == known[told]
        return bool(same.all() and (match.sign[told] > 0).all())

    with torch.no_grad():
        variables = float(match_score(network, example, no_tags()).right)
    graphs = example.source, example.target
    told = network_matches(network, *graphs, BEAM)
    refined = refined_matches(*graphs, told, BEAM)
    without = influence_matches(*graphs, BEAM, rng)
    ours, others, both = (
        [right(match) for match in matches]
        for matches in (told, without, in_turn(told, refined, BEAM))
    )
    return (variables, *map(float, (ours[0], any(ours), any(others), any(both))))
