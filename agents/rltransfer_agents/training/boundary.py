"""What is done between rollouts, the only moments at which a training is whole.

Inside `_on_step` a transition has been taken but not stored; before a rollout starts,
all counters, buffers and generators agree.
"""

import time
from collections.abc import Callable
from typing import final

from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.utils import safe_mean
from typing_extensions import override

from rltransfer.errors import Stopped
from rltransfer_agents.training.acting import choice_now
from rltransfer_agents.training.algorithms import Learner
from rltransfer_agents.training.evaluations import Evaluations
from rltransfer_agents.training.logs import EpisodeLog
from rltransfer_agents.training.saving import require_finite
from rltransfer_agents.training.stopping import StopRequests

_PROGRESS_SECONDS = 0.2


@final
class Boundary(BaseCallback):
    """Evaluates, logs, reports and stops, always between two rollouts.

    Args:
        evaluations: of this run.
        keep_best: saves the agent that was just found to be the best.
        episodes: list of training episodes.
        report: told how many steps were learnt from and the recent mean return.
        stop: says whether to stop.
        log_interval: rollouts between two entries in the log, on-policy only.
    """

    def __init__(
        self,
        learner: Learner,
        evaluations: Evaluations,
        keep_best: Callable[[], None],
        episodes: EpisodeLog,
        report: Callable[[int, float | None], None],
        stop: StopRequests,
        log_interval: int,
    ) -> None:
        super().__init__()
        self._learner = learner
        self._evaluations = evaluations
        self._keep_best = keep_best
        self._episodes = episodes
        self._report = report
        self._stop = stop
        self._log_interval = log_interval
        self._reported = 0.0

    @override
    def _on_step(self) -> bool:
        self._episodes.add(self.locals["infos"])
        if self._stop.urgent:
            raise Stopped(f"stopped at step {self._learner.num_timesteps}")
        return True

    @override
    def _on_rollout_start(self) -> None:
        if self._evaluations.due(self._learner.num_timesteps):
            self._evaluate()
        if time.monotonic() - self._reported > _PROGRESS_SECONDS:
            self._tell()
        if self._stop.asked:
            raise Stopped(f"stopped at step {self._learner.num_timesteps}")

    @override
    def _on_rollout_end(self) -> None:
        # Stable-Baselines3 counts iterations from the start of `learn`; counted from
        # the steps, they do not depend on how often a run was interrupted.
        if isinstance(self._learner, OnPolicyAlgorithm):
            size = self._learner.n_steps * self._learner.n_envs
            iteration = self._learner.num_timesteps // size
            if iteration % self._log_interval == 0:
                self._learner.dump_logs(iteration)

    @override
    def _on_training_end(self) -> None:
        self._evaluate()
        self._tell()

    def _evaluate(self) -> None:
        learner = self._learner
        require_finite(learner)
        if self._evaluations.add(choice_now(learner), learner.num_timesteps):
            self._keep_best()
        logger = learner.logger
        logger.record("eval/mean_reward", float(self._evaluations.returns[-1].mean()))
        logger.record(
            "eval/mean_ep_length", float(self._evaluations.lengths[-1].mean())
        )
        logger.record(
            "time/total_timesteps", learner.num_timesteps, exclude="tensorboard"
        )
        logger.dump(learner.num_timesteps)

    def _tell(self) -> None:
        self._reported = time.monotonic()
        self._episodes.flush()
        recent = self._learner.ep_info_buffer
        mean = safe_mean([episode["r"] for episode in recent]) if recent else None
        self._report(self._learner.num_timesteps, None if mean is None else float(mean))
