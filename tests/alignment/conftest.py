"""A source whose model all tests here share, and one world that it is mapped to."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import pytest
import torch

from rltransfer.alignment import (
    ActionFitConfig,
    AlignConfig,
    Alignment,
    Source,
    SourceModelData,
    align,
    learn_source_model,
)
from rltransfer.domain import Domain
from rltransfer.source_models import LearnConfig
from rltransfer.wrappers import StepBudget
from tests.worlds.points import Home, Point

QUICK = AlignConfig(
    seed=1,  # its exploration finishes enough random episodes to test against
    restarts=16,
    updates=200,
    batch_size=128,
    source_steps=3000,
    learning=LearnConfig(width=32, updates=400, batch_size=256),
    actions=ActionFitConfig(updates=80),
)
"""Finds the way in a world of two dimensions."""
HASTY = replace(QUICK, restarts=2, updates=10, actions=ActionFitConfig(updates=5))
"""Where it does not matter what is found."""
MIRRORED = ((0.0, 2.0), (1.0, 0.0))  # a reflection: its determinant is below zero

Align: TypeAlias = Callable[..., Alignment]


@pytest.fixture(scope="session")
def model_data() -> SourceModelData:
    torch.set_num_threads(1)
    return learn_source_model(Source(Domain(Point, "point"), Home(), "home"), QUICK)


@pytest.fixture(scope="session")
def aligned(model_data: SourceModelData) -> Align:
    """Aligns the source with a point's world of these arguments."""

    def call(
        config: AlignConfig = QUICK,
        budget: int = 1500,
        source: SourceModelData = model_data,
        **world: Any,
    ) -> Alignment:
        target = Domain(lambda: Point(**world), "target", StepBudget(budget))
        return align([source], target, config)

    return call


@pytest.fixture(scope="session")
def mirrored(aligned: Align) -> Alignment:
    return aligned(sensors=MIRRORED)
