"""Running statistics: `VecNormalize`'s pickle, and our own JSON."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, final

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError

from rltransfer.errors import ArtifactRefused
from rltransfer.io import FirstError, read_json, write_json
from rltransfer_agents.loading import limits
from rltransfer_agents.loading.pickle_machine import parse_pickle
from rltransfer_agents.loading.pickle_tree import (
    constructed,
    read_array,
    read_number,
    value_name,
)
from rltransfer_agents.loading.policy_data import Normalisations
from rltransfer_agents.loading.refusal import Refusal, parse_object, printable, quoted
from rltransfer_agents.policies.observation_encoders import Normalisation

FORMAT = 1
_STRICT: ConfigDict = {"extra": "forbid", "allow_inf_nan": False}


@final
@dataclass(frozen=True)
class Moments:
    """Mean, variance and number of the values seen so far."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    mean: list[float] | float
    variance: list[float] | float
    count: float


@final
@dataclass(frozen=True)
class Statistics:
    """All that `VecNormalize` needs to treat new observations as it treated old."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    norm_obs: bool
    norm_reward: bool
    clip_obs: float
    clip_reward: float
    epsilon: float
    gamma: float
    observation: Moments | None
    reward: Moments
    kind: str = "VecNormalize"
    format: int = FORMAT


_ADAPTER = TypeAdapter(Statistics)


def write_statistics(path: Path, statistics: Statistics) -> None:
    """Writes statistics; the numbers come back bit for bit."""
    write_json(path, asdict(statistics))


def read_statistics(path: Path) -> Statistics:
    """Returns stored statistics; refuses a damaged or foreign file."""
    return statistics_from(read_json(path), str(path))


def statistics_from(value: object, where: str) -> Statistics:
    """Returns statistics from plain data, checked; errors say `where` it was found."""
    try:
        statistics = _ADAPTER.validate_python(value)
    except ValidationError as fault:
        raise ArtifactRefused(
            f"{where} holds no statistics of VecNormalize ({FirstError.of(fault)}); "
            "restore it or train the agent again"
        ) from fault
    if statistics.format != FORMAT or statistics.kind != "VecNormalize":
        raise ArtifactRefused(
            f"{where} has format {statistics.format} of {statistics.kind!r}, this "
            f"version reads {FORMAT} of 'VecNormalize'; use the version that wrote it"
        )
    return statistics


_CLASS = "stable_baselines3.common.vec_env.vec_normalize.VecNormalize"
_MOMENTS = "stable_baselines3.common.running_mean_std.RunningMeanStd"


def read_normalisations(path: Path, data: bytes) -> Normalisations:
    """Returns what the statistics in a file do to observations.

    Args:
        path: of the file; its ending says whether it is our own.
        data: its bytes.
    """
    if path.suffix != ".json":
        return read_vecnormalize(data)
    return normalisations_of(statistics_from(parse_object(data), printable(path.name)))


def normalisations_of(statistics: Statistics) -> Normalisations:
    """Returns what our own stored statistics do to observations."""
    moments = statistics.observation
    if not statistics.norm_obs or moments is None:
        return {}
    mean, variance = np.asarray(moments.mean), np.asarray(moments.variance)
    return {"": _checked(mean, variance, statistics.epsilon, statistics.clip_obs)}


def read_vecnormalize(data: bytes) -> Normalisations:
    """Returns what a pickled `VecNormalize` does to observations.

    Raises:
        Refusal: if the pickle is anything else, or its numbers are not in order.
    """
    tree = parse_pickle(data)
    path, state = constructed(tree)
    if path != _CLASS or not isinstance(state, dict):
        name = value_name(tree) or path or type(tree).__name__
        raise Refusal("normalisation", f"this is no VecNormalize but {quoted(name)}")
    normalises = state.get("norm_obs", True)
    if not isinstance(normalises, bool):
        raise Refusal("normalisation", "norm_obs must be true or false")
    if not normalises:
        return {}
    epsilon = read_number(state.get("epsilon", 1e-8), "epsilon")
    clip = read_number(state.get("clip_obs", 10.0), "clip_obs")
    moments = state.get("obs_rms")
    if not isinstance(moments, dict):
        return {"": _normalisation(moments, epsilon, clip)}
    keys = state.get("norm_obs_keys")
    names = list(moments) if keys is None else keys
    if not isinstance(names, list) or len(names) > limits.MEMBERS:
        raise Refusal("normalisation", "norm_obs_keys must be a list of names")
    if not all(isinstance(name, str) and name in moments for name in names):
        raise Refusal("normalisation", "norm_obs_keys must name parts with statistics")
    normalisations: dict[str, Normalisation] = {}
    elements = 0
    for name in names:
        normalisations[name] = _normalisation(moments[name], epsilon, clip)
        elements += normalisations[name].mean.size
        _check_elements(elements)
    return normalisations


def require_fit(normalisations: Normalisations, space: spaces.Space[Any]) -> None:
    """Raises unless statistics have the shapes of the observations."""
    for name, normalisation in normalisations.items():
        part: spaces.Space[Any] | None = space
        if isinstance(space, spaces.Dict):
            part = space.spaces.get(name)
        elif name:
            part = None
        shape = getattr(part, "shape", None)
        if shape != normalisation.mean.shape:
            given = f"{normalisation.mean.shape}" + (f" of {quoted(name)}" * bool(name))
            raise Refusal(
                "normalisation",
                "statistics must fit the agent's observations, which have "
                f"{_told(space)}; the statistics are of shape {given}",
            )


def _told(space: spaces.Space[Any]) -> str:
    if isinstance(space, spaces.Dict):
        parts = ", ".join(f"{quoted(n)} {p.shape}" for n, p in space.spaces.items())
        return f"the parts {parts}"
    return f"the shape {space.shape}"


def _normalisation(tree: Any, epsilon: float, clip: float) -> Normalisation:
    path, state = constructed(tree)
    if path != _MOMENTS or not isinstance(state, dict):
        raise Refusal("normalisation", "obs_rms must be a RunningMeanStd")
    if "mean" not in state or "var" not in state:
        raise Refusal("normalisation", "obs_rms must have a mean and a variance")
    return _checked(read_array(state["mean"]), read_array(state["var"]), epsilon, clip)


def _checked(
    mean: NDArray[Any], variance: NDArray[Any], epsilon: float, clip: float
) -> Normalisation:
    if mean.shape != variance.shape or {mean.dtype.kind, variance.dtype.kind} != {"f"}:
        raise Refusal("normalisation", "mean and variance must be alike")
    _check_elements(mean.size)
    mean, variance = mean.astype(np.float64), variance.astype(np.float64)
    if not (np.isfinite(mean).all() and np.isfinite(variance).all()):
        raise Refusal("non-finite", "mean and variance must be finite")
    if (variance < 0).any() or not epsilon > 0 or not clip > 0:
        raise Refusal("normalisation", "variance, epsilon and clip must be positive")
    return Normalisation.of(mean, variance, epsilon=epsilon, clip=clip)


def _check_elements(count: int) -> None:
    if count > limits.SPACE_ELEMENTS:
        raise Refusal(
            "limit", f"statistics may be of {limits.SPACE_ELEMENTS} elements at most"
        )
