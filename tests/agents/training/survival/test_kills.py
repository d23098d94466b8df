"""A training that is killed goes on to the same bits as one that is not."""

import random
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Count
from tests.effort import SCALE, SEED
from tests.worlds.os_calls import DRAFT, PREVIOUS, ROWS

pytestmark = pytest.mark.torture

KILLS = 7 * SCALE
"""Of each configuration."""
KILLS_IN_A_ROW = 5

POINTS = (*ROWS, *PREVIOUS, *DRAFT)
# Where each item of a learner's state matters, and after how many steps.
MATTERS = {
    "counters": ("dqn", 20),
    "weights": ("ppo", 60),
    "temperature": ("sac", 30),
    "recent_episodes": ("ppo", 60),
    "state_dependent_exploration": ("sac with gSDE", 30),
    "action_noise": ("td3", 33),
    "buffer_position": ("dqn", 20),
    "normalisation": ("ppo with gSDE and normalisation", 100),
    "last_step": ("a2c", 60),
    "environments": ("ppo", 60),
    "torch": ("ppo", 60),
    "numpy": ("dqn", 60),
    "python": ("a2c with chance from Python", 60),
    "random_actions": ("sac", 10),
}


def test_a_training_killed_at_random_ends_in_the_same_bits(
    fork_server: Any, uninterrupted: Any, name: str, tmp_path: Path, count: Count
) -> None:
    rng = random.Random(f"{SEED} {name}")
    expected = uninterrupted[name]
    seconds = uninterrupted.seconds(name)
    kills = chains = 0
    while kills < KILLS:
        assert chains < 10 * KILLS, f"{name}: too slow to be killed in time"
        folder = tmp_path / str(chains)
        chains += 1
        ended = fork_server.train(name, folder, timer=rng.uniform(0, seconds))
        killed = int(ended.status < 0)
        # A kill before there are settings leaves nothing to go on with.
        while ended.status < 0 and list(folder.glob("*/*/*/args.yml")):
            # The last one may run to its end, however slow the machine is.
            timer = rng.uniform(0, seconds) if killed < KILLS_IN_A_ROW else 0
            ended = fork_server.resume(fork_server.run_folder(folder), timer=timer)
            killed += ended.status < 0
        if ended.status >= 0:
            assert ended.status == 0, ended.text
            assert fork_server.traces(folder) == expected, (
                f"seed {SEED}, chain {chains}"
            )
            kills += killed
    count("R1", training_kills=kills, training_runs=chains, training_configurations=1)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("nth", [1, 5])
def test_a_kill_while_writing_leaves_a_snapshot_that_loads(
    fork_server: Any,
    uninterrupted: Any,
    tmp_path: Path,
    count: Count,
    point: str,
    nth: int,
) -> None:
    count("R2", training_kills=1)
    ended = fork_server.train("dqn", tmp_path, point=point, nth=nth)
    assert ended.status == -9, ended.text
    if not list(tmp_path.glob("*/*/*/args.yml")):
        assert (point, nth) != ("draft:done", 5)
        return
    ended = fork_server.resume(fork_server.run_folder(tmp_path))
    assert ended.status == 0, ended.text
    assert fork_server.traces(tmp_path) == uninterrupted["dqn"]


@pytest.mark.parametrize("item", MATTERS)
def test_no_item_of_the_state_can_be_left_out(
    fork_server: Any, uninterrupted: Any, tmp_path: Path, count: Count, item: str
) -> None:
    count("R3", training_items=1)
    name, steps = MATTERS[item]
    stopped = fork_server.train(name, tmp_path, step=steps, signals=["SIGTERM"])
    assert stopped.status == 75, stopped.text
    ended = fork_server.resume(fork_server.run_folder(tmp_path), drop=item)
    if ended.status == 0:
        assert fork_server.traces(tmp_path)["state"] != uninterrupted[name]["state"]


def test_the_list_of_items_is_complete(fork_server: Any) -> None:
    from rltransfer_agents.training.learner_state import ITEMS

    assert set(MATTERS) == set(ITEMS)
