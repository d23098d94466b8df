"""Steps that somebody took and logged, as transitions of a domain, once checked.

This is where rows come from that cost no step: columns in, transitions out. Whoever
gets them need not know that they were logged.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Int64
from numpy.typing import NDArray

from rltransfer.domain.action_codec import BoxActions, ListedActions
from rltransfer.domain.domain import Domain
from rltransfer.errors import InputError
from rltransfer.mapping import Transitions
from rltransfer.wrappers.observation_check import LARGEST

COLUMNS = (
    *("observation", "action", "reward", "next_observation"),
    *("terminated", "truncated", "episode"),
)
"""As Gymnasium calls them; `episode` is needed where an episode breaks off unmarked."""
_OPTIONAL = ("episode",)
_OUTSIDE = 1e-3
"""Share of a bound's distance by which rounded actions may lie outside."""
_RELATIVE, _ABSOLUTE = 1e-4, 1e-5
"""How nearly a step must begin where the one before it led."""


@final
@dataclass(frozen=True, eq=False)
class LoggedRows:
    """What a log says about a domain."""

    transitions: Transitions
    """Whole episodes, as many as are wanted."""
    origin: str
    sha256: str
    steps: int
    """In the log."""
    episodes: int
    """Likewise."""

    @classmethod
    def of(
        cls,
        columns: Mapping[str, NDArray[Any]],
        domain: Domain,
        *,
        origin: str,
        sha256: str,
        least: int,
        most: int,
    ) -> "LoggedRows":
        """Returns the rows of a log that was taken in `domain`.

        Args:
            columns: arrays with one row for each step, by the names in `COLUMNS`.
            domain: whose spaces they must fit.
            origin: where they are from, for messages and records.
            sha256: of the file.
            least: steps that there must be.
            most: steps that are kept of a longer log: whole episodes, evenly spread.

        Raises:
            InputError: they do not fit the domain, or are no steps in their order.
        """
        missing = [n for n in COLUMNS if n not in columns and n not in _OPTIONAL]
        if missing:
            raise InputError(
                f"{origin} must have the columns {', '.join(COLUMNS[:-1])}, it has no "
                f"{', '.join(missing)}; record it with them"
            )
        lengths = {name: len(np.atleast_1d(rows)) for name, rows in columns.items()}
        if len(set(lengths.values())) > 1:
            raise InputError(
                f"{origin} must have a row in each column for each step, it has "
                + ", ".join(f"{n} of {name}" for name, n in lengths.items())
            )
        steps = lengths["reward"]
        if steps < least:
            raise InputError(
                f"fewer than {least} logged steps cannot fix a mapping, {origin} has "
                f"{steps}; record more"
            )
        check = _Check(origin, domain)
        seen, after = (
            check.observations(name, columns[name])
            for name in ("observation", "next_observation")
        )
        ended, cut = (
            check.marks(name, columns[name]) for name in ("terminated", "truncated")
        )
        episode = check.episodes(seen, after, ended | cut, columns.get("episode"))
        kept = spread_over(episode, most)
        used = (
            np.unique(episode[kept], return_inverse=True)[1],
            seen[kept],
            check.actions(columns["action"])[kept],
            check.rewards(columns["reward"])[kept],
            after[kept],
            ended[kept],
            cut[kept],
        )
        transitions = Transitions(*map(torch.from_numpy, used))
        return cls(transitions, origin, sha256, steps, int(episode[-1]) + 1)

    def record(self) -> dict[str, Any]:
        """Returns where the rows are from, as JSON."""
        return {
            "origin": self.origin,
            "sha256": self.sha256,
            "steps": self.steps,
            "episodes": self.episodes,
            "used_steps": len(self.transitions),
        }


def spread_over(
    episode: Int64[np.ndarray, " row"], most: int
) -> Int64[np.ndarray, "_"]:
    """Returns the places of at most `most` rows: whole episodes, evenly spread.

    Args:
        episode: number of each row's episode, from 0 and rising.
        most: at least 1. A single longer episode is cut off.
    """
    number, step = int(episode[-1]) + 1, 1
    lengths = np.bincount(episode)
    while step < number and lengths[::step].sum() > most:
        step += 1
    return np.flatnonzero(episode % step == 0)[:most]


