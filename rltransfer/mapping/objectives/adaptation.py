"""Domain adaptation: objectives that draw the target's features to the source's."""

from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from rltransfer.errors import InputError
from rltransfer.mapping.networks import Chain, DomainMapping, Network
from rltransfer.mapping.objectives.objective import Objective, Weight
from rltransfer.mapping.objectives.sample_gaps import Gap
from rltransfer.mapping.objectives.supervised import mean_cross_entropy
from rltransfer.mapping.rows import Transitions, Unpaired


@final
@dataclass(frozen=True, eq=False)
class SampleMatching(Objective[DomainMapping, Transitions]):
    """Penalises mapped states that lie elsewhere than the source's, by any gap.

    Args:
        gap: between the source's states and the mapped ones.
        source: states of the source; a few hundred, drawn from many. All of them are
            compared with every batch.
    """

    gap: Gap
    source: Float[Tensor, "seen state"]

    @override
    def terms(
        self, network: DomainMapping, rows: Transitions
    ) -> dict[str, Float[Tensor, "*copies"]]:
        return {"gap": self.gap(self.source, network.state(rows.observation))}

    @property
    @override
    def own_networks(self) -> tuple[nn.Module, ...]:
        return self.gap.own_networks

    @override
    def at(self, progress: float) -> "SampleMatching":
        return replace(self, gap=self.gap.at(progress))


@final
@dataclass(frozen=True, eq=False)
class FeatureMatching(Objective[Network, Tensor]):
    """Penalises mapped features that lie elsewhere than the source's, by any gap.

    It is `SampleMatching` for rows that are no steps. Rows are target features, without
    labels and without partners.

    Args:
        gap: between the source's features and the mapped ones.
        source: features of the source. All of them are compared with every batch.
    """

    gap: Gap
    source: Float[Tensor, "seen feature"]

    @override
    def terms(
        self, network: Network, rows: Float[Tensor, "row inputs"]
    ) -> dict[str, Float[Tensor, "*copies"]]:
        return {"gap": self.gap(self.source, network(rows))}

    @property
    @override
    def own_networks(self) -> tuple[nn.Module, ...]:
        return self.gap.own_networks

    @override
    def at(self, progress: float) -> "FeatureMatching":
        return replace(self, gap=self.gap.at(progress))


@final
@dataclass(frozen=True, eq=False)
class Adaptation(Objective[Chain, Unpaired]):
    """Learns the source's labels while the features of both domains come together.

    The first link of the chain makes the features, the others make logits of them.

    Args:
        gap: between the features of source and target.
        weight: of the gap, beside the cross-entropy of the source's labels.
        label_weight: above 0, labels are compared along with features, as coordinates
            √label_weight · p: those known in the source, those predicted in the target.
            Matched are then joint distributions (Courty et al., 2017).
    """

    gap: Gap
    weight: Weight = 1.0
    label_weight: float = 0.0

    def __post_init__(self) -> None:
        if self.label_weight < 0:
            raise ValueError(
                f"label_weight must be at least 0, got {self.label_weight}"
            )

    @override
    def terms(
        self, network: Chain, rows: Unpaired
    ) -> dict[str, Float[Tensor, "*copies"]]:
        # Both domains in one batch: layers are called once.
        features = network[0](torch.cat([rows.source.inputs, rows.target]))
        logits = network.after_first(features)
        cut = [len(rows.source), len(rows.target)]
        source, target = features.split(cut, dim=-2)
        known, predicted = logits.split(cut, dim=-2)
        labels = rows.source.labels
        if self.label_weight:
            scale = self.label_weight**0.5
            one_hot = F.one_hot(labels, logits.shape[-1]).to(logits.dtype)
            source = _appended(source, scale * one_hot.expand_as(known))
            target = _appended(target, scale * predicted.softmax(dim=-1))
        weight = self.weight(1.0) if callable(self.weight) else self.weight
        return {
            "cross_entropy": mean_cross_entropy(known, labels),
            "gap": weight * self.gap(source, target),
        }

    @override
    def check(self, rows: Unpaired) -> None:
        if rows.source.labels.is_floating_point():
            raise InputError("Adaptation needs a class per source row, got numbers")

    @property
    @override
    def own_networks(self) -> tuple[nn.Module, ...]:
        return self.gap.own_networks

    @override
    def at(self, progress: float) -> "Adaptation":
        weight = self.weight(progress) if callable(self.weight) else self.weight
        return replace(self, gap=self.gap.at(progress), weight=weight)


def _appended(
    features: Float[Tensor, "*copies row feature"],
    labels: Float[Tensor, "*stack row class"],
) -> Float[Tensor, "*stack row joint"]:
    """Returns features with labels behind; a trunk may be shared by many heads."""
    return torch.cat([features.expand(*labels.shape[:-1], -1), labels], dim=-1)
