"""The function `rltransfer.transfer`: arguments in, a result out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rltransfer.argument_checks import (
    EPISODE_CAP,
    REPORTED_EPISODES,
    STEP_SECONDS,
    TARGET_STEPS,
    VecEnv,
)
from rltransfer.translation.altered_translations import Alter
from rltransfer.workflows.environments import (
    EnvironmentChoice,
    MakeEnv,
    Stepping,
    environment_id,
    require_plain,
)
from rltransfer.workflows.learning_request import LearningRequest
from rltransfer.workflows.policy_loading import AgentLike
from rltransfer.workflows.transfer_request import TransferRequest
from rltransfer.workflows.transfer_result import TransferResult
from rltransfer.workflows.transfer_run import run_transfer
from rltransfer_agents.loading import LoadedPolicy


def transfer(
    source: AgentLike | Sequence[AgentLike],
    target: str | MakeEnv,
    *,
    target_kwargs: Mapping[str, Any] | None = None,
    source_env: str | MakeEnv | Sequence[str | MakeEnv] | None = None,
    source_kwargs: Mapping[str, Any] | None = None,
    target_data: str | Path | None = None,
    source_data: str | Path | Sequence[str | Path] | None = None,
    steps: int = TARGET_STEPS,
    episodes: int = REPORTED_EPISODES,
    seed: int = 0,
    sha256: str | Sequence[str] | None = None,
    statistics: str | Path | Sequence[str | Path] | None = None,
    weak_source: bool = False,
    hyperparams: Mapping[str, Any] | None = None,
    log_folder: str | Path = "runs",
    tensorboard_log: str | Path | None = None,
    vec_env: VecEnv = "dummy",
    step_seconds: float = STEP_SECONDS,
    episode_cap: int = EPISODE_CAP,
    progress: bool = False,
    handle_signals: bool = False,
    cache: bool = True,
    alter: Alter | None = None,
    report: bool = True,
    improve: bool = False,
    student: str | None = None,
    strategy: str | None = None,
    threshold: float | None = None,
    alignment_steps: int | None = None,
    evaluations: int | None = None,
) -> TransferResult:
    """Finds a mapping to a source agent that lets it act in the target.

    The mapping is tested against acting at random in the target: `accepted` and
    `verdict` say what came of it. Observations of both environments are vectors, of any
    two lengths; actions are discrete or continuous, also different ones.

    An interrupted run goes on with `rltransfer.workflows.transfer_run.resume_transfer`.

    Args:
        source: anything that `load_agent` reads, or what it returned; several share
            the steps, and the best is kept.
        target: id of the environment to act in, or a callable that makes it.
        target_kwargs: what the target is made with.
        source_env: another environment than the one that the source's files name; one
            for all sources, or one for each.
        source_kwargs: arguments of the sources' environments; each replaces the
            recorded one of its name, the others are kept.
        target_data: logged steps of the target, which take part in the alignment and
            cost none: an .npz file with the arrays `observation`, `action`, `reward`,
            `next_observation`, `terminated` and `truncated` (and `episode`, where an
            episode breaks off unmarked), the folder of a Minari dataset, or
            `minari:ID` for a local one. Numbers alone are read.
        source_data: logged steps of each source's own environment, likewise, one for
            each; "none" for a source that has none. The source model learns from them
            beside what the source does by itself.
        steps: target steps from which anything is learned or chosen, a hard limit. With
            0 the mapping is found from `target_data` alone: nothing acts in the target,
            not even to report, and `accepted` is None.
        episodes: fresh ones behind each reported figure; they choose nothing.
        seed: of everything drawn.
        sha256: the hash that the source's file must have; one for each source.
        statistics: of the sources, as for `load_agent`, one for each in the same order;
            "none" for a source that has none.
        weak_source: transfer a source even if it does not beat acting at random in its
            own environment.
        hyperparams: replace values of `rltransfer.alignment.AlignConfig`, such as
            `{"restarts": 16, "learning.updates": 500}`.
        log_folder: the run's folder becomes `log_folder/transfer/TARGET_N`.
        tensorboard_log: folder for TensorBoard; by default in the run's folder.
        vec_env: `dummy`, or `subproc` for each environment in a process of its own.
        step_seconds: longest time of one step of an environment, in seconds.
        episode_cap: most steps of one reported episode; longer ones are a fault.
        progress: whether to show it on standard error.
        handle_signals: whether SIGINT and SIGTERM end the run where nothing that was
            acted is lost; otherwise they do what they do elsewhere.
        cache: whether what is learned of a source is read where an earlier transfer
            kept it, and kept otherwise: in the source's run folder, else in the user's
            cache. It changes no number.
        alter: makes another policy of what was found, given the target, before it is
            reported: for experiments, such as those of
            `rltransfer.translation.altered_translations`. Such a run cannot be resumed.
        report: whether `report.html` is written into the run's folder.
        improve: whether to learn on in the target with the steps that are left. What
            comes out is the best of the mapped policy, a student that learns on from
            it, and one that learns from scratch, by counted episodes. The following
            arguments are for this alone.
        student: algorithm of what learns, a name in
            `rltransfer_agents.learning_on.STUDENTS`; by default the one for the
            target's actions.
        strategy: how it learns from the mapped policy, a name in
            `rltransfer_agents.learning_on.STRATEGIES`; by default `hold`.
        threshold: mean return that counts as solved; by default the target's own.
        alignment_steps: how many of `steps` the alignment may take; by default the
            smaller of 10,000 and a quarter.
        evaluations: points of the learning curve, evenly spread; by default 20.

    Raises:
        InputError: wrong arguments, or spaces that cannot be mapped; nothing was made.
        ArtifactRefused: a file of the source is refused.
        EnvironmentFault: an environment broke its contract.
        StorageError: the disk refused.
    """
    sources = [source] if isinstance(source, str | Path | LoadedPolicy) else source
    if isinstance(source_env, str) or callable(source_env):
        source_env = [source_env]
    named = [statistics] if isinstance(statistics, str | Path) else statistics or ()
    logs_of = [source_data] if isinstance(source_data, str | Path) else source_data
    digests = [sha256] if isinstance(sha256, str) else sha256 or ()
    logs = None if tensorboard_log is None else Path(tensorboard_log)
    return run_transfer(
        TransferRequest(
            sources=tuple(
                one if isinstance(one, LoadedPolicy) else Path(one) for one in sources
            ),
            target=EnvironmentChoice(
                environment_id(target),
                require_plain("--target-kwargs", target_kwargs or {}),
            ),
            source_environments=tuple(map(environment_id, source_env or ())),
            source_kwargs=require_plain("--source-kwargs", source_kwargs or {}),
            target_data=None if target_data is None else str(target_data),
            source_data=tuple(map(str, logs_of or ())),
            weak_source=weak_source,
            digests=tuple(digests),
            statistics=tuple(map(str, named)),
            budget=steps,
            seed=seed,
            log_folder=Path(log_folder),
            episodes=episodes,
            hyperparams=hyperparams or {},
            progress=progress,
            tensorboard_folder=logs,
            stepping=Stepping(vec_env, step_seconds, episode_cap),
            handle_signals=handle_signals,
            cache=cache,
            alter=alter,
            report=report,
            learning=LearningRequest.of(
                improve,
                {
                    "student": student,
                    "strategy": strategy,
                    "threshold": threshold,
                    "alignment_steps": alignment_steps,
                    "evaluations": evaluations,
                },
            ),
        )
    )
