"""What acting leaves behind; as an entry of the replay log, and back from one."""

from dataclasses import dataclass, fields
from typing import Any, NamedTuple, final

import numpy as np
import torch
from numpy.typing import NDArray

from rltransfer.domain.action_codec import ActionCodec
from rltransfer.domain.observation_codec import ObservationCodec
from rltransfer.domain.policies import Policy, StatefulPolicy, policy_state
from rltransfer.errors import ArtifactRefused
from rltransfer.mapping import Transitions
from rltransfer.resume.replay_log import Entry, damage_named
from rltransfer.resume.reproducibility import compare_actions


@final
@dataclass(frozen=True, eq=False)
class Rollout:
    """What one stretch of acting left behind."""

    transitions: Transitions
    returns: NDArray[np.float64]
    """Undiscounted return of each finished episode, as the environment pays."""
    unfinished_return: float
    """Paid so far in the episode that the last step did not finish."""
    unfinished_steps: int
    lengths: NDArray[np.int64]
    """Steps of each finished episode."""

    @property
    def mean_return(self) -> float:
        """Mean over finished episodes; what was paid so far where there is none."""
        return (
            float(self.returns.mean()) if len(self.returns) else self.unfinished_return
        )

    def followed_by(self, other: "Rollout") -> "Rollout":
        """Returns both as one; what neither finished is counted as unfinished."""
        return Rollout(
            Transitions.join(self.transitions, other.transitions),
            np.concatenate([self.returns, other.returns]),
            other.unfinished_return,
            self.unfinished_steps + other.unfinished_steps,
            np.concatenate([self.lengths, other.lengths]),
        )


class WantedEpisodes(NamedTuple):
    """Episodes to finish, for which acting may go on past its steps."""

    number: int
    first_within: int
    """Steps until the first one must be finished; how long they are is not known."""
    within: int
    """Steps until the others must be, if all so far were cut off at their limit.

    Only then is it known how long the next one takes.
    """


@final
class Recorder:
    """Rows of one stretch of acting, as they come.

    Args:
        stop_above: an episode that was paid more is taken for finished.
    """

    def __init__(self, stop_above: float | None = None) -> None:
        self._stop_above = float("inf") if stop_above is None else stop_above
        self._rows: list[tuple[Any, ...]] = []
        self.returns: list[float] = []
        """Of the episodes that are finished."""
        self._lengths: list[int] = []
        self._paid, self._length = 0.0, 0
        self._episode, self._all_cut_off = -1, True

    @property
    def steps(self) -> int:
        """Taken so far."""
        return len(self._rows)

    def next_ends_after(self, allowed: int, expected_steps: float | None) -> bool:
        """Tells whether an episode that begins now would take more steps than are left.

        Args:
            allowed: steps of the whole stretch.
            expected_steps: of an episode, while there is no mean.
        """
        mean = self.steps / len(self.returns) if self.returns else expected_steps
        return mean is not None and self.steps + mean > allowed

    def worth_taking(self, steps: int, wanted: WantedEpisodes | None) -> int:
        """Returns how many steps to take: `steps`, or more to finish wanted episodes.

        Args:
            steps: of the whole stretch, if no episode were wanted.
            wanted: episodes, if any are.
        """
        finished = len(self.returns)
        if wanted is None or finished >= wanted.number:
            return steps
        if not finished:
            return max(steps, wanted.first_within)
        begun = self.steps - self._length
        in_time = begun + begun / finished <= wanted.within
        waits = in_time and self._all_cut_off
        return max(steps, wanted.within) if waits else steps

    def begin(self) -> None:
        """Begins an episode, whether the one before is finished or not."""
        self._episode += 1
        self._paid, self._length = 0.0, 0

    def add(self, *step: Any) -> bool:
        """Adds one step; returns whether the episode is over.

        Args:
            step: observation, encoded action, reward, next observation, terminated and
                truncated.
        """
        _, _, reward, _, terminated, truncated = step
        self._rows.append((self._episode, *step))
        self._paid += reward
        self._length += 1
        over = bool(terminated or truncated or self._paid > self._stop_above)
        if over:
            self.returns.append(self._paid)
            self._lengths.append(self._length)
            self._all_cut_off &= not terminated
            self._paid, self._length = 0.0, 0
        return over

    def rollout(self, size: int, width: int) -> Rollout:
        """Returns what was added, of observations and actions of these sizes."""
        columns = zip(*self._rows, strict=True) if self._rows else ((),) * 7
        episode, observation, action, reward, after, terminated, truncated = columns

        def matrix(column: Any, width: int) -> torch.Tensor:
            rows = np.array(column, np.float32)
            return torch.from_numpy(rows.reshape(self.steps, width))

        transitions = Transitions(
            torch.tensor(episode, dtype=torch.int64),
            matrix(observation, size),
            matrix(action, width),
            torch.tensor(reward, dtype=torch.float32),
            matrix(after, size),
            torch.tensor(terminated, dtype=torch.bool),
            torch.tensor(truncated, dtype=torch.bool),
        )
        returns, lengths = np.array(self.returns), np.array(self._lengths, np.int64)
        return Rollout(transitions, returns, self._paid, self._length, lengths)


