"""The table of stock policy classes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from rltransfer_agents.loading.policy_builders import (
    action_quantiles,
    action_values,
    actor_critic,
    deterministic_actor,
    random_search,
    stochastic_actor,
)
from rltransfer_agents.loading.policy_data import PolicyData
from rltransfer_agents.loading.refusal import Refusal, quoted
from rltransfer_agents.policies import FrozenPolicy

Builder = Callable[[PolicyData, str], FrozenPolicy]


@final
@dataclass(frozen=True)
class _Stock:
    """A stock policy class: how it is built, and its default extractor."""

    build: Builder
    extractor: str


def _variants(
    module: str, names: tuple[str, str, str], build: Builder
) -> dict[str, _Stock]:
    extractors = ("FlattenExtractor", "NatureCNN", "CombinedExtractor")
    return {
        f"{module}.{name}": _Stock(build, extractor)
        for name, extractor in zip(names, extractors, strict=True)
    }


def _with_images(algorithm: str, name: str, build: Builder) -> dict[str, _Stock]:
    names = (name, "CnnPolicy", "MultiInputPolicy")
    return _variants(f"{algorithm}.policies", names, build)


_STOCK = ("stable_baselines3.", "sb3_contrib.")
STOCK_POLICIES: dict[str, _Stock] = {
    **_variants(
        "stable_baselines3.common.policies",
        (
            "ActorCriticPolicy",
            "ActorCriticCnnPolicy",
            "MultiInputActorCriticPolicy",
        ),
        actor_critic,
    ),
    **_with_images("stable_baselines3.dqn", "DQNPolicy", action_values),
    **_with_images("stable_baselines3.sac", "SACPolicy", stochastic_actor),
    **_with_images("stable_baselines3.td3", "TD3Policy", deterministic_actor),
    **_with_images("sb3_contrib.qrdqn", "QRDQNPolicy", action_quantiles),
    **_with_images("sb3_contrib.tqc", "TQCPolicy", stochastic_actor),
    "sb3_contrib.ars.policies.ARSPolicy": _Stock(random_search, "FlattenExtractor"),
    "sb3_contrib.ars.policies.ARSLinearPolicy": _Stock(
        random_search, "FlattenExtractor"
    ),
}


_NEEDS = {
    "Recurrent": "keep a memory, which cannot be carried over",
    "Maskable": "need a mask of allowed actions, which cannot be carried over",
}
"""What policies of these names need besides an observation."""


def build_policy(data: PolicyData) -> FrozenPolicy:
    """Returns the acting part of an agent's policy.

    Raises:
        Refusal: if the policy is not one of the stock ones, or its weights do not fit.
    """
    stock = STOCK_POLICIES.get(data.policy_class)
    if stock is None:
        if data.policy_class.startswith(_STOCK):
            needs = [why for word, why in _NEEDS.items() if word in data.policy_class]
            raise Refusal(
                "unsupported",
                f"policies of the class {quoted(data.policy_class)} "
                + (needs[0] if needs else "are not read yet"),
            )
        raise Refusal(
            "class",
            "a policy must be of a stock class of Stable-Baselines3, got "
            f"{quoted(data.policy_class)}",
        )
    extractor = data.keywords.features_extractor_class or stock.extractor
    policy = stock.build(data, extractor)
    _check_widths(data, policy)
    return policy.seeded(0)


def _check_widths(data: PolicyData, policy: FrozenPolicy) -> None:
    declared = data.keywords.actor_widths()
    widths = [int(layer.weight.shape[1]) for layer in policy.layers]
    if declared is not None and declared != widths:
        raise Refusal(
            "network",
            f"the file announces hidden layers of {declared}, the weights have "
            f"{widths}",
        )
