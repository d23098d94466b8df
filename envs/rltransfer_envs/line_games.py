"""TicTacToe and Connect Four against an opponent that is part of the environment."""

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Protocol, final

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from typing_extensions import override

from rltransfer.errors import InputError
from rltransfer_envs.line_rules import MOST_PLIES, LineGame, require_count

TIC_TAC_TOE = "rltransfer/TicTacToe-v0"
CONNECT_FOUR = "rltransfer/ConnectFour-v0"
_RANDOM, _MINIMAX = OPPONENTS = ("random", "minimax")
_FIRST: Mapping[str, tuple[bool, ...]] = MappingProxyType(
    {"random": (True, False), "agent": (True,), "opponent": (False,)}
)
"""Who may begin: the agent does, or does not."""


class Opponent(Protocol):
    """A policy of the game's own spaces, neither renumbered nor swapped."""

    def predict(
        self,
        observation: NDArray[np.int8],
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        """Returns a move and what it remembers, as Stable-Baselines3's policies do."""


@final
class LineGameEnv(gym.Env[NDArray[np.int8], Any]):
    """One side of a game; the other side's answer is part of a step.

    An observation is 0 or 1 for each square twice: whether one's own mark is there,
    then whether the opponent's is. A win pays 1 and a loss -1; an illegal move loses.
    `info` has an `action_mask` of the legal moves.
    """

    def __init__(
        self,
        *,
        rows: int,
        columns: int,
        in_line: int,
        drops: bool = False,
        opponent: str | Opponent = _RANDOM,
        plies: int = MOST_PLIES,
        blunder_rate: float = 0.3,
        first: str = "random",
        renumbering: int | None = None,
        swapped: bool = False,
        mirrored: bool = False,
    ) -> None:
        """Draws other numbers for squares and moves, the same for the same seed.

        Args:
            rows: of the board.
            columns: likewise.
            in_line: marks that win.
            drops: whether a mark falls to the lowest free square of its column.
            opponent: `random`, `minimax`, or a policy, whose deterministic moves are
                taken.
            plies: that minimax looks ahead; on large boards even four take minutes.
            blunder_rate: share of minimax's moves that are drawn at random instead.
            first: who begins: `random`, `agent` or `opponent`.
            renumbering: seed of an order of the squares and one of the moves; None
                leaves both as they are.
            swapped: whether the opponent's marks are shown first.
            mirrored: whether left and right are exchanged.

        Raises:
            InputError: a value that there is not.
        """
        game = LineGame(rows, columns, in_line, drops)
        known = opponent in OPPONENTS if isinstance(opponent, str) else False
        if not known and not hasattr(opponent, "predict"):
            raise InputError(
                f"opponent is {' or '.join(OPPONENTS)}, or in Python a policy with "
                f"predict, got {opponent!r}"
            )
        require_count("plies", plies, 1, MOST_PLIES)
        if renumbering is not None:
            require_count("renumbering", renumbering, 0, 2**32 - 1)
        number = isinstance(blunder_rate, int | float)
        if not number or not 0 <= blunder_rate <= 1:
            raise InputError(
                "blunder_rate is the share of minimax's moves that are drawn, from 0 "
                f"to 1, got {blunder_rate!r}; 0.3 is usual"
            )
        if first not in _FIRST:
            raise InputError(f"first is one of {', '.join(_FIRST)}, got {first!r}")
        for name, value in (
            ("drops", drops),
            ("swapped", swapped),
            ("mirrored", mirrored),
        ):
            if not isinstance(value, bool):
                raise InputError(f"{name} is true or false, got {value!r}")
        self.observation_space = spaces.MultiBinary(2 * game.squares)
        self.action_space = spaces.Discrete(game.moves)
        self._game, self._opponent, self._plies = game, opponent, plies
        self._blunder_rate, self._first = blunder_rate, _FIRST[first]
        self._squares = np.arange(game.squares)
        self._moves = np.arange(game.moves)
        if mirrored:
            self._squares = self._mirror(self._squares)
            self._moves = self._mirror(self._moves)
        if renumbering is not None:
            rng = np.random.default_rng(renumbering)
            self._squares = self._squares[rng.permutation(game.squares)]
            self._moves = self._moves[rng.permutation(game.moves)]
        self._swapped = swapped
        self._own = self._other = 0
        self._memory: Any = None

    @override
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.int8], dict[str, Any]]:
        super().reset(seed=seed)
        self._own = self._other = 0
        self._memory = None
        if not self._first[int(self.np_random.integers(len(self._first)))]:
            self._answer()
        return self._shown(), self._info()

    @override
    def step(
        self, action: Any
    ) -> tuple[NDArray[np.int8], float, bool, bool, dict[str, Any]]:
        game = self._game
        move = int(self._moves[_required_move(action, game)])
        place = game.square(move, self._own | self._other)
        if place is None:
            return self._shown(), -1.0, True, False, self._info()
        self._own |= 1 << place
        reward = float(game.won(self._own))
        if not (reward or game.full(self._own | self._other)):
            reward -= self._answer()
        over = bool(reward) or game.full(self._own | self._other)
        return self._shown(), reward, over, False, self._info()

    def _answer(self) -> float:
        """Lets the opponent move; returns 1 where it wins, -1 where it may not."""
        place = self._game.square(self._reply(), self._own | self._other)
        if place is None:
            return -1.0
        self._other |= 1 << place
        return float(self._game.won(self._other))

    def _reply(self) -> int:
        game = self._game
        legal: Sequence[int] = game.legal(self._own | self._other)
        if not isinstance(self._opponent, str):
            seen = _bits(self._other, self._own, game.squares)
            move, self._memory = self._opponent.predict(
                seen, self._memory, None, deterministic=True
            )
            return _required_move(move, game)
        if self._opponent == _MINIMAX and self.np_random.random() >= self._blunder_rate:
            legal = game.best_moves(self._other, self._own, self._plies)
        return legal[int(self.np_random.integers(len(legal)))]

    def _mirror(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        turned = numbers.reshape(-1, self._game.columns)[:, ::-1]
        return np.ascontiguousarray(turned).reshape(-1)

    def _shown(self) -> NDArray[np.int8]:
        sides = (self._own, self._other)
        if self._swapped:
            sides = (self._other, self._own)
        bits = _bits(*sides, self._game.squares).reshape(2, -1)
        return np.ascontiguousarray(bits[:, self._squares]).reshape(-1)

    def _info(self) -> dict[str, Any]:
        legal = np.isin(self._moves, self._game.legal(self._own | self._other))
        return {"action_mask": legal.astype(np.int8)}


def _bits(first: int, second: int, squares: int) -> NDArray[np.int8]:
    sides = np.array([[first], [second]], np.uint64)
    bits = sides >> np.arange(squares, dtype=np.uint64) & np.uint64(1)
    return bits.reshape(-1).astype(np.int8)


def _required_move(move: Any, game: LineGame) -> int:
    if not 0 <= int(move) < game.moves:
        raise InputError(f"moves are numbered from 0 to {game.moves - 1}, got {move}")
    return int(move)


tic_tac_toe = partial(LineGameEnv, rows=3, columns=3, in_line=3)
connect_four = partial(LineGameEnv, rows=6, columns=7, in_line=4, drops=True)
