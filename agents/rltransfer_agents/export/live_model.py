"""A live Stable-Baselines3 model as data: the way out for classes no file can hold.

The author's own subclasses of stock policies, and extractors of plain layers, are
understood from the modules themselves. Whether they were understood rightly is for the
comparison to say.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecNormalize
from torch import nn

from rltransfer.errors import InputError
from rltransfer.io import installed_versions
from rltransfer_agents.loading.policy_builders import STOCK_POLICIES
from rltransfer_agents.loading.policy_data import (
    EXTRACTORS,
    Keywords,
    Normalisations,
    PolicyData,
)
from rltransfer_agents.loading.policy_parts import FRONT
from rltransfer_agents.loading.sb3_checkpoint import ALGORITHMS
from rltransfer_agents.policies.activations import ACTIVATIONS
from rltransfer_agents.policies.observation_encoders import Normalisation

_OWNERS = ("actor", "q_net", "quantile_net")


def policy_data_of(model: BaseAlgorithm) -> PolicyData:
    """Returns all that a bundle holds about a model.

    Raises:
        InputError: if its policy is of no kind that can be understood.
    """
    policy = model.policy
    assert isinstance(policy, BasePolicy)
    own, front = _extractor(policy)
    tensors = {
        name: np.asarray(tensor.detach().cpu().numpy())
        for name, tensor in policy.state_dict().items()
        if not own or "features_extractor." not in name
    }
    for place, layer in enumerate(layer for layer, _ in front):
        tensors[f"{FRONT}{place}.weight"] = layer.weight.detach().cpu().numpy()
        if layer.bias is not None:
            tensors[f"{FRONT}{place}.bias"] = layer.bias.detach().cpu().numpy()
    return PolicyData(
        algorithm=_algorithm(model),
        policy_class=_stock_class(policy),
        observation_space=policy.observation_space,
        action_space=policy.action_space,
        keywords=_keywords(policy, own, [name for _, name in front]),
        tensors=tensors,
        exploration=float(getattr(model, "exploration_rate", 0.0)),
        steps=int(model.num_timesteps),
        seed=model.seed,
        versions=installed_versions(),
        normalisations=_normalisations(model),
        env_id=_env_id(model),
    )


def _algorithm(model: BaseAlgorithm) -> str:
    for kind in type(model).__mro__:
        if kind.__name__.lower() in ALGORITHMS:
            return kind.__name__.lower()
    raise InputError(
        f"an algorithm must be one of {sorted(ALGORITHMS)}, got "
        f"{type(model).__name__}; export its policy as ONNX with torch instead"
    )


def _stock_class(policy: BasePolicy) -> str:
    for kind in type(policy).__mro__:
        path = f"{kind.__module__}.{kind.__qualname__}"
        if path in STOCK_POLICIES:
            return path
    raise InputError(
        f"a policy must be of a stock class or a class made from one, got "
        f"{type(policy).__name__}; export it as ONNX with torch instead"
    )


def _keywords(policy: Any, own: bool, front: list[str]) -> Keywords:
    activation = policy.activation_fn.__name__
    if activation not in ACTIVATIONS:
        raise InputError(
            f"an activation must be one of {sorted(ACTIVATIONS)}, got {activation}; "
            "train with one of them"
        )
    actor = getattr(policy, "actor", None)
    noise = getattr(policy, "dist_kwargs", None) or {}
    stock = policy.features_extractor_class.__name__
    return Keywords(
        activation_fn=activation,
        features_extractor_class="FlattenExtractor" if own else stock,
        features_extractor_kwargs={}
        if own
        else {
            name: value
            for name, value in policy.features_extractor_kwargs.items()
            if isinstance(value, bool | int)
        },
        n_quantiles=getattr(policy, "n_quantiles", None),
        use_expln=bool(noise.get("use_expln", getattr(actor, "use_expln", False))),
        clip_mean=float(getattr(actor, "clip_mean", 2.0)),
        squash_output=bool(policy.squash_output),
        normalize_images=bool(policy.normalize_images),
        extractor_activations=front or None,
    )


def _extractor(policy: Any) -> tuple[bool, list[tuple[nn.Linear, str]]]:
    """Returns whether the extractor is the author's own, and its layers if so."""
    name = getattr(policy.features_extractor_class, "__name__", "")
    module = getattr(policy.features_extractor_class, "__module__", "")
    if name in EXTRACTORS and module == "stable_baselines3.common.torch_layers":
        return False, []
    owner = next((getattr(policy, o) for o in _OWNERS if hasattr(policy, o)), policy)
    extractor = getattr(owner, "pi_features_extractor", owner.features_extractor)
    layers: list[tuple[nn.Linear, str]] = []
    for leaf in _leaves(extractor):
        kind = type(leaf).__name__
        if isinstance(leaf, nn.Linear):
            layers.append((leaf, "Identity"))
        elif kind in ACTIVATIONS and layers and layers[-1][1] == "Identity":
            layers[-1] = (layers[-1][0], kind)
        elif not isinstance(leaf, nn.Flatten | nn.Identity | nn.Dropout):
            raise InputError(
                f"your own extractor may have dense layers and activations, "
                f"{name} has {kind}; export it as ONNX with torch instead"
            )
    return True, layers


def _leaves(module: nn.Module) -> Iterator[nn.Module]:
    children = list(module.children())
    if not children:
        yield module
    for child in children:
        yield from _leaves(child)


def _normalisations(model: BaseAlgorithm) -> Normalisations:
    envs = model.get_vec_normalize_env()
    if envs is None or not envs.norm_obs:
        return {}
    seen: dict[str, Any] = (
        {name: envs.obs_rms[name] for name in envs.norm_obs_keys or []}
        if isinstance(envs.obs_rms, dict)
        else {"": envs.obs_rms}
    )
    return {name: _normalisation(moments, envs) for name, moments in seen.items()}


def _normalisation(moments: Any, envs: VecNormalize) -> Normalisation:
    mean: NDArray[np.float64] = np.asarray(moments.mean, np.float64)
    variance: NDArray[np.float64] = np.asarray(moments.var, np.float64)
    return Normalisation.of(mean, variance, epsilon=envs.epsilon, clip=envs.clip_obs)


def _env_id(model: BaseAlgorithm) -> str | None:
    envs = model.get_env()
    if envs is None:
        return None
    spec = envs.get_attr("spec")[0]
    return None if spec is None else str(spec.id)
