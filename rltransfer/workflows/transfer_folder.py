"""What a finished transfer leaves: mapping, picture, record and manifest."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import final

import numpy as np

from rltransfer.alignment import Alignment, SourceEvidence
from rltransfer.domain import LoggedRows, describe_space
from rltransfer.evaluation import ReturnSummary, beats
from rltransfer.io import (
    Manifest,
    installed_versions,
    make_folder,
    storage_faults,
    write_json,
    write_manifest,
)
from rltransfer.report.html_page import REPORT
from rltransfer.report.linear_maps import MapMatrices
from rltransfer.report.return_chart import charted
from rltransfer.report.transfer_picture import Attempt, draw_transfer
from rltransfer.translation import EnsemblePolicy, save_translation
from rltransfer.workflows.ensemble_files import write_ensemble
from rltransfer.workflows.policy_loading import environment_of
from rltransfer.workflows.report_html import with_report
from rltransfer.workflows.run_experience import EXPERIENCE_FOLDER, RunExperience
from rltransfer.workflows.transfer_description import (
    AGAIN,
    MAPPING_FOLDER,
    REPORTED,
    SOURCE_BUNDLE,
    SOURCE_FOLDER,
    STUDENT_FOLDER,
    is_transfer,
)
from rltransfer.workflows.transfer_request import TransferRequest
from rltransfer.workflows.transfer_result import RECORD, SourceRecord, TransferResult
from rltransfer_agents.export import export_agent
from rltransfer_agents.loading import LoadedPolicy
from rltransfer_agents.loading.refusal import printable


def weakness(
    loaded: LoadedPolicy, at_home: ReturnSummary, random: ReturnSummary
) -> str | None:
    """Returns what to say of a source that does not beat random at home.

    Args:
        loaded: the source.
        at_home: what it earns in its own environment.
        random: what random actions earn there.
    """
    compared = beats(at_home.returns, random.returns)
    if compared.better:
        return None
    return (
        "a source must beat acting at random in its own environment, "
        f"{printable(loaded.path)} does not in {environment_of(loaded).title}: "
        f"{at_home.mean_return:.1f} against {random.mean_return:.1f} over "
        f"{at_home.episodes} episodes each (p = {compared.p_value:.2g}); usual causes "
        "are wrong statistics (--statistics), wrong arguments (--source-kwargs), "
        "another version of the environment (--source-env) and too little training"
    )


@final
@dataclass(frozen=True, eq=False)
class AlignedSource:
    """One source, and what aligning came to for it."""

    loaded: LoadedPolicy
    notes: tuple[str, ...]
    at_home: ReturnSummary
    """What it earns in its own environment."""
    random_at_home: ReturnSummary
    evidence: SourceEvidence
    log: LoggedRows | None = None
    """What others did in its environment."""

    def record(self, alignment: Alignment) -> SourceRecord:
        """Returns its row in the table of sources.

        Args:
            alignment: of all sources.
        """
        evidence, acceptance = self.evidence, alignment.acceptance
        tested = acceptance.returns if evidence.kept else ()
        candidate = evidence.candidate
        return SourceRecord(
            source=self.loaded.title,
            path=str(self.loaded.path),
            sha256=self.loaded.sha256,
            family=None if candidate is None else candidate.family.name,
            alignment_error=None if candidate is None else candidate.alignment_error,
            trials=evidence.trials,
            trial_return=evidence.trial_return,
            acceptance_return=float(np.mean(tested)) if len(tested) else None,
            acceptance_stopped=evidence.kept and acceptance.stopped_above is not None,
            home_return=self.at_home.mean_return,
            random_home_return=self.random_at_home.mean_return,
            target_steps=evidence.target_steps,
            accepted=acceptance.accepted if evidence.kept else None,
            kept=evidence.kept,
            members=evidence.members,
            say=evidence.say if evidence.members else None,
            verdict=acceptance.verdict
            if evidence.kept
            else _not_tested(evidence, alignment),
        )


def kept_of(aligned: Sequence[AlignedSource]) -> AlignedSource:
    """Returns the source that was kept."""
    return next(one for one in aligned if one.evidence.kept)


def _not_tested(evidence: SourceEvidence, alignment: Alignment) -> str:
    """Returns why the mapping to a source that was not kept was not tested."""
    if evidence.members:
        return (
            f"not tested alone: {evidence.members} of the ensemble's members are its "
            f"own, with {evidence.say:.0%} of the say"
        )
    if evidence.candidate is None:
        return "not tested: every mapping fitted to it diverged"
    if evidence.trial_return is not None:
        return (
            f"not tested: its best candidate earned {evidence.trial_return:.1f} in its "
            f"trial, that of the kept source {alignment.chosen.score:.1f}"
        )
    if alignment.acceptance.untested:
        return (
            "not tested: it explains the logged steps less, with an alignment error of "
            f"{evidence.candidate.alignment_error:.3g} against "
            f"{alignment.chosen.candidate.alignment_error:.3g} of the kept source"
        )
    return "not tested: no steps were left to act with a candidate of it; raise -n"


def write_transfer(
    request: TransferRequest,
    alignment: Alignment,
    aligned: Sequence[AlignedSource],
    target_log: LoggedRows | None,
    result: TransferResult,
) -> TransferResult:
    """Writes all that a finished transfer leaves; returns the result that names it.

    Args:
        request: what was asked for.
        alignment: of all sources.
        aligned: every source.
        target_log: what was known of the target besides.
        result: what came of it.
    """
    folder, target, best = result.folder, alignment.target, kept_of(aligned)
    _write_source(folder, best)
    save_translation(folder / MAPPING_FOLDER, alignment.lead.translation)
    if isinstance(alignment.policy, EnsemblePolicy):
        loaded = [one.loaded for one in aligned]
        write_ensemble(folder, alignment.policy, alignment.owners, loaded)
    kept = RunExperience.of(alignment, request.align_config().selection.resting)
    kept.write(folder)
    attempts = _attempts(alignment)
    draw(folder / "transfer.png", kept.maps, attempts, result)
    result = with_report(request, best.loaded, alignment.policy, kept, attempts, result)
    write_json(folder / RECORD, result.as_json())
    write_manifest(
        folder,
        Manifest(
            verb="transfer",
            versions=installed_versions(),
            seeds={"transfer": request.seed},
            steps={
                **result.steps,
                REPORTED: result.reported_steps,
                AGAIN: result.steps_taken_again,
            },
            spaces={
                "observation": describe_space(target.observation_space),
                "action": describe_space(target.action_space),
            },
            settings={
                "target": request.target.env_id,
                "target_kwargs": dict(request.target.kwargs),
                "source": str(best.loaded.path.resolve()),
                "source_env": best.loaded.env_id,
                "source_kwargs": dict(best.loaded.env_kwargs),
                "source_sha256": best.loaded.sha256,
                "source_statistics": best.loaded.statistics_choice,
                "budget": request.budget,
                "hyperparams": dict(request.hyperparams),
                "target_data": target_log and target_log.record(),
                "source_data": best.log and best.log.record(),
                "learning": None
                if request.learning is None
                else asdict(request.learning),
            },
            results={
                "accepted": result.accepted,
                "verdict": result.verdict,
                "winner": result.winner,
                "sources": [asdict(source) for source in result.sources],
                "resumed": result.resumed,
                "reproducibility_warnings": list(result.reproducibility_warnings),
                "seeds_ignored": list(result.seeds_ignored),
            },
        ),
    )
    return result


def _write_source(folder: Path, best: AlignedSource) -> None:
    """Writes what the mapping acts through, so that the folder needs nothing else."""
    path, inside = best.loaded.path, folder / SOURCE_FOLDER
    with storage_faults(inside):
        # A run that was stopped here has written some of it already.
        shutil.rmtree(inside, ignore_errors=True)
        if is_transfer(path):
            # Hidden files, logs and pictures are not needed to act.
            unneeded = shutil.ignore_patterns(
                *(".*", "tensorboard", STUDENT_FOLDER, "*.png", REPORT),
                EXPERIENCE_FOLDER,
            )
            shutil.copytree(path, inside, ignore=unneeded)
            return
    digest, statistics = best.loaded.sha256, best.loaded.statistics_choice
    make_folder(inside)
    export_agent(path, folder / SOURCE_BUNDLE, sha256=digest, statistics=statistics)


def draw(
    path: Path, maps: MapMatrices, attempts: Sequence[Attempt], result: TransferResult
) -> None:
    """Draws the transfer that was kept, on one page."""
    ids = result.source_environment.env_id, result.target.env_id
    draw_transfer(
        path,
        title=f"{result.source} → {result.target.title}, "
        f"{result.target_steps:,} target steps",
        verdict=result.verdict,
        accepted=result.accepted,
        state_map=maps.state_map(*ids),
        action_map=maps.action_map(*ids),
        attempts=attempts,
        figures=charted(result.figures),
        curve=result.curve,
    )


def _attempts(alignment: Alignment) -> tuple[Attempt, ...]:
    return tuple(
        Attempt(
            round=trial.round + 1,
            target_steps=trial.used,
            mean_return=trial.score,
            alignment_error=trial.candidate.alignment_error,
            chosen=trial.policy is alignment.policy,
            cut_short=not len(trial.rollout.returns),
        )
        for trial in alignment.trials
        # Those that never acted have nothing to show.
        if len(trial.rollout.transitions)
    )
