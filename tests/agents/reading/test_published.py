import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rltransfer.errors import InputError
from rltransfer_agents.reading import Agent, read_agent

AGENTS = {
    "a2c/LunarLander-v2": "LunarLander-v3",
    "dqn/Acrobot-v1": None,
    "dqn/CartPole-v1": None,
    "dqn/MountainCar-v0": None,
    "ppo/Acrobot-v1": None,
    "ppo/CartPole-v1": None,
    "ppo/HalfCheetah-v3": "HalfCheetah-v5",
    "ppo/Hopper-v3": "Hopper-v5",
    "ppo/LunarLander-v2": "LunarLander-v3",
    "ppo/MountainCar-v0": None,
    "sac/MountainCarContinuous-v0": None,
    "sac/Pendulum-v1": None,
    "sac/Swimmer-v3": "Swimmer-v5",
}
NORMALISED = {"ppo/Acrobot-v1", "ppo/HalfCheetah-v3", "ppo/Hopper-v3"}
NORMALISED |= {"ppo/MountainCar-v0"}


@pytest.fixture(params=sorted(AGENTS))
def name(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


def agent_called(name: str, published: Path) -> Agent:
    return read_agent(published / f"{name}_1", env_id=AGENTS[name])


def stock_actions(agent: Agent, statistics: Path, rows: Any) -> Any:
    loader = Path(__file__).parent / "stock_loader.py"
    question = json.dumps(
        [
            str(agent.path),
            str(statistics) if statistics.exists() else None,
            rows.tolist(),
        ]
    )
    answer = subprocess.run(
        [sys.executable, str(loader)],
        input=question,
        capture_output=True,
        text=True,
        check=True,
    )
    return np.asarray(json.loads(answer.stdout))


def test_it_acts_as_stable_baselines_does(name: str, published: Path) -> None:
    agent = agent_called(name, published)
    space = agent.policy.observation_space
    rng = np.random.default_rng(0)
    rows = rng.normal(scale=1.5, size=(100, *space.shape)).astype(np.float32)
    statistics = agent.path.parent / agent.path.stem / "vecnormalize.pkl"
    actions, _ = agent.policy.predict(rows, deterministic=True)
    expected = stock_actions(agent, statistics, rows)
    np.testing.assert_allclose(actions, expected, rtol=0, atol=1e-5)


def test_it_knows_whether_it_was_normalised(name: str, published: Path) -> None:
    assert agent_called(name, published).normalised == (name in NORMALISED)


def test_old_ids_are_suggested_and_not_guessed(name: str, published: Path) -> None:
    if AGENTS[name] is None:
        assert read_agent(published / f"{name}_1").env_id == name.partition("/")[2]
        return
    with pytest.raises(InputError, match=f"pass --source-env {AGENTS[name]}"):
        read_agent(published / f"{name}_1")
