"""The family for board games whose squares, moves or marks are others."""

from collections.abc import Sequence

import numpy as np
import torch

from rltransfer.alignment.board_squares import (
    BoardGames,
    BoardMatch,
    board_matches,
    shows_board,
)
from rltransfer.alignment.candidates import Candidate
from rltransfer.alignment.problem import AlignmentProblem, Measured
from rltransfer.mapping import DomainMapping, FitWatcher


def board(
    problem: AlignmentProblem, known: Sequence[Candidate], watch: FitWatcher
) -> list[Measured]:
    """Maps under which the source's lines are what ends the target's games.

    Both show two blocks of zeros and ones, one for each side's marks, and have as many
    squares and moves; where not, nothing is proposed. It settles the matter where lines
    explain how nearly all games ended.
    """
    del known, watch
    sides = problem.source, problem.target
    if not (
        all(map(shows_board, sides)) and problem.same_sensors and problem.same_actions
    ):
        return []
    data, config = problem.model_data, problem.config.board
    source = BoardGames.of(data.model.whitening.unwhitened(data.rows))
    target = BoardGames.of(problem.whitening.unwhitened(problem.rows))
    rng = problem.config.streams.generator("board")
    matches = board_matches(source, target, config, rng)[: problem.config.beam]
    enough = len(target.ended) >= config.least_games
    # A few games won by luck would tell for one that explains fewer of what was seen.
    settled = [one for one in matches if enough and one.settles(config)]
    return [
        each._replace(settles=bool(settled))
        for one in settled or matches
        for each in problem.measured(_mapping(problem, source, target, one))
    ]


def _mapping(
    problem: AlignmentProblem, source: BoardGames, target: BoardGames, found: BoardMatch
) -> DomainMapping:
    squares = target.squares
    weight = torch.zeros(2 * squares, 2 * squares)
    here, there = np.arange(squares), found.square
    for side in (0, 1):
        own, other = (
            squares * (side if world.own_first else 1 - side)
            for world in (target, source)
        )
        weight[own + here, other + there] = 1.0
    state = problem.between(weight, torch.zeros(2 * squares))
    taken = np.eye(problem.source.actions.size)[:, list(found.move)]
    return DomainMapping(state, problem.wired(taken))
