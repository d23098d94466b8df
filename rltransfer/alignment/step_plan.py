"""How the steps of a budget are shared out: numbers in, numbers out.

Nothing here acts. A plan is asked before each stretch of acting how long it may be.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple, final

from rltransfer.domain import Rollout, WantedEpisodes
from rltransfer.errors import InputError
from rltransfer.evaluation import episodes_needed

_EXPLORED, _TRIED = 600, 400
"""Steps of exploration and of a trial that budgets of learning on have room for first,
up to half and a third of them; the usual shares of larger ones are more."""


@final
@dataclass(frozen=True)
class StepPlanConfig:
    """How the target's steps are shared out, and why so."""

    exploration_share: float = 0.25
    """Share of the budget spent on acting at random before anything is fitted."""
    least_exploration: int = 100
    """Steps of exploration at least: fewer rows cannot fix a mapping."""
    first_episode_part: int = 3
    """Exploration may take one part in so many of the budget to finish an episode.

    Without one random episode there is nothing to compare a mapping with.
    """
    wanted_episodes: int = 3
    """Random episodes that exploration goes on for, where they end in time.

    Three against three is the least that the exact rank test can accept at 95 %.
    """
    wanted_part: float = 2
    """Exploration may take one part in so many of the budget to finish these."""
    trial_part: float = 6
    """A trial may take one part in so many of the budget: there must be several."""
    short_trial: int = 500
    """Steps of a trial where no episode ends early: they rank maps as whole ones do."""
    fewest_trial_episodes: int = 2
    """Of a trial: one return alone says too little."""
    most_trial_episodes: int = 6
    """Of a trial: where episodes are short, more of them cost little."""
    acceptance_share: float = 2 / 3
    """Most of the budget that is kept back for the acceptance test."""
    acceptance_episodes: int = 5
    """Taken where the budget allows, even where fewer could show the difference."""
    cheap_share: float = 0.05
    """Of the steps left, for more episodes of the acceptance test than these."""
    most_cheap_episodes: int = 20
    """Of the acceptance test, however short they are."""
    alone_from: int = 10
    """Episodes needed by the acceptance test at which no steps are left to choose by.

    Then the likeliest candidate acts alone, and all that it does counts in the test.
    """
    length_margin: float = 1.05
    """Episodes differ in length; what is kept back allows for that."""
    fewest_random_episodes: int = 3
    """Of one way to act at random that the acceptance test may rest on alone."""
    tested_later: bool = False
    """Whether the acceptance test takes no steps of this budget.

    What learns on afterwards goes on with it: see `before_learning`.
    """

    @classmethod
    def before_learning(cls, budget: int) -> "StepPlanConfig":
        """Returns how they are shared where the target is learned in afterwards.

        No steps are kept back for the acceptance test: the mapped policy's episodes
        while learning decide it. So small budgets have more to explore and for each
        trial.

        Args:
            budget: target steps in all.
        """
        return cls(
            exploration_share=min(max(_EXPLORED / budget, 0.25), 0.5),
            wanted_part=1.5,
            trial_part=min(max(budget / _TRIED, 3.0), 6.0),
            acceptance_share=0.0,
            tested_later=True,
        )

    def __post_init__(self) -> None:
        kept_back = self.acceptance_share
        if self.exploration_share <= 0 or kept_back < 0:
            raise InputError(f"shares of the budget must be above 0, got {self}")
        if bool(kept_back) == self.tested_later:
            raise InputError(
                "acceptance_share is 0 where the test is left for later, and only "
                f"there, got {kept_back}"
            )
        if self.exploration_share + self.acceptance_share > 0.95:
            raise InputError(
                "exploration_share and acceptance_share must leave steps, got "
                f"{self.exploration_share} and {self.acceptance_share}: lower one"
            )


class BestTrial(NamedTuple):
    """What the plan must know of the best trial so far."""

    episode_steps: float
    """How long an episode of it takes, or may take."""
    finished: bool
    """Whether it finished one."""
    outranks_after: float | None = None
    """Steps after which it was paid more than any random episode.

    None where it was not, or where a reward was negative: it may be lost again.
    """


