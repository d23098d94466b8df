"""Small sound files for the torture to start from."""

import io
import json
import sys
import warnings
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from stock_agents import UNEVEN, Still, Stock, numbers

from rltransfer_agents.export.export_agent import policy_data_of
from rltransfer_agents.loading.bundle import read_bundle, write_bundle
from rltransfer_agents.loading.policy_builders import build_policy
from rltransfer_agents.loading.policy_data import PolicyData
from rltransfer_agents.loading.sb3_checkpoint import read_checkpoint
from rltransfer_agents.policies import FrozenPolicy

_TINY = {"net_arch": [4]}


@final
@dataclass(frozen=True)
class Specimens:
    """The bytes of one sound file of each format."""

    zip: bytes
    noise_zip: bytes
    bundle: bytes
    statistics: bytes


def specimens(inputs: int = 3) -> Specimens:
    """Returns freshly written files.

    Args:
        inputs: size of the observations; with four the first agent fits CartPole.
    """
    warnings.simplefilter("ignore")
    seen = numbers(inputs)
    model = Stock("ppo", seen, spaces.Discrete(2), policy_kwargs=_TINY).make()
    noisy = Stock(
        "sac",
        seen,
        UNEVEN,
        settings={"buffer_size": 10, "use_sde": True},
        policy_kwargs=_TINY,
    ).make()
    envs = VecNormalize(DummyVecEnv([lambda: Still(seen, spaces.Discrete(2))]))
    for _ in range(8):
        envs.reset()
    return Specimens(
        saved(model), saved(noisy), write_bundle(policy_data_of(model)), pickled(envs)
    )


def saved(model: Any) -> bytes:
    """Returns a model's zip."""
    buffer = io.BytesIO()
    model.save(buffer)
    return buffer.getvalue()


def pickled(envs: VecNormalize) -> bytes:
    """Returns the statistics as `VecNormalize` writes them."""
    import pickle

    return pickle.dumps(envs)


def members(data: bytes) -> dict[str, bytes]:
    """Returns the members of a zip."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(contents: dict[str, bytes] | Iterable[tuple[str, bytes]]) -> bytes:
    """Returns a zip with right checksums; names may occur twice in a list."""
    pairs = contents.items() if isinstance(contents, dict) else contents
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")
        for name, data in pairs:
            archive.writestr(name, data)
    return buffer.getvalue()


def with_field(data: bytes, name: str, value: Any) -> bytes:
    """Returns a zip with another value in one field of its `data`."""
    contents = members(data)
    fields = json.loads(contents["data"])
    fields[name] = value
    contents["data"] = json.dumps(fields).encode()
    return zipped(contents)


def frozen_zip(data: bytes) -> FrozenPolicy:
    """Returns the policy in a zip's bytes."""
    return build_policy(PolicyData(**read_checkpoint(data)))


def frozen_bundle(data: bytes) -> FrozenPolicy:
    """Returns the policy in a bundle's bytes."""
    return build_policy(read_bundle(data))


def digest(policy: FrozenPolicy) -> bytes:
    """Returns what tells one policy from another: spaces and answers."""
    space = policy.observation_space
    rows = np.random.default_rng(0).normal(size=(16, *(space.shape or ())))
    words = f"{space!r} {policy.action_space!r}".encode()
    return words + policy.outputs(rows.astype(np.float32)).tobytes()
