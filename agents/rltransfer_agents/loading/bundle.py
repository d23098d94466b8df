"""Our own file for agents: what a checkpoint says, without a single pickle."""

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from rltransfer.io import FirstError, sha256_of
from rltransfer.io.tensor_files import DamagedFile, kind_of, pack, unpack
from rltransfer_agents.loading import limits
from rltransfer_agents.loading.environment_wrappers import (
    EnvironmentWrapper,
    checked_wrapper,
)
from rltransfer_agents.loading.policy_data import PolicyData, read_keywords
from rltransfer_agents.loading.refusal import Refusal, quoted, refusals_about
from rltransfer_agents.loading.sb3_checkpoint import ALGORITHMS
from rltransfer_agents.loading.spaces import space_from_json, space_to_json
from rltransfer_agents.policies.observation_encoders import Normalisation

SUFFIX = ".safetensors"
KIND = "rltransfer-agent-2"
_KINDS = ("rltransfer-agent-1", KIND)
"""The first is version 0.1.0's."""
_WEIGHTS = "weights/"


@final
@dataclass(frozen=True)
class _Description:
    """The description in a bundle; its numbers are arrays."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", allow_inf_nan=False
    )

    algorithm: str
    policy_class: str
    observation_space: dict[str, Any]
    action_space: dict[str, Any]
    keywords: dict[str, Any]
    exploration: Annotated[float, Field(ge=0, le=1)]
    steps: int | None
    seed: int | None
    versions: dict[str, str]
    clips: dict[str, float]
    """Of the normalisation of each part of the observation."""
    env_id: str | None
    env_kwargs: dict[str, Any]
    wrappers: list[EnvironmentWrapper] = field(default_factory=list)


_ADAPTER = TypeAdapter(_Description)
_AS_THEY_ARE = "algorithm policy_class exploration steps seed versions".split()
_AS_THEY_ARE += ["env_id", "env_kwargs"]
"""Fields of `PolicyData` that stand in a bundle as they are."""


def is_bundle(data: bytes) -> bool:
    """Tells whether a file begins as a bundle does."""
    return kind_of(data) in _KINDS


def write_bundle(agent: PolicyData) -> bytes:
    """Returns the bytes of the file that holds an agent."""
    arrays = {f"{_WEIGHTS}{name}": a for name, a in agent.tensors.items()}
    for part, normalisation in agent.normalisations.items():
        arrays[f"mean/{part}"] = normalisation.mean
        arrays[f"deviation/{part}"] = normalisation.deviation
    described = {name: getattr(agent, name) for name in _AS_THEY_ARE} | {
        "observation_space": space_to_json(
            agent.observation_space, "observation", arrays
        ),
        "action_space": space_to_json(agent.action_space, "action", arrays),
        "keywords": asdict(agent.keywords),
        "clips": {part: n.clip for part, n in agent.normalisations.items()},
        "wrappers": [asdict(wrapper) for wrapper in agent.wrappers],
    }
    return pack(KIND, described, arrays)


def read_bundle(data: bytes) -> PolicyData:
    """Returns the agent in a bundle's bytes.

    Raises:
        Refusal: if a single bit differs from what was written, or it does not fit.
    """
    try:
        if not is_bundle(data):
            raise DamagedFile("checksum", "it is not as it was written")
        found = unpack(data, most_arrays=limits.TENSORS)
    except DamagedFile as fault:
        raise Refusal(fault.code, f"the bundle is damaged: {fault}") from fault
    arrays = found.arrays
    try:
        described = _ADAPTER.validate_python(found.content)
    except ValidationError as fault:
        where = FirstError.of(fault).where
        raise Refusal(
            "json", f"the bundle's {quoted(where)} is not in order"
        ) from fault
    if described.algorithm not in ALGORITHMS:
        raise Refusal(
            "unsupported",
            f"the bundle is of the algorithm {quoted(described.algorithm)}",
        )
    with refusals_about("keywords"):
        keywords = read_keywords(described.keywords)
    observation, action = described.observation_space, described.action_space
    return PolicyData(
        observation_space=space_from_json(observation, "observation", arrays),
        action_space=space_from_json(action, "action", arrays),
        keywords=keywords,
        tensors={
            name.removeprefix(_WEIGHTS): array
            for name, array in arrays.items()
            if name.startswith(_WEIGHTS)
        },
        normalisations={
            part: _normalisation(part, clip, arrays)
            for part, clip in described.clips.items()
        },
        wrappers=tuple(checked_wrapper(w.name, w.kwargs) for w in described.wrappers),
        sha256=sha256_of(data),
        **{name: getattr(described, name) for name in _AS_THEY_ARE},
    )


def _normalisation(
    part: str, clip: float, arrays: dict[str, NDArray[Any]]
) -> Normalisation:
    mean, deviation = arrays.get(f"mean/{part}"), arrays.get(f"deviation/{part}")
    if mean is None or deviation is None or mean.shape != deviation.shape:
        raise Refusal("normalisation", f"the statistics of {quoted(part)} are missing")
    if mean.dtype != np.float64 or deviation.dtype != np.float64:
        raise Refusal("normalisation", "statistics must be in double precision")
    if not (np.isfinite(mean).all() and np.isfinite(deviation).all()):
        raise Refusal("non-finite", "mean and deviation must be finite")
    if clip <= 0 or (deviation <= 0).any():
        raise Refusal("normalisation", "deviation and clip must be positive")
    return Normalisation(mean, deviation, clip)
