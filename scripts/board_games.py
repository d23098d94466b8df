"""Board games whose squares, moves or sides are others: share of games won.

    python scripts/board_games.py -f runs/boards

An agent is trained on each board against each opponent and transferred to changed
boards with 5,000 target steps, which are moves. Each policy then plays 1,000 games
against the same opponent. A larger board cannot be matched square by square; beside it
stands an agent that learned there from scratch, from as many moves.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

import rltransfer
from rltransfer.report.tables import markdown
from rltransfer.workflows.policy_loading import AgentLike
from rltransfer_envs.line_games import CONNECT_FOUR, TIC_TAC_TOE

BUDGET = 5_000
GAMES = 1_000
TRAINING = 150_000
WHOLE: Mapping[str, Any] = MappingProxyType(
    {"n_envs": 1, "n_steps": 500, "batch_size": 100}
)
"""Of scratch, so that its rollouts come to the budget."""


class Home(NamedTuple):
    """A board and who is played against."""

    env: str
    opponent: Mapping[str, Any]


HOMES: Mapping[str, Home] = MappingProxyType(
    {
        "TicTacToe, random": Home(TIC_TAC_TOE, {}),
        "TicTacToe, minimax": Home(TIC_TAC_TOE, {"opponent": "minimax"}),
        "Connect Four, random": Home(CONNECT_FOUR, {}),
        "Connect Four, minimax": Home(
            CONNECT_FOUR, {"opponent": "minimax", "plies": 2}
        ),
    }
)
"""Minimax looks 4 moves ahead, in Connect Four 2; 3 of 10 moves are at random."""


def changes(home: Home, seed: int) -> dict[str, dict[str, Any]]:
    """Returns the arguments of each changed board."""
    found: dict[str, dict[str, Any]] = {
        "renumbered": {"renumbering": seed},
        "swapped": {"swapped": True},
        "renumbered, swapped": {"renumbering": seed, "swapped": True},
        "mirrored": {"mirrored": True},
    }
    if home.env == TIC_TAC_TOE:
        found["4 x 4"] = {"rows": 4, "columns": 4}
    return found


class Won(NamedTuple):
    """Games that were won, of how many."""

    wins: int
    games: int

    @classmethod
    def of(cls, returns: NDArray[np.float64]) -> "Won":
        """Counts the games that paid something."""
        return cls(int((returns > 0).sum()), len(returns))

    @property
    def share(self) -> float:
        """Of all games."""
        return self.wins / self.games

    def __str__(self) -> str:
        low, high = binomtest(self.wins, self.games).proportion_ci(method="wilson")
        return f"{self.share:.2f} ({low:.2f} to {high:.2f})"


def won(agent: AgentLike, env: str, kwargs: Mapping[str, Any], seed: int) -> Won:
    """Returns how many games a policy wins."""
    result = rltransfer.evaluate(
        agent, env, env_kwargs=kwargs, episodes=GAMES, seed=seed
    )
    return Won.of(result.returns)


def trained(folder: Path, env: str, kwargs: Mapping[str, Any], **how: Any) -> Path:
    """Returns the run folder of an agent, trained where it is not there yet."""
    found = sorted(folder.glob("ppo/*/manifest.json"))
    if found:
        return found[-1].parent
    result = rltransfer.train_source(
        env, "ppo", env_kwargs=kwargs, log_folder=folder, progress=True, **how
    )
    return result.runs[0].folder


def rows_of(name: str, folder: Path, seeds: list[int]) -> list[dict[str, str]]:
    """Returns the rows of one home, a change and a seed each."""
    home = HOMES[name]
    own = folder / name.replace(", ", "-").replace(" ", "-")
    agent = trained(own, home.env, home.opponent, steps=TRAINING, seed=0)
    rows = []
    for seed in seeds:
        # Each episode has a seed of its own, and no two of ours share one.
        judged = seed * GAMES
        at_home = won(agent, home.env, home.opponent, judged)
        for change, how in changes(home, seed).items():
            kwargs = {**home.opponent, **how}
            result = rltransfer.transfer(
                agent,
                home.env,
                target_kwargs=kwargs,
                steps=BUDGET,
                seed=seed,
                log_folder=own / change,
                report=False,
            )
            found = won(result.folder, home.env, kwargs, judged)
            row = {
                "game, opponent": name,
                "board": change,
                "at home": str(at_home),
                "as it is": "",
                "transferred": str(found),
                "share of home": f"{found.share / max(at_home.share, 1e-9):.2f}",
                "accepted": "yes" if result.accepted else "no",
                "steps": f"{result.target_steps:,}",
                "scratch": "",
            }
            if change == "4 x 4":
                place = own / "scratch" / str(seed)
                how_long = {"steps": BUDGET, "hyperparams": WHOLE}
                alone = trained(place, home.env, kwargs, seed=seed, **how_long)
                row["scratch"] = str(won(alone, home.env, kwargs, judged))
            else:
                row["as it is"] = str(won(agent, home.env, kwargs, judged))
            rows.append(row)
            print(row, flush=True)
    return rows


_TOLD = ("at home", "as it is", "transferred", "share of home", "accepted", "steps")


def _side_by_side(cells: Sequence[str]) -> str:
    return cells[0] if len(set(cells)) == 1 else "; ".join(cells)


def summary(rows: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Returns a row for each board, with the seeds side by side where they differ."""
    found: dict[tuple[str, str], list[Mapping[str, str]]] = {}
    for row in rows:
        found.setdefault((row["game, opponent"], row["board"]), []).append(row)
    return [
        {
            "game, opponent": game,
            "board": board,
            **{
                name: _side_by_side([row[name] for row in seeds])
                for name in (*_TOLD, "scratch")
            },
        }
        for (game, board), seeds in found.items()
    ]


def main(arguments: list[str] | None = None) -> None:
    """Prints the table in Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--games", nargs="+", choices=HOMES, default=list(HOMES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103])
    parser.add_argument("-f", "--log-folder", type=Path, default=Path("runs/boards"))
    asked = parser.parse_args(arguments)
    rows = [
        row
        for name in asked.games
        for row in rows_of(name, asked.log_folder, asked.seeds)
    ]
    print(markdown(summary(rows)))


if __name__ == "__main__":
    main()
