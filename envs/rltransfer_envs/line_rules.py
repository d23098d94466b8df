"""Rules of games that are won by a line of one's own marks, and who plays them well."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import final

from rltransfer.errors import InputError

MOST_PLIES = 4
"""That minimax looks ahead: each multiplies its time by the number of moves."""


def require_count(name: str, value: object, least: int, most: int) -> None:
    """Raises `InputError` unless `value` is a whole number in this range."""
    if type(value) is not int or not least <= value <= most:
        raise InputError(
            f"{name} is a whole number from {least} to {most}, got {value!r}; choose "
            "one of these"
        )


@final
@dataclass(frozen=True)
class LineGame:
    """A board on which marks are set in turns; a full line of one's own wins.

    A position is two sets of squares, the mover's and the other's, each an integer
    whose bit `row * columns + column` is 1 where there is a mark. Row 0 is the lowest.
    """

    rows: int
    columns: int
    in_line: int
    """Marks in a row, a column or a diagonal that win."""
    drops: bool = False
    """Whether a mark falls to the lowest free square of its column."""

    def __post_init__(self) -> None:
        require_count("rows", self.rows, 2, 8)
        require_count("columns", self.columns, 2, 8)
        require_count("in_line", self.in_line, 2, max(self.rows, self.columns))

    @property
    def squares(self) -> int:
        """How many there are."""
        return self.rows * self.columns

    @property
    def moves(self) -> int:
        """How many there are, legal or not: columns where marks drop, else squares."""
        return self.columns if self.drops else self.squares

    @cached_property
    def lines(self) -> tuple[int, ...]:
        """Every line that wins, as a set of squares."""
        found = []
        for row in range(self.rows):
            for column in range(self.columns):
                for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
                    places = [
                        (row + n * down, column + n * right)
                        for n in range(self.in_line)
                    ]
                    if all(
                        0 <= r < self.rows and 0 <= c < self.columns for r, c in places
                    ):
                        found.append(sum(1 << r * self.columns + c for r, c in places))
        return tuple(found)

    def square(self, move: int, taken: int) -> int | None:
        """Returns the square that a move marks; None where it is illegal.

        Args:
            move: number of a column where marks drop, else of a square.
            taken: squares that have a mark.
        """
        above = range(move, self.squares, self.columns) if self.drops else (move,)
        return next((place for place in above if not taken >> place & 1), None)

    def legal(self, taken: int) -> list[int]:
        """Returns the moves that are possible."""
        return [
            move for move in range(self.moves) if self.square(move, taken) is not None
        ]

    def won(self, own: int) -> bool:
        """Returns whether these squares hold a line."""
        return any(own & line == line for line in self.lines)

    def full(self, taken: int) -> bool:
        """Returns whether no square is free."""
        return taken == (1 << self.squares) - 1

    @cached_property
    def _centre_first(self) -> tuple[int, ...]:
        middle = (self.columns - 1) / 2, (self.rows - 1) / 2

        def off(move: int) -> float:
            row, column = divmod(move, self.columns)
            away = 0.0 if self.drops else abs(row - middle[1])
            return abs(column - middle[0]) + away

        return tuple(sorted(range(self.moves), key=off))

    def best_moves(self, own: int, other: int, plies: int) -> tuple[int, ...]:
        """Returns the moves that minimax finds best when it looks so far ahead."""
        return _best_moves(self, own, other, plies)

    def _after(self, own: int, other: int, move: int, plies: int, least: int) -> int:
        place = self.square(move, own | other)
        assert place is not None
        own |= 1 << place
        if self.won(own):
            return _WON + plies  # the sooner the better
        if plies <= 1 or self.full(own | other):
            return 0
        return -_worth(self, other, own, plies - 1, -least)


_WON = 100
_MOST = 1_000  # above any worth


@lru_cache(maxsize=200_000)
def _best_moves(game: LineGame, own: int, other: int, plies: int) -> tuple[int, ...]:
    worth = {
        move: game._after(own, other, move, plies, -_MOST)
        for move in game.legal(own | other)
    }
    best = max(worth.values())
    return tuple(move for move, value in worth.items() if value == best)


@lru_cache(maxsize=200_000)
def _worth(game: LineGame, own: int, other: int, plies: int, enough: int) -> int:
    """Returns the value of a position to its mover; at `enough` it looks no further."""
    best = -_MOST
    taken = own | other
    for move in game._centre_first:
        if game.square(move, taken) is not None:
            best = max(best, game._after(own, other, move, plies, best))
            if best > enough:
                break
    return best
