"""A policy of vectors as plain numbers and words, and as an `.npz` file of them."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from rltransfer.errors import InputError
from rltransfer.io import write_atomically
from rltransfer_agents.export import numpy_loader
from rltransfer_agents.export.export_checks import require_equal, require_new
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
from rltransfer_agents.policies.observation_encoders import Vector

NUMPY_SUFFIX = ".npz"

Choice = Literal["largest", "above zero", "squashed", "clipped"]
"""How outputs become an action: the largest of each group; 1 where above zero; by tanh
scaled to the bounds; cut off at the bounds."""


@final
@dataclass(frozen=True, eq=False)
class PlainPolicy:
    """How a policy gets from an observation to its likeliest action.

    The observation is flattened, normalised to (x - mean) / deviation within ± clip,
    passed through the layers, and the outputs of the last one decide.
    """

    observation_shape: tuple[int, ...]
    mean: Float64[np.ndarray, " observation"]
    deviation: Float64[np.ndarray, " observation"]
    clip: float
    """Infinite where there is no normalisation."""
    layers: tuple[Dense, ...]
    """With the output layer."""
    choice: Choice
    action_shape: tuple[int, ...]
    sizes: tuple[int, ...] = ()
    """Of the groups of outputs in which the largest is sought."""
    bounds: ActionBounds | None = None
    limit: float = np.inf
    """Outputs are cut to ± this before they are squashed or clipped."""

    @classmethod
    def of(cls, policy: FrozenPolicy) -> "PlainPolicy":
        """Returns the steps of `policy`.

        Raises:
            InputError: its observations are not plain vectors.
        """
        encoder = policy.encoder
        if not isinstance(encoder, Vector):
            raise InputError(
                "only policies of vectors can be written for other runtimes, this "
                f"one's observations are {policy.observation_space}; write a bundle "
                "(.safetensors) instead"
            )
        normalisation = encoder.normalisation
        if normalisation is None:
            size = int(np.prod(encoder.shape))
            mean, deviation = np.zeros(size), np.full(size, encoder.divisor)
            clip = np.inf
        else:
            # Normalised pictures are not bytes any more and have no divisor.
            mean, deviation = normalisation.mean, normalisation.deviation
            clip = normalisation.clip
        output, facts = _output(policy)
        return cls(
            observation_shape=encoder.shape,
            mean=mean.ravel(),
            deviation=deviation.ravel(),
            clip=clip,
            layers=(*policy.layers, output),
            action_shape=policy.action_space.shape or (),
            **facts,
        )


def _output(policy: FrozenPolicy) -> tuple[Dense, dict[str, Any]]:
    """Returns the last layer, and what becomes of its outputs."""

    def fitting(bounds: ActionBounds) -> dict[str, Any]:
        choice = "squashed" if bounds.squashed else "clipped"
        return {"choice": choice, "bounds": bounds}

    match policy.head:
        case Categorical(logits=output) | GreedyValues(values=output):
            return output, {"choice": "largest", "sizes": (len(output.bias),)}
        case MultiCategorical(logits=output, sizes=sizes):
            return output, {"choice": "largest", "sizes": sizes}
        case Bernoulli(logits=output):
            return output, {"choice": "above zero"}
        case SquashedGaussian(mean=output, bounds=bounds):
            return output, {"choice": "squashed", "bounds": bounds}
        case (
            Deterministic(mean=output, bounds=bounds)
            | Gaussian(mean=output, bounds=bounds)
        ):
            return output, fitting(bounds)
        case StateDependentNoise(mean=output, bounds=bounds, mean_limit=limit):
            return output, fitting(bounds) | {
                "limit": np.inf if limit is None else limit
            }
        case head:
            raise TypeError(f"{type(head).__name__} has no plain form; add it here")


def export_numpy(
    policy: FrozenPolicy, path: Path | str, wrappers: Sequence[str] = ()
) -> tuple[Path, ...]:
    """Writes a policy and, beside it, the page of Python that acts with it.

    Args:
        policy: of vectors.
        path: of the file, ending in `.npz`; the page is called `numpy_loader.py`. One
            that is there already stays if it is the same.
        wrappers: through which it saw its environment, to be named in the file.

    Returns:
        what was written, the policy first.

    Raises:
        InputError: a file is there already, or would not act as the policy does.
    """
    target = require_new(path, NUMPY_SUFFIX)
    page = target.with_name("numpy_loader.py")
    code = Path(numpy_loader.__file__).read_bytes()
    has_page = page.is_file() and page.read_bytes() == code
    if not has_page and (page.exists() or page.is_symlink()):
        raise InputError(
            f"{target.name} is written together with {page.name}, {page} exists "
            "already and is another one; write to another folder, or move it away"
        )
    data = _packed(PlainPolicy.of(policy), wrappers)
    require_equal(numpy_loader.load_policy(io.BytesIO(data)), policy, str(target))
    write_atomically(target, data)
    if has_page:
        return (target,)
    write_atomically(page, code)
    return target, page


def _packed(plain: PlainPolicy, wrappers: Sequence[str]) -> bytes:
    arrays: dict[str, NDArray[Any]] = {
        "mean": plain.mean,
        "deviation": plain.deviation,
        "clip": np.array(plain.clip),
        "limit": np.array(plain.limit),
    }
    for place, layer in enumerate(plain.layers):
        arrays[f"weight{place}"], arrays[f"bias{place}"] = layer.weight, layer.bias
    if plain.bounds is not None:
        arrays["low"], arrays["high"] = plain.bounds.low, plain.bounds.high
    words = {
        "observation_shape": plain.observation_shape,
        "activations": [layer.activation.__name__ for layer in plain.layers],
        "choice": plain.choice,
        "splits": np.cumsum(plain.sizes)[:-1].astype(int).tolist(),
        "action_shape": plain.action_shape,
        "wrappers": list(wrappers),
    }
    arrays["policy"] = np.array(json.dumps(words))
    buffer = io.BytesIO()
    contents: dict[str, Any] = dict(arrays)
    np.savez(buffer, **contents)
    return buffer.getvalue()
