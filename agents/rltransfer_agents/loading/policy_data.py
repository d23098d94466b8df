"""An agent as plain data, with those keywords of its policy that change how it acts."""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
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

    net_arch: list[Any] | None = None
    """Widths, and at most one dict of the widths of branches."""
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

    def actor_widths(self) -> list[int] | None:
        """Returns the widths of the actor's hidden layers, if the file has them.

        Older versions allowed shared layers in front: `[128, {"pi": [64]}]`.
        """
        if self.net_arch is None:
            return None
        widths: list[int] = []
        for part in self.net_arch:
            widths += part.get("pi", []) if isinstance(part, dict) else [part]
        return widths


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
    # The others do not change how the agent acts.
    return Keywords(
        **{
            name: read(tree[name])
            for name, read in _READERS.items()
            if tree.get(name) is not None
        }
    )


def _net_arch(tree: Any) -> list[Any]:
    parts = [tree] if isinstance(tree, dict) else _list(tree, "net_arch")
    if sum(isinstance(part, dict) for part in parts) > 1:
        raise Refusal("network", "net_arch may branch once")
    return [_branches(p) if isinstance(p, dict) else _width(p) for p in parts]


def _branches(tree: dict[Any, Any]) -> dict[str, Any]:
    if len(tree) > limits.BRANCHES:
        raise Refusal("network", f"net_arch may have {limits.BRANCHES} branches")
    return {
        str(name): [_width(part) for part in _list(widths, "net_arch")]
        for name, widths in tree.items()
    }


def _list(tree: Any, name: str) -> list[Any]:
    if not isinstance(tree, list) or len(tree) > limits.LAYERS:
        raise Refusal("network", f"{name} must list {limits.LAYERS} layers at most")
    return tree


def _width(tree: Any) -> int:
    width = read_integer(tree, "a layer's width")
    if not 0 < width <= limits.SPACE_CHOICES:
        raise Refusal("network", f"a layer's width must be positive, got {width}")
    return width


def _class_name(
    tree: Any, name: str, accepted: Collection[str], modules: Collection[str]
) -> str:
    is_stock = isinstance(tree, Reference) and tree.module in modules
    given = tree.name if is_stock else tree
    if isinstance(given, str) and given in accepted:
        return given
    by_value = value_name(tree)
    if by_value is not None:
        raise Refusal(
            "class-by-value",
            f"{name} is the author's own {quoted(by_value)}, which exists as code only",
        )
    told = quoted(tree.path if isinstance(tree, Reference) else type(tree).__name__)
    raise Refusal("class", f"{name} must be one of {sorted(accepted)}, got {told}")


_activation = partial(
    _class_name,
    name="activation_fn",
    accepted=ACTIVATIONS,
    modules=("torch.nn.modules.activation", "torch.nn.modules.linear"),
)
_extractor = partial(
    _class_name,
    name="features_extractor_class",
    accepted=EXTRACTORS,
    modules=("stable_baselines3.common.torch_layers",),
)


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
    return [_activation(part) for part in _list(tree, "an extractor")]


def _flag(tree: Any) -> bool:
    if not isinstance(tree, bool):
        raise Refusal("network", "a switch in policy_kwargs must be true or false")
    return tree


def _number(tree: Any) -> float:
    if type(tree) not in (int, float) or not math.isfinite(tree):
        raise Refusal("non-finite", "numbers in policy_kwargs must be finite")
    return float(tree)


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