_RETURNS, _LENGTHS = "returns", "lengths"
_COMPARED = 64
"""Observations on which a policy must choose as it did."""


def entry_of(rollout: Rollout, steps: int, policy: Policy | None) -> Entry:
    """Returns a stretch of acting as the replay log keeps it.

    Args:
        rollout: what the stretch left.
        steps: taken in it.
        policy: that acted, as it is after the stretch; None where actions were given.
    """
    rows = rollout.transitions
    arrays = {f.name: getattr(rows, f.name).numpy() for f in fields(Transitions)}
    content = {
        "steps": steps,
        "unfinished_return": rollout.unfinished_return,
        "unfinished_steps": rollout.unfinished_steps,
        "policy_state": None if policy is None else policy_state(policy),
    }
    episodes = {_RETURNS: rollout.returns, _LENGTHS: rollout.lengths}
    return Entry(content, arrays | episodes)


def replayed(
    entry: Entry,
    place: str,
    policy: Policy | None,
    observations: ObservationCodec,
    actions: ActionCodec,
) -> tuple[Rollout, int, str | None]:
    """Returns what a logged stretch left, its steps, and a warning if there is one.

    Takes `policy` to where it stood after the stretch. One without state is asked again
    what it was asked then: if it was fitted anew, it must have come out as it was.

    Args:
        entry: of the replay log.
        place: where it was read, for the message.
        policy: that the stretch was acted with; None where actions were given.
        observations: how the domain's are encoded.
        actions: likewise.

    Raises:
        ArtifactRefused: it is no stretch of acting, or of another policy.
    """
    content = entry.content
    with damage_named(place):
        arrays = {name: torch.from_numpy(rows) for name, rows in entry.arrays.items()}
        returns, lengths = (arrays.pop(name).numpy() for name in (_RETURNS, _LENGTHS))
        rollout = Rollout(
            Transitions(**arrays),
            returns,
            float(content["unfinished_return"]),
            int(content["unfinished_steps"]),
            lengths,
        )
        steps, state = int(content["steps"]), content["policy_state"]
        if isinstance(policy, StatefulPolicy) and state is not None:
            policy.load_state(state)
    if isinstance(policy, StatefulPolicy) != (state is not None):
        raise ArtifactRefused(
            "a run goes on with the policies it was begun with, and only those that "
            f"draw have a state; {place} has {'one' if state else 'none'}; start a "
            "new run"
        )
    rows = rollout.transitions[:_COMPARED]
    if policy is None or state is not None or not len(rows):
        return rollout, steps, None
    chosen, memory, number = [], None, -1
    for episode, observation in zip(rows.episode, rows.observation, strict=True):
        if episode != number:
            memory, number = None, int(episode)
        seen = observations.decode(observation.numpy())
        action, memory = policy.predict(seen, memory, None, True)
        chosen.append(actions.encode(action))
    return rollout, steps, compare_actions(np.stack(chosen), rows.action.numpy())
