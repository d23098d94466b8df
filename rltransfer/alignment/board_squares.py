"""Which square and which move of one board game are which of another.

Nothing is told of the board but two blocks of zeros and ones, each side's marks on the
same squares. What a move marks is told by what it switches on, and as the how-manieth;
that leaves the order of the moves open. It is told by what ends a game: sets of squares
that end it whenever one side has all of them are found in the source's games (frequent
itemsets: Agrawal & Srikant, 1994), and the order is sought under which they explain how
the target's games ended, by exchanging two moves while that is an improvement (2-opt).
"""

from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from typing import final

import numpy as np
from gymnasium import spaces
from jaxtyping import Bool, Float32, Float64, Int64
from numpy.typing import NDArray
from scipy.special import comb

from rltransfer.domain import Domain, Transitions

_AT_ONCE = 500
"""Positions that are compared with sets in one product."""


@final
@dataclass(frozen=True)
class BoardConfig:
    """How squares and moves of board games are told."""

    longest_line: int = 5
    """Squares of a set that ends a game."""
    covered: float = 0.98
    """Share of won games that sets of one size must explain to be the lines."""
    least_seen: int = 2
    """Games that a set must have ended."""
    most_sets: int = 1_000_000
    """Looked at for a size of sets; a larger board's squares are not told."""
    open_positions: int = 300
    """That are looked at, evenly drawn, for lines that did not end a game."""
    restarts: int = 40
    """Orders of the moves that are improved, each from one at random, until one settles
    it.
    """
    explained: float = 0.95
    """Share of the target's won games at which an order settles it."""
    broken: float = 0.02
    """Share of its open positions that may hold a line all the same."""
    least_games: int = 20
    """That were won, by either side, before an order can settle it."""


def shows_board(domain: Domain) -> bool:
    """Returns whether a domain may show two sides' marks, and takes moves."""
    shown, taken = domain.observation_space, domain.action_space
    return (
        isinstance(shown, spaces.MultiBinary)
        and len(shown.shape) == 1
        and shown.shape[0] % 2 == 0
        and isinstance(taken, spaces.Discrete)
    )


@final
@dataclass(frozen=True, eq=False)
class BoardGames:
    """What games showed, told by squares; marks of either side are alike.

    Args:
        own_first: whether the first block holds one's own marks.
        marked: of each move the squares it marked, in the order in which it does so.
        ended: marks of the side that completed something, where that ended the game.
        last: the square that completed it.
        open: marks of one side where the game went on.
    """

    own_first: bool
    marked: tuple[tuple[int, ...], ...]
    ended: Bool[np.ndarray, "game square"]
    last: Int64[np.ndarray, " game"]
    open: Bool[np.ndarray, "position square"]

    @classmethod
    def of(cls, rows: Transitions) -> "BoardGames":
        """Returns what these steps showed.

        Args:
            rows: as the environment shows them: zeros and ones, one-hot moves; the
                greatest reward is that of a win, the least that of a loss.
        """
        before, after = (
            part.numpy().round().astype(bool).reshape(len(rows), 2, -1)
            for part in (rows.observation, rows.next_observation)
        )
        move = rows.action.argmax(dim=1).numpy()
        switched: NDArray[np.bool] = np.logical_and(after, ~before)
        counts = np.zeros((2, rows.action.shape[1], before.shape[2]))
        for place in (0, 1):
            np.add.at(counts[place], move, switched[:, place])
        # A mark of one's own comes from one move only, the other side's with any.
        purity = counts.max(axis=1).sum(axis=1) / np.maximum(counts.sum(axis=(1, 2)), 1)
        own = int(purity.argmax())
        over, reward = rows.terminated.numpy(), rows.reward.numpy()
        told = over & (reward.max() > reward.min())
        finals, last = [], []
        for side, paid in ((own, reward.max()), (1 - own, reward.min())):
            ends = told & (reward == paid) & (switched[:, side].sum(axis=1) == 1)
            finals.append(after[ends, side])
            last.append(switched[ends, side].argmax(axis=1))
        taken: NDArray[np.bool] = np.logical_or(before[:, 0], before[:, 1])
        return cls(
            own == 0,
            _in_order(counts[own], taken, switched[:, own], move),
            np.concatenate(finals),
            np.concatenate(last),
            after[~over][:, [own, 1 - own]].reshape(-1, before.shape[2]),
        )

    @property
    def squares(self) -> int:
        """How many there are."""
        return int(self.open.shape[1])

    def lines(self, config: BoardConfig) -> Float32[np.ndarray, "line square"]:
        """Returns sets of equally many squares that ended a game, whoever had them.

        None where no size explains how games ended.
        """
        if not len(self.ended):
            return np.zeros((0, self.squares), np.float32)
        known = np.unique(self.open, axis=0).astype(np.float32)
        marks = self.ended.sum(axis=1)
        for size in range(2, config.longest_line + 1):
            if comb(marks - 1, size - 1).sum() > config.most_sets:
                break
            seen: Counter[tuple[int, ...]] = Counter()
            for held, last in zip(self.ended, self.last, strict=True):
                others = [n for n in np.flatnonzero(held).tolist() if n != last]
                for rest in combinations(others, size - 1):
                    seen[tuple(sorted((*rest, int(last))))] += 1
            often = [line for line, times in seen.items() if times >= config.least_seen]
            lines = np.zeros((len(often), self.squares), np.float32)
            for place, line in enumerate(often):
                lines[place, list(line)] = 1.0
            # The first positions rule most of them out.
            for begin in range(0, len(known), _AT_ONCE):
                held = _holds(known[begin : begin + _AT_ONCE], lines)
                lines = lines[~held.any(axis=0)]
            completed = _completed(self.ended, self.last, lines)
            if completed.any(axis=1).mean() >= config.covered:
                return lines[_enough(completed, config.least_seen)]
        return np.zeros((0, self.squares), np.float32)


