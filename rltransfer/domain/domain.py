"""A Gymnasium environment seen as tensors."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, final

import gymnasium as gym
import numpy as np
from gymnasium.utils.env_checker import data_equivalence
from numpy.typing import NDArray

from rltransfer.argument_checks import EPISODE_CAP
from rltransfer.domain.action_codec import codec_of
from rltransfer.domain.observation_codec import observation_codec_of
from rltransfer.domain.policies import Policy
from rltransfer.domain.rollout import (
    Recorder,
    Rollout,
    WantedEpisodes,
    entry_of,
    replayed,
)
from rltransfer.errors import EnvironmentFault
from rltransfer.mapping import Transitions
from rltransfer.resume.replay_log import Entry, ReplayLog
from rltransfer.wrappers import (
    CheckedEnv,
    CountedEnv,
    StepBudget,
    StepTimeout,
    SubprocessEnv,
)


@final
class Domain:
    """One environment: its spaces as vectors, and acting in it.

    Args:
        make_env: makes the environment.
        name: what errors and reports call it.
        budget: counts the steps taken; by default a fresh one without a limit.
        episode_cap: most steps of one reported episode.
        mapped: whether its spaces must be such that they can be mapped; otherwise it
            serves to evaluate only.
        kwargs_option: by which users give its arguments, for messages.

    Raises:
        InputError: spaces that cannot be mapped.
    """

    def __init__(
        self,
        make_env: Callable[[], gym.Env[Any, Any]],
        name: str,
        budget: StepBudget | None = None,
        episode_cap: int = EPISODE_CAP,
        *,
        mapped: bool = True,
        kwargs_option: str = "--env-kwargs",
    ) -> None:
        env = make_env()
        self.name, self.budget = name, budget or StepBudget()
        self._episode_cap, self._kwargs_option = episode_cap, kwargs_option
        # What is in a process of its own is checked there.
        self._checked: CheckedEnv | SubprocessEnv = (
            env if isinstance(env, SubprocessEnv) else CheckedEnv(env, name, np.float32)
        )
        self._env = CountedEnv(self._checked, self.budget)
        declared = self._checked.declared_spaces
        self.observation_space: gym.Space[Any] = declared[0]
        self.action_space: gym.Space[Any] = declared[1]
        if mapped:
            self.observations = observation_codec_of(self.observation_space, name)
            self.observation_size = self.observations.size
            self.actions = codec_of(self.action_space, name)
            self.finite = self.observations.numbered and self.actions.discrete
            """Whether there are finitely many states and actions."""
        self.episode_limit = None if env.spec is None else env.spec.max_episode_steps
        """Steps after which episodes are truncated, where the environment says."""
        self._replay_log: ReplayLog | None = None
        self._role = ""

    def use_replay_log(self, replay_log: ReplayLog, role: str) -> None:
        """Logs all further acting, or answers from what was logged before.

        Args:
            replay_log: shared by the domains of one run.
            role: of this one in the run, such as `target`; two may have one name.
        """
        self._replay_log, self._role = replay_log, role

    def use_timeout(self, timeout: StepTimeout) -> None:
        """Ends calls that last too long, while `timeout` is active."""
        if isinstance(self._checked, CheckedEnv):
            self._checked.timeout = timeout

    def collect(
        self,
        policy: Policy,
        *,
        purpose: str,
        seed: int,
        steps: int,
        episodes: int | None = None,
        whole: bool = False,
        expected_steps: float | None = None,
        wanted: WantedEpisodes | None = None,
        stop_above: float | None = None,
        logged: bool = True,
    ) -> Rollout:
        """Acts with `policy` from a fresh start, and keeps every step.

        Args:
            policy: acts deterministically unless it is random by itself.
            purpose: what the steps are booked for.
            seed: of the first reset; later resets go on from it.
            steps: most steps to take; the budget may allow fewer.
            episodes: stop once that many are finished.
            wanted: episodes for which it goes on past `steps`.
            expected_steps: of an episode, where `whole` knows no mean yet.
            whole: begin no episode that would not end in time, by the mean so far.
            stop_above: an episode that was paid more is stopped, and counts as it is.
            logged: whether the replay log has it; without, it must follow from `seed`.
        """
        longest = self.budget.allowed(max([steps, *(wanted or ())[1:]]))
        asked = {
            "domain": self.name,
            "purpose": purpose,
            "seed": seed,
            "steps": steps,
            "episodes": episodes,
            "whole": whole,
            "expected_steps": expected_steps,
            "wanted": wanted,
            "stop_above": stop_above,
            "allowed": longest,
        }

        def act() -> Rollout:
            recorder, observation, state = Recorder(stop_above), None, None
            encode = self.observations.encode
            while len(recorder.returns) != episodes:
                allowed = min(recorder.worth_taking(steps, wanted), longest)
                if recorder.steps >= allowed:
                    break
                if observation is None:
                    if whole and recorder.next_ends_after(allowed, expected_steps):
                        break
                    observation = self.reset(None if recorder.steps else seed)
                    recorder.begin()
                    state = None
                action, state = policy.predict(observation, state, deterministic=True)
                taken = self.actions.encode(action)
                after, reward, *ended = self.step(action)
                shown = encode(observation), taken, reward, encode(after)
                observation = None if recorder.add(*shown, *ended) else after
            return recorder.rollout(self.observation_size, self.actions.size)

        return self._acted(act, asked, policy, logged=logged)

    def replay(
        self, sequences: Sequence[NDArray[Any]], *, purpose: str, seed: int
    ) -> Transitions:
        """Takes given actions instead of a policy's, an episode for each sequence.

        A sequence ends early where its episode ends.

        Args:
            sequences: at least one encoded action for each episode; shape
                (step, action).
            purpose: what the steps are booked for.
            seed: of the first reset; episode i is reset with `seed` + i.
        """
        given = [np.asarray(rows, np.float32) for rows in sequences]
        asked = {
            "domain": self.name,
            "purpose": purpose,
            "seed": seed,
            "sequences": len(given),
            "sha256": sha256(b"".join(rows.tobytes() for rows in given)).hexdigest(),
        }

        def act() -> Rollout:
            recorder, encode = Recorder(), self.observations.encode
            for number, rows in enumerate(given):
                observation = self.reset(seed + number)
                recorder.begin()
                for row, action in zip(rows, self.actions.decode(rows), strict=True):
                    after, reward, *ended = self.step(action)
                    shown = encode(observation), row, reward, encode(after)
                    if recorder.add(*shown, *ended):
                        break
                    observation = after
            return recorder.rollout(self.observation_size, self.actions.size)

        return self._acted(act, asked, None).transitions

    def evaluate(
        self, policy: Policy, *, episodes: int, seed: int, counted: bool = False
    ) -> NDArray[np.float64]:
        """Returns the undiscounted return of each episode; see `report`."""
        return self.report(
            policy, episodes=episodes, seed=seed, counted=counted
        ).returns

    def report(
        self, policy: Policy, *, episodes: int, seed: int, counted: bool = False
    ) -> Rollout:
        """Returns what fresh episodes were paid and how long they were, without rows.

        Episode i is reset with `seed` + i. Nothing may be chosen by what comes back:
        the steps are booked as reported, not as taken, unless they are `counted`.

        Args:
            policy: acts deterministically.
            episodes: how many.
            seed: of the first reset.
            counted: whether the policy learns from them.

        Raises:
            EnvironmentFault: an episode has not ended after `episode_cap` steps.
        """
        asked = {
            "domain": self.name,
            "purpose": "evaluation",
            "seed": seed,
            "reported episodes": episodes,
        }
        returns, lengths = np.zeros(episodes), np.zeros(episodes, np.int64)

        def act() -> Rollout:
            for episode in range(episodes):
                observation, state, over = self.reset(seed + episode), None, False
                last = self._checked.steps + self._episode_cap
                while not over:
                    if self._checked.steps == last:
                        raise self._endless()
                    action, state = policy.predict(observation, state, None, True)
                    observation, reward, *ended = self.step(action)
                    returns[episode] += reward
                    lengths[episode] += 1
                    over = any(ended)
            # No rows are kept: nobody asks for them again.
            nothing = Recorder().rollout(0, 0)
            return replace(nothing, returns=returns, lengths=lengths)

        return self._acted(act, asked, policy, reported=not counted)

    def ignores_seeds(self, seed: int) -> bool:
        """Tells whether two resets with one seed show different observations."""
        first, again = self.reset(seed), self.reset(seed)
        return not data_equivalence(first, again, exact=True)

    def reset(self, seed: int | None = None) -> Any:
        """Starts an episode and returns its first observation, checked."""
        return self._env.reset(seed=seed)[0]

    def step(self, action: Any) -> tuple[Any, float, bool, bool]:
        """Takes one step and returns what it brought, checked."""
        step: tuple[Any, float, bool, bool] = self._env.step(action)[:4]
        return step

    def _endless(self) -> EnvironmentFault:
        return EnvironmentFault(
            f"{self.name}: a reported episode must end, one has not within "
            f"{self._episode_cap:,} steps; give it an end, say {self._kwargs_option} "
            "max_episode_steps=1000, or allow more with --episode-cap"
        )

    def close(self) -> None:
        """Closes the environment."""
        self._env.close()

    def _acted(
        self,
        act: Callable[[], Rollout],
        asked: dict[str, Any],
        policy: Policy | None,
        *,
        reported: bool = False,
        logged: bool = True,
    ) -> Rollout:
        """Returns one stretch of acting, as it was logged before or as `act` does it.

        What is `reported` chooses nothing and may be interrupted; `asked` is all that
        the stretch follows from.
        """
        log, begun = self._replay_log if logged else None, self._checked.steps
        with self.budget.purpose(asked["purpose"], reported=reported):
            if log is None:
                return act()
            past = log.next(asked)
            if past is not None:
                return self._replayed(log, policy, past, asked["seed"])
            with log.stretch(interruptible=reported):
                try:
                    rollout = act()
                except BaseException:
                    log.interrupt(self._role, self._checked.steps - begun)
                    raise
                log.add(asked, entry_of(rollout, self._checked.steps - begun, policy))
            return rollout

    def _replayed(
        self, log: ReplayLog, policy: Policy | None, past: Entry, seed: int
    ) -> Rollout:
        """Returns a logged stretch, with its steps counted again."""
        codecs = self.observations, self.actions
        replay = replayed(past, log.place, policy, *codecs)
        rollout, steps, warning = replay
        self._checked.go_on(self._checked.steps + steps)
        self.budget.count(steps)
        if warning is not None:
            log.warn(warning)
        # A reset costs no step, and shows whether the environment follows its seed.
        shown = rollout.transitions.observation
        encode = self.observations.encode
        if len(shown) and not np.array_equal(
            encode(self.reset(seed)), shown[0].numpy()
        ):
            log.warn(
                f"{self.name} shows another state than before when reset with one seed"
            )
        return rollout
