"""A training that is asked for again goes on, or is returned as it is."""

from collections.abc import Callable
from dataclasses import replace

from rltransfer_agents.training import TrainConfig, TrainedRun
from rltransfer_agents.training.unfinished_trainings import train_unless_there
from tests.agents.training.conftest import stopped_at

Configure = Callable[..., TrainConfig]


def test_what_was_interrupted_goes_on_and_what_is_finished_stays(
    configure: Configure, trained: Callable[[str], TrainedRun]
) -> None:
    config = configure("ppo", snapshot_seconds=0.0)
    folder = stopped_at(config, 128)
    run = train_unless_there(config)
    assert run.folder == folder and run.resumed == "exact"
    assert run.mean_return == trained("ppo").mean_return
    manifest = folder / "manifest.json"
    before = manifest.stat().st_mtime_ns
    assert train_unless_there(config).folder == folder
    assert manifest.stat().st_mtime_ns == before


def test_another_training_gets_a_folder_of_its_own(configure: Configure) -> None:
    config = configure("ppo")
    first = train_unless_there(config)
    for other in (
        replace(config, seed=8),
        replace(config, steps=201),
        replace(config, hyperparameters={**config.hyperparameters, "gamma": 0.5}),
    ):
        assert train_unless_there(other).folder != first.folder
    # A folder that holds something else is passed over.
    (first.folder / "manifest.json").write_text("{}")
    for settings in first.folder.glob("*/args.yml"):
        settings.write_text("[]")
    assert train_unless_there(config).folder.name == "CartPole-v1_5"