@final
@dataclass(frozen=True, eq=False)
class BoardMatch:
    """What each target square and move is taken for."""

    square: Int64[np.ndarray, " target_square"]
    move: tuple[int, ...]
    explained: float
    """Share of the target's won games that a line of the source's explains."""
    broken: float
    """Share of its open positions that hold one all the same."""

    @property
    def score(self) -> float:
        """What the best one has most of."""
        return self.explained - self.broken

    def settles(self, config: BoardConfig) -> bool:
        """Returns whether it explains what was seen as well as need be."""
        return self.explained >= config.explained and self.broken <= config.broken


def board_matches(
    source: BoardGames,
    target: BoardGames,
    config: BoardConfig,
    rng: np.random.Generator,
) -> list[BoardMatch]:
    """Returns matches, the best first; none where lines or ends are unknown.

    Args:
        source: well known.
        target: a game of as many squares and moves.
        config: effort.
        rng: of the orders that are begun with.
    """
    lines = source.lines(config)
    if not len(lines) or not len(target.ended):
        return []
    chosen = np.arange(len(target.open))
    if len(chosen) > config.open_positions:
        chosen = rng.choice(chosen, config.open_positions, replace=False)
    open_positions = target.open[chosen].astype(np.float32)
    moves = len(target.marked)

    def match(order: tuple[int, ...]) -> BoardMatch:
        square = _squares(source, target, order)
        carried = lines[:, square]
        ended = _completed(target.ended, target.last, carried).any(axis=1).mean()
        broken = _holds(open_positions, carried).any(axis=1)
        return BoardMatch(square, order, float(ended), float(broken.mean()))

    found: dict[tuple[int, ...], BoardMatch] = {}
    for _ in range(config.restarts):
        best = match(tuple(rng.permutation(moves).tolist()))
        while True:
            near = [
                match(_exchanged(best.move, *pair))
                for pair in combinations(range(moves), 2)
            ]
            better = max(near, key=lambda one: one.score, default=best)
            if better.score <= best.score:
                break
            best = better
        found[best.move] = best
        if best.settles(config):
            break
    return sorted(found.values(), key=lambda one: -one.score)


def _in_order(
    counts: Float64[np.ndarray, "move square"],
    taken: NDArray[np.bool],
    switched: NDArray[np.bool],
    move: Int64[np.ndarray, " step"],
) -> tuple[tuple[int, ...], ...]:
    """Returns the squares of each move, those that it marks first at the front."""
    owner = np.where(counts.any(axis=0), counts.argmax(axis=0), -1)
    found = []
    for number in range(len(counts)):
        squares = np.flatnonzero(owner == number)
        own = taken[move == number][:, squares].sum(axis=1)
        at = switched[move == number][:, squares]
        height = (own[:, None] * at).sum(axis=0) / np.maximum(at.sum(axis=0), 1)
        found.append(tuple(squares[np.argsort(height, kind="stable")].tolist()))
    return tuple(found)


def _squares(
    source: BoardGames, target: BoardGames, order: tuple[int, ...]
) -> Int64[np.ndarray, " target_square"]:
    """Returns the square that each target square is, if its moves are these.

    What was never marked gets one that is left over.
    """
    square = np.full(target.squares, -1)
    for own, other in zip(target.marked, order, strict=True):
        for here, there in zip(own, source.marked[other], strict=False):
            square[here] = there
    left = sorted(set(range(source.squares)) - set(square.tolist()))
    square[square < 0] = left
    return square


def _exchanged(order: tuple[int, ...], one: int, other: int) -> tuple[int, ...]:
    changed = list(order)
    changed[one], changed[other] = changed[other], changed[one]
    return tuple(changed)


def _holds(
    marks: Float32[np.ndarray, "position square"],
    lines: Float32[np.ndarray, "line square"],
) -> Bool[np.ndarray, "position line"]:
    held: Bool[np.ndarray, "position line"] = marks @ lines.T >= lines.sum(axis=1) - 0.5
    return held


def _completed(
    ended: Bool[np.ndarray, "game square"],
    last: Int64[np.ndarray, " game"],
    lines: Float32[np.ndarray, "line square"],
) -> Bool[np.ndarray, "game line"]:
    """Returns of each game which lines its last mark completed."""
    held = _holds(ended.astype(np.float32), lines)
    done: Bool[np.ndarray, "game line"] = np.logical_and(held, lines[:, last].T > 0)
    return done


def _enough(completed: Bool[np.ndarray, "game line"], least: int) -> list[int]:
    """Returns lines that explain all games which any explain: the greedy set cover.

    Others ended a game only where one of these did: they had a square in common with
    it, and were never seen without it.
    """
    chosen: list[int] = []
    left = completed.any(axis=1)
    while True:
        gains = completed[left].sum(axis=0)
        best = int(gains.argmax()) if gains.size else 0
        if not gains.size or gains[best] < least:
            return chosen
        chosen.append(best)
        left &= ~completed[:, best]
