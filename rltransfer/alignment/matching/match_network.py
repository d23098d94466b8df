"""The network that matches the variables of two domain graphs.

It was trained on systems made up for it and is only applied to the user's: see
`match_training`. Messages are dense products, so it needs nothing but torch.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from rltransfer.alignment.matching.domain_graph import DomainGraph
from rltransfer.alignment.matching.graph_features import (
    EVEN,
    EVEN_EVEN,
    EVEN_ODD,
    ODD,
    ODD_ODD,
)
from rltransfer.alignment.matching.standard_rows import ACTION

TAG = 8
"""Numbers by which pairs that are known already are marked, alike on both sides."""
_WIDTH, _LAYERS, _HEADS, _HEAD_WIDTH, _EDGE_WIDTH = 48, 4, 12, 8, 40
_APART = -1e4
"""Score of pairs that cannot be: of an observation and an action, say."""
_SINKHORN_ROUNDS = 12


@final
@dataclass(frozen=True, eq=False)
class EncodedGraph:
    """What the network makes of a graph before any tag is known."""

    nodes: Float[Tensor, "system twice feature"]
    gates: Float[Tensor, "layer system head twice twice"]
    kind: Int[Tensor, " twice"]
    discrete: bool

    @property
    def count(self) -> int:
        """Nodes, reward and termination among them."""
        return len(self.kind) // 2


@final
class MatchNetwork(nn.Module):
    """Tells of each source variable which target variable it is, and how sure that is.

    Every variable stands in its graph twice, as v and as -v, and all nodes share their
    weights: the result goes with the order and with the signs of the variables (Deep
    Sets; Zaheer et al., 2017). Edges become gates once for all layers. Within a graph
    half of the heads add up what neighbours send times a signed gate, half attend; then
    each graph attends to the other (Graph Matching Networks; Li et al., 2019). Last is
    an optimal assignment with a place for what has no partner (SuperGlue; Sarlin et
    al., 2020).

    Args:
        generator: of the first weights.
    """

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        edge = ODD_ODD + 2 * EVEN_ODD + EVEN_EVEN + 2

        def two_layers(inputs: int, outputs: int, width: int = _WIDTH) -> nn.Sequential:
            return nn.Sequential(
                nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, outputs)
            )

        def in_each_layer(make: Callable[[], nn.Module]) -> nn.ModuleList:
            return nn.ModuleList(make() for _ in range(_LAYERS))

        sent = _HEADS * _HEAD_WIDTH
        self.node = two_layers(EVEN + ODD + TAG + 1, _WIDTH)
        self.edge = two_layers(edge, _LAYERS * _HEADS, _EDGE_WIDTH)
        self.likeness = in_each_layer(lambda: nn.Linear(_WIDTH, _WIDTH, bias=False))
        self.value = in_each_layer(lambda: nn.Linear(_WIDTH, sent))
        self.join = in_each_layer(lambda: two_layers(_WIDTH + sent, _WIDTH))
        self.norm = in_each_layer(lambda: nn.LayerNorm(_WIDTH))
        self.across = in_each_layer(lambda: nn.Linear(_WIDTH, 3 * _WIDTH, bias=False))
        self.take = in_each_layer(lambda: two_layers(2 * _WIDTH, _WIDTH))
        self.final = nn.Linear(_WIDTH, _WIDTH, bias=False)
        self.unmatched = nn.Parameter(torch.zeros(1))
        for part in self.modules():
            if isinstance(part, nn.Linear):
                bound = part.in_features**-0.5
                for parameter in part.parameters(recurse=False):
                    nn.init.uniform_(parameter, -bound, bound, generator=generator)

    def encode(self, graph: DomainGraph) -> EncodedGraph:
        """Returns what does not depend on tags, and so is used in every round."""
        nodes, edges = graph.doubled
        gates = self.edge(edges).unflatten(-1, (_LAYERS, _HEADS))
        gates = gates.permute(3, 0, 4, 1, 2)
        return EncodedGraph(nodes, gates, graph.kind.repeat(2), graph.discrete)

    def forward(
        self,
        source: EncodedGraph,
        target: EncodedGraph,
        source_tags: Float[Tensor, "pair node tag"],
        target_tags: Float[Tensor, "pair target_node tag"],
    ) -> Float[Tensor, "pair node target_node 2"]:
        """Returns log-probabilities of each partner, as it is and turned round.

        Args:
            source: one graph, or one for each pair.
            target: likewise.
            source_tags: zeros, or alike for nodes that are known to be partners; the
                last number says whether there is a tag.
            target_tags: likewise.
        """
        ours, theirs = (
            self._begin(source, source_tags),
            self._begin(target, target_tags),
        )
        apart = torch.where(source.kind[:, None] == target.kind, 0.0, _APART)
        scale = _WIDTH**-0.5
        for layer in range(_LAYERS):
            ours = self._within(layer, ours, source.gates[layer])
            theirs = self._within(layer, theirs, target.gates[layer])
            query, key, value = self.across[layer](ours).chunk(3, dim=-1)
            query_t, key_t, value_t = self.across[layer](theirs).chunk(3, dim=-1)
            there = (query @ key_t.transpose(1, 2) * scale + apart).softmax(-1)
            back = (query_t @ key.transpose(1, 2) * scale + apart.T).softmax(-1)
            ours, theirs = (
                ours + self.take[layer](torch.cat([ours, there @ value_t], dim=-1)),
                theirs + self.take[layer](torch.cat([theirs, back @ value], dim=-1)),
            )
        n, m = source.count, target.count
        score = self.final(ours) @ self.final(theirs).transpose(1, 2) * scale
        same = (score[:, :n, :m] + score[:, n:, m:]) / 2
        turned = (score[:, :n, m:] + score[:, n:, :m]) / 2
        if source.discrete or target.discrete:
            # A choice has no opposite.
            turned = turned.masked_fill((source.kind[:n] == ACTION)[:, None], _APART)
        sign = torch.stack([same, turned], dim=-1)
        partner = log_assignment(sign.logsumexp(-1) + apart[:n, :m], self.unmatched)
        return partner[..., None] + sign.log_softmax(-1)

    def _begin(self, graph: EncodedGraph, tags: Tensor) -> Tensor:
        opposite = torch.cat([-tags[..., :TAG], tags[..., TAG:]], dim=-1)
        both = torch.cat([tags, opposite], dim=1)
        nodes = graph.nodes.expand(len(both), -1, -1)
        begun: Tensor = self.node(torch.cat([nodes, both], dim=-1))
        return begun

    def _within(self, layer: int, state: Tensor, gates: Tensor) -> Tensor:
        """Returns the state of nodes after messages within their graph."""
        half = _HEADS // 2
        gates = gates.expand(len(state), -1, -1, -1)
        likeness = self.likeness[layer](state).unflatten(-1, (half, -1)).transpose(1, 2)
        alike = likeness @ likeness.transpose(2, 3) * 0.3
        attended = (gates[:, half:] + alike).softmax(-1)
        added = gates[:, :half] / state.shape[1] ** 0.5
        value = self.value[layer](state).unflatten(-1, (_HEADS, _HEAD_WIDTH))
        got = torch.cat([added, attended], dim=1) @ value.transpose(1, 2)
        got = got.transpose(1, 2).flatten(2)
        moved: Tensor = self.join[layer](torch.cat([state, got], dim=-1))
        normed: Tensor = self.norm[layer](state + moved)
        return normed


def log_assignment(
    score: Float[Tensor, "pair row column"], unmatched: Float[Tensor, " 1"]
) -> Float[Tensor, "pair row column"]:
    """Returns log-probabilities that a row and a column are partners.

    Sinkhorn's iterations with one more row and column, for what has no partner: each of
    these may take all there are of the other side (Sarlin et al., 2020, §3.2).

    Args:
        score: of partners; any numbers.
        unmatched: score of having none.
    """
    pairs, rows, columns = score.shape
    spare = unmatched.expand(pairs, 1, 1)
    widened = torch.cat([score, spare.expand(pairs, rows, 1)], dim=2)
    widened = torch.cat([widened, spare.expand(pairs, 1, columns + 1)], dim=1)
    row_mass, column_mass = score.new_zeros(rows + 1), score.new_zeros(columns + 1)
    row_mass[-1], column_mass[-1] = math.log(columns), math.log(rows)
    row, column = score.new_zeros(pairs, rows + 1), score.new_zeros(pairs, columns + 1)
    for _ in range(_SINKHORN_ROUNDS):
        row = row_mass - (widened + column[:, None]).logsumexp(dim=2)
        column = column_mass - (widened + row[:, :, None]).logsumexp(dim=1)
    return (widened + row[:, :, None] + column[:, None])[:, :rows, :columns]
