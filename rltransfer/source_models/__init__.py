"""Models of the source that mappings are compared with.

A kind of model is a function from experience to a `SourceModel`, and one from stored
numbers. Adding one touches its page and `SOURCE_MODELS`.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from torch import Generator, Tensor

from rltransfer.domain import Transitions
from rltransfer.errors import InputError
from rltransfer.source_models.control_affine import (
    ControlAffineModel as ControlAffineModel,
)
from rltransfer.source_models.control_affine import LearnConfig as LearnConfig
from rltransfer.source_models.control_affine import fit_control_affine
from rltransfer.source_models.source_model import SourceModel as SourceModel
from rltransfer.source_models.tabular import TabularModel as TabularModel
from rltransfer.source_models.tabular import fit_tabular


class SourceModelKind(NamedTuple):
    """How a kind of model is fitted, and made of its numbers again."""

    fit: Callable[[Transitions, LearnConfig, Generator], SourceModel]
    restored: Callable[[Mapping[str, Tensor], int, int, LearnConfig], SourceModel]
    """Of numbers, the size of an observation and of an encoded action."""


TABULAR = "tabular"
"""The kind for finite worlds; nothing else is learned there."""

SOURCE_MODELS = {
    "control-affine": SourceModelKind(fit_control_affine, ControlAffineModel.restored),
    TABULAR: SourceModelKind(fit_tabular, TabularModel.restored),
}


def fit_source_model(
    rows: Transitions, config: LearnConfig, generator: Generator
) -> SourceModel:
    """Returns a frozen model of the domain that `rows` come from.

    Args:
        rows: experience of the source.
        config: kind of model, size and effort.
        generator: of weights and batches.

    Raises:
        InputError: there is no model of that kind.
    """
    if config.kind not in SOURCE_MODELS:
        raise InputError(
            f"a source model is one of {', '.join(SOURCE_MODELS)}, got "
            f"{config.kind!r}; name one of these"
        )
    return SOURCE_MODELS[config.kind].fit(rows, config, generator)
