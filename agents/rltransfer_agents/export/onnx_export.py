"""Policies as ONNX files, for every runtime that reads them."""

import io
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import nn

from rltransfer.errors import InputError
from rltransfer.io import write_atomically
from rltransfer.translation import MappedPolicy
from rltransfer_agents.export.export_checks import Act, require_equal, require_new
from rltransfer_agents.export.policy_modules import FrozenModule, MappedModule
from rltransfer_agents.policies import FrozenPolicy

ONNX_SUFFIX = ".onnx"
# Old enough for the runtimes of small boards, new enough for all that is used here.
_OPSET = 18
_OBSERVATIONS = 256
# Two actions whose effects are alike may change places with the last digit.
EQUAL_SHARE = 0.98
"""Of random observations, on which a mapped policy's file must act as it does."""


def export_onnx(
    policy: FrozenPolicy, path: Path | str, wrappers: Sequence[str] = ()
) -> tuple[Path, ...]:
    """Writes a graph from a batch of observations to likeliest actions.

    Args:
        policy: of vectors.
        path: of the file, ending in `.onnx`.
        wrappers: through which it saw its environment, to be named in the file.

    Returns:
        what was written.

    Raises:
        InputError: ONNX is not installed, the file is there already, or it would not
            act as the policy does.
    """
    _require_onnx()
    target = require_new(path, ONNX_SUFFIX)
    shape = policy.observation_space.shape or ()
    data = _traced(FrozenModule(policy), shape, policy.action_space, wrappers=wrappers)
    require_equal(onnx_runner(data), policy, str(target))
    write_atomically(target, data)
    return (target,)


def export_mapped_onnx(
    policy: MappedPolicy, action_space: spaces.Space[Any], path: Path | str
) -> tuple[Path, ...]:
    """Writes a graph from a batch of target observations to target actions.

    Args:
        policy: whose source policy was read by this package.
        action_space: of the target.
        path: of the file, ending in `.onnx`.

    Returns:
        what was written.

    Raises:
        InputError: ONNX is not installed, the file is there already, a part has no form
            in ONNX, or the file would not act as the policy does.
    """
    _require_onnx()
    target = require_new(path, ONNX_SUFFIX)
    size = policy.translation.state.inputs
    module = MappedModule(policy, action_space)
    data = _traced(module, (size,), action_space)
    rows = np.random.default_rng(0).normal(size=(_OBSERVATIONS, size))
    rows = rows.astype(np.float32)
    expected = np.asarray(policy.predict(rows, deterministic=True)[0])
    actions = onnx_runner(data)(rows)
    share = 0.0
    if actions.shape == expected.shape:
        close = np.isclose(actions, expected, rtol=1e-3, atol=1e-3)
        share = float(close.reshape(len(rows), -1).all(axis=1).mean())
    if share < EQUAL_SHARE:
        raise InputError(
            f"{target} must act as the original does on {_OBSERVATIONS} random "
            f"observations, it does on {share:.0%}; nothing was written"
        )
    write_atomically(target, data)
    return (target,)


def onnx_runner(data: bytes) -> Act:
    """Returns a function that computes what the model in `data` does."""
    from onnx.reference import ReferenceEvaluator

    model = ReferenceEvaluator(data)

    def run(observations: Any) -> NDArray[Any]:
        rows = np.asarray(observations, np.float32)
        (action,) = model.run(None, {"observation": rows})
        return np.asarray(action)

    return run


def _require_onnx() -> None:
    if find_spec("onnx") is None:
        raise InputError(
            "writing ONNX needs the package onnx, which is not installed; "
            "install it: pip install 'rltransfer[onnx]'"
        )


def _traced(
    module: nn.Module,
    shape: tuple[int, ...],
    action_space: spaces.Space[Any],
    wrappers: Sequence[str] = (),
) -> bytes:
    """Returns `module` as the bytes of a model from `observation` to `action`.

    Args:
        module: of policies.
        shape: of one observation.
        action_space: described in the file.
        wrappers: behind which observations are meant, described in the file.
    """
    import onnx

    # The tracing exporter takes any file, its signature only names of files.
    buffer: Any = io.BytesIO()
    batch = {0: "batch"}
    with torch.no_grad(), warnings.catch_warnings():
        # The newer exporter takes seconds a file and three more packages; what the
        # tracer warns of, that shapes and numbers become constants, is wanted here.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (torch.zeros(2, *shape),),
            buffer,
            dynamo=False,
            input_names=["observation"],
            output_names=["action"],
            dynamic_axes={"observation": batch, "action": batch},
            opset_version=_OPSET,
        )
    model = onnx.load_from_string(buffer.getvalue())
    model.producer_name = "rltransfer"
    model.doc_string = (
        "The likeliest action for each observation, as the environment gives it"
        f"{''.join(f' through {name}' for name in wrappers)}. "
        f"Actions: {action_space}; choices are counted from 0, not from its start."
    )
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString()
    return data
