"""An agent or a mapped policy for machines that have neither torch nor us."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from rich.console import RenderableType
from typing_extensions import override

from rltransfer.argument_checks import STEP_SECONDS, VecEnv
from rltransfer.errors import InputError
from rltransfer.report import Result
from rltransfer.report.tables import facts
from rltransfer.translation import EnsemblePolicy, MappedPolicy
from rltransfer.workflows.distil import EPISODES, STEPS, DistilConfig, Distilled
from rltransfer.workflows.distil import distil as distil_policy
from rltransfer.workflows.environments import Stepping
from rltransfer.workflows.policy_loading import load_transfer, require_no_statistics
from rltransfer.workflows.transfer_description import came_out, is_transfer
from rltransfer_agents.export import (
    EQUAL_SHARE,
    export_mapped_onnx,
    export_numpy,
    export_onnx,
    export_policy_data,
    require_format,
)
from rltransfer_agents.export.export_checks import require_new
from rltransfer_agents.loading.agent_files import StatisticsChoice, locate
from rltransfer_agents.loading.agent_loading import read_policy_data
from rltransfer_agents.loading.hub import is_on_hub
from rltransfer_agents.loading.refusal import printable
from rltransfer_agents.policies import FrozenPolicy

_MAPPED_SUFFIX = ".onnx"
STUDENT_FORMATS = {".npz": export_numpy, ".onnx": export_onnx}


@final
@dataclass(frozen=True)
class ExportedPolicy(Result):
    """A file that was written and compared with its original."""

    agent: Path
    written: tuple[Path, ...]
    """Every file, the policy first."""
    checked: str
    """In what it was found to agree with its original."""
    distilled: Distilled | None = None
    """How the student was made that was written; None where none was."""
    wrappers: tuple[str, ...] = ()
    """Behind which it has to see its environment, the innermost first."""

    @override
    def as_json(self) -> dict[str, Any]:
        """Returns all paths."""
        files = [str(path) for path in self.written]
        return {
            "agent": str(self.agent),
            "written": files[0],
            "files": files,
            "wrappers": list(self.wrappers),
            "distilled": self.distilled and self.distilled.as_json(),
        }

    @override
    def __rich__(self) -> RenderableType:
        """Returns all paths, and in what they agree."""
        return facts(
            [
                ("agent", self.agent),
                *(("written", path) for path in self.written),
                ("checked", self.checked),
                *(self.distilled.entries if self.distilled else ()),
                *(("needs", name) for name in self.wrappers),
            ]
        )


def export(
    agent: str | Path,
    to: str | Path,
    *,
    sha256: str | None = None,
    statistics: StatisticsChoice = None,
    distil: int | None = None,
    steps: int = STEPS,
    episodes: int = EPISODES,
    seed: int = 0,
    force: bool = False,
    vec_env: VecEnv = "dummy",
    step_seconds: float = STEP_SECONDS,
) -> ExportedPolicy:
    """Writes an agent as a bundle, NumPy arrays or ONNX; a transfer as ONNX.

    What was written is read back and compared with its original. With `distil` it is a
    small student of a transfer's mapped policy, as NumPy arrays or ONNX.

    Args:
        agent: anything that `load_agent` reads; a transfer is what came out of it.
        to: the file, which decides the format: `.safetensors` (bundle), `.npz` (NumPy
            alone) or `.onnx`; a transfer: `.onnx`.
        sha256: the hash that the agent's file must have.
        statistics: of the agent, as for `load_agent`.
        distil: width of the two hidden layers of a student that is written in place of
            the mapped policy; the other arguments are for it alone.
        steps: target steps to learn from, beside those that the run keeps. They are
            counted and told.
        episodes: in which random, mapped policy and student are compared; nothing is
            learned from them, and their steps are told apart.
        seed: of everything drawn.
        force: whether a student is written that keeps less than 0.99 of what the mapped
            policy earns above random.
        vec_env: as for `evaluate`.
        step_seconds: likewise.

    Raises:
        InputError: the file cannot be written, its format cannot hold the agent, or the
            student keeps too little.
        ArtifactRefused: a file of the agent is refused.
    """
    to = Path(to)
    _require_writable_file(to)
    if distil is None:
        _require_unsaid(("-n", steps, STEPS), ("--episodes", episodes, EPISODES))
        _require_unsaid(("--seed", seed, 0), ("--force", force, False))
    else:
        stepping = Stepping(vec_env, step_seconds)
        config = DistilConfig(distil, steps, episodes, seed, force, stepping)
        return _export_student(Path(agent), to, config, sha256)
    agent = came_out(agent)
    if is_transfer(Path(agent)):
        require_no_statistics(statistics, agent)
        return _export_transfer(Path(agent), to, sha256)
    require_format(to)
    files = locate(agent, statistics=statistics)
    data = read_policy_data(files, sha256=sha256)
    return ExportedPolicy(
        Path(agent),
        export_policy_data(data, to),
        "equal to the agent on random observations",
        wrappers=tuple(str(wrapper) for wrapper in data.wrappers),
    )


def _require_unsaid(*options: tuple[str, int, int]) -> None:
    """Raises if an option of students has another value than its default."""
    for option, value, default in options:
        if value != default:
            raise InputError(
                f"{option} is for --distil WIDTH, which was not given; give it, or "
                f"leave out {option}"
            )


def _export_student(
    run: Path, to: Path, config: DistilConfig, sha256: str | None
) -> ExportedPolicy:
    if to.suffix not in STUDENT_FORMATS:
        raise InputError(
            f"a student is written as {' or '.join(STUDENT_FORMATS)}, got {to}; "
            "rename it"
        )
    require_new(to, to.suffix)
    if is_on_hub(run) or not is_transfer(run):
        raise InputError(
            "--distil takes the run folder of a finished transfer, got "
            f"{printable(run)}; export an agent without it"
        )
    distilled = distil_policy(run, config, sha256)
    return ExportedPolicy(
        run,
        STUDENT_FORMATS[to.suffix](distilled.student, to),
        "equal to the student on random observations",
        distilled,
    )


def _require_writable_file(to: Path) -> None:
    """Raises where a file could not be written in the end, before there is any work."""
    folder = to.parent
    if to.is_dir():
        raise InputError(
            f"an agent is written to a file, {to} is a folder; name a file in it"
        )
    if not folder.is_dir():
        kind = "is a file" if folder.exists() else "does not exist"
        raise InputError(
            f"the folder of the file to write must exist, {folder} {kind}; make it "
            "first or name another"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(
            f"the folder of the file to write must be writable, {folder} is not; "
            "change its permissions or name another"
        )


def _export_transfer(path: Path, to: Path, sha256: str | None) -> ExportedPolicy:
    mapped = load_transfer(path, sha256=sha256)
    policy, source = mapped.policy, printable(mapped.provenance["source"])
    if to.suffix != _MAPPED_SUFFIX:
        raise InputError(
            f"a mapped policy is written as {_MAPPED_SUFFIX}, got {to}; rename it, or "
            f"export the source agent for .npz or a bundle: {source}"
        )
    if isinstance(policy, EnsemblePolicy):
        raise InputError(
            f"one mapping can be written, {path} acts as an ensemble of "
            f"{len(policy.members)}; act with rltransfer.load_agent instead, or "
            "transfer without --hyperparams ensemble.members"
        )
    if not isinstance(policy, MappedPolicy) or not isinstance(
        policy.policy, FrozenPolicy
    ):
        raise InputError(
            f"a mapped policy can be written where its source is an agent, {path} was "
            f"made from the transfer {source}; make one from the agent itself"
        )
    written = export_mapped_onnx(policy, mapped.action_space, to)
    share = f"{EQUAL_SHARE:.0%} or more of random observations"
    return ExportedPolicy(path, written, f"acts as the transfer does on {share}")
