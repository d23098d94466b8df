"""A training stops within its evaluations, and goes on as if it had not."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from rltransfer.errors import Stopped
from rltransfer.io import read_manifest
from rltransfer_agents.training import (
    TrainConfig,
    TrainedRun,
    resume_source,
    train_source,
)

Configure = Callable[..., TrainConfig]


class Walk(gym.Env[Any, Any]):
    """Walks left or right; sends SIGTERM at a step of an episode that follows a seed.

    Only the first episode of a training does so, and every evaluated one.
    """

    observation_space = spaces.Box(-np.inf, np.inf, (2,))
    action_space = spaces.Discrete(2)
    strike: ClassVar[int] = 0
    """Number of the step that sends it, of all that evaluations take; 0 for none."""
    limit: ClassVar[int | None] = 12

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._evaluated = seed is not None and seed >= 10**6
        self._place, self._steps = self.np_random.normal(), 0
        return self._shown(), {}

    def step(self, action: Any) -> Any:
        self._place += 0.1 * (2 * int(action) - 1)
        self._steps += 1
        if self._evaluated and Walk.strike:
            Walk.strike -= 1
            if Walk.strike == 0:
                os.kill(os.getpid(), signal.SIGTERM)
        over = self._steps == self.limit
        return self._shown(), -abs(self._place), False, over, {}

    def _shown(self) -> Any:
        return np.array([self._place, self._steps], np.float32)


gym.register("training-tests/Walk-v0", Walk)


def traces(run: TrainedRun) -> tuple[Any, ...]:
    with np.load(run.folder / "evaluations.npz") as found:
        evaluations = {name: found[name].tolist() for name in found.files}
    state = read_manifest(run.folder).results["state_sha256"]
    return state, evaluations, run.mean_return, run.resumed


# Within the evaluation on the way, the one at the end, and the report after that.
@pytest.mark.parametrize("strike", [1, 20, 40])
@pytest.mark.parametrize("algorithm", ["ppo", "dqn"])
def test_a_stop_within_an_evaluation_loses_nothing(
    configure: Configure, tmp_path: Path, algorithm: str, strike: int
) -> None:
    def config(name: str) -> TrainConfig:
        return configure(
            algorithm,
            env_id="training-tests/Walk-v0",
            steps=96,
            log_folder=tmp_path / name,
            snapshot_seconds=1000.0,
        )

    whole = train_source(config("whole"))
    Walk.strike = strike
    with pytest.raises(Stopped, match="go on with rltransfer train-source --resume"):
        train_source(config("stopped"))
    (folder,) = (tmp_path / "stopped" / algorithm).iterdir()
    resumed = resume_source(folder)
    assert traces(resumed) == (*traces(whole)[:3], "exact")


@pytest.mark.parametrize("strike", [5, 0])
def test_a_task_without_an_end_is_trained_and_stops(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, strike: int
) -> None:
    monkeypatch.setattr(Walk, "limit", None)
    config = configure("ppo", env_id="training-tests/Walk-v0", steps=64, episode_cap=20)
    Walk.strike = strike
    if strike:
        with pytest.raises(Stopped):
            train_source(config)
        return
    run = train_source(config)
    # Of the last evaluation and the two reports, and of one on the way.
    assert run.capped_episodes == 4
    assert run.record()["capped_episodes"] == 4
    assert resume_source(run.folder).capped_episodes == 4


def test_an_environment_that_ignores_seeds_is_named(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configure("ppo", env_id="training-tests/Walk-v0", steps=64)
    assert not train_source(config).seeds_ignored
    monkeypatch.setattr(
        Walk, "_shown", lambda self: np.random.default_rng().random(2, np.float32)
    )
    run = train_source(config)
    assert run.seeds_ignored and run.record()["seeds_ignored"]
    assert read_manifest(run.folder).results["seeds_ignored"] is True
