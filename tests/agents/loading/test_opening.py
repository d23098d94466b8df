import hashlib
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from stock_agents import STOCK

from rltransfer.errors import InputError
from rltransfer.io import Manifest, write_manifest
from rltransfer.io.strict_json import TooLarge, bounded_bytes
from rltransfer_agents.loading import REMEDIES, Refusal, describe_artifact, load_agent
from rltransfer_agents.loading.environment_spec import known_id, nearest_id
from rltransfer_agents.loading.running_statistics import (
    Moments,
    Statistics,
    write_statistics,
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder as RL Zoo makes it."""
    folder = tmp_path / "ppo" / "CartPole-v1_1"
    (folder / "CartPole-v1").mkdir(parents=True)
    STOCK["ppo"].save(folder / "CartPole-v1.zip")
    return folder


def normalising(seed: int = 0) -> VecNormalize:
    envs = VecNormalize(
        DummyVecEnv([lambda: gym.make("CartPole-v1")]), clip_obs=2.0, epsilon=1e-4
    )
    rng = np.random.default_rng(seed)
    envs.obs_rms.mean = rng.normal(size=5)  # type: ignore[union-attr]
    envs.obs_rms.var = rng.uniform(0.1, 4, size=5)  # type: ignore[union-attr]
    return envs


def finished(run: Path) -> None:
    versions = {"rltransfer": "0"}
    write_manifest(run, Manifest("train-source", versions, {"seed": 0}, {"train": 1}))


def rows() -> Any:
    return np.random.default_rng(1).normal(scale=4, size=(200, 5)).astype(np.float32)


def test_normalised_agents_act_as_behind_vecnormalize(run: Path) -> None:
    envs = normalising()
    envs.save(str(run / "CartPole-v1" / "vecnormalize.pkl"))
    agent = load_agent(run)
    assert agent.normalised
    expected, _ = (
        STOCK["ppo"].make().predict(envs.normalize_obs(rows()), deterministic=True)
    )
    actions, _ = agent.policy.predict(rows(), deterministic=True)
    np.testing.assert_array_equal(actions, expected)


def test_our_own_statistics_mean_the_same(run: Path) -> None:
    envs = normalising()
    path = run / "CartPole-v1" / "vecnormalize.pkl"
    envs.save(str(path))
    by_pickle = load_agent(run).policy.outputs(rows())
    path.unlink()
    seen: Any = envs.obs_rms
    moments = Moments(seen.mean.tolist(), seen.var.tolist(), 1.0)
    statistics = Statistics(
        True, True, 2.0, 10.0, 1e-4, 0.99, moments, Moments(0.0, 1.0, 1.0)
    )
    write_statistics(run / "CartPole-v1" / "vecnormalize.json", statistics)
    np.testing.assert_array_equal(load_agent(run).policy.outputs(rows()), by_pickle)


def test_switched_off_normalisation_does_nothing(run: Path) -> None:
    envs = normalising()
    envs.norm_obs = False
    (run / "CartPole-v1" / "vecnormalize.pkl").write_bytes(pickle.dumps(envs))
    assert not load_agent(run).normalised


def test_missing_statistics_are_told(run: Path) -> None:
    (run / "CartPole-v1" / "config.yml").write_text("normalize: true\n")
    with pytest.raises(Refusal, match="no statistics") as refused:
        load_agent(run)
    assert refused.value.code == "normalisation"
    assert refused.value.exit_status == 76


def test_only_rewards_were_normalised(run: Path) -> None:
    text = "normalize: \"{'norm_obs': False, 'norm_reward': True}\"\n"
    (run / "CartPole-v1" / "config.yml").write_text(text)
    assert not load_agent(run).normalised


def test_arguments_of_the_environment_are_read(run: Path) -> None:
    text = (
        "!!python/object/apply:collections.OrderedDict\n"
        "- - - env\n    - Pendulum-v1\n"
        "  - - env_kwargs\n    - g: 4.5\n      hard: true\n"
    )
    (run / "CartPole-v1" / "args.yml").write_text(text)
    agent = load_agent(run)
    assert (agent.env_id, agent.env_kwargs) == (
        "Pendulum-v1",
        {"g": 4.5, "hard": True},
    )


def test_the_last_agent_of_a_foreign_run_is_taken(run: Path) -> None:
    STOCK["ppo"].save(run / "best_model.zip", seed=1)
    assert load_agent(run).path.name == "CartPole-v1.zip"
    assert load_agent(run, best=True).path.name == "best_model.zip"


def test_the_best_agent_of_our_own_run_is_taken(run: Path) -> None:
    STOCK["ppo"].save(run / "best_model.zip", seed=1)
    finished(run)
    agent = load_agent(run)
    assert (agent.path.name, agent.env_id) == ("best_model.zip", "CartPole-v1")
    assert load_agent(run, best=False).path.name == "CartPole-v1.zip"


def test_a_file_that_changed_after_the_run_is_refused(run: Path) -> None:
    finished(run)
    STOCK["ppo"].save(run / "CartPole-v1.zip", seed=2)
    with pytest.raises(Refusal, match="manifest names") as refused:
        load_agent(run)
    assert refused.value.code == "manifest"


def test_a_hash_can_be_asked_for(run: Path) -> None:
    digest = hashlib.sha256((run / "CartPole-v1.zip").read_bytes()).hexdigest()
    assert load_agent(run, sha256=digest.upper()).sha256 == digest
    with pytest.raises(Refusal, match="must have the SHA-256") as refused:
        load_agent(run, sha256="0" * 64)
    assert refused.value.code == "digest"


def test_statistics_of_another_run_are_refused(run: Path) -> None:
    envs = normalising()
    seen: Any = envs.obs_rms
    seen.mean, seen.var = np.zeros(4), np.ones(4)
    envs.save(str(run / "CartPole-v1" / "vecnormalize.pkl"))
    with pytest.raises(
        Refusal,
        match=r"shape \(5,\); the statistics .* \(4,\)",
    ):
        load_agent(run)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere", "there is no .*nowhere"),
        ("empty", "holds no zip file; name the file"),
        ("text.zip", "must be a zip written by Stable-Baselines3"),
        ("two", "holds a.zip, b.zip; name the file"),
    ],
)
def test_what_is_no_agent_is_wrong_usage(name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "text.zip").write_text("text")
    for agent in "ab":
        STOCK["ppo"].save(tmp_path / "two" / f"{agent}.zip")
    with pytest.raises(InputError, match=said) as refused:
        load_agent(tmp_path / name)
    assert refused.value.exit_status == 2
    assert "\n" not in str(refused.value)


def test_a_bare_zip_finds_its_environment_by_name(run: Path, tmp_path: Path) -> None:
    for name in ("CartPole-v1", "ppo-CartPole-v1"):
        path = shutil.copy(run / "CartPole-v1.zip", tmp_path / f"{name}.zip")
        assert load_agent(path).env_id == "CartPole-v1"
    path = shutil.copy(run / "CartPole-v1.zip", tmp_path / "mine.zip")
    with pytest.raises(InputError, match="'mine' is not registered; pass --env"):
        load_agent(path)
    assert load_agent(path, env_id="CartPole-v1").env_id == "CartPole-v1"


def test_ids_are_looked_up_and_never_imported() -> None:
    assert known_id("os:system-v0") is None
    assert known_id("rltransfer-Scrambled-v0") == "rltransfer/Scrambled-v0"
    assert nearest_id("LunarLander-v2") == "LunarLander-v3"
    assert nearest_id("Hopper-v3") == "Hopper-v5"
    assert nearest_id("CartPool-v1") == "CartPole-v1"
    assert nearest_id("nothing") is None


@pytest.mark.parametrize("name", ["CartPole-v1.zip", "CartPole-v1/vecnormalize.pkl"])
def test_a_file_of_holes_is_refused_unread(run: Path, name: str) -> None:
    with (run / name).open("wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(Refusal, match="it has more") as refused:
        load_agent(run)
    assert refused.value.code == "limit"
    with pytest.raises(Refusal, match="it has more"):
        describe_artifact(run / name)


def test_a_file_that_grows_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "agent.zip"
    path.write_bytes(b"PK" * 100)
    small = os.stat(os.devnull)

    def announced(handle: int) -> os.stat_result:
        return os.stat_result((path.stat().st_mode, *small[1:]))

    monkeypatch.setattr(os, "fstat", announced)
    with pytest.raises(TooLarge):
        bounded_bytes(path, 100)


def test_every_refusal_names_a_way_out() -> None:
    for code in REMEDIES:
        message = str(Refusal(code, "a rule, got a value"))
        assert message.startswith("a rule, got a value; ")
        assert "\n" not in message
