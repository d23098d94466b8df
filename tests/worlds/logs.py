"""Logs of small worlds, as NumPy and as Minari's own recorder write them."""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

Columns = dict[str, NDArray[Any]]
Act = Callable[[Any], Any]


def columns_of(env: gym.Env[Any, Any], steps: int, act: Act | None = None) -> Columns:
    """Returns logged steps, of random actions or of `act`."""
    env.action_space.seed(0)
    rows: list[tuple[Any, ...]] = []
    seed: int | None = 0
    while len(rows) < steps:
        observation, over = env.reset(seed=seed)[0], False
        seed = None
        while not over and len(rows) < steps:
            action = env.action_space.sample() if act is None else act(observation)
            after, reward, *ended, _ = env.step(action)
            rows.append((observation, action, reward, after, *ended))
            observation, over = after, any(ended)
    names = "observation", "action", "reward", "next_observation"
    names += "terminated", "truncated"
    columns = zip(*rows, strict=True)
    return {n: np.array(column) for n, column in zip(names, columns, strict=True)}


def record(
    env: gym.Env[Any, Any],
    name: str,
    episodes: int,
    data_format: str = "hdf5",
    **about: Any,
) -> None:
    """Lets Minari record random episodes, where `MINARI_DATASETS_PATH` says.

    Its recorder takes one function from JAX, which is as large as all else that tests
    install; torch has the same.
    """
    minari = pytest.importorskip("minari", reason="the extra minari is missing")
    jax, tree_util = ModuleType("jax"), ModuleType("jax.tree_util")
    tree_util.tree_map = torch.utils._pytree.tree_map  # type: ignore[attr-defined]
    jax.tree_util = tree_util  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it misses an author, and much else
        patch.setitem(sys.modules, "jax", jax)
        patch.setitem(sys.modules, "jax.tree_util", tree_util)
        collector = minari.DataCollector(env, data_format=data_format)
        collector.action_space.seed(0)
        for episode in range(episodes):
            collector.reset(seed=episode)
            over = False
            while not over:
                _, _, *ended, _ = collector.step(collector.action_space.sample())
                over = any(ended)
        collector.create_dataset(dataset_id=name, **about)
        collector.close()


def data_files(root: Path, name: str, data_format: str = "hdf5") -> list[Path]:
    """Returns the files with the numbers of a recorded dataset, in their order."""
    inside = root / name / "data"
    if data_format == "hdf5":
        return [inside / "main_data.hdf5"]
    found = inside.glob(f"*/*.{data_format}")
    return sorted(found, key=lambda path: int(path.parent.name))
