"""An agent as plain data, with those keywords of its policy that change how it acts."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, final

from gymnasium import spaces
from numpy.typing import NDArray

from rltransfer_agents.loading import limits
from rltransfer_agents.loading.environment_wrappers import EnvironmentWrapper
from rltransfer_agents.loading.pickle_tree import (
    Call,
    Reference,
    read_integer,
    value_name,
)
from rltransfer_agents.loading.refusal import Refusal, quoted
from rltransfer_agents.policies.activations import ACTIVATIONS
from rltransfer_agents.policies.observation_encoders import Normalisation

EXTRACTORS = ("FlattenExtractor", "NatureCNN", "CombinedExtractor")
"""For vectors, for pictures, for observations of parts."""


@final
@dataclass(frozen=True)
class Keywords:
    """Keyword arguments of a policy class; None where its default holds."""

    net_arch: list[Any] | dict[str, Any] | None = None
    activation_fn: str | None = None
    features_extractor_class: str | None = None
    features_extractor_kwargs: dict[str, Any] = field(default_factory=dict)
    n_quantiles: int | None = None
    use_expln: bool = False
    clip_mean: float = 2.0
    squash_output: bool | None = None
    normalize_images: bool = True
    extractor_activations: list[str] | None = None
    """Of dense layers that an author's own extractor had; only our bundles have it."""
    ignored: tuple[str, ...] = ()
    """Names of those that have no influence on how the agent acts."""

    def actor_widths(self) -> list[int] | None:
        """Returns the widths of the actor's hidden layers, if the file has them.

        Older versions allowed shared layers in front: `[128, {"pi": [64]}]`.
        """
        declared = self.net_arch
        if declared is None:
            return None
        if isinstance(declared, dict):
            return [*declared.get("pi", [])]
        shared = [width for width in declared if isinstance(width, int)]
        parts = [part for part in declared if isinstance(part, dict)]
        return shared + [width for part in parts for width in part.get("pi", [])]


# By the part of a Dict observation; "" stands for an observation without parts.
Normalisations = Mapping[str, Normalisation]


@final
@dataclass(frozen=True, eq=False)
class PolicyData:
    """An agent's file as plain data: what its policy is built from, and its origin."""

    algorithm: str
    policy_class: str
    """Module and name."""
    observation_space: spaces.Space[Any]
    action_space: spaces.Space[Any]
    keywords: Keywords
    tensors: dict[str, NDArray[Any]]
    exploration: float = 0.0
    """Share of random actions when actions are drawn (DQN, QR-DQN)."""
    normalisations: Normalisations = field(default_factory=dict)
    steps: int | None = None
    seed: int | None = None
    versions: dict[str, str] = field(default_factory=dict)
    """Of Stable-Baselines3, Python, torch and so on, as the file says."""
    env_id: str | None = None
    """As the file calls it, which need not be a registered id."""
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    wrappers: tuple[EnvironmentWrapper, ...] = ()
    """What its run put around the environment, the innermost first."""
    sha256: str = ""
    """Of the file."""
    statistics_sha256: str | None = None
    """Of the statistics' own file, if there is one."""
    members: tuple[tuple[str, int], ...] = ()
    """Names and sizes of the files inside the file."""
    ignored: tuple[str, ...] = ()
    """Fields that are not read; pickled ones are marked."""


def read_keywords(tree: Any) -> Keywords:
    """Returns the keywords that a pickle, or plain JSON, describes.

    Classes are references in pickles, and names in our own bundles.
    """
    if isinstance(tree, Call) and isinstance(tree.function, Reference):
        tree = tree.items
    if not isinstance(tree, dict):
        raise Refusal("network", "policy_kwargs must be a dict")
    known = {part.name for part in fields(Keywords)} - {"ignored"}
    values = {
        name: _READERS[name](value)
        for name, value in tree.items()
        if name in known and value is not None
    }
    ignored = tuple(quoted(name) for name in tree if name not in known)
    return Keywords(**values, ignored=ignored)


