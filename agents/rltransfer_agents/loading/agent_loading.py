"""The policy that users meet, and how to get it from the files of an agent."""

from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from numpy.typing import NDArray

from rltransfer.domain import Policy
from rltransfer.errors import InputError
from rltransfer.io import read_manifest, sha256_of
from rltransfer_agents.loading import limits
from rltransfer_agents.loading.agent_files import (
    AgentFiles,
    Fetch,
    StatisticsChoice,
    locate,
)
from rltransfer_agents.loading.bundle import is_bundle, read_bundle
from rltransfer_agents.loading.environment_spec import (
    known_id,
    require_harmless,
    require_known,
)
from rltransfer_agents.loading.environment_wrappers import (
    EnvironmentWrapper,
    wrappers_of,
)
from rltransfer_agents.loading.hub import fetch_agent
from rltransfer_agents.loading.policy_builders import build_policy
from rltransfer_agents.loading.policy_data import Normalisations, PolicyData
from rltransfer_agents.loading.refusal import (
    Part,
    Refusal,
    printable,
    read_bounded,
    refusals_about,
    refuse_unforeseen,
)
from rltransfer_agents.loading.running_statistics import (
    read_normalisations,
    require_fit,
)
from rltransfer_agents.loading.sb3_checkpoint import read_checkpoint


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
    """What that environment is made with."""
    path: Path
    """The file that was read, also where a folder was given."""
    sha256: str
    """Of that file."""
    recorded_env: tuple[str, dict[str, Any]] | None = None
    """The environment and its arguments as the files have them."""
    wrappers: tuple[EnvironmentWrapper, ...] = ()
    """What its run put around the environment, the innermost first; not yet around
    `env_id`."""
    algorithm: str = ""
    """RL Zoo's word, such as `ppo`; empty for a policy made by a transfer."""
    statistics: Path | None = None
    """The file with the means and variances that normalise its observations."""
    statistics_choice: str | None = None
    """What to name so that the same statistics are read again; None where they are
    found by themselves."""
    normalised: bool = False
    notes: tuple[str, ...] = ()
    """What a user should know about what was read and what was not."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """What the files say about versions, steps, seed and so on, for manifests."""

    @property
    def at_home(self) -> bool:
        """Whether its environment is the recorded one, with the same arguments."""
        return (self.env_id, self.env_kwargs) == self.recorded_env

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

        Returns:
            Actions, choices counted from 0 as everywhere in Stable-Baselines3, and
            `state`.
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
    recorded = data.env_id or files.env_name
    choice = "none" if files.statistics is None else str(files.statistics.resolve())
    if env_id is None:
        env_id = require_known(recorded, str(files.agent))
    return LoadedPolicy(
        policy=policy,
        title=f"{data.algorithm} {env_id}",
        observation_space=data.observation_space,
        action_space=data.action_space,
        env_id=env_id,
        env_kwargs=env_kwargs,
        recorded_env=(known_id(recorded) or recorded, env_kwargs),
        wrappers=data.wrappers,
        path=files.agent,
        sha256=data.sha256,
        algorithm=data.algorithm,
        statistics=files.statistics,
        statistics_choice=choice if files.statistics_named else None,
        normalised=bool(data.normalisations),
        notes=files.notes,
        provenance={name: getattr(data, name) for name in _ORIGIN} | {"hub": files.hub},
    )


_ORIGIN = "policy_class steps seed versions sha256 statistics_sha256".split()
BUNDLE, CHECKPOINT = "safe bundle", "Stable-Baselines3 checkpoint"


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
        kind = kind_of_file(files.agent, data)
        if kind not in (BUNDLE, CHECKPOINT):
            raise InputError(
                f"{printable(files.agent)} is a {kind}, which acts elsewhere; name the "
                "agent it was made from"
            )
        if kind == BUNDLE and files.statistics_named and files.statistics is not None:
            raise InputError(
                f"a bundle carries its own statistics, {printable(files.agent)} is "
                "one; leave --statistics out"
            )
        return PolicyData(**read_parts(files, data))


def kind_of_file(path: Path, data: bytes) -> str:
    """Returns `BUNDLE`, `CHECKPOINT`, or what an exported policy is called.

    Raises:
        InputError: if a file does not even begin as one of them does.
    """
    if is_bundle(data):
        return BUNDLE
    if path.suffix == ".onnx":
        return "policy exported as ONNX"
    # The name of a zip's first member stands after 30 bytes.
    if path.suffix == ".npz" and data[:2] == b"PK" and b".npy" in data[30:100]:
        return "policy exported for NumPy"
    if not data.startswith(b"PK"):
        raise InputError(
            f"{printable(path)} must be a zip written by Stable-Baselines3, it is "
            "none; name the agent's zip or the folder of its run"
        )
    return CHECKPOINT


def read_parts(
    files: AgentFiles, data: bytes, part: Part = nullcontext
) -> dict[str, Any]:
    """Returns what the files of an agent hold, as the fields of `PolicyData`.

    Args:
        files: of the agent.
        data: of its own file.
        part: what each part is read in; where it swallows a refusal, the part is
            missing.
    """
    read: dict[str, Any] = {}
    if is_bundle(data):
        with part("bundle"):
            read = vars(read_bundle(data))
    else:
        read = read_checkpoint(data, part)
        read |= {"env_id": files.env_name, "env_kwargs": files.env_kwargs}
        with part("statistics"):
            read["normalisations"], read["statistics_sha256"] = _statistics_of(files)
        with part("wrappers"):
            read["wrappers"] = wrappers_of(files.settings)
            stacked = any(w.name == "VecFrameStack" for w in read["wrappers"])
            if stacked and read.get("normalisations"):
                raise Refusal(
                    "wrapper",
                    "an agent whose observations were normalised before its frames "
                    "were stacked is not read yet",
                )
    if {"normalisations", "observation_space"} <= read.keys():
        with part("statistics"):
            require_fit(read["normalisations"], read["observation_space"])
    return read


def _statistics_of(files: AgentFiles) -> tuple[Normalisations, str | None]:
    """Returns how the agent's observations were normalised, and the file's SHA-256."""
    path = files.statistics
    if path is None:
        if files.was_normalised:
            raise Refusal(
                "normalisation",
                "its run normalised observations, but there are no statistics "
                "(vecnormalize.pkl) beside it"
                + "".join(f"; {note}" for note in files.notes),
            )
        return {}, None
    data = read_bounded(path, limits.PICKLE_BYTES)
    _require_hash_of_run(files, path, data)
    with refusals_about(printable(path.name)):
        return read_normalisations(path, data), sha256_of(data)


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
    if read_manifest(files.run).files.get(name) != sha256_of(data):
        raise Refusal(
            "manifest",
            f"{printable(name)} differs from the file that its run's manifest names",
        )