@final
class _Check:
    """Checks the columns of one log against one domain."""

    def __init__(self, origin: str, domain: Domain) -> None:
        self._origin, self._domain = origin, domain

    def observations(self, name: str, rows: NDArray[Any]) -> NDArray[np.float32]:
        """Returns observations; they must be vectors as the domain shows them."""
        if self._domain.observations.numbered:
            return self._states(name, rows)
        if self._domain.observations.picture is not None:
            raise InputError(
                f"logs are of vectors or numbered states, {self._domain.name} shows "
                f"{self._domain.observation_space}: leave out the log, and act in it"
            )
        shape = rows.shape[1:]
        if shape != (self._domain.observation_size,):
            raise InputError(
                f"{self._domain.name} shows {self._domain.observation_size} numbers, "
                f"{name} of {self._origin} has rows of shape {shape}: name the log of "
                "this environment"
            )
        values = self._finite(name, rows)
        if not (values != values[0]).any():
            raise InputError(
                f"a log must show what happens, every {name} of {self._origin} is the "
                "same; record another one"
            )
        return values

    def _states(self, name: str, rows: NDArray[Any]) -> NDArray[np.float32]:
        codec, space = self._domain.observations, self._domain.observation_space
        numbers = self._single(name, rows)
        known = numbers - int(getattr(space, "start", 0))
        if numbers.dtype.kind not in "iu" or not self._within(known, codec.size):
            raise InputError(
                f"{self._domain.name} shows states of {space}, {name} of "
                f"{self._origin} has others: name the log of this environment"
            )
        return codec.encode(known)

    @staticmethod
    def _within(numbers: NDArray[Any], most: Any) -> bool:
        return bool(((numbers >= 0) & (numbers < most)).all())

    def rewards(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """Returns rewards, one number each."""
        return self._finite("reward", self._single("reward", rows))

    def marks(self, name: str, rows: NDArray[Any]) -> NDArray[np.bool_]:
        """Returns what is marked with truth values, or with 0 and 1."""
        values = self._single(name, rows)
        wrong = ~np.isin(values, (0, 1))
        if wrong.any():
            raise InputError(
                f"{name} must be true or false, step {wrong.argmax()} of "
                f"{self._origin} has {values[wrong.argmax()]}; record it so"
            )
        return values.astype(np.bool_)

    def actions(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """Returns actions, encoded; they must be such that the domain takes them."""
        codec, space = self._domain.actions, self._domain.action_space
        if isinstance(codec, BoxActions):
            if rows.shape[1:] != (codec.size,):
                raise self._other_actions(f"has rows of shape {rows.shape[1:]}")
            encoded = codec.encode(self._finite("action", rows))
            outside = np.abs(encoded).max(axis=1) > 1 + _OUTSIDE
            if outside.any():
                place = int(outside.argmax())
                raise self._other_actions(f"has {rows[place].tolist()} at step {place}")
            return np.clip(encoded, -1, 1)
        if isinstance(codec, ListedActions):
            if rows.shape[1:] != (len(codec.choices),) or rows.dtype.kind not in "iu":
                raise self._other_actions(f"has rows of shape {rows.shape[1:]}")
            several = rows.astype(np.int64) - getattr(space, "start", 0)
            if not self._within(several, codec.choices):
                raise self._other_actions("has others")
            return codec.encode(several)
        choices = self._single("action", rows)
        if choices.dtype.kind not in "iu":
            raise self._other_actions(f"is of {choices.dtype}")
        choices = choices.astype(np.int64) - int(getattr(space, "start", 0))
        outside = (choices < 0) | (choices >= codec.size)
        if outside.any():
            place = int(outside.argmax())
            raise self._other_actions(f"has {rows[place]} at step {place}")
        return codec.encode(choices)

    def episodes(
        self,
        seen: NDArray[np.float32],
        after: NDArray[np.float32],
        over: NDArray[np.bool_],
        numbers: NDArray[Any] | None,
    ) -> NDArray[np.int64]:
        """Returns the number of each row's episode, from 0.

        A new one begins after a step that ended one, and where `numbers` change; all
        other steps must go on where the one before them led.
        """
        begins = np.concatenate([[False], over[:-1]])
        if numbers is not None:
            column = self._single("episode", numbers)
            begins[1:] |= column[1:] != column[:-1]
        goes_on = np.isclose(seen[1:], after[:-1], _RELATIVE, _ABSOLUTE).all(axis=1)
        wrong = ~(begins[1:] | goes_on)
        if wrong.any():
            place = int(wrong.argmax())
            raise InputError(
                f"a step must begin where the one before led, step {place + 1} of "
                f"{self._origin} does not: keep the order of steps, and mark step "
                f"{place} as terminated or truncated if its episode ends there"
            )
        return begins.cumsum().astype(np.int64)

    def _single(self, name: str, rows: NDArray[Any]) -> NDArray[Any]:
        if rows.ndim == 2 and rows.shape[1] == 1:
            return rows[:, 0]
        if rows.ndim != 1:
            raise InputError(
                f"{name} must be one number for each step, {self._origin} has rows of "
                f"shape {rows.shape[1:]}; name the log of {self._domain.name}"
            )
        return rows

    def _finite(self, name: str, rows: NDArray[Any]) -> NDArray[np.float32]:
        values = rows.reshape(len(rows), -1)
        wrong = ~(np.abs(values) <= LARGEST).all(axis=1)
        if wrong.any():
            raise InputError(
                f"{name} must be finite, step {wrong.argmax()} of {self._origin} has "
                f"{values[wrong.argmax()].tolist()}; leave such episodes out"
            )
        return np.ascontiguousarray(rows, np.float32)

    def _other_actions(self, found: str) -> InputError:
        return InputError(
            f"{self._domain.name} takes actions of {self._domain.action_space}, action "
            f"of {self._origin} {found}: name a log of its own actions, as they were "
            "handed to step"
        )