def _net_arch(tree: Any) -> list[Any] | dict[str, Any]:
    if isinstance(tree, dict):
        return _branches(tree)
    if not isinstance(tree, list) or len(tree) > limits.LAYERS:
        raise Refusal("network", "net_arch must be a list or a dict of widths")
    if sum(isinstance(part, dict) for part in tree) > 1:
        raise Refusal("network", "net_arch may branch once")
    return [
        _branches(part) if isinstance(part, dict) else _width(part) for part in tree
    ]


def _branches(tree: dict[Any, Any]) -> dict[str, Any]:
    if len(tree) > limits.BRANCHES:
        raise Refusal("network", f"net_arch may have {limits.BRANCHES} branches")
    return {str(name): _widths(widths) for name, widths in tree.items()}


def _widths(tree: Any) -> list[int]:
    if not isinstance(tree, list) or len(tree) > limits.LAYERS:
        raise Refusal("network", f"net_arch may have {limits.LAYERS} layers in a list")
    return [_width(part) for part in tree]


def _width(tree: Any) -> int:
    width = read_integer(tree, "a layer's width")
    if not 0 < width <= limits.SPACE_CHOICES:
        raise Refusal("network", f"a layer's width must be positive, got {width}")
    return width


def _activation(tree: Any) -> str:
    if isinstance(tree, Reference) and tree.module in (
        "torch.nn.modules.activation",
        "torch.nn.modules.linear",
    ):
        if tree.name in ACTIVATIONS:
            return tree.name
    if isinstance(tree, str) and tree in ACTIVATIONS:
        return tree
    raise _unknown_class("activation_fn", tree, sorted(ACTIVATIONS))


def _extractor(tree: Any) -> str:
    if (
        isinstance(tree, Reference)
        and tree.module == "stable_baselines3.common.torch_layers"
        and tree.name in EXTRACTORS
    ):
        return tree.name
    if isinstance(tree, str) and tree in EXTRACTORS:
        return tree
    raise _unknown_class("features_extractor_class", tree, sorted(EXTRACTORS))


def _extractor_keywords(tree: Any) -> dict[str, Any]:
    names = {"features_dim", "cnn_output_dim", "normalized_image"}
    if not isinstance(tree, dict) or not set(tree) <= names:
        raise Refusal(
            "network", f"features_extractor_kwargs may have {sorted(names)} only"
        )
    if not all(type(value) in (int, bool) for value in tree.values()):
        raise Refusal("network", "features_extractor_kwargs must be plain numbers")
    return dict(tree)


def _activations(tree: Any) -> list[str]:
    if not isinstance(tree, list) or len(tree) > limits.LAYERS:
        raise Refusal("network", f"an extractor may have {limits.LAYERS} layers")
    return [_activation(part) for part in tree]


def _flag(tree: Any) -> bool:
    if not isinstance(tree, bool):
        raise Refusal("network", "a switch in policy_kwargs must be true or false")
    return tree


def _number(tree: Any) -> float:
    if type(tree) not in (int, float) or not math.isfinite(tree):
        raise Refusal("non-finite", "numbers in policy_kwargs must be finite")
    return float(tree)


def _unknown_class(name: str, tree: Any, accepted: list[str]) -> Refusal:
    by_value = value_name(tree)
    if by_value is not None:
        return Refusal(
            "class-by-value",
            f"{name} is the author's own {quoted(by_value)}, which exists as code only",
        )
    given = tree.path if isinstance(tree, Reference) else type(tree).__name__
    return Refusal("class", f"{name} must be one of {accepted}, got {quoted(given)}")


_READERS: dict[str, Callable[[Any], Any]] = {
    "net_arch": _net_arch,
    "activation_fn": _activation,
    "features_extractor_class": _extractor,
    "features_extractor_kwargs": _extractor_keywords,
    "extractor_activations": _activations,
    "n_quantiles": _width,
    "use_expln": _flag,
    "clip_mean": _number,
    "squash_output": _flag,
    "normalize_images": _flag,
}
