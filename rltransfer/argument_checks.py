"""Defaults that several rooms share, and checks of arguments; imports nothing slow."""

import ast
import re
from typing import Any, Literal, TypeAlias, cast

from rltransfer.errors import InputError

VecEnv: TypeAlias = Literal["dummy", "subproc"]
"""RL Zoo's words: in this process, or each environment in one of its own."""

STEP_SECONDS = 60.0
"""Longest time of one step or reset of an environment."""
EPISODE_CAP = 100_000
"""Most steps of one reported or evaluated episode."""
REPORTED_EPISODES = 20
"""Fresh episodes behind a reported figure."""
TARGET_STEPS = 3_000
"""Step budget of a transfer."""
MOST_SEEDS = 2**31
"""Far below what is added for each environment, and far above what anyone types."""


def require_seed(seed: int) -> None:
    """Raises unless every generator takes `seed`."""
    if not 0 <= seed < MOST_SEEDS:
        raise InputError(
            f"--seed must be from 0 to {MOST_SEEDS - 1}, got {seed}; choose another"
        )


def require_at_least(option: str, value: int, least: int, reason: str = "") -> None:
    """Raises unless `value`, given to `option`, is `least` or more."""
    if value < least:
        why = f" ({reason})" if reason else ""
        raise InputError(f"{option} is at least {least}{why}, got {value}; give more")


def require_vec_env(vec_env: str) -> VecEnv:
    """Returns where environments are stepped; raises for a word of another meaning."""
    if vec_env not in ("dummy", "subproc"):
        raise InputError(f"--vec-env is dummy or subproc, got {vec_env!r}; choose one")
    return cast(VecEnv, vec_env)


_ACTIVATIONS = {"LeakyReLU": "leaky_relu"}


def data_of_code(value: object) -> object:
    """Returns data from Python code as RL Zoo has it, such as `dict(net_arch=[8])`.

    Nothing is run. None stands for anything else.
    """
    if not isinstance(value, str) or not re.search(r"[(\[{]", value):
        return None
    try:
        return _data(ast.parse(value.strip(), mode="eval").body)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None


def _data(node: ast.expr | None) -> Any:
    match node:
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords):
            return {str(word.arg): _data(word.value) for word in keywords}
        case ast.Dict(keys=keys, values=values):
            return {_data(k): _data(v) for k, v in zip(keys, values, strict=True)}
        # Networks of Stable-Baselines3 1.x had their parts in a list.
        case ast.List(elts=[ast.Call() | ast.Dict() as only]):
            return _data(only)
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return [_data(element) for element in elements]
        case ast.Attribute(attr=name):
            return _ACTIVATIONS.get(name, name.lower())
        case ast.expr():
            return ast.literal_eval(node)
    raise ValueError("no value")
