"""Policies as .npz files, for machines that have NumPy and no torch."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rltransfer.errors import InputError
from rltransfer.io import write_atomically
from rltransfer_agents.export import numpy_loader
from rltransfer_agents.export.policy_recipe import recipe_of, require_equal, scaling
from rltransfer_agents.policies import FrozenPolicy

SUFFIX = ".npz"


def export_numpy(policy: FrozenPolicy, path: Path | str) -> Path:
    """Writes a policy and, beside it, the page of Python that acts with it.

    Args:
        policy: of vectors.
        path: of the file, ending in `.npz`; the page is called `numpy_loader.py`.

    Raises:
        InputError: if the file would not act as the policy does.
    """
    target = Path(path)
    if target.suffix != SUFFIX:
        raise InputError(f"the file's name must end in {SUFFIX}, got {path}; rename it")
    data = _packed(policy)
    again = numpy_loader.load_policy(io.BytesIO(data))
    require_equal(again, policy, str(target))
    write_atomically(target, data)
    page = Path(numpy_loader.__file__).read_bytes()
    write_atomically(target.with_name("numpy_loader.py"), page)
    return target


def _packed(policy: FrozenPolicy) -> bytes:
    recipe = recipe_of(policy)
    names = [layer.activation.__name__ for layer in recipe.layers]
    unknown = sorted(set(names) - set(numpy_loader.ACTIVATIONS))
    if unknown:
        raise InputError(
            f"the loader knows {sorted(numpy_loader.ACTIVATIONS)}, the policy uses "
            f"{unknown}; write a bundle or ONNX instead"
        )
    mean, deviation, clip = scaling(recipe)
    arrays: dict[str, NDArray[Any]] = {
        "mean": mean,
        "deviation": deviation,
        "clip": np.array(clip),
    }
    for place, layer in enumerate(recipe.layers):
        arrays[f"weight{place}"], arrays[f"bias{place}"] = layer.weight, layer.bias
    words: dict[str, Any] = {
        "observation_shape": recipe.shape,
        "activations": names,
        "choice": recipe.choice,
        "borders": np.cumsum(recipe.sizes)[:-1].astype(int).tolist(),
        "several": len(policy.action_space.shape or ()) > 0,
    }
    if recipe.bounds is not None:
        arrays["low"], arrays["high"] = recipe.bounds.low, recipe.bounds.high
        arrays["limit"] = np.array(np.inf if recipe.limit is None else recipe.limit)
        words["action_shape"] = recipe.bounds.shape
    elif recipe.choice == "switches":
        raise InputError(
            "the loader knows numbers and choices, this policy's actions are switches; "
            "write a bundle or ONNX instead"
        )
    arrays["recipe"] = np.array(json.dumps(words))
    buffer = io.BytesIO()
    contents: dict[str, Any] = dict(arrays)
    np.savez(buffer, **contents)
    return buffer.getvalue()
