"""Hyperparameters from outside, checked."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError, create_model

from rltransfer.errors import InputError
from rltransfer_agents.training.hyperparameters.keys import KEYS, REQUIRED
from rltransfer_agents.training.hyperparameters.kinds import (
    CLOSED,
    Network,
    Normalisation,
)

_INNER_KEYS = {*Network.model_fields, *Normalisation.model_fields, "pi", "vf", "qf"}


def _model_of(algorithm: str) -> type[BaseModel]:
    # A key that is not given keeps Stable-Baselines3's own default.
    fields: dict[str, Any] = {
        key: (kind, ... if key == REQUIRED else None)
        for key, kind in KEYS[algorithm].items()
    }
    return create_model(algorithm, __config__=CLOSED, **fields)


_MODELS = {algorithm: _model_of(algorithm) for algorithm in KEYS}


def checked_hyperparameters(
    algorithm: str, values: Mapping[str, object]
) -> dict[str, Any]:
    """Returns `values` with numbers as numbers; only keys that were given appear.

    Args:
        algorithm: a name in `ALGORITHMS`.
        values: read from YAML or the command line, spelt as RL Zoo does.

    Raises:
        InputError: naming the key, its value and what is allowed.
    """
    model = _MODELS[algorithm]
    try:
        return model.model_validate(dict(values)).model_dump(exclude_unset=True)
    except ValidationError as fault:
        raise InputError(_first_fault(algorithm, fault)) from fault


def _first_fault(algorithm: str, fault: ValidationError) -> str:
    first = fault.errors()[0]
    key, *inner = (str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden" and not inner:
        known = list(KEYS[algorithm])
        near = get_close_matches(key, known, n=1)
        remedy = f"nearest: {near[0]}" if near else f"known: {', '.join(known)}"
        return f"{algorithm} has no hyperparameter {key!r}; {remedy}"
    if first["type"] == "missing":
        return f"{algorithm} needs the hyperparameter {key!r}; give it a value"
    # Of a union pydantic also names the member that did not fit; no user knows it.
    where = ".".join([key, *(part for part in inner if part in _INNER_KEYS)])
    reason = first["msg"].removeprefix("Value error, ")
    return f"{algorithm} hyperparameter {where}={first['input']!r} is wrong: {reason}"
