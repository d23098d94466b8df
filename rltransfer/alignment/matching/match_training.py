"""Training the match network on made-up systems: examples, loss, updates."""

import math
from collections import deque
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn

from rltransfer.alignment.matching.domain_graph import DomainGraph
from rltransfer.alignment.matching.match_network import TAG, MatchNetwork
from rltransfer.alignment.matching.synthetic_systems import synthetic_pairs

PAIRS = 12
"""Of an example."""
UPDATES_OF_EXAMPLE = 4
"""Updates for each new example: making one takes longer than learning from it."""
_FEWEST_ROWS, _MOST_ROWS, _FEWEST_SOURCE_ROWS = 160, 1536, 900
_KEPT_EXAMPLES = 800
"""Latest examples that are learned from again; about half a gigabyte."""
_RATE, _LAST_RATE, _WARMING = 2e-3, 2e-5, 100
_LARGEST_GRADIENT = 1.0
_UNTAGGED = 0.4
"""Share of updates without a hint; decoding begins without one."""
_LEAST_LOG = -12.0
"""No pair costs more, as some cannot be told."""


@final
@dataclass(frozen=True, eq=False)
class MatchExample:
    """Graphs of some pairs of systems and the right answer."""

    source: DomainGraph
    target: DomainGraph
    partner: Int[Tensor, " source_variable"]
    """Place of each source variable among the target's, -1 where it lacks it."""
    rows: int
    """Of each target."""


def match_example(
    seed: np.random.SeedSequence, pairs: int = PAIRS, rows: int | None = None
) -> MatchExample:
    """Returns an example, the same for the same seed.

    Each side may lack some of the sensors.

    Args:
        seed: of all that is drawn.
        pairs: of systems.
        rows: of each target; by default drawn, mostly fewer than the source's.
    """
    rng = np.random.default_rng(seed)
    while True:
        both = synthetic_pairs(rng, pairs)
        size = both.observation.shape[-1]
        few = math.log(_FEWEST_ROWS), math.log(_MOST_ROWS)
        drawn = int(np.exp(rng.uniform(*few)))
        kept = _kept(rng, size), _kept(rng, size)
        source_rows = int(rng.integers(_FEWEST_SOURCE_ROWS, _MOST_ROWS + 1))
        sides = (
            (slice(0, pairs), source_rows, kept[0]),
            (slice(pairs, 2 * pairs), rows or drawn, kept[1]),
        )
        source, target = (DomainGraph.of(both.part(*side)) for side in sides)
        if source.finite and target.finite:
            break
    place = {sensor: at for at, sensor in enumerate(kept[1].tolist())}
    partners = [place.get(sensor, -1) for sensor in kept[0].tolist()]
    partners += [len(place) + motor for motor in range(both.action.shape[-1])]
    return MatchExample(source, target, torch.tensor(partners), rows or drawn)


