"""From a path to a policy that acts, without running anything that lies there."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, final

from numpy.typing import NDArray

from rltransfer.domain import Policy
from rltransfer.errors import InputError
from rltransfer.io import read_manifest, sha256_of
from rltransfer.io.strict_json import NotPlain, TooLarge, bounded_bytes
from rltransfer_agents.loading import limits
from rltransfer_agents.loading.agent_files import (
    AgentFiles,
    Fetch,
    StatisticsChoice,
    locate,
)
from rltransfer_agents.loading.bundle import is_bundle, read_bundle
from rltransfer_agents.loading.environment_spec import require_harmless, require_known
from rltransfer_agents.loading.environment_wrappers import (
    EnvironmentWrapper,
    wrappers_of,
)
from rltransfer_agents.loading.hub import fetch_agent
from rltransfer_agents.loading.policy_data import Normalisations, PolicyData
from rltransfer_agents.loading.refusal import (
    Refusal,
    printable,
    refusals_about,
    refuse_unforeseen,
)
from rltransfer_agents.loading.running_statistics import (
    normalisations_of,
    read_statistics,
    read_vecnormalize,
    require_fit,
)
from rltransfer_agents.loading.sb3_checkpoint import read_checkpoint
from rltransfer_agents.loading.stock_policies import build_policy


@final
@dataclass(frozen=True, eq=False)
class LoadedPolicy:
    """A policy out of a file: how it acts, where it belongs, where it came from.

    `predict` has the signature of Stable-Baselines3's and takes observations as the
    environment gives them; normalisation happens inside.
    """

    policy: Policy
    title: str
    """For tables, such as `ppo CartPole-v1`."""
    observation_space: Any
    action_space: Any
    env_id: str | None
    """The registered environment it was made for, if that is known."""
    env_kwargs: dict[str, Any]
    """What that environment was made with."""
    path: Path
    """The file that was read, also where a folder was given."""
    sha256: str
    """Of that file."""
    wrappers: tuple[EnvironmentWrapper, ...] = ()
    """What its run put around the environment, the innermost first; not yet around
    `env_id`."""
    algorithm: str = ""
    """RL Zoo's word, such as `ppo`; empty for a policy made by a transfer."""
    statistics: Path | None = None
    """The file with the means and variances that normalise its observations."""
    normalised: bool = False
    notes: tuple[str, ...] = ()
    """What a user should know about what was read and what was not."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """What the files say about versions, steps, seed and so on, for manifests."""

    def predict(
        self,
        observation: Any,
        state: tuple[NDArray[Any], ...] | None = None,
        episode_start: NDArray[Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[Any, tuple[NDArray[Any], ...] | None]:
        """Returns the action for one observation, or one for each of a batch.

        Args:
            observation: as the environment gives it, before any normalisation.
            state: handed back as it came; no policy that can be loaded is recurrent.
            episode_start: has no effect, for the same reason.
            deterministic: the likeliest action instead of a drawn one.
        """
        return self.policy.predict(observation, state, episode_start, deterministic)


def load_agent(
    path: Path | str,
    *,
    env_id: str | None = None,
    sha256: str | None = None,
    best: bool | None = None,
    statistics: StatisticsChoice = None,
    fetch: Fetch = fetch_agent,
) -> LoadedPolicy:
    """Returns the agent at `path`.

    Args:
        path: a run folder of ours or of RL Zoo, a zip of Stable-Baselines3, a bundle,
            or `hf://ORGANISATION/REPOSITORY[@REVISION]`.
        env_id: the environment it was trained in, where the files do not say it or
            name one that is not registered.
        sha256: the hash that the agent's file must have.
        best: the best agent of a run or the last one; None takes the best of our own
            runs and the last of others.
        statistics: the file of `VecNormalize` that belongs to it, by its path or by
            its name beside the agent; "none" if it has none; None looks for the usual
            names.
        fetch: gets an agent from the hub.

    Raises:
        InputError: if there is no agent, or its environment is not known.
        ArtifactRefused: if a file is damaged, unsafe, or does not fit the others.
    """
    files = locate(path, best=best, statistics=statistics, fetch=fetch)
    data = read_policy_data(files, sha256=sha256)
    with refusals_about(printable(files.agent)), refuse_unforeseen():
        env_kwargs = require_harmless(data.env_kwargs)
        policy = build_policy(data)
    if env_id is None:
        env_id = require_known(data.env_id or files.env_name, str(files.agent))
    return LoadedPolicy(
        policy=policy,
        title=f"{data.algorithm} {env_id}",
        observation_space=data.observation_space,
        action_space=data.action_space,
        env_id=env_id,
        env_kwargs=env_kwargs,
        wrappers=data.wrappers,
        path=files.agent,
        sha256=data.sha256,
        algorithm=data.algorithm,
        statistics=files.statistics,
        normalised=bool(data.normalisations),
        notes=notes_on(files),
        provenance={
            "policy_class": data.policy_class,
            "steps": data.steps,
            "seed": data.seed,
            "versions": data.versions,
            "sha256": data.sha256,
            "statistics_sha256": data.statistics_sha256,
            "hub": files.hub,
        },
    )


def read_policy_data(files: AgentFiles, *, sha256: str | None = None) -> PolicyData:
    """Returns what the files of an agent hold, checked but not built into a policy.

    Raises:
        InputError: if they are no agent's.
        ArtifactRefused: if a file is damaged, unsafe, or does not fit the others.
    """
    data = read_bounded(files.agent)
    with refusals_about(printable(files.agent)), refuse_unforeseen():
        require_digest(sha256_of(data), sha256)
        _require_hash_of_run(files, files.agent, data)
        if is_bundle(data):
            if files.statistics_named:
                raise InputError(
                    f"a bundle carries its own statistics, {printable(files.agent)} is "
                    "one; leave --statistics out"
                )
            agent = read_bundle(data)
            require_fit(agent.normalisations, agent.observation_space)
            return agent
        require_zip(files.agent, data)
        agent = read_checkpoint(data)
        normalisations, digest = read_statistics_of(files)
        wrappers = wrappers_of(files.settings)
        if normalisations and any(w.name == "VecFrameStack" for w in wrappers):
            raise Refusal(
                "wrapper",
                "an agent whose observations were normalised before its frames were "
                "stacked is not read yet",
            )
        require_fit(normalisations, agent.observation_space)
        return replace(
            agent,
            normalisations=normalisations,
            statistics_sha256=digest,
            env_id=files.env_name,
            env_kwargs=files.env_kwargs,
            wrappers=wrappers,
        )


def notes_on(files: AgentFiles) -> tuple[str, ...]:
    """Returns what was left aside beside an agent, one line for each."""
    if not files.unused:
        return ()
    names = [printable(path.name) for path in files.unused]
    listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" * (len(names) > 3))
    return (
        f"not used: {listed} beside the agent; if one holds its statistics, add "
        f"--statistics {names[0]}",
    )


def read_bounded(path: Path, most: int = limits.ARCHIVE_BYTES) -> bytes:
    """Returns the bytes of a file that a user named, up to the largest size read."""
    try:
        return bounded_bytes(path, most)
    except NotPlain as fault:
        raise InputError(
            f"an agent must lie in a plain file, {printable(path)} is none; name its "
            "zip or the folder of its run"
        ) from fault
    except TooLarge as fault:
        raise Refusal("limit", f"{printable(path)}: {fault}") from fault
    except OSError as fault:
        raise InputError(
            f"{printable(path)} cannot be read ({fault.strerror}); check its "
            "permissions"
        ) from fault


def read_statistics_of(files: AgentFiles) -> tuple[Normalisations, str | None]:
    """Returns how the agent's observations were normalised, and the file's SHA-256.

    Raises:
        Refusal: if they were, and the statistics are missing.
    """
    path = files.statistics
    if path is None:
        if files.was_normalised:
            raise Refusal(
                "normalisation",
                "its run normalised observations, but there are no statistics "
                "(vecnormalize.pkl) beside it"
                + "".join(f"; {note}" for note in notes_on(files)),
            )
        return {}, None
    data = read_bounded(path, limits.PICKLE_BYTES)
    _require_hash_of_run(files, path, data)
    with refusals_about(printable(path.name)):
        if path.suffix == ".json":
            normalisations = normalisations_of(read_statistics(path))
        else:
            normalisations = read_vecnormalize(data)
    return normalisations, sha256_of(data)


def require_zip(path: Path, data: bytes) -> None:
    """Raises if a file does not even begin as an agent's does."""
    if not data.startswith(b"PK"):
        raise InputError(
            f"{printable(path)} must be a zip written by Stable-Baselines3, it is "
            "none; name the agent's zip or the folder of its run"
        )


def require_digest(digest: str, expected: str | None) -> None:
    """Raises unless a file has the hash that the user asked for."""
    if expected is not None and digest != expected.strip().lower():
        raise Refusal(
            "digest", f"must have the SHA-256 {printable(expected)}, it has {digest}"
        )


def _require_hash_of_run(files: AgentFiles, path: Path, data: bytes) -> None:
    """Raises if a file of a run of ours is not the one its manifest names."""
    if files.run is None or not path.is_relative_to(files.run):
        return
    name = path.relative_to(files.run).as_posix()
    digest = read_manifest(files.run).files.get(name)
    if digest != sha256_of(data):
        raise Refusal(
            "manifest", f"{printable(name)} is not what its run's manifest vouches for"
        )
