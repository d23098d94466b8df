"""Games of lines: their rules, who answers, and the same game under other numbers."""

import importlib
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from rltransfer.errors import InputError
from rltransfer_envs.line_games import (
    CONNECT_FOUR,
    TIC_TAC_TOE,
    LineGameEnv,
    tic_tac_toe,
)
from rltransfer_envs.line_rules import LineGame

THREE, FOUR = LineGame(3, 3, 3), LineGame(6, 7, 4, drops=True)


def squares(*places: int) -> int:
    return sum(1 << place for place in places)


class Plays:
    """Makes these moves, one after another."""

    def __init__(self, *moves: int) -> None:
        self._moves = list(moves)
        self.seen: list[Any] = []

    def predict(self, observation: Any, *_: Any, **__: Any) -> tuple[int, None]:
        self.seen.append(observation)
        return self._moves.pop(0), None


def played(env: LineGameEnv, *moves: int) -> list[float]:
    env.reset(seed=0)
    rewards = []
    for move in moves:
        _, reward, over, truncated, _ = env.step(move)
        rewards.append(reward)
        assert over is (move is moves[-1]) and not truncated
    return rewards


@pytest.mark.parametrize(("game", "lines"), [(THREE, 8), (FOUR, 69)])
def test_every_line_of_the_real_games_wins(game: LineGame, lines: int) -> None:
    assert len(set(game.lines)) == lines
    assert all(game.won(line) for line in game.lines)
    # One square short of it nothing is won.
    assert not any(game.won(line & (line - 1)) for line in game.lines)


def test_a_mark_drops_to_the_lowest_free_square_of_its_column() -> None:
    assert [FOUR.square(2, squares(2)), FOUR.square(2, 0)] == [9, 2]
    assert FOUR.square(2, squares(*range(2, 42, 7))) is None
    assert THREE.legal(squares(0, 4)) == [1, 2, 3, 5, 6, 7, 8]


def test_minimax_wins_where_it_can_and_stops_a_line_where_it_must() -> None:
    assert THREE.best_moves(squares(0, 1), squares(3, 4), 1) == (2,)
    assert THREE.best_moves(squares(0, 8), squares(3, 4), 2) == (5,)
    # A win at once is better than stopping the other's.
    assert THREE.best_moves(squares(0, 1), squares(3, 4), 4) == (2,)
    # Two open ends cannot both be stopped: the fork needs three plies to be seen.
    assert set(THREE.best_moves(squares(0, 8), squares(1, 4), 3)) == {7}
    assert FOUR.best_moves(squares(0, 1, 2), squares(7, 8, 9), 2) == (3,)


def test_two_perfect_players_never_win_tic_tac_toe() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        own, other = 0, 0
        while not (THREE.won(other) or THREE.full(own | other)):
            move = int(rng.choice(THREE.best_moves(own, other, 9)))
            own, other = other, own | 1 << move
        assert not THREE.won(other)


def test_who_wins_is_paid_and_who_moves_illegally_loses() -> None:
    def env(*moves: int) -> LineGameEnv:
        return tic_tac_toe(opponent=Plays(*moves), first="agent")

    assert played(env(3, 4), 0, 1, 2) == [0.0, 0.0, 1.0]
    assert played(env(3, 4, 5), 0, 1, 8) == [0.0, 0.0, -1.0]
    assert played(env(3), 0, 3) == [0.0, -1.0]
    assert played(env(0), 0) == [1.0]
    assert played(env(1, 3, 5, 6), 0, 2, 4, 7, 8)[-1] == 1.0
    assert played(env(4, 2, 3, 7), 0, 8, 6, 5, 1)[-1] == 0.0


@pytest.mark.parametrize("move", [-1, 9])
def test_a_move_that_there_is_not_is_refused(move: int) -> None:
    told = f"moves are numbered from 0 to 8, got {move}"
    env = tic_tac_toe()
    env.reset(seed=0)
    with pytest.raises(InputError, match=told):
        env.step(move)
    with pytest.raises(InputError, match=told):
        tic_tac_toe(opponent=Plays(move), first="opponent").reset(seed=0)


def test_an_opponent_that_is_given_sees_the_board_from_its_side() -> None:
    opponent = Plays(4)
    env = tic_tac_toe(opponent=opponent, first="agent", swapped=True)
    env.reset(seed=0)
    shown, _, _, _, info = env.step(0)
    (seen,) = opponent.seen
    assert np.flatnonzero(seen).tolist() == [9]
    # Its mark in the middle is shown first, since sides are swapped.
    assert np.flatnonzero(shown).tolist() == [4, 9]
    assert np.flatnonzero(info["action_mask"]).tolist() == [1, 2, 3, 5, 6, 7, 8]