def _kept(rng: np.random.Generator, size: int) -> Int[Tensor, " kept"]:
    lost = 0 if size < 4 or rng.random() > 0.35 else int(rng.integers(1, 4))
    kept = np.sort(rng.permutation(size)[: size - min(lost, size // 3)])
    return torch.from_numpy(kept)


class MatchScore(NamedTuple):
    """How well a network does on an example."""

    loss: Float[Tensor, ""]
    """Cross-entropy of partners and signs."""
    right: Float[Tensor, ""]
    """Share of variables whose partner and sign are the likeliest ones."""


def match_score(
    network: MatchNetwork, example: MatchExample, tagged: Int[Tensor, " tagged"]
) -> MatchScore:
    """Returns how well `network` tells the partners.

    Args:
        network: that tells them.
        example: that it is asked about.
        tagged: source variables whose partners it is told; may be none.
    """
    known = (example.partner >= 0).nonzero().flatten()
    pairs = len(example.source.even)
    source_tags, target_tags = (
        torch.zeros(pairs, len(graph.kind), TAG + 1)
        for graph in (example.source, example.target)
    )
    # Which tag it is says nothing: any numbers do, as long as they differ.
    generator = torch.Generator().manual_seed(len(tagged))
    for variable in tagged.tolist():
        tag = torch.cat([torch.randn(TAG, generator=generator), torch.ones(1)])
        source_tags[:, variable] = tag
        target_tags[:, example.partner[variable]] = tag
    log = network(
        network.encode(example.source),
        network.encode(example.target),
        source_tags,
        target_tags,
    )
    answers = log.flatten(2).argmax(dim=-1)[:, known]
    right = (answers == 2 * example.partner[known]).float().mean()
    told = log[:, known, example.partner[known], 0]
    return MatchScore(-told.clamp_min(_LEAST_LOG).mean(), right)


def no_tags() -> Int[Tensor, " tagged"]:
    """Returns the choice of no variable."""
    return torch.zeros(0, dtype=torch.int64)


@final
class MatchTraining:
    """A training of the network under way.

    Args:
        seed: of first weights, examples and batches; example i has its own child.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        first, self.example_root, choices = np.random.SeedSequence(seed).spawn(3)
        weights = torch.Generator().manual_seed(int(first.generate_state(1)[0]))
        self.network = MatchNetwork(weights)
        self._optimizer = torch.optim.Adam(self.network.parameters(), _RATE)
        self._rng = np.random.default_rng(choices)
        self._kept: deque[MatchExample] = deque(maxlen=_KEPT_EXAMPLES)
        self.updates = self.examples = 0

    def learn(self, example: MatchExample, progress: float) -> MatchScore:
        """Learns from a new example and from some earlier ones.

        Args:
            example: a new one.
            progress: share of the training that is done; the learning rate follows.

        Returns:
            How well it did on the new one without a hint, before it learned from it.
        """
        with torch.no_grad():
            before = match_score(self.network, example, no_tags())
        self._kept.append(example)
        self.examples += 1
        for place in range(UPDATES_OF_EXAMPLE):
            earlier = self._kept[int(self._rng.integers(len(self._kept)))]
            self._update(earlier if place else example, progress)
        return before

    def _update(self, example: MatchExample, progress: float) -> None:
        known = (example.partner >= 0).nonzero().flatten().numpy()
        hints = 0
        if self._rng.random() > _UNTAGGED:
            hints = int(self._rng.integers(1, len(known) + 1))
        tagged = torch.from_numpy(self._rng.permutation(known)[:hints])
        loss = match_score(self.network, example, tagged).loss
        warmed = min(1.0, self.updates / _WARMING)
        for group in self._optimizer.param_groups:
            group["lr"] = _RATE * warmed * (1 - progress) + _LAST_RATE
        self._optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)
        self._optimizer.step()
        self.updates += 1

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Returns weights and the optimizer's means, by name."""
        found = {}
        for name, parameter in self.network.named_parameters():
            state = self._optimizer.state.get(parameter, {})
            found[f"weight.{name}"] = parameter.detach().numpy()
            for mean in ("exp_avg", "exp_avg_sq"):
                value = state.get(mean, torch.zeros_like(parameter))
                found[f"{mean}.{name}"] = value.numpy()
        return found

    def restore(
        self, arrays: dict[str, NDArray[Any]], updates: int, examples: int
    ) -> None:
        """Goes on from what `arrays` returned after so many updates and examples.

        Examples to learn from again are gathered anew, so that it ends not in the same
        bits as a training that went on.
        """
        self.updates, self.examples = updates, examples
        for name, parameter in self.network.named_parameters():
            with torch.no_grad():
                parameter.copy_(torch.from_numpy(arrays[f"weight.{name}"]))
            self._optimizer.state[parameter] = {
                "step": torch.tensor(float(updates)),
                **{
                    mean: torch.from_numpy(arrays[f"{mean}.{name}"]).clone()
                    for mean in ("exp_avg", "exp_avg_sq")
                },
            }
