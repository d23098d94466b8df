"""Agents that strangers published, through every verb that takes one."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import Count
from tests.published import AGENTS, published_folder

from .conftest import QUICK, Command

pytestmark = pytest.mark.torture

LISTED = {
    "ppo/MountainCar-v0": -104.0,
    "ppo/Acrobot-v1": -71.4,
    "ppo/Hopper-v3": 2439.0,
}
"""Means over ten episodes, in the README beside the agents."""
# Other versions of simulators and sums may tip an episode; acting at random earns
# -200, -500 and 20, and so do these agents where their observations stay as they are.
TOLERANCE = 0.1

WHOLE = {
    "ppo/MountainCar-v0": "rltransfer/MountainCar-v0",
    "dqn/MountainCar-v0": "rltransfer/MountainCar-v0",
    "ppo/Acrobot-v1": "rltransfer/Acrobot-v0",
    "sac/Pendulum-v1": "rltransfer/Pendulum-v0",
}
"""Transferred to the end; the others as far as both sides are opened."""


@pytest.fixture(scope="module")
def published() -> Path:
    return published_folder()


@pytest.fixture(params=sorted(AGENTS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def words(name: str) -> list[str]:
    named = AGENTS[name]
    return [] if named is None else ["--env", named]


@pytest.mark.parametrize("name", sorted(LISTED))
def test_normalised_agents_reach_the_return_that_is_listed(
    name: str, published: Path, command: Command, count: Count
) -> None:
    agent = published / f"{name}_1"
    call = command("evaluate", agent, *words(name), "--episodes", 10, "--json")
    assert call.exit_status == 0, call.errors
    found = call.json["mean_return"]
    assert found == pytest.approx(LISTED[name], rel=TOLERANCE)
    count("S6", returns=f"{name} {found:.1f}")


def test_without_its_statistics_an_agent_does_not(
    published: Path, command: Command, tmp_path: Path
) -> None:
    name = "ppo/MountainCar-v0"
    agent = published / f"{name}_1" / "MountainCar-v0.zip"
    call = command("evaluate", shutil.copy(agent, tmp_path), "--episodes", 10, "--json")
    assert call.json["mean_return"] < LISTED[name] * (1 + 5 * TOLERANCE)


def test_each_is_described_and_usable(
    name: str, published: Path, command: Command, count: Count
) -> None:
    found = command("inspect", published / f"{name}_1", "--json").json
    assert found["usable"], found["refused"]
    assert found["algorithm"] == name.partition("/")[0]
    assert found["environment"] == name.partition("/")[2]
    assert found["nearest_id"] == AGENTS[name]
    assert (found["environment_id"] is None) == (AGENTS[name] is not None)
    count("S6", inspected=1)


def test_old_ids_are_suggested_and_taken_when_named(
    published: Path, command: Command
) -> None:
    agent = published / "ppo" / "LunarLander-v2_1"
    shown = command("inspect", agent).output
    assert "LunarLander-v2 (not registered; nearest: LunarLander-v3)" in shown
    told = "is not registered; nearest: LunarLander-v3; pass --env LunarLander-v3"
    for call in (
        command("evaluate", agent),
        command("transfer", "--source", agent, "--target", "LunarLander-v3"),
    ):
        assert call.exit_status == 2
        assert call.error.endswith(told)
    named = ("--env", "LunarLander-v3", "--episodes", 1, "--json")
    assert command("evaluate", agent, *named).json["mean_return"] > 0


def test_each_opens_as_a_source(
    name: str, published: Path, command: Command, tmp_path: Path, count: Count
) -> None:
    source = ("--source", published / f"{name}_1", *words(name))
    target = AGENTS[name] or name.partition("/")[2]
    call = command("transfer", *source, "--target", target, "-n", 20, "-f", tmp_path)
    # The first that is refused once both sides are open and fit.
    assert "one round needs" in call.error
    count("S6", opened_as_source=1)


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_a_whole_transfer_begins_with_one(
    name: str,
    published: Path,
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    count: Count,
) -> None:
    source = ("--source", published / f"{name}_1", *words(name))
    call = command(
        *("transfer", *source, "--target", WHOLE[name], "-n", 1200, *QUICK),
        *("-f", tmp_path, "--json"),
    )
    assert call.exit_status == 0, call.errors
    run = Path(call.json["run"])
    again = command("evaluate", run, "--episodes", 1, "--json")
    assert again.json["env"] == WHOLE[name]
    count("S6", transferred_to_the_end=1)