@pytest.mark.parametrize(
    ("game", "name"), [(THREE, "tictactoe_v3"), (FOUR, "connect_four_v3")]
)
def test_rules_are_those_of_pettingzoo(game: LineGame, name: str) -> None:
    reason = "PettingZoo's rules are compared with where it is installed"
    pytest.importorskip("pettingzoo.classic", reason=reason)
    theirs = importlib.import_module(f"pettingzoo.classic.{name}").env()
    rng = np.random.default_rng(0)
    for seed in range(50):
        theirs.reset(seed=seed)
        own, other = 0, 0
        while not (game.won(other) or game.full(own | other)):
            legal = game.legal(own | other)
            shown, *_ = theirs.last()
            assert np.flatnonzero(shown["action_mask"]).tolist() == legal
            move = int(rng.choice(legal))
            mover = theirs.agent_selection
            theirs.step(move)
            own, other = other, own | 1 << (game.square(move, own | other) or 0)
            assert theirs.rewards[mover] == float(game.won(other))
        assert all(theirs.terminations.values())


@pytest.mark.parametrize("env_id", [TIC_TAC_TOE, CONNECT_FOUR])
@pytest.mark.parametrize("changed", [{"renumbering": 5}, {"mirrored": True}])
def test_other_numbers_are_the_same_game(
    env_id: str, changed: dict[str, object]
) -> None:
    own, other = gym.make(env_id), gym.make(env_id, **changed)
    rng = np.random.default_rng(1)
    moves = other.unwrapped._moves  # type: ignore[attr-defined]
    places = other.unwrapped._squares  # type: ignore[attr-defined]
    assert sorted(moves) == list(range(len(moves))) != list(moves)
    for seed in range(20):
        shown, seen = own.reset(seed=seed)[0], other.reset(seed=seed)[0]
        over = False
        while not over:
            for side, here in zip(np.split(seen, 2), np.split(shown, 2), strict=True):
                assert np.array_equal(side, here[places])
            move = int(rng.integers(len(moves)))
            seen, reward, over, _, _ = other.step(move)
            shown, paid, ended, _, _ = own.step(int(moves[move]))
            assert (reward, over) == (paid, ended)


@pytest.mark.parametrize("env_id", [TIC_TAC_TOE, CONNECT_FOUR])
def test_the_same_seed_plays_the_same_game(env_id: str) -> None:
    def game() -> list[Any]:
        env = gym.make(env_id, opponent="minimax", plies=2)
        shown = [env.reset(seed=3)[0].tolist()]
        for move in (0, 1, 2):
            *found, over, _, _ = env.step(move)
            shown.append((found[0].tolist(), found[1]))
            if over:
                break
        return shown

    assert game() == game()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"opponent": "human"}, "opponent is random or minimax, .* got 'human'"),
        ({"opponent": 3}, "opponent is random or minimax, .* got 3"),
        ({"plies": 5}, "plies is a whole number from 1 to 4, got 5"),
        ({"plies": 2.5}, "plies is a whole number from 1 to 4, got 2.5"),
        ({"blunder_rate": 1.5}, "blunder_rate is the share .* got 1.5"),
        ({"blunder_rate": "nan"}, "blunder_rate is the share .* got 'nan'"),
        ({"first": "me"}, "first is one of random, agent, opponent, got 'me'"),
        ({"rows": 1}, "rows is a whole number from 2 to 8, got 1"),
        ({"rows": 3.5}, "rows is a whole number from 2 to 8, got 3.5"),
        ({"rows": True}, "rows is a whole number from 2 to 8, got True"),
        ({"in_line": 4}, "in_line is a whole number from 2 to 3, got 4"),
        ({"renumbering": -1}, "renumbering is a whole number from 0 to .* got -1"),
        ({"renumbering": "x"}, "renumbering is a whole number from 0 to .* got 'x'"),
        ({"drops": "x"}, "drops is true or false, got 'x'"),
        ({"swapped": "no"}, "swapped is true or false, got 'no'"),
        ({"mirrored": "x"}, "mirrored is true or false, got 'x'"),
    ],
)
def test_a_board_that_there_is_not_is_refused(
    options: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        gym.make(TIC_TAC_TOE, **options)
