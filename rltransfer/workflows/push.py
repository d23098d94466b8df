"""The function `rltransfer.push`: a finished run onto the Hugging Face Hub."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, final

from rich.console import RenderableType
from typing_extensions import override

from rltransfer.errors import InputError
from rltransfer.evaluation import ReturnSummary
from rltransfer.io import (
    MANIFEST_NAME,
    Manifest,
    read_manifest,
    storage_faults,
    write_atomically,
    write_json,
)
from rltransfer.report import Result
from rltransfer.report.filming import NoClip
from rltransfer.report.html_page import REPORT
from rltransfer.report.model_card import CARD, TAG, ModelCard, Origin
from rltransfer.report.replay_video import REPLAY, replay_of
from rltransfer.report.tables import facts
from rltransfer.workflows.evaluate import evaluate
from rltransfer.workflows.policy_loading import (
    environment_of,
    load_agent,
    load_transfer,
)
from rltransfer.workflows.pushed_transfer import (
    TransferRecord,
    public_page,
    public_record,
    write_transfer_files,
)
from rltransfer.workflows.report_html import actor_in
from rltransfer.workflows.transfer_description import TransferSettings, came_out
from rltransfer_agents.export.hub_files import (
    ARGUMENTS,
    ENV_KWARGS,
    HYPERPARAMETERS,
    STATISTICS,
    HubAgent,
    write_hub_files,
)
from rltransfer_agents.export.hub_upload import Repository, require_repository
from rltransfer_agents.loading import LoadedPolicy
from rltransfer_agents.loading.agent_files import require_own_files
from rltransfer_agents.loading.bundle import SUFFIX
from rltransfer_agents.loading.hub import METRICS, SCHEME, TRANSFER, is_on_hub
from rltransfer_agents.loading.refusal import printable

_RESULTS = "results.json"
_WRITTEN = (
    *("*.zip", f"*{SUFFIX}", STATISTICS, HYPERPARAMETERS, ARGUMENTS, ENV_KWARGS),
    *(METRICS, REPLAY, REPORT, _RESULTS, CARD, f"{TRANSFER}/*"),
)
"""Whatever a push writes; another run's files of these names are removed."""
_ENVIRONMENT = {"train-source": "env", "transfer": "target"}
"""The setting of a run that names it, by the run's verb."""


@final
@dataclass(frozen=True)
class PushResult(Result):
    """A run that is on the hub."""

    repository: str
    url: str
    commit: str
    files: tuple[str, ...]
    mean_reward: str
    """As the hub shows it."""
    notes: tuple[str, ...] = ()

    @override
    def as_json(self) -> dict[str, Any]:
        """Returns the object that `--json` prints."""
        return {
            "repository": f"{SCHEME}{self.repository}",
            "url": self.url,
            "commit": self.commit,
            "files": list(self.files),
            "mean_reward": self.mean_reward,
            "notes": list(self.notes),
        }

    @override
    def __rich__(self) -> RenderableType:
        """Returns where it is, and what is there."""
        return facts(
            [
                ("pushed to", self.url),
                ("commit", self.commit),
                ("files", ", ".join(self.files)),
                ("mean reward", self.mean_reward),
                *(("note", note) for note in self.notes),
                ("use it by", f"{SCHEME}{self.repository}"),
            ]
        )


def push(
    run: str | Path,
    repository: str,
    *,
    env: str | None = None,
    private: bool = False,
    force: bool = False,
) -> PushResult:
    """Puts a finished run onto the Hugging Face Hub, in one commit.

    There it is as RL Zoo's agents are: zip, settings and curves under RL Zoo's names,
    and a model card; beside them the safe bundle, the page about the run, and a replay
    where the environment renders. Of a transfer there is the mapped policy, which acts
    as `hf://ORGANISATION/NAME` where nothing was learned on, and else what came out.

    The token is found by the hub's own client (`hf auth login`, or `HF_TOKEN`).

    Args:
        run: folder of a finished run of `train_source` or `transfer`.
        repository: `ORGANISATION/NAME`; is made where there is none. What no push
            wrote is never written over.
        env: the run's own environment once more, where it is in a module of yours: a
            file may not import one.
        private: whether a repository that is made for this is; a public one that is
            there is then refused.
        force: whether a mapping that was refused is pushed all the same.

    Raises:
        InputError: there is no such run, its mapping was refused, no repository may
            have that name, or the hub refuses or cannot be reached.
        ArtifactRefused: a file of the run is damaged.
        EnvironmentFault: the environment broke its contract.
        StorageError: the disk refused.
    """
    run = Path(run)
    manifest, name = _manifest_of(run), require_repository(repository)
    recorded = manifest.settings.get(_ENVIRONMENT[manifest.verb])
    if env not in (None, recorded):
        raise InputError(
            f"--env names the environment of the run once more, {printable(recorded)}, "
            f"got {env!r}; leave it out"
        )
    require_own_files(run)
    loaded = load_agent(run, env=env)
    record = None
    if manifest.verb == "transfer":
        load_transfer(run)  # whatever acts, the mapped policy is sound
        record = TransferRecord.of(run)
    _require_worth(run, record, force)
    hub = Repository(name, TAG, private)
    with TemporaryDirectory(prefix="rltransfer-push-") as folder:
        to = Path(folder)
        with storage_faults(to):
            card, notes = _written(run, manifest, loaded, record, name, to)
            done = hub.put(to, f"Push {card.title} in {card.env_id}", _WRITTEN)
    reward = card.mean_reward
    return PushResult(name, done.url, done.commit, done.files, reward, notes)


