"""A domain as a graph: its variables are nodes, how they move each other is on edges.

All features are free of units. A feature of a node is even if it stays as it is when
the variable is turned round (v ↦ -v), and odd if it changes its sign; on an edge each
end may be either. So a graph says what a variable does, not its place nor its sign.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rltransfer.alignment.matching.graph_features import (
    edge_features,
    influence_of,
    node_features,
)
from rltransfer.alignment.matching.standard_rows import StandardRows, Stretches


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
        seen = StandardRows(rows)
        influence = influence_of(seen)
        return cls(
            *node_features(seen, influence),
            *edge_features(seen, influence),
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
