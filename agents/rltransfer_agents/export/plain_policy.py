"""A policy of vectors as plain arrays and words: what an `.npz` file holds."""

import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rltransfer.errors import InputError
from rltransfer.io import write_atomically
from rltransfer_agents.export import numpy_loader
from rltransfer_agents.export.export_checks import require_equal, require_new
from rltransfer_agents.policies import FrozenPolicy
from rltransfer_agents.policies.heads import (
    Bernoulli,
    Categorical,
    Deterministic,
    Gaussian,
    GreedyValues,
    MultiCategorical,
    SquashedGaussian,
    StateDependentNoise,
)
from rltransfer_agents.policies.observation_encoders import Normalisation, Vector

NUMPY_SUFFIX = ".npz"


def plain_policy(
    policy: FrozenPolicy, wrappers: Sequence[str] = ()
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the arrays of a policy, and the words that say how to act with them.

    The observation is flattened, normalised to (x - mean) / deviation within ± clip and
    passed through the layers. The outputs of the last one, within ± limit, decide: the
    largest of each group, 1 where above zero, by tanh scaled to the bounds, or cut off
    at the bounds. `numpy_loader` does just that.

    Args:
        policy: of vectors.
        wrappers: through which it saw its environment, to be named.

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
    size = math.prod(encoder.shape)
    # Normalised pictures are not bytes any more and have no divisor.
    normalisation = encoder.normalisation or Normalisation(
        np.zeros(size), np.full(size, encoder.divisor), np.inf
    )
    layers = (*policy.layers, policy.output)
    arrays: dict[str, Any] = {
        "mean": normalisation.mean.ravel(),
        "deviation": normalisation.deviation.ravel(),
        "clip": np.array(normalisation.clip),
        "limit": np.array(getattr(policy.head, "mean_limit", np.inf)),
    }
    for place, layer in enumerate(layers):
        arrays[f"weight{place}"], arrays[f"bias{place}"] = layer.weight, layer.bias
    sizes: Sequence[int] = ()
    match policy.head:
        case Categorical() | GreedyValues():
            choice, sizes = "largest", (len(policy.output.bias),)
        case MultiCategorical(sizes=sizes):
            choice = "largest"
        case Bernoulli():
            choice = "above zero"
        case Deterministic() | Gaussian() | SquashedGaussian() | StateDependentNoise():
            bounds = policy.head.bounds
            choice = "squashed" if bounds.squashed else "clipped"
            arrays["low"], arrays["high"] = bounds.low, bounds.high
        case head:
            raise TypeError(f"{type(head).__name__} has no plain form; add it here")
    words = {
        "observation_shape": encoder.shape,
        "activations": [layer.activation.__name__ for layer in layers],
        "choice": choice,
        "splits": np.cumsum(sizes)[:-1].astype(int).tolist(),
        "action_shape": policy.action_space.shape or (),
        "wrappers": list(wrappers),
    }
    return arrays, words


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
    arrays, words = plain_policy(policy, wrappers)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays, policy=np.array(json.dumps(words)))
    data = buffer.getvalue()
    require_equal(numpy_loader.load_policy(io.BytesIO(data)), policy, str(target))
    write_atomically(target, data)
    if has_page:
        return (target,)
    write_atomically(page, code)
    return target, page
