"""What learning on is asked for: defaults, its share of the budget, refusals."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

import rltransfer
from rltransfer.errors import InputError
from rltransfer.workflows.environments import EnvironmentChoice
from rltransfer.workflows.learning_request import LearningRequest


@pytest.mark.parametrize(
    ("budget", "given", "share"),
    [(4_000, None, 1_000), (100_000, None, 10_000), (4_000, 900, 900), (3, None, 1)],
)
def test_alignment_takes_what_is_given_or_a_quarter(
    budget: int, given: int | None, share: int
) -> None:
    request = LearningRequest(alignment_steps=given)
    assert request.alignment_budget(budget) == share


@pytest.mark.parametrize(
    ("env_id", "kwargs", "threshold"),
    [
        ("CartPole-v1", {}, 475.0),
        ("rltransfer/Acrobot-v0", {}, -100.0),
        # What is shown otherwise pays the same.
        ("rltransfer/Scrambled-v0", {"base": "CartPole-v1"}, 475.0),
        ("gymnasium.envs.classic_control:CartPole-v1", {}, 475.0),
    ],
)
def test_the_target_says_what_counts_as_solved(
    env_id: str, kwargs: dict[str, Any], threshold: float
) -> None:
    target = EnvironmentChoice(env_id, kwargs)
    assert LearningRequest().threshold_in(target) == threshold
    assert LearningRequest(threshold=3.0).threshold_in(target) == 3.0


@pytest.mark.parametrize("base", [None, "Pendulum-v1"])
def test_where_nobody_says_it_must_be_given(base: str | None) -> None:
    assert gym.spec("Pendulum-v1").reward_threshold is None
    target = EnvironmentChoice("rltransfer/Scrambled-v0", {"base": base})
    if base is None:
        target = EnvironmentChoice("Pendulum-v1")
    with pytest.raises(InputError, match=r"no --threshold and .*; add --threshold"):
        LearningRequest().threshold_in(target)
    assert LearningRequest(threshold=-160.0).threshold_in(target) == -160.0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"strategy": "hold"}, r"--strategy hold without --improve; add --improve"),
        ({"student": "dqn"}, r"--student dqn without --improve"),
        ({"threshold": 0.0}, r"--threshold 0.0 without --improve"),
        ({"alignment_steps": 500}, r"--alignment-steps 500 without --improve"),
        ({"evaluations": 5}, r"--evaluations 5 without --improve"),
        ({"improve": True, "threshold": float("inf")}, "finite return, got inf"),
        ({"improve": True, "alignment_steps": 0}, "at least 1, got 0"),
        ({"improve": True, "evaluations": 0}, "evaluations is at least 1, got 0"),
        (
            {"improve": True, "alignment_steps": 3_000},
            r"--alignment-steps must leave steps of -n 3000 .* got 3000; lower it",
        ),
    ],
)
def test_what_is_asked_wrongly_is_refused_before_anything_is_opened(
    options: dict[str, Any], told: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=told):
        rltransfer.transfer(tmp_path, "CartPole-v1", log_folder=tmp_path, **options)
    assert not list(tmp_path.iterdir())
