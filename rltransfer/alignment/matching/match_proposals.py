"""Proposals of which variable is which, from the network or without it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from typing import final

import numpy as np
from jaxtyping import Float64

from rltransfer.alignment.matching.domain_graph import DomainGraph
from rltransfer.alignment.matching.influence_matching import (
    influence_matches,
    refined_matches,
)
from rltransfer.alignment.matching.match_decoding import (
    Match,
    leave_one_out,
    network_matches,
)
from rltransfer.alignment.matching.match_network import MatchNetwork
from rltransfer.alignment.matching.standard_rows import Stretches
from rltransfer.domain import ActionCodec, Transitions
from rltransfer.errors import InputError

MOST_ROWS = 1536
"""Of a side: as many as the network was trained with; more would tell little more."""
FEWEST_ROWS = 50
"""Of a side; with fewer, correlations are noise."""
MOST_VARIABLES = 64
"""Of a side; with more, a proposal takes seconds."""


@final
@dataclass(frozen=True, eq=False)
class MatchSide:
    """Rows of one domain, and whether its actions are one-hot."""

    rows: Transitions
    discrete: bool

    @classmethod
    def of(cls, rows: Transitions, actions: ActionCodec) -> "MatchSide":
        """Returns the first rows, as many as are used."""
        return cls(rows[:MOST_ROWS], actions.discrete)

    @cached_property
    def graph(self) -> DomainGraph:
        """What its rows show."""
        return DomainGraph.of(Stretches.of(self.rows, discrete=self.discrete))

    @property
    def variables(self) -> int:
        """Observations and actions."""
        return int(self.rows.observation.shape[1] + self.rows.action.shape[1])


def matchable(source: MatchSide, target: MatchSide) -> str | None:
    """Returns why nothing can be told of two sides, None where something can."""
    for name, side in (("source", source), ("target", target)):
        if len(side.rows) < FEWEST_ROWS:
            return (
                f"matching needs at least {FEWEST_ROWS} rows of each side, the {name} "
                f"has {len(side.rows)}; collect more"
            )
        if side.variables > MOST_VARIABLES:
            return (
                f"matching takes at most {MOST_VARIABLES} observations and actions, "
                f"the {name} has {side.variables}; leave some out"
            )
        parts = side.rows.observation, side.rows.next_observation, side.rows.reward
        finite = all(bool(part.isfinite().all()) for part in parts)
        if not (finite and side.graph.finite):
            return (
                f"matching needs finite numbers of ordinary size, the {name} has "
                "others; remove or rescale them"
            )
    if source.discrete != target.discrete:
        kinds = [
            "discrete" if side.discrete else "continuous" for side in (source, target)
        ]
        return (
            f"matching pairs actions of one kind, the source's are {kinds[0]} and the "
            f"target's {kinds[1]}; use rltransfer transfer, which maps them"
        )
    return None


@final
@dataclass(frozen=True, eq=False)
class MatchProposals:
    """Different matches of two domains, those that are tried first in front."""

    matches: tuple[Match, ...]
    confidence: Float64[np.ndarray, " source_variable"] | None
    """Of the first match, how sure each pair is when all others are taken for granted;
    None without a network.
    """


def match_proposals(
    source: MatchSide,
    target: MatchSide,
    network: MatchNetwork | None,
    beam: int,
    rng: np.random.Generator,
) -> MatchProposals:
    """Returns at most `beam` matches, by the network if there is one.

    Args:
        source: rows of the source.
        target: rows of the target.
        network: None where there is none to be used.
        beam: at least 2.
        rng: of the search without one.

    Raises:
        InputError: nothing can be told of these rows.
    """
    reason = matchable(source, target)
    if reason is not None:
        raise InputError(reason)
    graphs = source.graph, target.graph
    if network is None:
        without = influence_matches(*graphs, beam, rng)
        return MatchProposals(tuple(without), None)
    told = network_matches(network, *graphs, beam)
    joined = in_turn(told, refined_matches(*graphs, told, beam), beam)
    return MatchProposals(joined, leave_one_out(network, *graphs, joined[0]))


def in_turn(
    told: Sequence[Match], refined: Sequence[Match], beam: int
) -> tuple[Match, ...]:
    """Returns the first of each, then the second of each, and so on; each match once.

    Args:
        told: by the network.
        refined: found near those.
        beam: most matches.
    """
    joined: dict[tuple[float, ...], Match] = {}
    for pair in zip_longest(told, refined):
        for match in filter(None, pair):
            joined.setdefault(match.key, match)
    return tuple(joined.values())[:beam]
