"""A domain as a graph: its variables are nodes, how they move each other is on edges.

All features are free of units. A feature of a node is even if it stays as it is when
the variable is turned round (v ↦ -v), and odd if it changes its sign; on an edge each
end may be either. So a graph says what a variable does, not its place nor its sign.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from rltransfer.domain import Transitions

OBSERVATION, ACTION, REWARD, TERMINATION = range(4)
"""Kinds of nodes, in the order in which they stand in a graph."""
EVEN, ODD = 26, 9
"""Features of a node."""
ODD_ODD, EVEN_ODD, EVEN_EVEN = 19, 3, 4
"""Features of an edge."""
_LARGEST = 4.0
"""Deviations beyond which a value counts as that many: one odd row must not decide."""
_MOST_PAIRS = 18
"""Observations up to which the drift of a step has all their products."""


@final
@dataclass(frozen=True, eq=False)
class Stretches:
    """Rows of several systems of one size, each in the order of time."""

    observation: Float[Tensor, "system row observation"]
    action: Float[Tensor, "system row action"]
    reward: Float[Tensor, "system row"]
    next_observation: Float[Tensor, "system row observation"]
    terminated: Float[Tensor, "system row"]
    begins: Bool[Tensor, "system row"]
    """Whether a row is the first one of its episode."""
    discrete: bool
    """Whether actions are one-hot."""

    @classmethod
    def of(cls, rows: Transitions, *, discrete: bool) -> "Stretches":
        """Returns the rows of one domain."""
        begins = torch.ones(len(rows), dtype=torch.bool)
        begins[1:] = rows.episode[1:] != rows.episode[:-1]
        return cls(
            rows.observation[None].float(),
            rows.action[None].float(),
            rows.reward[None].float(),
            rows.next_observation[None].float(),
            rows.terminated[None].float(),
            begins[None],
            discrete,
        )

    def part(
        self, systems: slice, rows: int, observations: Int[Tensor, " kept"]
    ) -> "Stretches":
        """Returns the first rows of some systems, with these observations only."""
        kept = systems, slice(rows)
        return Stretches(
            self.observation[kept][..., observations],
            self.action[kept],
            self.reward[kept],
            self.next_observation[kept][..., observations],
            self.terminated[kept],
            self.begins[kept],
            self.discrete,
        )


@final
@dataclass(frozen=True, eq=False)
class DomainGraph:
    """Features of the nodes and edges of several systems of one size.

    Args:
        even: of nodes.
        odd: of nodes.
        odd_odd: of edges; row is the earlier variable, column the later one.
        even_odd: of edges, even in the row's variable.
        even_even: of edges.
        kind: of each node: observations, actions, reward, termination.
        discrete: whether actions are one-hot; then they cannot be turned round.
    """

    even: Float[Tensor, "system node even"]
    odd: Float[Tensor, "system node odd"]
    odd_odd: Float[Tensor, "system node node odd_odd"]
    even_odd: Float[Tensor, "system node node even_odd"]
    even_even: Float[Tensor, "system node node even_even"]
    kind: Int[Tensor, " node"]
    discrete: bool

    @classmethod
    @torch.no_grad()
    def of(cls, rows: Stretches) -> "DomainGraph":
        """Returns the graph that these rows show."""
        seen = _Standardised(rows)
        return cls(
            *seen.node_features,
            *seen.edge_features,
            seen.kind,
            rows.discrete,
        )

    @property
    def variables(self) -> int:
        """Nodes that may be matched: observations and actions."""
        return len(self.kind) - 2

    @property
    def finite(self) -> bool:
        """Whether all features are numbers."""
        features = self.even, self.odd, self.odd_odd, self.even_odd, self.even_even
        return all(bool(part.isfinite().all()) for part in features)

    @property
    def doubled(
        self,
    ) -> tuple[
        Float[Tensor, "system twice node_feature"],
        Float[Tensor, "system twice twice edge_feature"],
    ]:
        """Each variable v as two nodes, v and -v: features of nodes and of edges.

        A network on these treats the signs of variables alike, as it does their order.
        """
        nodes = torch.cat(
            [torch.cat([self.even, s * self.odd], dim=-1) for s in (1, -1)], dim=1
        )
        odd_even = self.even_odd.transpose(1, 2)

        def block(s: int, t: int) -> Tensor:
            parts = self.odd_odd * (s * t), self.even_odd * t, odd_even * s
            return torch.cat([*parts, self.even_even], dim=-1)

        edges = torch.cat(
            [torch.cat([block(s, t) for t in (1, -1)], dim=2) for s in (1, -1)], dim=1
        )
        count = len(self.kind)
        itself = torch.eye(2 * count)
        own = torch.stack([itself, itself.roll(count, 0)], dim=-1)
        return nodes, torch.cat([edges, own.expand(len(edges), -1, -1, -1)], dim=-1)


def _unit(values: Tensor) -> Tensor:
    """Returns columns of rows with mean 0 and deviation 1."""
    centred = values - values.mean(dim=1, keepdim=True)
    return centred / (centred.square().mean(dim=1, keepdim=True).sqrt() + 1e-6)


@final
class _Standardised:
    """Rows in standard units: levels of all variables, and their moves in one step."""

    def __init__(self, rows: Stretches) -> None:
        self.rows = rows
        shape = rows.observation.shape
        self.systems, self.count, self.observations = shape
        self.actions = rows.action.shape[-1]
        self.nodes = self.observations + self.actions + 2
        mean = rows.observation.mean(dim=1, keepdim=True)
        spread = rows.observation.std(dim=1, keepdim=True)
        # What never moves would be divided by the noise of its digits.
        still = spread < 1e-6 * (1 + mean.abs())
        spread = torch.where(still, torch.ones_like(spread), spread)
        self.states = ((rows.observation - mean) / spread).clamp(-_LARGEST, _LARGEST)
        self.steps = (rows.next_observation - rows.observation) / spread
        paid, ended = rows.reward[..., None], rows.terminated[..., None]
        others = [_unit(part) for part in (rows.action, paid, ended)]
        self.levels = torch.cat([self.states, *others], -1).clamp(-_LARGEST, _LARGEST)
        size = self.steps.std(dim=1, keepdim=True) + 1e-6
        moves = torch.cat([self.steps / size, *others], -1).clamp(-_LARGEST, _LARGEST)
        self.raw_moves = moves
        self.moves = moves - moves.mean(dim=1, keepdim=True)
        self.episode = rows.begins.cumsum(dim=1)
        kinds = [OBSERVATION] * self.observations + [ACTION] * self.actions
        self.kind = torch.tensor([*kinds, REWARD, TERMINATION])
        # What an action can change: observations, the reward, and the end.
        self.results = torch.cat(
            [torch.arange(self.observations), torch.tensor([-2, -1]) + self.nodes]
        )

    def lagged(self, earlier: Tensor, later: Tensor, lag: int) -> Tensor:
        """Returns E[earlier(t) · later(t + lag)], within episodes."""
        if lag == 0:
            return earlier.transpose(1, 2) @ later / self.count
        together = self.episode[:, lag:] == self.episode[:, :-lag]
        weight = together.float()[..., None]
        total = weight.sum(dim=1, keepdim=True).clamp_min(1)
        product = (earlier[:, :-lag] * weight).transpose(1, 2) @ later[:, lag:]
        return product / total

    def autocorrelation(self, values: Tensor, lag: int) -> Tensor:
        """Returns E[value(t) · value(t + lag)] of each column, within episodes."""
        together = (self.episode[:, lag:] == self.episode[:, :-lag]).float()[..., None]
        product = (values[:, :-lag] * values[:, lag:] * together).sum(dim=1)
        return product / together.sum(dim=1).clamp_min(1)

    @cached_property
    def _influence(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What actions do beside a quadratic drift of the state.

        Moves and actions are both cleared of what the state explains (Frisch & Waugh,
        1933; Lovell, 1963), and then regressed on each other.

        Returns:
            Coefficients and partial correlations from each action to each result; the
            correlations of what is left of the results, and how much is explained.
        """
        size, d = self.observations, self.states
        first, second = torch.triu_indices(size, size)
        if size > _MOST_PAIRS:
            first = second = torch.arange(size)
        drift = torch.cat([d, _unit(d[..., first] * d[..., second])], dim=-1)
        results = self.moves[..., self.results]
        both = torch.cat([results, self.levels[..., size : size + self.actions]], -1)
        ridge = 0.01 + 0.2 / self.count * size
        gram = self.lagged(drift, drift, 0) + ridge * torch.eye(drift.shape[-1])
        clear = both - drift @ torch.linalg.solve(gram, self.lagged(drift, both, 0))
        left, acts = clear[..., : size + 2], clear[..., size + 2 :]
        gram = self.lagged(acts, acts, 0) + 0.02 * torch.eye(self.actions)
        pull = torch.linalg.solve(gram, self.lagged(acts, left, 0))
        rest = left - acts @ pull
        size_of_rest = rest.square().mean(dim=1)[:, None]
        partial = pull / (pull.square() + size_of_rest + 1e-4).sqrt()
        scaled = _unit(rest)
        explained = 1 - size_of_rest[:, 0] / results.square().mean(1).clamp_min(1e-6)
        return pull, partial, self.lagged(scaled, scaled, 0), explained

    @property
    def edge_features(self) -> tuple[Tensor, Tensor, Tensor]:
        """Features that are odd in both ends, in the later end only, and in neither."""
        levels, moves = self.levels, self.moves
        pull, partial, rest, _ = self._influence
        inputs = levels[..., : self.observations + self.actions]
        ridge = 0.02 * torch.eye(inputs.shape[-1])
        results = moves[..., self.results]
        linear = torch.linalg.solve(
            self.lagged(inputs, inputs, 0) + ridge, self.lagged(inputs, results, 0)
        )
        empty = levels.new_zeros(4, self.systems, self.nodes, self.nodes)
        drift, left, acts, share = empty
        causes = torch.arange(inputs.shape[-1])[:, None]
        pulling = causes[self.observations :]
        drift[:, causes, self.results] = linear.clamp(-3, 3)
        left[:, self.results[:, None], self.results] = rest
        acts[:, pulling, self.results] = pull.clamp(-3, 3)
        share[:, pulling, self.results] = partial
        directed = [
            *(self.lagged(levels, moves, lag) for lag in (0, 1, 3)),
            self.lagged(moves, moves, 1),
            self.lagged(levels, levels, 4),
            *(drift, acts, share),
        ]
        both_ways = [part for one in directed for part in (one, one.transpose(1, 2))]
        symmetric = [self.lagged(part, part, 0) for part in (levels, moves)]
        odd_odd = torch.stack([*symmetric, left, *both_ways], dim=-1)
        levels_squared, moves_squared = _unit(levels.square()), _unit(moves.square())
        even_odd = torch.stack(
            [
                self.lagged(levels_squared, moves, 0),
                self.lagged(levels_squared, levels, 0),
                self.lagged(levels_squared, moves, 1),
            ],
            dim=-1,
        )
        crossed = self.lagged(levels_squared, moves_squared, 0)
        even_even = torch.stack(
            [
                self.lagged(levels_squared, levels_squared, 0),
                self.lagged(moves_squared, moves_squared, 0),
                *(crossed, crossed.transpose(1, 2)),
            ],
            dim=-1,
        )
        return odd_odd, even_odd, even_even

    @property
    def node_features(self) -> tuple[Tensor, Tensor]:
        """Even and odd features of each variable by itself."""
        levels, moves, begins = self.levels, self.moves, self.rows.begins.float()
        high, low = levels.amax(dim=1, keepdim=True), levels.amin(dim=1, keepdim=True)
        edge = 0.02 * (high - low)
        top = (levels > high - edge).float().mean(dim=1)
        bottom = (levels < low + edge).float().mean(dim=1)
        ordered = levels.sort(dim=1)[0]
        values = (ordered.diff(dim=1) > 1e-5).float().mean(dim=1)

        def quantile(share: float) -> Tensor:
            # Counted from the nearer end, so that it goes with the sign exactly.
            low = int(min(share, 1 - share) * (self.count - 1) + 1e-6)
            both = ordered[:, low], ordered[:, self.count - 1 - low]
            if share == 0.5:
                return (both[0] + both[1]) / 2
            return both[share > 0.5]

        def weighted(weight: Tensor, values: Tensor) -> Tensor:
            weight = weight[..., None]
            return (weight * values).sum(dim=1) / weight.sum(dim=1).clamp_min(1)

        at_start, at_end = (
            weighted(weight, levels) for weight in (begins, self.rows.terminated)
        )
        spread_at_start = weighted(begins, (levels - at_start[:, None]).square()).sqrt()
        explained = levels.new_zeros(self.systems, self.nodes)
        explained[:, self.results] = self._influence[3]
        speed = self.steps.std(dim=1).clamp_min(1e-4).log() / 3
        skew, move_skew = levels.pow(3).mean(dim=1), moves.pow(3).mean(dim=1)

        def constant(value: Tensor | float) -> Tensor:
            return (
                torch.as_tensor(value).reshape(-1, 1).expand(self.systems, self.nodes)
            )

        even = [
            levels.pow(4).mean(dim=1).clamp_min(0.1).log(),
            moves.pow(4).mean(dim=1).clamp_min(0.1).log(),
            *(self.autocorrelation(levels, lag) for lag in (1, 2, 4, 8, 16)),
            *(self.autocorrelation(moves, lag) for lag in (1, 2, 4)),
            F.pad(speed, (0, self.nodes - self.observations)),
            (self.raw_moves.abs() < 1e-5).float().mean(dim=1),
            values,
            values.clamp_min(1 / self.count).log() / 5,
            *(top + bottom, explained, skew.abs(), spread_at_start),
            constant(float(self.rows.discrete)),
            constant(math.log(self.count / 500)),
            quantile(0.75) - quantile(0.25),
            constant(begins.mean(dim=1) * 30),
        ]
        kinds = F.one_hot(self.kind, 4).float().expand(self.systems, -1, -1)
        odd = [
            *(skew, move_skew, self.raw_moves.mean(dim=1)),
            *(quantile(0.95) + quantile(0.05), quantile(0.75) + quantile(0.25)),
            *(quantile(0.5), top - bottom, at_start, at_end),
        ]
        joined = torch.cat([torch.stack(even, dim=-1), kinds], dim=-1)
        return joined, torch.stack(odd, dim=-1).clamp(-5, 5)
