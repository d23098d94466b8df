"""The policy that users meet, and how to get it from a path."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from numpy.typing import NDArray

from rltransfer.domain import Policy
from rltransfer_agents.loading.agent_files import (
    AgentFiles,
    Fetch,
    StatisticsChoice,
    locate,
)
from rltransfer_agents.loading.agent_loading import notes_on, read_policy_data
from rltransfer_agents.loading.environment_spec import (
    known_id,
    require_harmless,
    require_known,
)
from rltransfer_agents.loading.environment_wrappers import EnvironmentWrapper
from rltransfer_agents.loading.hub import fetch_agent
from rltransfer_agents.loading.policy_builders import build_policy
from rltransfer_agents.loading.refusal import (
    printable,
    refusals_about,
    refuse_unforeseen,
)


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
        statistics_choice=_choice_again(files) if files.statistics_named else None,
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


def _choice_again(files: AgentFiles) -> str:
    return "none" if files.statistics is None else str(files.statistics.resolve())
