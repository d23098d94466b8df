"""Shares of games that were won, and the boards that they are about."""

import gymnasium as gym
import numpy as np
import pytest

from board_games import HOMES, Home, Won, changes, summary


def test_the_interval_of_a_share_is_wilsons() -> None:
    # (p + z²/2n ± z·sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n) with z = 1.96.
    assert str(Won(95, 100)) == "0.95 (0.89 to 0.98)"
    assert str(Won(0, 100)) == "0.00 (0.00 to 0.04)"


@pytest.mark.parametrize("home", HOMES.values(), ids=HOMES)
def test_every_changed_board_can_be_played(home: Home) -> None:
    for kwargs in changes(home, 101).values():
        env = gym.make(home.env, **home.opponent, **kwargs)
        shown, _ = env.reset(seed=0)
        assert env.observation_space.contains(shown)


def test_wins_are_counted_and_draws_are_none() -> None:
    assert Won.of(np.array([1.0, 0.0, -1.0, 1.0])) == Won(2, 4)


def test_seeds_stand_side_by_side_where_they_differ() -> None:
    row = dict.fromkeys(("as it is", "scratch", "transferred"), "")
    row |= {"game, opponent": "a game", "board": "swapped", "at home": "0.9"}
    seeds = [
        {**row, "share of home": share, "accepted": "yes", "steps": steps}
        for share, steps in (("1.00", "7"), ("0.98", "8"), ("1.00", "8"))
    ]
    (told,) = summary(seeds)
    assert (told["share of home"], told["steps"]) == ("1.00; 0.98; 1.00", "7; 8; 8")
    assert (told["at home"], told["accepted"]) == ("0.9", "yes")
