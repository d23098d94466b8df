"""Which verbs work with an agent: each is asked as far as it takes no step."""

from collections.abc import Callable
from pathlib import Path

from rltransfer.domain import Domain, codec_of
from rltransfer.domain.action_codec import observation_size_of
from rltransfer.errors import UserError
from rltransfer.workflows.environments import domain_of
from rltransfer.workflows.policy_loading import environment_of, load_agent, require_fit
from rltransfer_agents.loading import ArtifactDescription
from rltransfer_agents.loading.agent_files import StatisticsChoice
from rltransfer_agents.loading.refusal import printable

_FORMATS = ".safetensors, .npz, .onnx"
_OF_OTHERS = ".safetensors"


def verb_support(
    path: str | Path, description: ArtifactDescription, statistics: StatisticsChoice
) -> dict[str, str]:
    """Returns `yes` for each verb, or what it asks for; of `export` the formats.

    A refusal begins with `no`. The agent's environment is made for this, or the one
    that its old name suggests; it is not stepped.

    Args:
        path: of the agent.
        description: what is known about it.
        statistics: as for `load_agent`.
    """
    suggested = description.nearest_id

    def at_home() -> Domain:
        loaded = load_agent(path, env=suggested, statistics=statistics)
        domain = domain_of(environment_of(loaded), mapped=False)
        try:
            remedy = "name the environment it was trained in with --env"
            require_fit(loaded, domain, remedy)
        finally:
            domain.close()
        return domain

    def mapped() -> None:
        domain = at_home()
        observation_size_of(domain.observation_space, domain.name)
        codec_of(domain.action_space, domain.name)

    exported = "no: its policy cannot be read"
    if description.network:
        is_vector = description.network[0] == "Vector"
        exported = _FORMATS if is_vector else _OF_OTHERS
    prefix = f"{printable(description.path)}: "
    yes = "yes" if suggested is None else f"with --env {suggested}"
    if description.network and description.environment_id is None and not suggested:
        yes = "with --env and the environment it was trained in"
        return {"evaluate": yes, "transfer": yes, "export": exported}

    def answer(attempt: Callable[[], object]) -> str:
        try:
            attempt()
        except UserError as fault:
            return f"no: {str(fault).removeprefix(prefix)}"
        return yes

    return {
        "evaluate": answer(at_home),
        "transfer": answer(mapped),
        "export": exported,
    }
