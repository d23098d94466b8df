"""What the verbs say of environments that never end, or ignore their seeds."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from gymnasium.envs.classic_control import CartPoleEnv

from tests.cli.conftest import QUICK, Command


class Endless(CartPoleEnv):
    """The pole never counts as fallen."""

    def step(self, action: Any) -> Any:
        observation, reward, _, truncated, info = super().step(action)
        return observation.clip(-4, 4), reward, False, truncated, info


class Unseeded(CartPoleEnv):
    """Every reset shows another start."""

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return super().reset(seed=None)


gym.register("cli-tests/Endless-v0", Endless)
gym.register("cli-tests/Unseeded-v0", Unseeded, max_episode_steps=50)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_an_episode_without_an_end_is_a_fault_and_the_remedies_work(
    command: Command, agent: Path
) -> None:
    words = ["evaluate", agent, "--env", "cli-tests/Endless-v0", "--episodes", 2]
    call = command(*words, "--episode-cap", 300)
    assert call.exit_status == 77
    assert "--env-kwargs max_episode_steps" in call.error
    assert "--episode-cap" in call.error and "--target-kwargs" not in call.error
    limited = command(*words, "--env-kwargs", "max_episode_steps=100", "--json")
    assert limited.exit_status == 0 and 0 < limited.json["mean_return"] <= 100


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("--env", "cli-tests/Endless-v0", "--target", "CartPole-v1"), "--source"),
        (("--target", "cli-tests/Endless-v0"), "--target"),
    ],
)
def test_an_episode_without_an_end_names_the_option_of_its_environment(
    command: Command, agent: Path, tmp_path: Path, words: tuple[str, ...], option: str
) -> None:
    call = command(
        *("transfer", "--source", agent, *words, "--episode-cap", 600),
        *("-n", 600, "-f", tmp_path, *QUICK),
    )
    assert call.exit_status == 77
    assert f"say {option}-kwargs max_episode_steps=1000" in call.error


def test_ignored_seeds_are_named(command: Command, agent: Path) -> None:
    words = ["evaluate", agent, "--episodes", 2, "--env"]
    named = command(*words, "cli-tests/Unseeded-v0", "--json").json
    assert named["seeds_ignored"] is True
    assert any("does not decide how episodes start" in note for note in named["notes"])
    assert "does not decide" in command(*words, "cli-tests/Unseeded-v0").output
    assert command(*words, "CartPole-v1", "--json").json["seeds_ignored"] is False


@pytest.mark.parametrize("verb", ["evaluate", "train-source"])
def test_a_cap_below_one_is_refused(command: Command, agent: Path, verb: str) -> None:
    words = [agent] if verb == "evaluate" else ["--env", "CartPole-v1"]
    call = command(verb, *words, "--episode-cap", 0)
    assert call.exit_status == 2
    assert "--episode-cap is at least 1, got 0" in call.error
