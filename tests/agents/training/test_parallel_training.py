"""Trainings side by side are the same as trainings one after the other."""

from collections.abc import Callable

import pytest

from rltransfer.errors import ArtifactRefused, InputError
from rltransfer_agents.training import (
    Progress,
    TrainConfig,
    TrainedRun,
    resume_sources,
    train_sources,
)
from tests.agents.training.conftest import Prepared

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


def test_a_refused_folder_is_refused_beside_another_too(
    stopped: Prepared, finished: Prepared
) -> None:
    hostile = stopped("ppo")
    (settings,) = hostile.glob("*/args.yml")
    settings.write_text(settings.read_text().replace("CartPole-v1", "antigravity:X-v0"))
    with pytest.raises(ArtifactRefused, match="antigravity"):
        resume_sources([hostile, finished("a2c")])


def test_the_same_training_twice_is_refused(configure: Configure) -> None:
    with pytest.raises(InputError, match="asked for once"):
        train_sources([configure("ppo"), configure("ppo")])
