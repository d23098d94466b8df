"""The last comparison: who is the result, by episodes that all begin alike."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from rltransfer.domain import Domain
from rltransfer_agents.learning_on.admission import Admission
from rltransfer_agents.learning_on.guard import (
    FIRST_JUDGED,
    Answer,
    Arm,
    by_start,
    mean_of,
    split,
    standard_error,
)
from rltransfer_agents.learning_on.learn_on_config import LearnOnConfig

EPISODES = 5
"""Of each that steps are kept for, if that is no more than a sixth of all."""
_SURE = 5
"""Episodes of each that are enough by themselves."""


@final
@dataclass(frozen=True, eq=False)
class Contender:
    """What may be the result: an arm with one of its policies."""

    arm: Arm
    answer: Answer
    returns: tuple[float, ...] = ()
    """In the last comparison."""

    @property
    def newest(self) -> bool:
        """Whether it is what its arm would answer now."""
        return self.answer is self.arm.answer

    @property
    def by_start(self) -> dict[tuple[int, int], float]:
        """What it earned here, by where the episodes began, see `start_of`.

        Without the episode that chose a mapping that was fitted anew.
        """
        answer, arm = self.answer, self.arm
        since, before = answer.since, answer.returns
        if not arm.learns:
            since = 1 if arm.name == "refitted" else 0
            before = arm.own[since:]
        last = {(-1, place): one for place, one in enumerate(self.returns)}
        return by_start(before, since) | last


def contenders(arms: Sequence[Arm], steps: int) -> list[Contender]:
    """Returns what takes part, mapped policies first, then the better learner.

    Of that one its surest weights take part beside its newest, since learners may
    forget, where the steps are enough for them to be the result by what they earn now.

    Args:
        arms: that may be the result.
        steps: of all who take part.
    """
    mapped, learners = split(arms)
    found = [Contender(arm, arm.answer) for arm in mapped]
    if learners:
        best = max(learners, key=lambda arm: arm.answer.mean)
        found.append(Contender(best, best.answer))
        longest = max(arm.episode_steps for arm in arms)
        enough = steps >= _SURE * longest * (len(found) + 1)
        if best.surest is not best.answer and enough:
            found.append(Contender(best, best.surest))
    return found


def steps_to_keep(
    arms: Sequence[Arm], config: LearnOnConfig, admission: Admission
) -> int:
    """Returns the steps that are kept for the last comparison.

    Args:
        arms: all that there are; the mapped policy first.
        config: says what share of all steps, where episodes are short.
        admission: of the mapped policy, which needs so many episodes to be accepted.
    """
    if len(arms) == 1:
        return 0
    wanted = round(len(arms) * EPISODES * max(arm.episode_steps for arm in arms))
    share = round(config.final_share * config.steps)
    first, decide, meet = arms[0], 0, 0
    if first.name == "mapped":
        # It acts in as many as one learner, and from where others that are mapped did.
        decide = 2 * admission.steps(first.episode_steps)
        if len(split(arms)[0]) > 1:
            meet = round(max(0, FIRST_JUDGED - len(first.own)) * first.episode_steps)
    return max(share, min(wanted, config.steps // 6), decide) + meet


def acted(
    known: Sequence[Contender],
    target: Domain,
    admission: Admission,
    until: int,
    seed: int,
    episodes: int,
    random_steps: float,
    rng: np.random.Generator,
) -> list[Contender]:
    """Acts with all contenders, from equal starts; returns them with their returns.

    One alone acts only to be accepted.

    Args:
        known: the mapped policy first, if it may be the result.
        target: where they act.
        admission: of the mapped policy; takes note of its episodes.
        until: steps taken in the target at which the budget ends.
        seed: of the first reset of each.
        episodes: of each, at most.
        random_steps: of a random episode, about.
        rng: of random actions, for which a quarter of the steps may be taken once the
            mapped policy has acted.
    """
    mapped = known[0].arm.name == "mapped" and admission.test is not None
    if len(known) < 2 and not mapped:
        return list(known)
    found = []
    for number, one in enumerate(known):
        left = until - target.budget.used
        share = left // (len(known) - number)
        if mapped and not number:
            share = max(share, admission.steps(1.1 * one.arm.episode_steps))
        returns = target.collect(
            one.answer.policy,
            purpose="final comparison",
            seed=seed,
            steps=min(share, left),
            episodes=episodes,
        ).returns.tolist()
        found.append(replace(one, returns=tuple(returns)))
        if mapped and not number:
            admission.acted(returns)
            left = until - target.budget.used
            spare = left // 4
            admission.act_at_random(target, spare, seed, rng)
            spare -= left - (until - target.budget.used)
            admission.act_singly(target, int(spare / random_steps), spare, rng)
    return found


def known_returns(one: Contender, all_of_them: Sequence[Contender]) -> list[float]:
    """Returns what the worth of a contender is told by.

    That is the last comparison, as many episodes as all have finished; where these are
    too few, what it earned before as well.
    """
    common = min(len(other.returns) for other in all_of_them)
    if common >= _SURE:
        return list(one.returns[:common])
    return [*one.answer.returns, *one.returns]


def compared(known: Sequence[Contender], *, accepted: bool = True) -> Contender:
    """Returns the result: the mapped policy, unless another is above it for sure.

    One that is not accepted is the result only if it is above the others for sure.

    For sure is: by more than a standard error of the difference, over episodes that
    began alike where there are enough of them, and by as many
    episodes at least as a learner is judged by. Weights that were
    picked because they once earned most are the result only by what they earn in the
    last comparison, never by what they were picked for.

    Args:
        known: mapped policies first, if they may be the result.
        accepted: whether the first of them is, if that is the one of alignment.
    """
    paired = min(len(one.returns) for one in known) >= _SURE
    judged = [one for one in known if one is known[0] or known_returns(one, known)]
    mapped = [one for one in judged if not one.arm.learns]
    learned = [one for one in judged if one.arm.learns and (paired or one.newest)]

    def highest(those: Sequence[Contender]) -> Contender:
        return max(those, key=lambda one: mean_of(known_returns(one, known)))

    if not mapped:
        return highest(learned) if paired else learned[0]
    result = mapped[0]
    for one in mapped[1:]:
        if _above(one, result, known):
            result = one
    newest = [one for one in known if one.arm.learns and one.newest]
    if not accepted and newest:
        best = highest(learned or newest)
        sure = known_returns(best, known) and _above(result, best, known)
        return result if sure else best
    able = [one for one in learned if _above(one, result, known)]
    return highest(able) if able else result


def _above(ours: Contender, theirs: Contender, known: Sequence[Contender]) -> bool:
    own, other = known_returns(ours, known), known_returns(theirs, known)
    if not other or not own:
        return bool(own)
    if min(len(one.returns) for one in known) >= _SURE:
        gaps = np.subtract(own, other).tolist()
        return mean_of(gaps) > standard_error(gaps)
    before = theirs.by_start
    gaps = [earned - before[at] for at, earned in ours.by_start.items() if at in before]
    if len(gaps) >= FIRST_JUDGED:
        return mean_of(gaps) > standard_error(gaps)
    if len(own) < FIRST_JUDGED or not (ours.arm.learns or theirs.arm.learns):
        return False  # of one or two episodes nobody knows how lucky they were
    error = np.hypot(standard_error(own), standard_error(other))
    return bool(mean_of(own) - mean_of(other) > error)


def verdict(winner: Contender, known: Sequence[Contender]) -> str:
    """Returns in one sentence who is the result, and by which counted returns."""
    if {one.arm.name for one in known} == {"scratch"}:
        alone = "scratch learned alone: there was no mapped policy to learn on from"
        dropped = winner.arm.dropped
        return alone if dropped is None else f"{alone}; it ended early: {dropped}"
    told = []
    for one in known:
        returns = known_returns(one, known)
        if returns:
            name = one.arm.name if one.newest else f"{one.arm.name} at its best"
            episodes = f"{len(returns)} episode{'s' if len(returns) > 1 else ''}"
            earlier = len(returns) - len(one.returns)
            if earlier > 0:
                episodes += f", {earlier} of them from before the final comparison"
            told.append(f"{name} {mean_of(returns):.1f} ({episodes})")
    earned = ", ".join(told)
    if winner.arm.name == "mapped":
        nothing = "learning on brought nothing surely better than the mapped policy"
        return f"{nothing}: {earned}"
    return f"{winner.arm.name} is the result, by its counted returns: {earned}"