def _require_worth(run: Path, record: TransferRecord | None, force: bool) -> None:
    """Raises unless what acts passed its test, or is pushed all the same."""
    if record is None:
        if force:
            raise InputError(
                f"--force is for a mapping that was refused, {printable(run)} is of a "
                "training; leave it out"
            )
    elif record.acts_refused and not force:
        raise InputError(
            "a push shares what beats random actions with confidence, the mapping of "
            f"{printable(run)} was refused; transfer with more -n or with --improve, "
            "or push it as it is with --force"
        )


def _manifest_of(run: Path) -> Manifest:
    example = "name one such as runs/ppo/CartPole-v1_1"
    if is_on_hub(run):
        raise InputError(f"a push takes a run from this disk, got {run}; {example}")
    if not run.is_dir():
        kind = "a file" if run.exists() else "not there"
        raise InputError(
            f"a push takes the folder of a finished run, {printable(run)} is {kind}; "
            f"{example}"
        )
    if not (run / MANIFEST_NAME).is_file():
        raise InputError(
            f"a push takes the folder of a finished run, {printable(run)} has no "
            f"{MANIFEST_NAME}; finish it with --resume, or {example}"
        )
    manifest = read_manifest(run)
    if manifest.verb not in _ENVIRONMENT:
        raise InputError(
            f"a push takes a run of {' or '.join(_ENVIRONMENT)}, {printable(run)} is "
            f"of {printable(manifest.verb)}; name the folder of the transfer itself"
        )
    return manifest


def _written(
    run: Path,
    manifest: Manifest,
    loaded: LoadedPolicy,
    record: TransferRecord | None,
    name: str,
    to: Path,
) -> tuple[ModelCard, tuple[str, ...]]:
    """Writes all that goes onto the hub; returns the card, and what to note."""
    agent: HubAgent | None = None
    origin = None
    if record is not None:
        origin = record.origin(TransferSettings.of(manifest.settings))
        write_transfer_files(run, to / TRANSFER)
    acting = Path(came_out(run))
    if record is None or acting != run:
        agent = write_hub_files(acting, read_manifest(acting), to)
    notes = _write_replay(to / REPLAY, loaded)
    if (run / REPORT).is_file():
        page = public_page((run / REPORT).read_bytes(), manifest.settings)
        write_atomically(to / REPORT, page)
    beside = [file for file in (REPLAY, REPORT) if (to / file).is_file()]
    card = _card(name, loaded, record, origin, agent, beside)
    write_atomically(to / CARD, card.text().encode())
    earned = card.earned
    results = {
        # As Stable-Baselines3's own pushing writes them.
        "mean_reward": earned.mean_return,
        "std_reward": earned.std_return,
        "is_deterministic": True,
        "n_eval_episodes": earned.episodes,
    }
    told = {} if record is None else {"transfer": public_record(run)}
    write_json(to / _RESULTS, {**results, **told})
    return card, notes


def _card(
    name: str,
    loaded: LoadedPolicy,
    record: TransferRecord | None,
    origin: Origin | None,
    agent: HubAgent | None,
    beside: list[str],
) -> ModelCard:
    """Returns the card; measures what a training's agent earns."""
    figures: dict[str, ReturnSummary]
    command = f"rltransfer evaluate {SCHEME}{name}"
    if record is None:
        summary = evaluate(loaded).summary
        figures = {loaded.title: summary}
    else:
        figures = record.figures
        summary = next(iter(figures.values()))
        command += f" --episodes {summary.episodes} --seed {record.report_seed}"
    return ModelCard(
        repository=name,
        title=loaded.title if agent is None else agent.algorithm.upper(),
        algorithm="" if agent is None else agent.algorithm,
        env_id=environment_of(loaded).env_id,
        env_kwargs=loaded.env_kwargs,
        earned=summary,
        command=command,
        figures=figures,
        agent=None if agent is None else agent.name,
        beside=beside,
        hyperparameters={} if agent is None else agent.hyperparameters,
        origin=origin,
    )


def _write_replay(path: Path, loaded: LoadedPolicy) -> tuple[str, ...]:
    """Writes a video of what acts; returns why there is none, if there is none."""
    actor = actor_in(environment_of(loaded), loaded.policy)
    try:
        write_atomically(path, replay_of(actor, seed=0))
    except NoClip as reason:
        return (f"no {REPLAY}: {reason}",)
    return ()
