"""Matches by influences: the signed permutation that they agree under best.

A fused Gromov-Wasserstein problem (Vayer et al., 2019) between the graphs of two
domains, with signs: each source variable has one partner, as it is or turned round. The
search starts anywhere, or near matches of the network.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from rltransfer.alignment.matching.domain_graph import DomainGraph
from rltransfer.alignment.matching.match_decoding import Match, distinct_matches
from rltransfer.alignment.matching.standard_rows import ACTION, OBSERVATION

Array = NDArray[np.float64]
_STARTS = 24
"""There are local optima."""
_STEPS = 30
_START_NOISE = 0.7
_NODE_WEIGHT = 1.0
"""Of what variables do by themselves, beside how they move each other."""
_KEPT_EVEN = (*range(10), 11, *range(14, 18))
"""Features of nodes that compare between domains: not how fast, nor how many rows."""
_LEAST_GAIN = 1e-6
_VARIED = 2
"""Matches that are varied, of those that agree best."""
_VARIATIONS = 40
"""Of each."""


def influence_matches(
    source: DomainGraph, target: DomainGraph, beam: int, rng: np.random.Generator
) -> list[Match]:
    """Returns at most `beam` different matches, those that agree best first.

    Conditional gradients (Frank & Wolfe, 1956; for graphs Vogelstein et al., 2015): the
    gradient is assigned (Kuhn, 1955), then the best point between is taken. Several
    starts lead to several matches.

    Args:
        source: one graph.
        target: one graph.
        beam: at least 1.
        rng: of the starts.
    """
    problem = _Agreement(source, target)
    found = []
    for start in range(_STARTS):
        plan = problem.start(rng, noise=_START_NOISE if start else 0.0)
        found.append(problem.match(problem.searched(plan)))
    return distinct_matches(found)[:beam]


def refined_matches(
    source: DomainGraph, target: DomainGraph, matches: Sequence[Match], beam: int
) -> list[Match]:
    """Returns at most `beam` different matches, sought near others, best first.

    The network decides pair by pair and sees no whole match; influences say how well a
    whole one agrees, but from anywhere the search ends elsewhere. So it starts halfway
    between each match and the even plan. What looks alike is told by a few turns and
    swaps of the best ones.

    Args:
        source: one graph.
        target: one graph.
        matches: of the two; they are among what is compared.
        beam: at least 1.
    """
    problem = _Agreement(source, target)
    # Without noise nothing is left of what is drawn.
    even = problem.start(np.random.default_rng(0), noise=0.0)
    plans = [problem.plan(match) for match in matches]
    plans += [problem.searched((plan + even) / 2) for plan in plans]
    found = distinct_matches([problem.match(plan) for plan in plans])
    for match in found[:_VARIED]:
        found += [
            problem.match(plan) for plan in problem.variations(problem.plan(match))
        ]
    return distinct_matches(found)[:beam]


@final
class _Agreement:
    """How well two graphs agree under a plan, and its derivative.

    A plan has two matrices with a row for each source node and a column for each of the
    target's: how much of a pair is taken, and how much of it is taken as it is, less
    what is turned round. Reward and termination are each other's partners.
    """

    def __init__(self, source: DomainGraph, target: DomainGraph) -> None:
        self._variables = source.variables, target.variables
        ours, theirs = source.kind.numpy(), target.kind.numpy()
        self._allowed = ours[:, None] == theirs
        # A choice has no opposite, and more reward is not less.
        turns = (ours == OBSERVATION) | ((ours == ACTION) & (not source.discrete))
        self._turns = turns
        self._odd_odd = _channels(source.odd_odd), _channels(target.odd_odd)
        self._even_odd = _channels(source.even_odd), _channels(target.even_odd)
        self._even_even = _channels(source.even_even), _channels(target.even_even)
        kept, both = list(_KEPT_EVEN), (source, target)
        even = [graph.even[0, :, kept].double().numpy() for graph in both]
        odd = [graph.odd[0].double().numpy() for graph in both]
        spread = np.concatenate(even).std(axis=0) + 0.1
        apart = np.minimum(((even[0][:, None] - even[1]) / spread) ** 2, 9)
        self._linear = _NODE_WEIGHT * np.stack(
            [-apart.mean(axis=2), odd[0] @ odd[1].T / odd[0].shape[1]]
        )

    def start(self, rng: np.random.Generator, noise: float) -> Array:
        """Returns a plan that takes a little of every pair that can be."""
        taken = self._allowed / np.maximum(self._allowed.sum(axis=1, keepdims=True), 1)
        sides = np.tanh(self._linear[1] + noise * rng.normal(size=taken.shape))
        sides = np.where(self._turns[:, None], sides, 1.0)
        jitter = np.exp(noise * rng.normal(size=taken.shape))
        taken = taken * jitter / jitter.mean()
        return np.stack([taken, taken * sides])

    def quadratic(self, plan: Array) -> float:
        """Returns how well edges agree."""
        return float((self._edges(plan) * plan).sum()) / 2

    def value(self, plan: Array) -> float:
        """Returns how well edges and nodes agree."""
        return self.quadratic(plan) + float((self._linear * plan).sum())

    def gradient(self, plan: Array) -> Array:
        """Returns the derivative of `value`."""
        return self._edges(plan) + self._linear

    def _edges(self, plan: Array) -> Array:
        taken, signed = plan
        by_sign = _both_ways(self._odd_odd, signed)
        by_pair = _both_ways(self._even_even, taken)
        ours, theirs = self._even_odd
        by_pair += (ours @ signed @ theirs.transpose(0, 2, 1)).sum(axis=0)
        by_sign += (ours.transpose(0, 2, 1) @ taken @ theirs).sum(axis=0)
        return np.stack([by_pair, by_sign])

    def corner(self, gradient: Array) -> Array:
        """Returns the plan of whole pairs that goes with a gradient best."""
        by_pair, by_sign = gradient
        sides = np.where(self._turns[:, None] & (by_sign < 0), -1.0, 1.0)
        gain = by_pair + sides * by_sign
        never = gain.min() - 10 * (np.ptp(gain) + 1)
        rows, columns = linear_sum_assignment(
            np.where(self._allowed, gain, never), maximize=True
        )
        kept = self._allowed[rows, columns]
        plan = np.zeros_like(gradient)
        plan[0, rows[kept], columns[kept]] = 1.0
        plan[1] = plan[0] * sides
        return plan

    def searched(self, plan: Array) -> Array:
        """Returns a plan of whole pairs that the search comes to from another."""
        for _ in range(_STEPS):
            gradient = self.gradient(plan)
            step = self.corner(gradient) - plan
            slope = float((gradient * step).sum())
            if slope < _LEAST_GAIN:
                break
            bend = self.quadratic(step)
            length = 1.0 if bend >= 0 else min(1.0, -slope / (2 * bend))
            plan = plan + length * step
        return self.settled(self.corner(self.gradient(plan)))

    def settled(self, plan: Array) -> Array:
        """Returns a plan of whole pairs after which no such step helps."""
        best = self.value(plan)
        for _ in range(_STEPS):
            further = self.corner(self.gradient(plan))
            value = self.value(further)
            if value <= best + _LEAST_GAIN:
                break
            plan, best = further, value
        return plan

    def variations(self, plan: Array) -> list[Array]:
        """Returns plans with one variable turned or two swapped, likeliest first."""
        by_pair, by_sign = self.gradient(plan)
        places, side = plan[0].argmax(axis=1).tolist(), plan[1].sum(axis=1).tolist()
        kept = np.flatnonzero(plan[0].any(axis=1)).tolist()

        def varied(*pairs: tuple[int, int, float]) -> tuple[float, Array]:
            changed = plan.copy()
            changed[:, [row for row, _, _ in pairs]] = 0
            gain = 0.0
            for row, place, sign in pairs:
                changed[:, row, place] = 1, sign
                gain += by_pair[row, place] + sign * by_sign[row, place]
                gain -= (
                    by_pair[row, places[row]] + side[row] * by_sign[row, places[row]]
                )
            return gain, changed

        def better(row: int, place: int) -> tuple[int, int, float]:
            turned = self._turns[row] and by_sign[row, place] < 0
            return row, place, -1.0 if turned else 1.0

        found = [varied((i, places[i], -side[i])) for i in kept if self._turns[i]]
        found += [
            varied(better(i, places[j]), better(j, places[i]))
            for i, j in combinations(kept, 2)
            if self._allowed[i, places[j]] and self._allowed[j, places[i]]
        ]
        found.sort(key=lambda one: -one[0])
        return [changed for _, changed in found[:_VARIATIONS]]

    def plan(self, match: Match) -> Array:
        """Returns a match as a plan; reward and termination are partners."""
        count, places = self._variables
        plan = np.zeros((2, *self._allowed.shape))
        rows = np.flatnonzero(match.partner >= 0)
        plan[:, rows, match.partner[rows]] = np.ones(len(rows)), match.sign[rows]
        for fixed in range(2):
            plan[:, count + fixed, places + fixed] = 1
        return plan

    def match(self, plan: Array) -> Match:
        """Returns a plan of whole pairs as a match."""
        count, places = self._variables
        taken, signed = plan[:, :count, :places]
        partner = np.where(taken.any(axis=1), taken.argmax(axis=1), -1)
        sign = np.where(signed.sum(axis=1) < 0, -1.0, 1.0)
        return Match(partner, sign, self.value(plan))


def _channels(edges: Any) -> Array:
    numbers: Array = edges[0].double().numpy().transpose(2, 0, 1)
    return numbers


def _both_ways(sides: tuple[Array, Array], plan: Array) -> Array:
    """Returns the derivative of Σ ours · (plan theirs planᵀ) over channels."""
    ours, theirs = sides
    there = ours @ plan @ theirs.transpose(0, 2, 1)
    back = ours.transpose(0, 2, 1) @ plan @ theirs
    both: Array = (there + back).sum(axis=0)
    return both
