"""Who acts next, who is out, and who would be the answer now: by counted returns.

What explores earns less than what was learned, so arms are judged by episodes in which
they act as they would as the answer. These are learned from like all others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias, final

import numpy as np

from rltransfer.domain import Policy
from rltransfer.evaluation import beats

ArmName: TypeAlias = Literal["mapped", "student", "scratch", "refitted"]

FIRST_JUDGED = 3
"""Judged episodes by which a learner is judged: it changes fast."""
_WINDOW = 5
"""Those by which it is told that one is measurably behind."""
_PROBED = 6
"""Episodes of which one is the other learner's: it learns all the time."""
_CONFIDENCE = 0.99
"""That an arm is behind, each time it is looked at."""
_BEHIND = 2
"""Times that it must be, on other episodes, before it is out."""
_FAR = 0.1
"""Of the way from acting badly to the mapped policy, by which every one of the first
episodes of a learner must be above the mapped policy's to count before there are more.
"""
_CHANCE = 0.2
"""Of the steps, before any arm is out: learners start slowly."""


@final
@dataclass(eq=False)
class Answer:
    """A policy that does not change, and the returns that speak for it.

    Of a learner these are of the last episodes in which it did not explore: one of its
    own, and those of the weights it had shortly before.
    """

    policy: Policy
    returns: list[float] = field(default_factory=list)
    since: int = 0
    """Which of the arm's own judged episodes the first of them was."""

    @property
    def mean(self) -> float:
        """Of the returns."""
        return mean_of(self.returns)

    @property
    def at_least(self) -> float:
        """The mean less its standard error; the mean where that is not known."""
        return self.mean - standard_error(self.returns)


def mean_of(returns: Sequence[float]) -> float:
    """Returns the mean; below every number where there are none."""
    return float(np.mean(returns)) if len(returns) else -np.inf


def standard_error(returns: Sequence[float]) -> float:
    """Returns the standard error of the mean; 0 for one value, where none is known."""
    count = len(returns)
    return float(np.std(returns, ddof=1) / count**0.5) if count > 1 else 0.0


class KnownReturns(NamedTuple):
    """What a policy earned before in whole counted episodes that did not choose it."""

    returns: tuple[float, ...] = ()
    episode_steps: float = 0.0
    """Of one of them, on average."""


NOTHING_KNOWN = KnownReturns()


@final
class Arm:
    """One who may act, and what that earned.

    Args:
        name: what the report calls it.
        answer: who acts if this arm wins; of a learner, its best weights so far.
        tested: what is known of it already.
        clone: whether it begins as another arm, and so has nothing new to show yet.
    """

    def __init__(
        self,
        name: ArmName,
        answer: Answer,
        tested: KnownReturns = NOTHING_KNOWN,
        *,
        clone: bool = False,
    ) -> None:
        self.name: ArmName = name
        self.clone = clone
        self.answer, self._tested = answer, tested
        answer.returns += tested.returns
        self.surest = answer
        """The one that earned most, less a standard error."""
        self.judged: list[float] = list(tested.returns)
        """Returns of the episodes that were acted without exploring."""
        self._offered = len(self.judged)
        """How many of them there were when it was last asked for an answer."""
        self.episodes = self.steps = 0
        self.dropped: str | None = None
        """Why it is out, if it is."""
        self.behind = self.looked = 0
        """How often another one was measurably better, and at which episode last."""

    @property
    def learns(self) -> bool:
        """Whether it changes; those that act through a mapping do not."""
        return self.name in ("student", "scratch")

    @property
    def episode_steps(self) -> float:
        """Of an episode, on average; 0 where none is known."""
        if self.episodes:
            return self.steps / self.episodes
        return self._tested.episode_steps

    @property
    def shown(self) -> float:
        """Steps in which it was judged, those before included."""
        return self.steps + len(self._tested.returns) * self._tested.episode_steps

    @property
    def own(self) -> list[float]:
        """Returns of the episodes that were judged here, where all begin alike."""
        return self.judged[len(self._tested.returns) :]

    @property
    def window(self) -> list[float]:
        """The returns by which it is judged now."""
        return self.judged[-FIRST_JUDGED:]

    @property
    def mean(self) -> float:
        """Of these."""
        return mean_of(self.window)

    @property
    def stands(self) -> bool:
        """Whether it may be the result: it learns still, or was judged by then."""
        return self.dropped is None or bool(self.judged)

    @property
    def is_new(self) -> bool:
        """Whether it has not acted enough to be judged."""
        return len(self.judged) < FIRST_JUDGED

    @property
    def explores(self) -> bool:
        """Whether its next episode is for learning something new."""
        if self.clone:
            return self.episodes % 2 == 0
        return not self.is_new and self.episodes % 2 == 1

    def acted(self, steps: int, judged: list[float]) -> None:
        """Takes note of an episode.

        Args:
            steps: that it took.
            judged: its return, unless it explored or was cut off.
        """
        self.episodes += 1
        self.steps += steps
        self.judged += judged

    def takes(self, policy: Policy, *, early: bool = False) -> None:
        """Makes what it is now its answer, unless it earned clearly more before.

        The newest is preferred, not the luckiest: of many that are tried, the one with
        the highest mean of a few episodes is mostly lucky.

        Args:
            policy: what it is now.
            early: whether fewer episodes than it is judged by are enough.
        """
        now = Answer(policy, list(self.window), len(self.own) - len(self.window))
        # An episode that the budget cut off says nothing of these weights.
        unjudged = len(self.judged) == self._offered
        self._offered = len(self.judged)
        if unjudged:
            return
        *before, own = now.returns
        if self.is_new:
            if early and own >= self.answer.mean:
                self.answer = now
            return
        # What fell is not as good as the weights before it, there and elsewhere.
        alike = self.judged[: -len(now.returns)][-1:]
        judged = len(self.answer.returns) >= FIRST_JUDGED
        fell = judged and own < min([np.median(before), *alike])
        if fell or now.mean < self.surest.at_least:
            return
        self.answer = now
        if now.at_least > self.surest.at_least:
            self.surest = now