@final
@dataclass(frozen=True)
class StepPlan:
    """What a budget of target steps may be spent on, from what is known so far.

    Args:
        budget: target steps in all.
        config: how they are shared out.
        confidence: that the acceptance test needs.
        episode_limit: steps after which episodes are truncated, where that is known.
        random_episodes: finished while exploring.
        random_steps: that these took.
        none_ended: whether all of them were truncated at the limit, not terminated.
    """

    budget: int
    config: StepPlanConfig
    confidence: float
    episode_limit: int | None = None
    random_episodes: int = 0
    random_steps: int = 0
    none_ended: bool = False

    def after(self, explored: Rollout) -> "StepPlan":
        """Returns the plan once it is known how long random episodes are."""
        return replace(
            self,
            random_episodes=len(explored.returns),
            random_steps=len(explored.transitions) - explored.unfinished_steps,
            none_ended=not bool(explored.transitions.terminated.any()),
        )

    @property
    def exploration(self) -> int:
        """Steps to explore."""
        share = int(self.config.exploration_share * self.budget)
        return max(self.config.least_exploration, share)

    @property
    def wanted_episodes(self) -> WantedEpisodes:
        """Random episodes for which exploration goes on past its steps."""
        return WantedEpisodes(
            self.config.wanted_episodes,
            self.budget // self.config.first_episode_part + 1,
            int(self.budget / self.config.wanted_part),
        )

    @property
    def needed_episodes(self) -> int:
        """Episodes that the acceptance test needs to tell anything."""
        return episodes_needed(self.random_episodes, self.confidence)

    @property
    def acceptance_episodes(self) -> int:
        """Episodes that the acceptance test aims at."""
        return max(self.config.acceptance_episodes, self.needed_episodes)

    def aimed_at(self, left: int, best: BestTrial) -> int:
        """Returns how many episodes the acceptance test aims at.

        Of short ones more are taken, which cost little: where an episode is won or
        lost, five tell one that mostly wins from luck in three of four cases only.

        Args:
            left: steps that may be taken.
            best: trial of the candidate.
        """
        room = int(self.config.cheap_share * left / max(best.episode_steps, 1.0))
        return max(self.acceptance_episodes, min(room, self.config.most_cheap_episodes))

    def fitting(self, left: int, best: BestTrial, aimed: int) -> int:
        """Returns the most episodes that the acceptance test may take of so many steps.

        Where neither random episodes nor the best trial's end early, others do not.
        """
        limit = self.episode_limit
        if limit is None or not self.none_ended or best.episode_steps < limit:
            return aimed
        return min(aimed, left // limit)

    @property
    def alone(self) -> bool:
        """Whether the acceptance test takes all the steps there are.

        With a random episode or two it needs so many episodes that nothing is left to
        choose by. Where it is left for later it takes none.
        """
        later = self.config.tested_later
        return not later and self.needed_episodes >= self.config.alone_from

    @property
    def random_episode_steps(self) -> float:
        """Mean length of a random episode; at least one was finished."""
        return max(1.0, self.random_steps / self.random_episodes)

    @property
    def trial_steps(self) -> int:
        """Most steps of one trial."""
        share = int(self.budget / self.config.trial_part)
        return min(share, self.episode_limit or share)

    @property
    def short_steps(self) -> int:
        """Most steps of a trial that only ranks; whole ones where episodes end early.

        Where one may end, what it has earned before says little.
        """
        if not self.none_ended:
            return self.trial_steps
        return min(self.config.short_trial, self.trial_steps)

    def trial_share(self, spare: int, sharing: int) -> int:
        """Returns the most steps of a trial that is to leave some for others.

        Where episodes end early the useless ones are short anyway. Elsewhere a trial is
        as long as a random episode all the same: what is shorter says nothing.

        Args:
            spare: steps that trials may still take.
            sharing: trials that are to take them, this one included.
        """
        if not self.none_ended:
            return spare
        least = int(self.random_episode_steps) if self.random_episodes else 0
        return min(spare, max(least, spare // sharing))

    @property
    def trial_episodes(self) -> int:
        """Most episodes of one trial; more where they are short."""
        fewest, most = (
            self.config.fewest_trial_episodes,
            self.config.most_trial_episodes,
        )
        if not self.random_episodes:
            return fewest
        fitting = int(self.trial_steps / 2 / self.random_episode_steps)
        return min(max(fitting, fewest), most)

    def reserve(self, best: BestTrial | None) -> int:
        """Returns the steps kept back for the acceptance test.

        As many episodes as it needs, of the length of the best trial's. Half of what
        may be kept back where nothing is known of their length, or where the best trial
        has yet to finish one and the test would need many.
        """
        most = self.config.acceptance_share * self.budget
        if best is None or (not best.finished and self.alone):
            return int(most / 2)
        return int(min(self.own_steps(best, int(most)), most))

    def spare(self, used: int, best: BestTrial | None) -> int:
        """Returns the steps that trials may still take."""
        return self.budget - used - self.reserve(best)

    def affords_trial(self, used: int, best: BestTrial | None) -> bool:
        """Returns whether a trial leaves enough for the acceptance test.

        The first one always does: without it there is nothing to test.
        """
        if best is None:
            return True
        episode = self.config.length_margin * best.episode_steps
        return self.spare(used, best) >= min(self.short_steps, episode)

    def random_again(self, used: int, best: BestTrial) -> tuple[int, int]:
        """Returns most steps and episodes of acting at random once more.

        What the acceptance test of the best trial does not need is left for that.
        """
        left = self.budget - used
        left -= int(self.own_steps(best, left))
        if not self.random_episodes:
            return left, 0
        episodes = int(left / self.random_episode_steps)
        return left, max(0, min(self.config.acceptance_episodes, episodes))

    def random_to_decide(self, left: int, episodes: int, random_episodes: int) -> int:
        """Returns how many further random episodes let so few episodes decide.

        Args:
            left: steps that may be taken.
            episodes: of the candidate, finished.
            random_episodes: that they are compared with, at least one.

        Returns:
            0 where no number would, or so many would not fit.
        """
        if not episodes:
            return 0
        enough = random_episodes
        while episodes_needed(enough, self.confidence) > episodes:
            enough += 1
        further = enough - random_episodes
        return further if further * self.random_episode_steps <= left else 0

    def stops(self, best: BestTrial, left: int) -> bool:
        """Returns whether episodes of the acceptance test are stopped early.

        So they are where whole ones do not fit, once they outrank all random ones.
        """
        return best.outranks_after is not None and self._whole(best) > left

    def own_steps(self, best: BestTrial, left: int) -> float:
        """Returns the steps of the episodes that the acceptance test needs."""
        if best.outranks_after is None or not self.stops(best, left):
            return self._whole(best)
        return self._whole(best._replace(episode_steps=best.outranks_after))

    def _whole(self, best: BestTrial) -> float:
        return self.config.length_margin * best.episode_steps * self.needed_episodes
