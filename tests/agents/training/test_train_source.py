"""Every algorithm trains, and leaves a folder that others can open."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
import yaml
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rltransfer.errors import InputError
from rltransfer.io import changed_files, read_manifest
from rltransfer_agents.loading.running_statistics import read_statistics
from rltransfer_agents.training import (
    ALGORITHMS,
    Progress,
    TrainConfig,
    TrainedRun,
    train_source,
)

Configure = Callable[..., TrainConfig]
Trained = Callable[[str], TrainedRun]


def loaded(run: TrainedRun, name: str) -> BaseAlgorithm:
    """Returns an agent that this test has just trained itself."""
    return ALGORITHMS[run.algorithm].model.load(run.folder / name, device="cpu")


def weights(run: TrainedRun, name: str) -> dict[str, torch.Tensor]:
    return loaded(run, name).policy.state_dict()


def test_a_run_folder_is_one_that_rl_zoo_can_open(
    configure: Configure, trained: Trained, algorithm: str
) -> None:
    config, run = configure(algorithm), trained(algorithm)
    name = config.env_id
    assert (run.folder.parent.name, run.folder.name) == (algorithm, f"{name}_1")
    assert run.steps >= 200
    expected = {
        f"{name}.zip",
        "best_model.zip",
        "evaluations.npz",
        "0.monitor.csv",
        f"{name}/config.yml",
        f"{name}/args.yml",
    }
    if algorithm == "a2c":
        expected |= {
            f"{name}/vecnormalize.json",
            f"{name}/vecnormalize.pkl",
            "best_vecnormalize.json",
        }
    manifest = read_manifest(run.folder)
    assert expected == {name for name in manifest.files if "tensorboard" not in name}
    assert changed_files(run.folder, manifest) == []
    assert manifest.steps == {"training": run.steps}
    settings = yaml.safe_load((run.folder / name / "config.yml").read_text())
    assert settings.items() >= config.hyperparameters.items()
    arguments = yaml.safe_load((run.folder / name / "args.yml").read_text())
    assert arguments["env"] == name and arguments["env_kwargs"] == {}
    assert loaded(run, f"{name}.zip").num_timesteps == run.steps


def test_evaluations_are_those_of_stable_baselines3(
    trained: Trained, algorithm: str
) -> None:
    run = trained(algorithm)
    with np.load(run.folder / "evaluations.npz") as stored:
        steps, returns = stored["timesteps"], stored["results"]
        assert returns.shape == stored["ep_lengths"].shape == (len(steps), 1)
    assert 2 <= len(steps) <= 3
    assert steps[-1] == run.steps
    assert np.isfinite(run.mean_return)


def test_there_are_as_many_evaluations_and_episodes_as_asked(
    configure: Configure,
) -> None:
    run = train_source(configure("ppo", evaluations=4, evaluation_episodes=3))
    with np.load(run.folder / "evaluations.npz") as stored:
        steps, returns = stored["timesteps"], stored["results"]
    assert 4 <= len(steps) <= 5
    assert returns.shape == (len(steps), 3)


def test_tensorboard_and_the_list_of_episodes_have_the_usual_keys(
    trained: Trained,
) -> None:
    run = trained("ppo")
    events = EventAccumulator(str(run.folder / "tensorboard")).Reload()
    keys = set(events.Tags()["scalars"])
    assert keys >= {"rollout/ep_rew_mean", "eval/mean_reward", "train/loss", "time/fps"}
    first, second, *rows = (run.folder / "0.monitor.csv").read_text().splitlines()
    assert first.startswith("#{") and second == "r,l,t"
    lengths = [int(row.split(",")[1]) for row in rows]
    assert 0 < sum(lengths) <= run.steps


def test_runs_that_share_a_folder_of_curves_leave_each_other_s_alone(
    configure: Configure, tmp_path: Path
) -> None:
    shared = tmp_path / "curves"
    foreign = shared / "ppo" / "CartPole-v1_1" / "events.out.tfevents.1.of-the-user"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(b"kept")
    for name in ("one", "two"):
        config = configure("ppo", log_folder=tmp_path / name, tensorboard_folder=shared)
        assert train_source(config).folder.name == "CartPole-v1_1"
    assert foreign.read_bytes() == b"kept"
    others = [path for path in foreign.parent.glob("events*") if path != foreign]
    assert len(others) == 2


def test_the_same_seed_gives_the_same_weights(
    configure: Configure, trained: Trained, algorithm: str
) -> None:
    once, again = trained(algorithm), train_source(configure(algorithm))
    other = train_source(configure(algorithm, seed=8, steps=64))
    name = f"{once.env_id}.zip"
    for key, values in weights(once, name).items():
        assert torch.equal(values, weights(again, name)[key])
    assert any(
        not torch.equal(values, weights(other, name)[key])
        for key, values in weights(once, name).items()
    )
    assert once.mean_return == again.mean_return
    assert other.folder.name.endswith("_2")


def test_global_generators_and_threads_are_left_alone(configure: Configure) -> None:
    # Python's own generator is left alone too, but not by the checks of these tests:
    # beartype draws from it which items it looks at.
    threads = torch.get_num_threads()
    torch.manual_seed(3)
    np.random.seed(3)
    untouched = torch.rand(1), np.random.rand()
    torch.manual_seed(3)
    np.random.seed(3)
    train_source(configure("ppo"))
    assert (torch.rand(1), np.random.rand()) == untouched
    assert torch.get_num_threads() == threads


def test_statistics_are_of_all_steps(trained: Trained) -> None:
    run = trained("a2c")
    statistics = read_statistics(run.folder / run.env_id / "vecnormalize.json")
    assert statistics.observation is not None
    assert statistics.observation.count == pytest.approx(run.steps, abs=40)
    assert np.shape(statistics.observation.mean) == (4,)


def test_arguments_of_the_environment_are_used_and_stored(
    configure: Configure,
) -> None:
    run = train_source(configure("td3", env_kwargs={"g": 5.0}, steps=60))
    arguments = yaml.safe_load((run.folder / run.env_id / "args.yml").read_text())
    assert arguments["env_kwargs"] == {"g": 5.0}
    assert run.record()["env_kwargs"] == {"g": 5.0}
    assert read_manifest(run.folder).settings["env_kwargs"] == {"g": 5.0}


class Sized(gym.Env[Any, Any]):
    """An environment that keeps its argument as it came."""

    observation_space = spaces.Box(-1, 1, (1,))
    action_space = spaces.Discrete(2)
    sizes: list[object] = []  # noqa: RUF012  # of all of them

    def __init__(self, size: object) -> None:
        self.sizes.append(size)
        self._steps = 0

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> Any:
        self._steps += 1
        return np.zeros(1, np.float32), 0.0, self._steps % 10 == 0, False, {}


gym.register("training-tests/Sized-v0", Sized)


def test_an_argument_is_used_as_it_is_stored(configure: Configure) -> None:
    run = train_source(
        configure("ppo", env_id="training-tests/Sized-v0", env_kwargs={"size": (1, 2)})
    )
    assert all(size == [1, 2] for size in Sized.sizes)
    assert run.env_kwargs == {"size": [1, 2]}


def test_every_file_is_listed(configure: Configure, tmp_path: Path) -> None:
    run = train_source(configure("a2c", tensorboard_folder=tmp_path / "curves"))
    written = {path for path in tmp_path.rglob("*") if path.is_file()}
    # Locks and marks are hidden, and no results.
    assert {path for path in written if path.name[0] != "."} == set(run.files)
    assert run.record()["files"] == [str(path) for path in run.files]


@pytest.mark.parametrize(
    ("algorithm", "hyperparameters", "steps", "taken"),
    [
        ("ppo", {"n_envs": 2, "n_steps": 16}, 200, 224),
        ("a2c", {"n_envs": 2, "n_steps": 5}, 41, 50),
        ("dqn", {"train_freq": 4}, 61, 64),
        ("dqn", {"train_freq": (1, "episode")}, 61, None),
    ],
)
def test_steps_asked_for_and_steps_taken_are_both_said(
    configure: Configure,
    algorithm: str,
    hyperparameters: dict[str, Any],
    steps: int,
    taken: int | None,
) -> None:
    config = configure(algorithm, steps=steps, hyperparameters=hyperparameters)
    seen: list[Progress] = []
    run = train_source(config, seen.append)
    assert run.asked_steps == steps
    assert run.steps == taken or taken is None
    assert seen[0].total_steps == (taken or steps)


def test_progress_is_reported(configure: Configure) -> None:
    seen: list[Progress] = []
    run = train_source(configure("ppo"), seen.append)
    assert seen[0].steps == 0 and seen[-1].steps == run.steps
    assert {progress.total_steps for progress in seen} == {224}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"env_id": "CartPol-v1"}, "CartPole-v1"),
        ({"env_kwargs": {"gravty": 9}}, "gravty"),
        ({"hyperparameters": {"n_step": 5}}, "nearest: n_steps"),
        ({"hyperparameters": {"n_steps": -5}}, "n_steps"),
        ({"hyperparameters": {"learning_rate": "fast"}}, "learning_rate"),
        (
            {"hyperparameters": {"policy_kwargs": "dict(net_arch=[64])"}},
            "policy_kwargs",
        ),
    ],
)
def test_wrong_input_leaves_no_folder(
    configure: Configure, changes: dict[str, object], reason: str
) -> None:
    config = configure("ppo", **changes)
    with pytest.raises(InputError, match=reason):
        train_source(config)
    assert list(config.log_folder.iterdir()) == []


@pytest.mark.parametrize(
    "changes",
    [{"algorithm": "trpo"}, {"steps": 0}, {"seed": -1}, {"evaluation_episodes": 0}],
)
def test_a_config_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    values = {"env_id": "CartPole-v1", "algorithm": "ppo", "log_folder": Path("runs")}
    with pytest.raises(InputError):
        TrainConfig(**{**values, **changes})  # type: ignore[arg-type]  # on purpose


def test_the_name_of_an_algorithm_may_have_capitals() -> None:
    assert TrainConfig("CartPole-v1", "PPO", Path("runs")).algorithm == "ppo"


@pytest.mark.parametrize(
    ("algorithm", "env_id", "able"),
    [("dqn", "Pendulum-v1", "a2c or ppo"), ("sac", "CartPole-v1", "a2c or dqn or ppo")],
)
def test_an_algorithm_that_cannot_act_there_is_refused(
    configure: Configure, algorithm: str, env_id: str, able: str
) -> None:
    with pytest.raises(InputError, match=able):
        train_source(configure(algorithm, env_id=env_id))


class Spaces(gym.Env[Any, Any]):
    """An environment of which only the spaces are of interest."""

    def __init__(self, observations: str = "vector", actions: str = "vector") -> None:
        self.observation_space = SPACES[observations]
        self.action_space = SPACES[actions]


SPACES: dict[str, spaces.Space[Any]] = {
    "vector": spaces.Box(-1, 1, (2,)),
    "scalar": spaces.Box(-1, 1, ()),
    "matrix": spaces.Box(-1, 1, (2, 2)),
    "nothing": spaces.Box(-1, 1, (0,)),
    "infinite": spaces.Box(-np.inf, np.inf, (2,)),
    "huge": spaces.Box(-3e38, 3e38, (2,)),
    "whole": spaces.Box(-3, 3, (2,), np.int64),
    "fixed": spaces.Box(np.float32([-1, 0]), np.float32([1, 0])),
    "discrete": spaces.Discrete(3),
    "several": spaces.MultiDiscrete([3, 3]),
    "bits": spaces.MultiBinary(2),
    "parts": spaces.Dict({"x": spaces.Box(-1, 1, (2,))}),
    "pair": spaces.Tuple((spaces.Discrete(2), spaces.Discrete(2))),
}
gym.register("training-tests/Spaces-v0", Spaces)


@pytest.mark.parametrize(
    ("side", "kind", "reason"),
    [
        *(
            ("observations", kind, "FlattenObservation")
            for kind in (
                *("scalar", "matrix"),
                *("several", "parts", "pair"),
            )
        ),
        ("observations", "nothing", "at least one number"),
        ("actions", "scalar", "a Box of one dimension"),
        ("actions", "matrix", "a Box of one dimension"),
        ("actions", "infinite", "finite bounds"),
        ("actions", "huge", "finite bounds"),
        ("actions", "whole", "a Box of floats"),
        ("actions", "parts", "Discrete or Box actions"),
        ("actions", "pair", "Discrete or Box actions"),
    ],
)
def test_spaces_that_cannot_be_learnt_in_are_refused_before_there_is_a_folder(
    configure: Configure, algorithm: str, side: str, kind: str, reason: str
) -> None:
    config = configure(
        algorithm, env_id="training-tests/Spaces-v0", env_kwargs={side: kind}
    )
    if side == "observations" and algorithm == "dqn":
        config = replace(
            config, env_kwargs={**config.env_kwargs, "actions": "discrete"}
        )
    with pytest.raises(InputError, match=reason) as refusal:
        train_source(config)
    assert "\n" not in str(refusal.value)
    assert list(config.log_folder.iterdir()) == []


@pytest.mark.parametrize("algorithm", ["dqn", "sac", "td3"])
@pytest.mark.parametrize("kind", ["several", "bits"])
def test_several_choices_are_for_algorithms_that_take_them(
    configure: Configure, algorithm: str, kind: str
) -> None:
    kwargs = {"actions": kind}
    config = configure(algorithm, env_id="training-tests/Spaces-v0", env_kwargs=kwargs)
    with pytest.raises(InputError, match="--algo a2c or ppo can"):
        train_source(config)


@pytest.mark.parametrize("algorithm", ["sac", "td3"])
def test_actions_that_cannot_move_are_refused_where_they_are_scaled(
    configure: Configure, algorithm: str
) -> None:
    kwargs = {"actions": "fixed"}
    config = configure(algorithm, env_id="training-tests/Spaces-v0", env_kwargs=kwargs)
    with pytest.raises(InputError, match=r"low == high.*--algo a2c or ppo can"):
        train_source(config)


@pytest.mark.parametrize("value", [object(), {1: 2}, float("nan"), b"x", np.ones(1)])
def test_arguments_that_cannot_be_stored_are_refused(
    configure: Configure, value: object
) -> None:
    config = configure("ppo", env_kwargs={"sutton_barto_reward": value})
    with pytest.raises(InputError, match="numbers, text, lists"):
        train_source(config)
    assert list(config.log_folder.iterdir()) == []


@pytest.mark.parametrize(
    ("algorithm", "hyperparameters", "reason"),
    [
        ("ppo", {"n_envs": 1, "n_steps": 1}, "must be greater than 1"),
        ("ppo", {"batch_size": 1}, "must be greater than 1"),
        ("ppo", {"use_sde": True}, "continuous actions"),
        ("dqn", {"policy_kwargs": {"ortho_init": False}}, "ortho_init"),
        ("dqn", {"policy_kwargs": {"net_arch": {"pi": [4]}}}, "policy_kwargs"),
        ("td3", {"policy_kwargs": {"net_arch": {"pi": [4]}}}, "qf"),
        ("td3", {"n_envs": 2, "train_freq": (1, "episode")}, "n_envs=1"),
        ("sac", {"ent_coef": "auto_0"}, "greater than 0"),
        ("sac", {"gradient_steps": 0}, "nothing is learnt"),
        ("sac", {"learning_starts": 200}, "learning_starts=100"),
        ("a2c", {"n_timesteps": 100}, "n_timesteps=100; drop one"),
    ],
)
def test_hyperparameters_that_cannot_train_are_refused_before_there_is_a_folder(
    configure: Configure, algorithm: str, hyperparameters: dict[str, Any], reason: str
) -> None:
    config = configure(algorithm, hyperparameters=hyperparameters)
    with pytest.raises(InputError, match=reason) as refusal:
        train_source(config)
    assert "\n" not in str(refusal.value)
    assert list(config.log_folder.iterdir()) == []


@pytest.mark.parametrize("algorithm", ["a2c", "td3"])
def test_a_training_that_diverges_blames_no_environment(
    configure: Configure, algorithm: str
) -> None:
    rates = {"learning_rate": 1e30}
    config = configure(algorithm, env_id="Pendulum-v1", hyperparameters=rates)
    with pytest.raises(InputError, match=r"training diverged.*lower the learning_rate"):
        train_source(config)


def test_evaluations_may_play_the_episodes_of_other_agents(
    configure: Configure, tmp_path: Path
) -> None:
    first, same, other = (
        train_source(
            configure("ppo", evaluations=1, log_folder=tmp_path / name, **seeds)
        )
        for name, seeds in (
            ("first", {"evaluation_seed": 5}),
            ("same", {"evaluation_seed": 5}),
            ("other", {"evaluation_seed": 6}),
        )
    )
    lengths = []
    for run in (first, same, other):
        with np.load(run.folder / "evaluations.npz") as stored:
            lengths.append(stored["ep_lengths"].tolist())
    assert lengths[0] == lengths[1]
    assert lengths[0] != lengths[2]
    assert "eval_seed: 5" in (first.folder / "CartPole-v1" / "args.yml").read_text()
