"""Trainings side by side are the same as trainings one after the other."""

from collections.abc import Callable

import pytest

from rltransfer.errors import InputError
from rltransfer_agents.training import (
    Progress,
    TrainConfig,
    TrainedRun,
    train_sources,
)

Configure = Callable[..., TrainConfig]


def test_two_environments_are_trained_side_by_side(
    configure: Configure, trained: Callable[[str], TrainedRun]
) -> None:
    configs = [configure("ppo"), configure("td3")]
    seen: list[Progress] = []
    runs = train_sources(configs, seen.append)
    assert [run.env_id for run in runs] == ["CartPole-v1", "Pendulum-v1"]
    assert {progress.env_id for progress in seen} == {"CartPole-v1", "Pendulum-v1"}
    assert runs[0].mean_return == trained("ppo").mean_return


def test_a_fault_of_one_names_it_and_lets_the_other_end(configure: Configure) -> None:
    configs = [configure("ppo", env_id="CartPol-v1"), configure("dqn")]
    with pytest.raises(InputError, match="'CartPol-v1' is not registered"):
        train_sources(configs)
    assert (configs[1].log_folder / "dqn/CartPole-v1_1/manifest.json").exists()
