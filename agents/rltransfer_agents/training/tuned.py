"""Tuned hyperparameters: one YAML page per algorithm, one entry per environment."""

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import yaml

from rltransfer_agents.training.hyperparameters import checked_hyperparameters

_DEFAULT = "default"


def tuned_hyperparameters(
    algorithm: str,
    env_id: str,
    env_kwargs: Mapping[str, object] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """Returns the hyperparameters for an environment, as plain data.

    The entry is that of the environment itself; else of the environment that it is
    made from (its keyword argument `base`); else of another version or relative of
    the same name; else `default`.

    Args:
        algorithm: a name in `ALGORITHMS`.
        env_id: as registered with Gymnasium.
        env_kwargs: what the environment is made with.
        overrides: replace values of the entry, key by key.
    """
    text = files("rltransfer_agents") / "hyperparameters" / f"{algorithm}.yml"
    entries: dict[str, dict[str, Any]] = yaml.safe_load(text.read_text())
    entry = entries[_entry_name(entries, env_id, env_kwargs or {})]
    return checked_hyperparameters(algorithm, {**entry, **(overrides or {})})


def _entry_name(
    entries: Mapping[str, object], env_id: str, env_kwargs: Mapping[str, object]
) -> str:
    base = env_kwargs.get("base")
    candidates = [env_id, *([base] if isinstance(base, str) else [])]
    for candidate in candidates:
        if candidate in entries:
            return candidate
    stems = {_stem(name): name for name in entries}
    for candidate in candidates:
        if _stem(candidate) in stems:
            return stems[_stem(candidate)]
    return _DEFAULT


def _stem(env_id: str) -> str:
    name = env_id.rpartition("/")[2].rpartition(":")[2]
    return re.sub(r"-v\d+$", "", name)
