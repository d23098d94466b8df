"""Which state and action of one finite world is which one of another.

An isomorphism of Markov decision processes (Ravindran & Barto, 2003) is sought by what
states do. Each seen target state is a variable whose values are source states, each
counted step a factor between two of them: that is a Markov random field, and its
likeliest values are found by max-product belief propagation (Pearl, 1988) and an
assignment (Kuhn, 1955). Where worlds are deterministic, what is passed on is the colour
refinement of Weisfeiler & Leman (1968), read from what was seen so far.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, final

import numpy as np
from jaxtyping import Float32, Float64, Int64
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array

from rltransfer.alignment.counted_steps import CountedSteps, Outcome
from rltransfer.alignment.step_factors import StepFactor

Evidence: TypeAlias = Float32[np.ndarray, "seen source"]


@final
@dataclass(frozen=True)
class RenumberingConfig:
    """How renumbered states and actions are told."""

    unlikely: float = 1e-4
    """Probability of what the source never did: a step may be a rare one."""
    untried: float = 0.1
    """Probability of anything where the source never tried an action."""
    episodes: int = 10
    """For each state they begin in, until it is told that none begins elsewhere."""
    orders: int = 64
    """Orders of the actions that are looked at, of those that fit their habits."""
    first_iterations: int = 2
    """Before the worse half of the orders is left out; as many before each next."""
    left: int = 3
    """Orders that are followed to the end."""
    iterations: int = 60
    """Most of these: news travel one step in each."""
    settled: float = 0.1
    """Largest change of a logarithm at which nothing more is passed on."""
    undecided: float = 2.0
    """Logarithm below the best at which another value is as good."""
    most_drawn: int = 8
    """States of which one is drawn: the first mostly tells what the others are."""
    draws: int = 3
    """For each order that is left and leaves states undecided."""
    hopeless: float = 0.2
    """Logarithm for each step below the best at which an order is left out."""
    tied: float = 4.0
    """Logarithm below the likeliest map at which another one may be right too."""
    contradicted: float = 0.02
    """Share of steps such as the source never took at which a map explains others."""


@final
@dataclass(frozen=True, eq=False)
class Renumbering:
    """What each target state and action is taken for."""

    state: Int64[np.ndarray, " target_state"]
    action: tuple[int, ...]
    likelihood: float
    """Logarithm, of all target steps."""
    contradicted: float
    """Share of target steps such as the source, by its counts, never took."""

    def agrees(self, other: "Renumbering", seen: Int64[np.ndarray, " seen"]) -> bool:
        """Returns whether two say the same of the states that were seen."""
        same = np.array_equal(self.state[seen], other.state[seen])
        return same and self.action == other.action


def renumberings(
    source: CountedSteps,
    target: CountedSteps,
    config: RenumberingConfig,
    rng: np.random.Generator,
) -> list[Renumbering]:
    """Returns distinct maps, the likeliest first.

    Args:
        source: well known.
        target: with as many actions, seen in part.
        config: effort.
        rng: of what decides between states that nothing tells apart.
    """
    steps = float(target.tried.sum())
    orders = action_orders(source, target, config.orders)
    searches = [_Search.of(source, target, order, config) for order in orders]
    while len(searches) > config.left:
        for place, search in enumerate(searches):
            searches[place] = search.passed_on(config.first_iterations)
        searches.sort(key=lambda search: -search.promise)
        least = searches[0].promise - config.hopeless * steps
        searches = searches[: max(config.left, len(searches) // 2)]
        searches = [search for search in searches if search.promise >= least]
    searches = [search.passed_on(config.iterations) for search in searches]
    found = [search.decided() for search in searches]
    least = max(one.likelihood for one in found)
    least -= config.hopeless * steps
    for search, one in zip(tuple(searches), tuple(found), strict=True):
        if one.likelihood >= least and search.undecided.any():
            found += [search.drawn(rng).decided() for _ in range(config.draws)]
    found.sort(key=lambda one: -one.likelihood)
    distinct: list[Renumbering] = []
    for one in found:
        if not any(one.agrees(other, target.seen) for other in distinct):
            distinct.append(one)
    return distinct


def tied(found: Sequence[Renumbering], config: RenumberingConfig) -> list[Renumbering]:
    """Returns the likeliest maps, between which what was seen cannot decide."""
    least = found[0].likelihood - config.tied
    return [one for one in found if one.likelihood >= least]


def action_orders(
    source: CountedSteps, target: CountedSteps, most: int
) -> list[tuple[int, ...]]:
    """Returns for target actions source actions that bring about the like.

    Args:
        source: has as many actions.
        target: whose actions stand for them, in their order.
        most: orders that are returned, the likeliest first.
    """
    ours, theirs = (
        [world.habits(action) for action in range(world.actions)]
        for world in (source, target)
    )
    orders: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    for other in theirs:
        orders = sorted(
            (unlike + _unlike(ours[action], other), (*order, action))
            for unlike, order in orders
            for action in range(source.actions)
            if action not in order
        )[: 8 * most]
    return [order for _, order in orders[:most]]


def _unlike(own: dict[Outcome, float], other: dict[Outcome, float]) -> float:
    """Returns how far two distributions of outcomes are apart (total variation)."""
    return sum(abs(own.get(k, 0.0) - other.get(k, 0.0)) for k in {*own, *other}) / 2


def _never_begun(source: CountedSteps, episodes: int) -> Float64[np.ndarray, " source"]:
    """Returns the evidence of an episode that begins, against where none ever did.

    None where too few began for that: a weak hint at random would go round in loops,
    and come back as a strong one.
    """
    began, places = source.begun.sum(), np.count_nonzero(source.begun)
    if began < episodes * places:
        return np.zeros(source.states)
    return np.where(source.begun > 0, 0.0, np.log(max(places, 1) / max(began, 1)))


@final
@dataclass(frozen=True, eq=False)
class _Search:
    """What is known of the states under one order of the actions.

    Args:
        source: whose states are the values.
        target: whose seen states are the variables.
        order: of each target action, the source's.
        config: effort.
        factors: of all steps that led from one state to another.
        alone: evidence that needs no neighbour: where episodes begin, and what stays.
        evidence: logarithms of how likely each value is at best.
    """

    source: CountedSteps
    target: CountedSteps
    order: tuple[int, ...]
    config: RenumberingConfig
    factors: tuple[StepFactor, ...]
    alone: Evidence
    evidence: Evidence
    promise: float = 0.0
    """At most zero: how far what states are told by their steps disagrees."""

    @classmethod
    def of(
        cls,
        source: CountedSteps,
        target: CountedSteps,
        order: tuple[int, ...],
        config: RenumberingConfig,
    ) -> "_Search":
        """Returns what states show by themselves."""
        begins = target.begun[target.seen] > 0
        alone = np.outer(begins, _never_begun(source, config.episodes))
        factors = []
        none = csr_array((source.states, source.states))
        for (action, outcome), count in target.counts.items():
            factor = StepFactor.of(
                count[target.seen][:, target.seen],
                source.counts.get((order[action], outcome), none),
                source.tried[:, order[action]],
                config.unlikely,
                config.untried,
            )
            if outcome.stayed:
                alone += factor.at_once(len(target.seen))
            else:
                factors.append(factor)
        start = alone.astype(np.float32)
        return cls(source, target, order, config, tuple(factors), start, start)

    @property
    def undecided(self) -> Int64[np.ndarray, " seen"]:
        """Of each state, how many other values are as good as the best."""
        near = self.evidence.max(axis=1, keepdims=True) - self.config.undecided
        others: NDArray[np.int64] = np.count_nonzero(self.evidence >= near, axis=1) - 1
        return others

    def passed_on(self, iterations: int) -> "_Search":
        """Returns what is known after passing it on until it stays, or so often.

        Nothing is drawn: symmetric states share values until news tell them apart.
        """
        evidence, factors, promise = self.evidence, self.factors, self.promise
        for _ in range(iterations):
            factors = tuple(factor.passed(evidence) for factor in factors)
            before, evidence = evidence, self.alone.copy()
            for factor in factors:
                factor.add_to(evidence)
            best = evidence.max(axis=1, keepdims=True)
            promise, evidence = float(best.sum()), evidence - best
            if np.abs(evidence - before).max() <= self.config.settled:
                break
        return replace(self, factors=factors, evidence=evidence, promise=promise)

    def drawn(self, rng: np.random.Generator) -> "_Search":
        """Returns what is known once undecided states are drawn, one after another."""
        search = self
        for _ in range(self.config.most_drawn):
            others = search.undecided
            if not others.any():
                break
            row = int(np.where(others, others, len(others)).argmin())
            best = search.evidence[row].max() - self.config.undecided
            value = rng.choice(np.flatnonzero(search.evidence[row] >= best))
            alone = search.alone.copy()
            alone[row, value] -= np.log(self.config.unlikely)
            search = replace(search, alone=alone).passed_on(self.config.iterations)
        return search

    def decided(self) -> Renumbering:
        """Returns the assignment of a source state to each seen one."""
        chosen = self.evidence.argmax(axis=1)
        rows, columns = linear_sum_assignment(self.evidence, maximize=True)
        chosen[rows] = columns
        likelihood = float(self.alone[np.arange(len(chosen)), chosen].sum())
        likelihood += sum(factor.worth(chosen) for factor in self.factors)
        return Renumbering(
            self._completed(chosen), self.order, likelihood, self._contradicted(chosen)
        )

    def _contradicted(self, chosen: Int64[np.ndarray, " seen"]) -> float:
        steps = never = 0.0
        seen = self.target.seen
        for (action, outcome), count in self.target.counts.items():
            place, after = count.nonzero()
            own = self.order[action]
            place, after = (
                chosen[np.searchsorted(seen, ends)] for ends in (place, after)
            )
            known = self.source.counts.get((own, outcome))
            taken = np.zeros(len(place)) if known is None else known[place, after]
            untried = self.source.tried[place, own] == 0
            steps += count.sum()
            never += count.data[(np.asarray(taken) == 0) & ~untried].sum()
        return never / max(steps, 1.0)

    def _completed(
        self, chosen: Int64[np.ndarray, " seen"]
    ) -> Int64[np.ndarray, " target_state"]:
        """Returns a source state for every target state.

        What was never seen keeps its own number if no other has it, else it gets one
        that is left over.
        """
        states = np.full(self.target.states, -1)
        states[self.target.seen] = chosen
        free = dict.fromkeys(range(self.source.states))
        for taken in set(chosen.tolist()):
            del free[taken]
        unseen = np.flatnonzero(states < 0).tolist()
        for state in [state for state in unseen if state in free]:
            states[state] = state
            del free[state]
        left = iter(free)
        for state in np.flatnonzero(states < 0).tolist():
            states[state] = next(left, 0)
        return states