def split(arms: Sequence[Arm]) -> tuple[list[Arm], list[Arm]]:
    """Returns those that act through a mapping, which do not change, and learners."""
    return [one for one in arms if not one.learns], [one for one in arms if one.learns]


def start_of(episode: int) -> tuple[int, int]:
    """Returns where a judged episode of an arm begins.

    They begin in turns at the same few starts, which may matter more than who acts,
    before others take their place: nobody shall learn these by heart.

    Args:
        episode: its number, of the arm's own, from 0.

    Returns:
        Which look it is, and which start of that look.
    """
    return episode // (3 * FIRST_JUDGED), episode % FIRST_JUDGED


def by_start(returns: Sequence[float], since: int = 0) -> dict[tuple[int, int], float]:
    """Returns what an arm earned, by where its episodes began, see `start_of`.

    Args:
        returns: of judged episodes of its own, one after another.
        since: number of the first of them.
    """
    return {start_of(since + place): one for place, one in enumerate(returns)}


def _is_above(ours: Answer, theirs: Arm) -> bool:
    """Returns whether a learner's answer is clearly above a mapped policy.

    Where that has begun at the same starts, by the gaps between the two.
    """
    known, own = by_start(theirs.own), by_start(ours.returns, ours.since)
    if len(own) >= FIRST_JUDGED and own.keys() <= known.keys():
        gaps = [earned - known[start] for start, earned in own.items()]
        return mean_of(gaps) > standard_error(gaps)
    # What chose one that was fitted anew does not speak for it; here it must do.
    return ours.at_least > mean_of(theirs.answer.returns or theirs.own)


def _far_above(ours: Arm, theirs: Arm, floor: float) -> bool:
    """Returns whether all first episodes of an arm are far above those of another.

    Compared are those that began alike, which tells more than their means do.

    Args:
        ours: that may be above.
        theirs: a mapped policy. Far above is by a tenth of its way from `floor`.
        floor: the lowest return seen.
    """
    common = min(len(ours.own), len(theirs.own))
    if not common:
        return False
    far = _FAR * (mean_of(theirs.own) - floor)
    gaps = np.subtract(ours.own[:common], theirs.own[:common])
    return bool((gaps > max(far, 0.0)).all())


@final
@dataclass(eq=False)
class Guard:
    """Chooses by whole episodes, between learners that share one replay.

    Laroche & Féraud, "Reinforcement Learning Algorithm Selection", ICLR 2018. Theirs
    plays both learners about equally until one is better; two that take turns learn
    like half a learner each (Ostrovski, Castro & Dabney, "The Difficulty of Passive
    Learning", NeurIPS 2021), so here the better one acts, and the other is probed.
    """

    arms: list[Arm]
    steps: int
    """Of all the learning."""
    floor: float = -np.inf
    """What acting badly earns."""
    _past: int = field(default=0, init=False)
    _leader: Arm | None = field(default=None, init=False)

    @property
    def learners(self) -> list[Arm]:
        """Who may still learn."""
        return [arm for arm in split(self.arms)[1] if arm.dropped is None]

    @property
    def best(self) -> Arm:
        """Who would be the answer now: mapped, unless a learner is clearly above it."""
        mapped, learners = split(self.arms)
        best = max(learners, key=lambda arm: arm.answer.mean)
        # One that was fitted anew took the place of those before it.
        if mapped and not _is_above(best.answer, mapped[-1]):
            return mapped[-1]
        return best

    def far_above_mapped(self, arm: Arm) -> bool:
        """Whether all episodes of a learner are far above those of mapped policies."""
        mapped = split(self.arms)[0]
        return bool(mapped) and all(_far_above(arm, one, self.floor) for one in mapped)

    def choose(self) -> Arm:
        """Returns who acts in the next episode."""
        learners = self.learners
        self._past += 1
        new = [arm for arm in learners if not arm.judged]
        if new:
            return new[0]
        if self._leader not in learners:
            self._leader = None
        for arm in learners:
            if self._leader is None or arm.mean > self._leader.mean:
                self._leader = arm
        assert self._leader is not None
        others = [arm for arm in learners if arm is not self._leader]
        if others and self._past % _PROBED == 0:
            return others[0]
        return self._leader

    def drop(self) -> None:
        """Drops a learner that is measurably behind another."""
        learners = self.learners
        if len(learners) < 2:
            return
        if sum(arm.steps for arm in self.arms) < _CHANCE * self.steps:
            return
        for arm, rival in (learners, learners[::-1]):
            fresh = len(arm.judged) >= arm.looked + _WINDOW
            if not fresh or len(rival.judged) < _WINDOW:
                continue
            arm.looked = len(arm.judged)
            own, others = arm.judged[-_WINDOW:], rival.judged[-_WINDOW:]
            worse = beats(others, own, _CONFIDENCE).better
            arm.behind = arm.behind + 1 if worse else 0
            if arm.behind >= _BEHIND:
                arm.dropped = (
                    f"{mean_of(own):.1f} against {mean_of(others):.1f} of {rival.name} "
                    f"over the last {_WINDOW} judged episodes of each, after "
                    f"{sum(one.steps for one in self.arms):,} steps"
                )
                return
