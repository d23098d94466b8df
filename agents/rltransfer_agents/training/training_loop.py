"""Stable-Baselines3's own training loop, with what we do between two rollouts.

Between rollouts a training can be saved whole: no step is half collected and no
update half done. So that is where it is evaluated, saved and stopped.
"""

import inspect
import time
from contextlib import closing
from typing import Any, NoReturn, final

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.utils import safe_mean
from typing_extensions import override

from rltransfer.errors import Stopped
from rltransfer.resume.reproducibility import Resumed, resumed
from rltransfer.resume.stop_signals import StopSignals
from rltransfer_agents.training.agent_saving import (
    divergence_named,
    require_finite,
    require_finite_actions,
    save_agent,
    write_zoo_statistics,
)
from rltransfer_agents.training.evaluations import Act, Evaluations, PolicySnapshot
from rltransfer_agents.training.learner_state import digest
from rltransfer_agents.training.run_files import RunFiles
from rltransfer_agents.training.snapshots import (
    SnapshotFiles,
    snapshot_from,
    snapshot_of,
)
from rltransfer_agents.training.train_config import Progress, Watch
from rltransfer_agents.training.training_logs import TrainingLogs
from rltransfer_agents.training.training_setup import Prepared

_REPORTS = 2


class _EvaluationStopped(Exception):
    """A signal asked to stop during an evaluation; the learner is as before it."""


