"""A transfer that corrects its map while it is evaluated, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import rltransfer
from rltransfer.errors import InputError
from rltransfer.meta import AdaptivePolicy
from rltransfer.workflows.evaluate import EvaluationResult
from tests.effort import QUICK

DRIFTING = "rltransfer/Drifting-v0"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    trained = rltransfer.train_source(
        "CartPole-v1", "a2c", 64, log_folder=folder, device="cpu"
    )
    return trained.folder


@pytest.fixture(scope="module")
def run(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rltransfer.transfer(
        source,
        "rltransfer/Scrambled-v0",
        target_kwargs={"base": "CartPole-v1", "seed": 3},
        steps=600,
        log_folder=tmp_path_factory.mktemp("transfers"),
        hyperparams=QUICK,
        weak_source=True,
        report=False,
    ).folder


def evaluated(run: Path, **options: Any) -> EvaluationResult:
    drift = {"turn": 20.0, "steps": 300}
    return rltransfer.evaluate(
        run, DRIFTING, env_kwargs=drift, episodes=12, adapt=True, **options
    )


def test_what_a_transfer_learns_from_is_counted_written_down_and_told(
    run: Path, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    result = evaluated(run, tensorboard_log=logs)
    found = result.adaptation
    assert found is not None
    # A pole earns 1 for each step; the last one of an episode is not seen.
    assert found.steps == result.returns.sum() - len(result.returns)
    assert found.refits + found.refused >= 1
    assert result.as_json()["adaptation"]["refits"] == found.refits
    assert f"from {found.steps:,} counted" in " ".join(str(result).split())
    events = EventAccumulator(str(logs)).Reload()
    tags = {"adapt/alignment_error", "adapt/refits", "adapt/refused"}
    assert {*tags, "rollout/ep_rew_mean"} == set(events.Tags()["scalars"])
    assert events.Scalars("adapt/refits")[-1].value == found.refits
    again = evaluated(run)
    assert again.returns.tolist() == result.returns.tolist()


def test_it_is_also_had_as_a_policy(run: Path) -> None:
    policy = rltransfer.load_adaptive(run)
    assert isinstance(policy, AdaptivePolicy)
    loaded = rltransfer.load_agent(run)
    shown = loaded.observation_space.sample()
    assert policy.predict(shown)[0] == loaded.policy.predict(shown)[0]


def test_without_a_map_there_is_nothing_to_adapt(source: Path) -> None:
    with pytest.raises(InputError, match="acts without one"):
        rltransfer.evaluate(source, episodes=1, adapt=True)


def test_a_log_without_adapting_is_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="add --adapt, or leave it out"):
        rltransfer.evaluate(source, episodes=1, tensorboard_log=tmp_path)
