"""What goes onto the hub opens there by the names that RL Zoo looks for."""

import shutil
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import yaml
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from rltransfer.errors import ArtifactRefused
from rltransfer.io import read_json, read_manifest
from rltransfer_agents.export.hub_files import write_hub_files
from rltransfer_agents.loading import load_agent
from rltransfer_agents.training import TrainConfig, train_source


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training whose observations are normalised, and whose logs lie elsewhere."""
    folder = tmp_path_factory.mktemp("runs")
    config = TrainConfig(
        env_id="Pendulum-v1",
        algorithm="ppo",
        log_folder=folder,
        steps=512,
        env_kwargs={"g": 9.0},
        hyperparameters={"normalize": True, "n_envs": 1, "n_steps": 128},
        evaluations=2,
        tensorboard_folder=folder / "logs",
    )
    return train_source(config).folder


def written(run: Path, to: Path) -> Path:
    to.mkdir()
    name = write_hub_files(run, read_manifest(run), to).name
    assert name == "ppo-Pendulum-v1"
    return to


def test_statistics_are_those_of_the_best_agent_and_open_in_stable_baselines3(
    run: Path, tmp_path: Path
) -> None:
    folder = written(run, tmp_path / "hub")
    kept: Any = read_json(run / "best_vecnormalize.json")
    envs = DummyVecEnv([lambda: gym.make("Pendulum-v1", g=9.0)])
    normalise = VecNormalize.load(str(folder / "vec_normalize.pkl"), envs)
    np.testing.assert_array_equal(
        normalise.obs_rms.mean,  # type: ignore[union-attr]
        kept["observation"]["mean"],
    )
    assert normalise.ret_rms.count == kept["reward"]["count"]
    rows = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    model = PPO.load(folder / "ppo-Pendulum-v1.zip", device="cpu")
    expected, _ = load_agent(run).predict(rows, deterministic=True)
    plain, _ = model.predict(normalise.normalize_obs(rows), deterministic=True)
    np.testing.assert_allclose(plain, expected, rtol=1e-5, atol=1e-6)
    for agent in (folder, folder / "ppo-Pendulum-v1.safetensors"):
        chosen, _ = load_agent(agent).predict(rows, deterministic=True)
        np.testing.assert_allclose(chosen, expected, rtol=1e-6, atol=1e-7)


def test_settings_are_there_without_folders_of_this_machine(
    run: Path, tmp_path: Path
) -> None:
    folder = written(run, tmp_path / "hub")
    told = yaml.safe_load((folder / "args.yml").read_bytes())
    assert (told["env"], told["env_kwargs"]) == ("Pendulum-v1", {"g": 9.0})
    assert told["tensorboard_log"] == ""
    assert yaml.safe_load((folder / "env_kwargs.yml").read_bytes()) == {"g": 9.0}
    loaded = load_agent(folder)
    assert (loaded.env_id, loaded.env_kwargs) == ("Pendulum-v1", {"g": 9.0})
    assert loaded.normalised


def test_curves_are_averaged_over_runs_as_the_plots_of_the_zoo_do(run: Path) -> None:
    """What `all_plots` asks of `ALGO/ENV_N/evaluations.npz`: it was tried for real."""
    assert (run.parent.name, run.name) == ("ppo", "Pendulum-v1_1")
    with np.load(run / "evaluations.npz", allow_pickle=False) as found:
        steps, results = found["timesteps"], found["results"]
        assert results.shape == found["ep_lengths"].shape == (len(steps), 10)
    assert (np.diff(steps) > 0).all() and steps[-1] == 512
    merged = np.array([results, results + 2.0]).reshape(2, len(steps), -1)
    means = np.swapaxes(merged, 0, 1).mean(axis=(1, 2))
    np.testing.assert_allclose(means, results.mean(axis=1) + 1.0)


def test_equal_runs_give_equal_files(run: Path, tmp_path: Path) -> None:
    one, other = (written(run, tmp_path / name) for name in ("one", "other"))
    for path in one.iterdir():
        # A pickle of the statistics holds the order of a set.
        if path.suffix != ".pkl":
            assert path.read_bytes() == (other / path.name).read_bytes(), path.name


@pytest.mark.parametrize("name", ["best_model.zip", "0.monitor.csv"])
def test_a_run_that_was_changed_is_refused(
    run: Path, tmp_path: Path, name: str
) -> None:
    changed = shutil.copytree(run, tmp_path / run.name)
    with (changed / name).open("ab") as file:
        file.write(b"x")
    with pytest.raises(ArtifactRefused, match=f"{name} in .* is gone or changed"):
        written(changed, tmp_path / "hub")
    assert list((tmp_path / "hub").iterdir()) == []
