"""Running statistics of observations and rewards, stored as plain JSON."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, final

from pydantic import ConfigDict, TypeAdapter, ValidationError

from rltransfer.errors import ArtifactRefused
from rltransfer.io import read_json, write_json

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
        first = fault.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ArtifactRefused(
            f"{where} holds no statistics of VecNormalize ({key}: {first['msg']}); "
            "restore it or train the agent again"
        ) from fault
    if statistics.format != FORMAT or statistics.kind != "VecNormalize":
        raise ArtifactRefused(
            f"{where} has format {statistics.format} of {statistics.kind!r}, this "
            f"version reads {FORMAT} of 'VecNormalize'; use the version that wrote it"
        )
    return statistics
