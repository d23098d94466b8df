"""One training, from one boundary between rollouts to the next."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from stable_baselines3 import A2C
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.utils import safe_mean
from typing_extensions import override

from rltransfer.domain.replay_log import surroundings
from rltransfer.errors import Stopped, UserError
from rltransfer.resume.stop_signals import StopRequests
from rltransfer_agents.training.evaluations import (
    Choose,
    choice_now,
    choice_of,
    policy_snapshot,
)
from rltransfer_agents.training.learner_state import digest, restore
from rltransfer_agents.training.run_files import require_finite, save_agent, save_last
from rltransfer_agents.training.snapshot_contents import Memory, remember
from rltransfer_agents.training.train_config import Progress, Resumed, Watch
from rltransfer_agents.training.training_parts import Parts


class Hooks(ABC):
    """What is called during a training."""

    @abstractmethod
    def before_rollout(self) -> None:
        """Called while the training is whole."""

    @abstractmethod
    def after_step(self, infos: list[dict[str, Any]]) -> None:
        """Called with the infos of one step of all environments."""

    @abstractmethod
    def after_rollout(self) -> None:
        """Called before the rollout is learnt from."""

    @abstractmethod
    def after_training(self) -> None:
        """Called after the last update."""


@final
class Boundary(BaseCallback):
    """Passes each call on."""

    def __init__(self, hooks: Hooks) -> None:
        super().__init__()
        self._hooks = hooks

    @override
    def _on_rollout_start(self) -> None:
        self._hooks.before_rollout()

    @override
    def _on_step(self) -> bool:
        self._hooks.after_step(self.locals["infos"])
        return True

    @override
    def _on_rollout_end(self) -> None:
        self._hooks.after_rollout()

    @override
    def _on_training_end(self) -> None:
        self._hooks.after_training()


_PROGRESS_SECONDS = 0.2
# Apart from those of the evaluations, which chose the best agent.
_REPORT_SEEDS = (2 * 10**6, 3 * 10**6)


@final
@dataclass(frozen=True)
class Outcome:
    """What came of a training."""

    steps: int
    mean_return: float
    seconds: float
    resumed: Resumed
    reproducibility_warnings: tuple[str, ...]
    state_sha256: str


@final
class TrainingLoop(Hooks):
    """One training, which may go on from where it was interrupted.

    Args:
        parts: fresh.
        memory: of the interrupted training, if this one goes on from it.
        watch: told now and then how far the training has come.
        stop: says whether to stop.
    """

    def __init__(
        self,
        parts: Parts,
        memory: Memory | None,
        watch: Watch | None,
        stop: StopRequests,
    ) -> None:
        self._parts = parts
        self._learner = parts.learner
        self._memory = memory
        self._watch = watch
        self._stop = stop
        self._best = None if memory is None else memory.best
        self._went_on = False
        self._doubts: list[str] = (
            [] if memory is None else list(memory.reproducibility_warnings)
        )
        self._start = time.monotonic() - (0.0 if memory is None else memory.seconds)
        self._told = 0.0
        # The defaults of Stable-Baselines3, in rollouts.
        self._log_interval = 100 if isinstance(parts.learner, A2C) else 1

    def run(self) -> Outcome:
        """Trains to the end and returns what came of it; the folder holds the rest."""
        parts, learner, memory = self._parts, self._learner, self._memory
        lengths = {} if memory is None else memory.log_lengths
        learner.set_logger(parts.logs.open(lengths, self._seconds))
        done = 0 if memory is None else memory.steps
        # SB3 adds to `total_timesteps` what this says was learnt from already.
        learner.num_timesteps = done
        on_policy = isinstance(learner, OnPolicyAlgorithm)
        # On-policy this class logs itself; SB3 takes None, its annotation does not.
        interval: Any = None if on_policy else 4
        try:
            learner.learn(
                parts.total_steps - done,
                callback=Boundary(self),
                log_interval=interval,
                reset_num_timesteps=memory is None,
            )
        except UserError:
            raise
        except (ValueError, RuntimeError):
            # What torch says of numbers that are not finite depends on where they show.
            require_finite(learner)
            raise
        save_last(learner, parts.files)
        state_sha256 = digest(learner)
        assert self._best is not None
        choose = self._heeding(choice_of(learner, self._best))
        returns = [
            parts.evaluations.play(choose, parts.config.seed + seed)
            for seed in _REPORT_SEEDS
        ]
        return Outcome(
            steps=learner.num_timesteps,
            mean_return=float(np.mean(returns)),
            seconds=self._seconds,
            resumed=self._resumed,
            reproducibility_warnings=tuple(self._doubts),
            state_sha256=state_sha256,
        )

    @override
    def before_rollout(self) -> None:
        """Does what is due between two rollouts; stops if asked to."""
        if self._memory is not None:
            self._go_on(self._memory)
            self._memory = None
            return
        if self._parts.evaluations.due(self._learner.num_timesteps):
            self._evaluate()
        if self._parts.keeper.due or self._stop.asked:
            self._remember()
        if self._stop.asked:
            self._end_early()
        if time.monotonic() - self._told > _PROGRESS_SECONDS:
            self._tell()

    @override
    def after_step(self, infos: list[dict[str, Any]]) -> None:
        """Lists episodes that ended; stops at once if asked to for the second time."""
        self._parts.logs.add_episodes(infos)
        if self._stop.urgent:
            self._end_early()

    @override
    def after_rollout(self) -> None:
        """Logs, on-policy.

        Stable-Baselines3 counts rollouts from the start of `learn`; counted from the
        steps, their number does not depend on how often a run was interrupted.
        """
        learner = self._learner
        if isinstance(learner, OnPolicyAlgorithm):
            rollout = learner.num_timesteps // (learner.n_steps * learner.n_envs)
            if rollout % self._log_interval == 0:
                learner.dump_logs(rollout)

    @override
    def after_training(self) -> None:
        """Evaluates what training ended with."""
        self._evaluate()
        self._tell()

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._start

    @property
    def _resumed(self) -> Resumed:
        if not self._went_on:
            return "no"
        return "approximate" if self._doubts else "exact"

    def _go_on(self, memory: Memory) -> None:
        learner = self._learner
        self._went_on = True
        for doubt in self._doubts_of(memory, followed=restore(learner, memory.learner)):
            if doubt not in self._doubts:
                self._doubts.append(doubt)
        self._parts.evaluations.go_on(memory.evaluations)
        values, counts, exclusions = memory.pending
        learner.logger.name_to_value.update(values)
        learner.logger.name_to_count.update(counts)
        learner.logger.name_to_excluded.update(exclusions)
        # So that steps per second are those of the whole run.
        learner.start_time = time.time_ns() - self._seconds * 1e9
        learner._num_timesteps_at_start = 0

    def _doubts_of(self, memory: Memory, followed: bool) -> Iterator[str]:
        if not followed:
            yield (
                "the environments came to another state by the same actions, so their "
                "episodes were begun anew"
            )
        now = surroundings()
        for name in sorted({*now, *memory.surroundings}):
            before, after = memory.surroundings.get(name), now.get(name)
            if before != after:
                yield f"{name} was {before} and is {after}"
        if self._learner.device.type != "cpu":
            yield f"sums on {self._learner.device.type} come in no fixed order"

    def _evaluate(self) -> None:
        learner, evaluations = self._learner, self._parts.evaluations
        files = self._parts.files
        require_finite(learner)
        choose = self._heeding(choice_now(learner))
        if evaluations.add(choose, learner.num_timesteps):
            save_agent(learner, files.best_agent, files.best_statistics)
            self._best = policy_snapshot(learner)
        logger = learner.logger
        logger.record("eval/mean_reward", float(evaluations.returns[-1].mean()))
        logger.record("eval/mean_ep_length", float(evaluations.lengths[-1].mean()))
        logger.record(
            "time/total_timesteps", learner.num_timesteps, exclude="tensorboard"
        )
        logger.dump(learner.num_timesteps)

    def _heeding(self, choose: Choose) -> Choose:
        """Returns a policy that stops at once if asked to for the second time."""

        def use_timeout(observations: NDArray[Any]) -> NDArray[Any]:
            if self._stop.urgent:
                self._end_early()
            return choose(observations)

        return use_timeout

    def _remember(self) -> None:
        require_finite(self._learner)
        rows = self._learner.num_timesteps // self._learner.n_envs
        self._parts.keeper.write(
            lambda: remember(self._parts, self._best, self._seconds, self._doubts),
            rows,
        )

    def _end_early(self) -> None:
        raise Stopped(
            f"{self._parts.config.env_id}: stopped at step "
            f"{self._learner.num_timesteps}; {self._parts.files.way_on}"
        )

    def _tell(self) -> None:
        self._told = time.monotonic()
        self._parts.logs.flush()
        if self._watch is None:
            return
        config, recent = self._parts.config, self._learner.ep_info_buffer
        mean = float(safe_mean([row["r"] for row in recent])) if recent else None
        steps, total = self._learner.num_timesteps, self._parts.total_steps
        self._watch(Progress(config.env_id, config.algorithm, steps, total, mean))
