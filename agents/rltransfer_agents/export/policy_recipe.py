"""A policy taken apart into a few steps, and whether two policies act alike."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from gymnasium import spaces
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

_OBSERVATIONS = 256
_TOLERANCE = 1e-4
# Where two choices are this near to each other, rounding may decide between them.
_TIE = 1e-3

Act = Callable[[Any], NDArray[Any]]
"""Maps a batch of observations to actions, without chance."""


def require_equal(act: Act, original: FrozenPolicy, what: str, seed: int = 0) -> None:
    """Raises unless `act` chooses as `original` does on random observations.

    Args:
        act: what was written.
        original: the policy it was written from.
        what: the file, for the message.
        seed: of the observations.
    """
    observations = random_observations(original.observation_space, seed)
    expected, _ = original.predict(observations, deterministic=True)
    actions = np.asarray(act(observations))
    if actions.shape == expected.shape:
        gaps = np.abs(actions.astype(np.float64) - expected.astype(np.float64))
        allowed = _TOLERANCE * np.maximum(1, np.abs(expected))
        wrong = (gaps > allowed).reshape(len(gaps), -1).any(axis=1)
        if not (wrong & ~_is_tied(original, observations)).any():
            return
        worst = f"by up to {gaps.max():.3g}"
    else:
        worst = f"in shape, {actions.shape} and not {expected.shape}"
    raise InputError(
        f"{what} must act as the original does on {_OBSERVATIONS} random observations, "
        f"it differs {worst}; nothing was written, the policy is not one of those "
        "supported"
    )


def random_observations(space: spaces.Space[Any], seed: int) -> Any:
    """Returns a batch of observations, drawn from a space."""
    if isinstance(space, spaces.Dict):
        return {
            name: random_observations(part, seed + place)
            for place, (name, part) in enumerate(space.spaces.items())
        }
    rng = np.random.default_rng(seed)
    if isinstance(space, spaces.Box) and not space.is_bounded():
        # Sampling an unbounded space would mostly give numbers no policy ever sees.
        drawn = rng.normal(scale=3, size=(_OBSERVATIONS, *space.shape))
        return np.clip(drawn, space.low, space.high).astype(space.dtype)
    space.seed(seed)
    return np.stack([space.sample() for _ in range(_OBSERVATIONS)])


def _is_tied(policy: FrozenPolicy, observations: Any) -> NDArray[np.bool_]:
    if isinstance(policy.action_space, spaces.Box):
        return np.zeros(_OBSERVATIONS, np.bool_)
    outputs = policy.outputs(observations)
    if isinstance(policy.action_space, spaces.MultiBinary):
        return np.asarray((np.abs(outputs) < _TIE).any(axis=-1))
    sizes = (
        policy.action_space.nvec
        if isinstance(policy.action_space, spaces.MultiDiscrete)
        else [outputs.shape[-1]]
    )
    tied = np.zeros(_OBSERVATIONS, np.bool_)
    for part in np.split(outputs, np.cumsum(sizes)[:-1], axis=-1):
        best = np.sort(part, axis=-1)
        if part.shape[-1] > 1:
            tied |= best[:, -1] - best[:, -2] < _TIE * np.maximum(
                1, np.abs(best[:, -1])
            )
    return tied


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
