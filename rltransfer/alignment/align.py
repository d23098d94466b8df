"""Rounds of fitting and acting, and the proof at their end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from rltransfer.alignment.acceptance_test import AcceptanceTest
from rltransfer.alignment.align_config import AlignConfig
from rltransfer.alignment.search import Search
from rltransfer.alignment.source_model_data import Source, SourceModelData
from rltransfer.alignment.trials import Silent, Trial, Watcher
from rltransfer.domain import Domain, Whitening
from rltransfer.translation import MappedPolicy


@final
@dataclass(frozen=True, eq=False)
class Alignment:
    """What came of aligning one source with the target."""

    model_data: SourceModelData
    target: Domain
    whitening: Whitening
    trials: tuple[Trial, ...]
    """In the order in which they were acted with."""
    chosen: Trial
    acceptance: AcceptanceTest

    @property
    def policy(self) -> MappedPolicy:
        """The zero-shot policy."""
        return self.chosen.policy


def align(
    source: Source | SourceModelData,
    target: Domain,
    config: AlignConfig,
    watch: Watcher | None = None,
) -> Alignment:
    """Finds a mapping to the source of the target, and proves it or refuses it.

    Every step in the target is counted by its meter, whose limit is the budget.

    Args:
        source: an agent and its environment, or what `study` knows of them.
        target: with a limited meter.
        config: effort and rules.
        watch: told how it goes on.

    Raises:
        InputError: the budget is too small for one round.
    """
    watch = watch or Silent()
    search = Search(source, target, config, watch)
    for number in range(config.rounds):
        if not search.round(number):
            break
    chosen, acceptance = search.test()
    return Alignment(
        search.model_data, target, search.whitening, search.trials, chosen, acceptance
    )


def align_each(
    sources: Sequence[Source],
    targets: Sequence[Domain],
    config: AlignConfig,
    watch: Watcher | None = None,
) -> list[Alignment]:
    """Aligns every source with its own share of the budget; best first.

    Args:
        sources: at least one.
        targets: the target once for each, its meter limited to the share.
        config: of each alignment.
        watch: told how each goes on.
    """
    found = [
        align(source, target, config, watch)
        for source, target in zip(sources, targets, strict=True)
    ]

    def rank(alignment: Alignment) -> tuple[bool, float]:
        acceptance = alignment.acceptance
        returns = (
            acceptance.returns if len(acceptance.returns) else [alignment.chosen.score]
        )
        return not acceptance.accepted, -float(np.mean(returns))

    return sorted(found, key=rank)
