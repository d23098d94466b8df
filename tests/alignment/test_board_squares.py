"""Squares and moves of board games are told by what ends a game."""

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from rltransfer.alignment import AlignConfig, Source, align
from rltransfer.alignment.board_squares import BoardConfig, BoardGames, board_matches
from rltransfer.domain import Domain, StickyRandomPolicy, Transitions
from rltransfer.source_models import LearnConfig
from rltransfer.wrappers import StepBudget
from rltransfer_envs.line_games import CONNECT_FOUR, TIC_TAC_TOE, tic_tac_toe
from rltransfer_envs.line_rules import LineGame
from tests.worlds.points import Chooser

CONFIG = BoardConfig()


def rows_of(
    seed: int, steps: int, env_id: str = TIC_TAC_TOE, **how: Any
) -> Transitions:
    domain = Domain(lambda: gym.make(env_id, **how), env_id)
    rng = np.random.default_rng(seed)
    policy = StickyRandomPolicy(domain.actions, rng, longest=1)
    found = domain.collect(policy, purpose="test", seed=seed, steps=steps)
    return found.transitions


def games(*asked: Any, **how: Any) -> BoardGames:
    return BoardGames.of(rows_of(*asked, **how))


@pytest.fixture(scope="module")
def source() -> BoardGames:
    return games(0, 6_000)


def lines_of(game: LineGame) -> set[frozenset[int]]:
    return {
        frozenset(n for n in range(game.squares) if line >> n & 1)
        for line in game.lines
    }


def sets(lines: Any) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(line).tolist()) for line in lines}


def test_the_lines_of_tic_tac_toe_are_found_in_random_games(source: BoardGames) -> None:
    assert sets(source.lines(CONFIG)) == lines_of(LineGame(3, 3, 3))
    assert source.marked == tuple((square,) for square in range(9))


@pytest.mark.parametrize("swapped", [False, True])
def test_renumbered_squares_and_swapped_sides_are_told(
    source: BoardGames, swapped: bool
) -> None:
    how = {"renumbering": 7, "swapped": swapped}
    target = games(1, 1_500, **how)
    assert target.own_first is not swapped
    first, *others = board_matches(source, target, CONFIG, np.random.default_rng(0))
    assert first.settles(CONFIG) and not any(one.settles(CONFIG) for one in others)
    # Up to the board's symmetries, which no game shows.
    true = gym.make(TIC_TAC_TOE, **how).unwrapped._squares  # type: ignore[attr-defined]
    shown = {
        frozenset(np.flatnonzero(np.isin(true, list(line))).tolist())
        for line in lines_of(LineGame(3, 3, 3))
    }
    mapped = {frozenset(int(first.square[n]) for n in line) for line in shown}
    assert mapped == lines_of(LineGame(3, 3, 3))
    assert first.move == tuple(first.square[list(sum(target.marked, ()))])


def test_columns_of_connect_four_are_told_and_their_squares_from_below() -> None:
    source = games(0, 6_000, CONNECT_FOUR)
    heights = [[square // 7 for square in squares] for squares in source.marked]
    assert all(column == sorted(column) for column in heights)
    target = games(1, 2_000, CONNECT_FOUR, renumbering=3)
    first = board_matches(source, target, CONFIG, np.random.default_rng(0))[0]
    env = gym.make(CONNECT_FOUR, renumbering=3).unwrapped
    true = tuple(env._moves.tolist())  # type: ignore[attr-defined]
    assert first.move in (true, tuple(6 - column for column in true))


def test_a_board_of_too_many_sets_is_not_told(source: BoardGames) -> None:
    assert not len(source.lines(replace(CONFIG, most_sets=10)))


def test_games_that_nobody_won_match_nothing(source: BoardGames) -> None:
    rows = rows_of(1, 200)
    target = BoardGames.of(replace(rows, terminated=rows.terminated & False))
    assert not len(target.lines(CONFIG))
    assert not board_matches(source, target, CONFIG, np.random.default_rng(0))
    assert not board_matches(target, source, CONFIG, np.random.default_rng(0))


@pytest.mark.parametrize("how", [{"renumbering": 11}, {"swapped": True}])
def test_a_player_is_as_good_on_another_board(how: dict[str, Any]) -> None:
    game = LineGame(3, 3, 3)

    def best(shown: Any) -> Any:
        sides = np.asarray(shown).reshape(-1, 2, 9).round().astype(int)
        own, other = (sides << np.arange(9)).sum(axis=-1).T
        moves = [
            game.best_moves(int(mine), int(theirs), 3)[0] if mine + theirs < 511 else 0
            for mine, theirs in zip(own, other, strict=True)
        ]
        return np.array(moves).reshape(np.asarray(shown).shape[:-1])

    home = Domain(tic_tac_toe, "home")
    target = Domain(
        lambda: tic_tac_toe(**how),
        "target",
        StepBudget(3_000),
    )
    effort = LearnConfig(width=16, updates=50)
    config = AlignConfig(seed=1, source_steps=6_000, learning=effort)
    found = align([Source(home, Chooser(best), "home")], target, config)
    assert {one.candidate.family.name for one in found.trials} == {"board"}
    assert found.acceptance.accepted
    earned = target.evaluate(found.policy, episodes=200, seed=5).mean()
    assert earned > home.evaluate(Chooser(best), episodes=200, seed=5).mean() - 0.1
