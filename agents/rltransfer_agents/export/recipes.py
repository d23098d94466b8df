"""A policy taken apart into the few steps that other runtimes know."""

from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from rltransfer.errors import InputError
from rltransfer_agents.policies import FrozenPolicy
from rltransfer_agents.policies.activations import Dense
from rltransfer_agents.policies.continuous_heads import (
    ActionBounds,
    Deterministic,
    Gaussian,
    SquashedGaussian,
    StateDependentNoise,
)
from rltransfer_agents.policies.discrete_heads import (
    Bernoulli,
    Categorical,
    GreedyValues,
    MultiCategorical,
)
from rltransfer_agents.policies.observation_encoders import Normalisation, Vector


@final
@dataclass(frozen=True, eq=False)
class Recipe:
    """How a policy gets from a vector to its likeliest action."""

    shape: tuple[int, ...]
    """Of one observation."""
    normalisation: Normalisation | None
    divisor: float
    layers: tuple[Dense, ...]
    """With the output layer."""
    choice: Literal["largest", "switches", "squashed", "clipped"]
    sizes: tuple[int, ...] = ()
    """Of the groups in which the largest is sought."""
    bounds: ActionBounds | None = None
    limit: float | None = None
    """Outputs are cut to ± this before they are squashed."""


def recipe_of(policy: FrozenPolicy) -> Recipe:
    """Returns the steps of a policy.

    Raises:
        InputError: if its observations are not plain vectors.
    """
    encoder = policy.encoder
    if not isinstance(encoder, Vector):
        raise InputError(
            "only policies of vectors can be written for other runtimes, this one's "
            f"observations are {policy.observation_space}; write a bundle instead"
        )
    output, facts = _output(policy)
    return Recipe(
        encoder.shape,
        encoder.normalisation,
        encoder.divisor,
        (*policy.layers, output),
        **facts,
    )


def _output(policy: FrozenPolicy) -> tuple[Dense, dict[str, Any]]:
    match policy.head:
        case Categorical(logits=output) | GreedyValues(values=output):
            return output, {"choice": "largest", "sizes": (len(output.bias),)}
        case MultiCategorical(logits=output, sizes=sizes):
            return output, {"choice": "largest", "sizes": sizes}
        case Bernoulli(logits=output):
            return output, {"choice": "switches"}
        case SquashedGaussian(mean=output, bounds=bounds):
            return output, {"choice": "squashed", "bounds": bounds}
        case (
            Deterministic(mean=output, bounds=bounds)
            | Gaussian(mean=output, bounds=bounds)
        ):
            return output, {"choice": _fitting(bounds), "bounds": bounds}
        case StateDependentNoise(mean=output, bounds=bounds, mean_limit=limit):
            facts = {"choice": _fitting(bounds), "bounds": bounds, "limit": limit}
            return output, facts
        case head:
            raise TypeError(f"{type(head).__name__} has no recipe; add it here")


def _fitting(bounds: ActionBounds) -> str:
    return "squashed" if bounds.squashed else "clipped"


def scaling(recipe: Recipe) -> tuple[NDArray[Any], NDArray[Any], float]:
    """Returns mean, deviation and clip; without normalisation they change nothing."""
    size = int(np.prod(recipe.shape))
    if recipe.normalisation is None:
        return np.zeros(size), np.full(size, recipe.divisor), np.inf
    known = recipe.normalisation
    # Pictures that were normalised are no bytes any more and have no divisor.
    return known.mean.ravel(), known.deviation.ravel(), known.clip