@final
class TrainingLoop(BaseCallback):
    """One training, which may go on from where it was interrupted.

    Args:
        files: of the run; their snapshots say where it goes on.
        prepared: the learner in its environments, which has not begun to learn.
        watch: called now and then with how far the training has come.
        stop: says whether to stop.
    """

    def __init__(
        self,
        files: RunFiles,
        prepared: Prepared,
        watch: Watch | None,
        stop: StopSignals,
    ) -> None:
        super().__init__()
        self._files, self._prepared = files, prepared
        self._config = config = files.config
        self._learner, total = prepared.learner, prepared.total_steps
        self._watch, self._stop = watch, stop
        self._evaluations = Evaluations(
            files.evaluations,
            prepared.evaluation_envs,
            every=max(1, total // config.evaluations) if config.evaluations else 0,
            seed=prepared.evaluation_seed,
            cap=config.episode_cap,
        )
        buffer = getattr(self._learner, "replay_buffer", None)
        self._snapshots = SnapshotFiles(
            files.snapshots, buffer, config.snapshot_seconds
        )
        state = self._snapshots.read()
        # Of the interrupted training, until the learner has been put into its state.
        self._snapshot = snapshot = None if state is None else snapshot_from(state)
        self._best = None if snapshot is None else snapshot.best
        self._resumed: Resumed = "no"
        self._warnings = [] if snapshot is None else snapshot.reproducibility_warnings
        self._start = time.monotonic() - (0.0 if snapshot is None else snapshot.seconds)
        self._last_report = 0.0
        self._logs = TrainingLogs(
            files, {} if snapshot is None else snapshot.log_lengths, self._seconds
        )
        # SB3's own default: in rollouts on-policy, in episodes off-policy.
        arguments = inspect.signature(self._learner.learn).parameters
        self._log_interval: Any = arguments["log_interval"].default

    def run(self) -> dict[str, Any]:
        """Trains to the end and returns what the manifest says came of it."""
        with closing(self._logs):
            self._learn()
            self._save_last()
            state_sha256 = digest(self._learner)
            returns = self._report()
        return {
            "mean_return": float(np.mean(returns)),
            "seconds": self._seconds,
            "resumed": self._resumed,
            "reproducibility_warnings": self._warnings,
            "state_sha256": state_sha256,
            "seeds_ignored": self._prepared.seeds_ignored,
            "capped_episodes": self._evaluations.capped_episodes,
        }

    def _learn(self) -> None:
        learner, snapshot = self._learner, self._snapshot
        learner.set_logger(self._logs.logger)
        # SB3 adds to `total_timesteps` what this says was learnt from already.
        learner.num_timesteps = 0 if snapshot is None else snapshot.steps
        # On-policy this class logs; SB3 takes None, its annotation does not.
        log_here = isinstance(learner, OnPolicyAlgorithm)
        log_interval: Any = None if log_here else self._log_interval
        with divergence_named(learner):
            learner.learn(
                self._prepared.total_steps - learner.num_timesteps,
                callback=self,
                log_interval=log_interval,
                reset_num_timesteps=snapshot is None,
            )

    def _save_last(self) -> None:
        """Writes what training ended with, for RL Zoo too."""
        learner, files = self._learner, self._files
        save_agent(learner, files.agent, files.statistics)
        envs = learner.get_vec_normalize_env()
        if envs is not None:
            write_zoo_statistics(files.zoo_statistics, envs)

    @override
    def _on_rollout_start(self) -> None:
        """Does what is due between two rollouts; stops if asked to."""
        restored = self._restore()
        # After a restart, too: the run may have been stopped while it was evaluated.
        if self._evaluations.due(self._learner.num_timesteps):
            self._evaluate()
        if restored:
            return
        if self._snapshots.due or self._stop.asked:
            self._save_snapshot()
        if self._stop.asked:
            self._end_early()
        if time.monotonic() - self._last_report > self._config.progress_seconds:
            self._report_progress()

    @override
    def _on_step(self) -> bool:
        """Lists episodes that ended; stops at once if asked to for the second time."""
        self._logs.add_episodes(self.locals["infos"])
        if self._stop.urgent:
            self._end_early()
        return True

    @override
    def _on_rollout_end(self) -> None:
        """Logs, on-policy, before the rollout is learnt from.

        Stable-Baselines3 counts rollouts from the start of `learn`; counted from the
        steps, their number does not depend on how often a run was interrupted.
        """
        learner = self._learner
        if isinstance(learner, OnPolicyAlgorithm):
            rollout = learner.num_timesteps // (learner.n_steps * learner.n_envs)
            if rollout % self._log_interval == 0:
                learner.dump_logs(rollout)

    @override
    def _on_training_end(self) -> None:
        """Evaluates what training ended with."""
        # Nothing is left to learn where the run was stopped after the last rollout.
        self._restore()
        if self._evaluations.last_steps < self._learner.num_timesteps:
            self._evaluate()
        self._report_progress()

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._start

    def _restore(self) -> bool:
        """Goes on from the snapshot, if there is one and it has not been used."""
        snapshot, self._snapshot = self._snapshot, None
        if snapshot is None:
            return False
        learner = self._learner
        for warning in snapshot.put_back(learner, self._evaluations):
            if warning not in self._warnings:
                self._warnings.append(warning)
        self._resumed = resumed(True, self._warnings)
        # So that steps per second are those of the whole run.
        learner.start_time = time.time_ns() - self._seconds * 1e9
        learner._num_timesteps_at_start = 0
        return True

    def _evaluate(self) -> None:
        learner, history = self._learner, self._evaluations.history
        require_finite(learner)
        policy = PolicySnapshot.of(learner)
        try:
            act = self._stoppable(policy.act(learner))
            is_best = self._evaluations.add(act, learner.num_timesteps)
        except _EvaluationStopped:
            self._save_snapshot()
            self._end_early()
        if is_best:
            files = self._files
            save_agent(learner, files.best_agent, files.best_statistics)
            self._best = policy
        logger = learner.logger
        logger.record("eval/mean_reward", float(history.returns[-1].mean()))
        logger.record("eval/mean_ep_length", float(history.lengths[-1].mean()))
        logger.record(
            "time/total_timesteps", learner.num_timesteps, exclude="tensorboard"
        )
        logger.dump(learner.num_timesteps)

    def _report(self) -> list[NDArray[np.float64]]:
        """Returns the returns of the best policy in episodes that choose nothing."""
        assert self._best is not None
        last = PolicySnapshot.of(self._learner)
        act = self._stoppable(self._best.act(self._learner))
        seed, episodes = self._prepared.report_seed, self._config.evaluation_episodes
        try:
            return [
                self._evaluations.report(act, seed + number * episodes)
                for number in range(_REPORTS)
            ]
        except _EvaluationStopped:
            last.act(self._learner)
            self._save_snapshot()
            self._end_early()

    def _stoppable(self, act: Act) -> Act:
        """Returns a policy that ends its evaluation if a signal asks to stop."""

        def act_or_stop(observations: NDArray[Any]) -> NDArray[Any]:
            if self._stop.asked:
                raise _EvaluationStopped
            actions = act(observations)
            require_finite_actions(self._learner, actions)
            return actions

        return act_or_stop

    def _save_snapshot(self) -> None:
        require_finite(self._learner)
        rows = self._learner.num_timesteps // self._learner.n_envs
        self._snapshots.write(
            lambda: snapshot_of(
                self._learner,
                self._evaluations,
                self._best,
                self._logs.lengths(),
                self._seconds,
                self._warnings,
            ),
            rows,
        )

    def _end_early(self) -> NoReturn:
        raise Stopped(
            f"{self._config.env_id}: stopped at step {self._learner.num_timesteps}"
        )

    def _report_progress(self) -> None:
        self._last_report = time.monotonic()
        self._logs.flush()
        if self._watch is None:
            return
        config, recent = self._config, self._learner.ep_info_buffer
        mean = float(safe_mean([row["r"] for row in recent])) if recent else None
        self._watch(
            Progress(
                config.env_id,
                config.algorithm,
                steps=self._learner.num_timesteps,
                total_steps=self._prepared.planned_steps,
                asked_steps=self._prepared.total_steps,
                mean_return=mean,
                seed=config.seed,
            )
        )
