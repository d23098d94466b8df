"""Agents out of any file, or live models, into any format; the file's name says which.

Of a live model, the author's own subclasses of stock policies, and extractors of plain
layers, are understood from the modules themselves. Whether they were understood rightly
is for the comparison to say.
"""

from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from torch import nn

from rltransfer.errors import InputError
from rltransfer.io import installed_versions, write_atomically
from rltransfer_agents.export.export_checks import require_equal, require_new
from rltransfer_agents.export.onnx_export import ONNX_SUFFIX, export_onnx
from rltransfer_agents.export.plain_policy import NUMPY_SUFFIX, export_numpy
from rltransfer_agents.loading.agent_files import StatisticsChoice, locate
from rltransfer_agents.loading.agent_loading import read_policy_data
from rltransfer_agents.loading.bundle import SUFFIX as BUNDLE_SUFFIX
from rltransfer_agents.loading.bundle import read_bundle, write_bundle
from rltransfer_agents.loading.policy_builders import STOCK_POLICIES, build_policy
from rltransfer_agents.loading.policy_data import (
    EXTRACTORS,
    Keywords,
    Normalisations,
    PolicyData,
)
from rltransfer_agents.loading.policy_parts import FRONT
from rltransfer_agents.loading.sb3_checkpoint import ALGORITHMS
from rltransfer_agents.policies import FrozenPolicy
from rltransfer_agents.policies.activations import ACTIVATIONS
from rltransfer_agents.policies.observation_encoders import Normalisation

_WRITERS = {NUMPY_SUFFIX: export_numpy, ONNX_SUFFIX: export_onnx}


def export_agent(
    source: Path | str,
    path: Path | str,
    *,
    sha256: str | None = None,
    best: bool | None = None,
    statistics: StatisticsChoice = None,
) -> tuple[Path, ...]:
    """Writes the agent at `source`, in the format that the name of `path` asks for.

    Args:
        source: anything that `load_agent` reads.
        path: ending in `.safetensors` for a bundle, `.npz` for NumPy, or `.onnx`.
        sha256: the hash that the source must have.
        best: which agent of a run, as for `load_agent`.
        statistics: of the agent, as for `load_agent`.

    Returns:
        what was written, the agent first.

    Raises:
        InputError: the name has another ending, a file is there already, or the format
            cannot hold the agent.
        ArtifactRefused: the source is refused.
    """
    require_format(path)
    files = locate(source, best=best, statistics=statistics)
    return export_policy_data(read_policy_data(files, sha256=sha256), path)


def export_policy_data(data: PolicyData, path: Path | str) -> tuple[Path, ...]:
    """Writes an agent that was read; see `export_agent`."""
    suffix, policy = require_format(path), build_policy(data)
    if suffix == BUNDLE_SUFFIX:
        return _write_bundle(data, policy, require_new(path, suffix))
    return _WRITERS[suffix](policy, path, [str(wrapper) for wrapper in data.wrappers])


def require_format(path: Path | str) -> str:
    """Returns the ending of a file's name, if it is that of a format."""
    suffix, endings = Path(path).suffix, [BUNDLE_SUFFIX, *_WRITERS]
    if suffix not in endings:
        raise InputError(
            f"the file's name must end in {', '.join(endings)}, got {path}; rename it"
        )
    return suffix


def export_bundle(model: BaseAlgorithm, path: Path | str) -> tuple[Path, ...]:
    """Writes a live model so that anyone can read it without running anything.

    Args:
        model: as trained or loaded on its author's machine; where its environment is a
            `VecNormalize`, its statistics go into the bundle.
        path: of the file, ending in `.safetensors`.

    Returns:
        what was written.

    Raises:
        InputError: the file is there already, or would not act as the model does.
    """
    target = require_new(path, BUNDLE_SUFFIX)
    data = policy_data_of(model)
    policy = build_policy(data)

    def act(observations: Any) -> Any:
        envs = model.get_vec_normalize_env()
        seen = observations if envs is None else envs.normalize_obs(observations)
        return model.predict(seen, deterministic=True)[0]

    require_equal(act, policy, str(target))
    return _write_bundle(data, policy, target)


def _write_bundle(
    data: PolicyData, policy: FrozenPolicy, path: Path
) -> tuple[Path, ...]:
    written = write_bundle(data)
    again = build_policy(read_bundle(written))
    require_equal(
        lambda rows: again.predict(rows, deterministic=True)[0], policy, str(path)
    )
    write_atomically(path, written)
    return (path,)


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
        features_extractor_kwargs={
            name: value
            for name, value in policy.features_extractor_kwargs.items()
            if isinstance(value, bool | int) and not own
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
    for _, leaf in extractor.named_modules(remove_duplicate=False):
        kind = type(leaf).__name__
        if list(leaf.children()):
            continue
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


def _normalisations(model: BaseAlgorithm) -> Normalisations:
    envs = model.get_vec_normalize_env()
    if envs is None or not envs.norm_obs:
        return {}
    seen: dict[str, Any] = (
        {name: envs.obs_rms[name] for name in envs.norm_obs_keys or []}
        if isinstance(envs.obs_rms, dict)
        else {"": envs.obs_rms}
    )
    return {
        name: Normalisation.of(
            np.asarray(moments.mean, np.float64),
            np.asarray(moments.var, np.float64),
            epsilon=envs.epsilon,
            clip=envs.clip_obs,
        )
        for name, moments in seen.items()
    }


def _env_id(model: BaseAlgorithm) -> str | None:
    envs = model.get_env()
    if envs is None:
        return None
    spec = envs.get_attr("spec")[0]
    return None if spec is None else str(spec.id)
