"""Stable-Baselines3's own training loop, with what we do between two rollouts.

Between rollouts a training can be saved whole: no step is half collected and no
update half done. So that is where it is evaluated, saved and stopped.
"""

import inspect
import time
from collections.abc import Iterator
from typing import Any, NoReturn, final

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.utils import safe_mean
from typing_extensions import override

from rltransfer.errors import Stopped
from rltransfer.resume.reproducibility import (
    Resumed,
    changed_versions,
    computing_versions,
    resumed,
)
from rltransfer.resume.stop_signals import StopSignals
from rltransfer_agents.training.divergence import (
    divergence_named,
    require_finite,
    require_finite_actions,
)
from rltransfer_agents.training.evaluations import Act, PolicySnapshot, current_act
from rltransfer_agents.training.learner_state import digest, restore
from rltransfer_agents.training.run_files import save_agent, save_last
from rltransfer_agents.training.snapshots import TrainingSnapshot, snapshot_of
from rltransfer_agents.training.train_config import Progress, TrainingResult, Watch
from rltransfer_agents.training.training_setup import TrainingSetup, streams_of

_REPORTS = 2


class _EvaluationStopped(Exception):
    """A signal asked to stop during an evaluation; the learner is as before it."""


@final
class TrainingLoop(BaseCallback):
    """One training, which may go on from where it was interrupted.

    Args:
        setup: a training that has not begun.
        snapshot: of the interrupted training, if this one goes on from it.
        watch: called now and then with how far the training has come.
        stop: says whether to stop.
    """

    def __init__(
        self,
        setup: TrainingSetup,
        snapshot: TrainingSnapshot | None,
        watch: Watch | None,
        stop: StopSignals,
    ) -> None:
        super().__init__()
        self._setup = setup
        self._learner = setup.learner
        self._snapshot = snapshot
        self._watch = watch
        self._stop = stop
        self._best = None if snapshot is None else snapshot.best_policy()
        self._resumed: Resumed = "no"
        self._warnings = [] if snapshot is None else snapshot.reproducibility_warnings
        self._start = time.monotonic() - (0.0 if snapshot is None else snapshot.seconds)
        self._last_report = 0.0
        # SB3's own default: in rollouts on-policy, in episodes off-policy.
        arguments = inspect.signature(setup.learner.learn).parameters
        self._log_interval: Any = arguments["log_interval"].default

    def run(self) -> TrainingResult:
        """Trains to the end and returns what came of it; the folder holds the rest."""
        setup, learner, snapshot = self._setup, self._learner, self._snapshot
        lengths = {} if snapshot is None else snapshot.log_lengths
        learner.set_logger(setup.logs.open(lengths, self._seconds))
        # SB3 adds to `total_timesteps` what this says was learnt from already.
        learner.num_timesteps = 0 if snapshot is None else snapshot.steps
        # On-policy this class logs; SB3 takes None, its annotation does not.
        log_here = isinstance(learner, OnPolicyAlgorithm)
        log_interval: Any = None if log_here else self._log_interval
        with divergence_named(learner):
            learner.learn(
                setup.total_steps - learner.num_timesteps,
                callback=self,
                log_interval=log_interval,
                reset_num_timesteps=snapshot is None,
            )
        save_last(learner, setup.files)
        state_sha256 = digest(learner)
        returns = self._report()
        return TrainingResult(
            steps=learner.num_timesteps,
            mean_return=float(np.mean(returns)),
            seconds=self._seconds,
            resumed=self._resumed,
            reproducibility_warnings=tuple(self._warnings),
            state_sha256=state_sha256,
            seeds_ignored=setup.seeds_ignored,
            capped_episodes=setup.evaluations.capped_episodes,
        )

    @override
    def _on_rollout_start(self) -> None:
        """Does what is due between two rollouts; stops if asked to."""
        restored = self._restore()
        # After a restart, too: the run may have been stopped while it was evaluated.
        if self._setup.evaluations.due(self._learner.num_timesteps):
            self._evaluate()
        if restored:
            return
        if self._setup.snapshots.due or self._stop.asked:
            self._save_snapshot()
        if self._stop.asked:
            self._end_early()
        if time.monotonic() - self._last_report > self._setup.config.progress_seconds:
            self._report_progress()

    @override
    def _on_step(self) -> bool:
        """Lists episodes that ended; stops at once if asked to for the second time."""
        self._setup.logs.add_episodes(self.locals["infos"])
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
        if self._setup.evaluations.last_steps < self._learner.num_timesteps:
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
        same_states = restore(learner, snapshot.learner)
        for warning in self._new_warnings(snapshot, same_states):
            if warning not in self._warnings:
                self._warnings.append(warning)
        self._resumed = resumed(True, self._warnings)
        self._setup.evaluations.restore(vars(snapshot.evaluations))
        pending: tuple[Any, ...] = snapshot.pending_log
        values, counts, exclusions = pending
        learner.logger.name_to_value.update(values)
        learner.logger.name_to_count.update(counts)
        learner.logger.name_to_excluded.update(exclusions)
        # So that steps per second are those of the whole run.
        learner.start_time = time.time_ns() - self._seconds * 1e9
        learner._num_timesteps_at_start = 0
        return True

    def _new_warnings(
        self, snapshot: TrainingSnapshot, same_states: bool
    ) -> Iterator[str]:
        if not same_states:
            yield (
                "the environments came to another state by the same actions, so their "
                "episodes were started again"
            )
        yield from changed_versions(snapshot.versions, computing_versions())
        if self._learner.device.type != "cpu":
            yield f"sums on {self._learner.device.type} come in no fixed order"

    def _evaluate(self) -> None:
        learner, evaluations = self._learner, self._setup.evaluations
        files = self._setup.files
        require_finite(learner)
        try:
            is_best = evaluations.add(
                self._stoppable(current_act(learner)), learner.num_timesteps
            )
        except _EvaluationStopped:
            self._save_snapshot()
            self._end_early()
        if is_best:
            save_agent(learner, files.best_agent, files.best_statistics)
            self._best = PolicySnapshot.of(learner)
        logger = learner.logger
        logger.record("eval/mean_reward", float(evaluations.returns[-1].mean()))
        logger.record("eval/mean_ep_length", float(evaluations.lengths[-1].mean()))
        logger.record(
            "time/total_timesteps", learner.num_timesteps, exclude="tensorboard"
        )
        logger.dump(learner.num_timesteps)

    def _report(self) -> list[NDArray[np.float64]]:
        """Returns the returns of the best policy in episodes that choose nothing."""
        learner, setup = self._learner, self._setup
        assert self._best is not None
        last = PolicySnapshot.of(learner)
        act = self._stoppable(self._best.act(learner))
        # Not the episodes of the evaluations, which chose the best agent.
        seed = streams_of(setup.config).integer("report")
        episodes = setup.config.evaluation_episodes
        try:
            return [
                setup.evaluations.report(act, seed + number * episodes)
                for number in range(_REPORTS)
            ]
        except _EvaluationStopped:
            last.act(learner)
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
        self._setup.snapshots.write(
            lambda: snapshot_of(
                self._learner,
                self._setup.evaluations,
                self._best,
                self._setup.logs.lengths(),
                self._seconds,
                self._warnings,
            ),
            rows,
        )

    def _end_early(self) -> NoReturn:
        raise Stopped(
            f"{self._setup.config.env_id}: stopped at step "
            f"{self._learner.num_timesteps}"
        )

    def _report_progress(self) -> None:
        self._last_report = time.monotonic()
        self._setup.logs.flush()
        if self._watch is None:
            return
        config, recent = self._setup.config, self._learner.ep_info_buffer
        mean = float(safe_mean([row["r"] for row in recent])) if recent else None
        self._watch(
            Progress(
                config.env_id,
                config.algorithm,
                steps=self._learner.num_timesteps,
                total_steps=self._setup.planned_steps,
                asked_steps=self._setup.total_steps,
                mean_return=mean,
            )
        )
