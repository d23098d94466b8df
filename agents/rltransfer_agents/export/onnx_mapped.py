"""A policy with the mapping it acts through, as one ONNX file."""

from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from rltransfer.errors import InputError
from rltransfer.io import write_atomically
from rltransfer.mapping import Affine, Chain, Mlp, Network, ResidualAffine
from rltransfer.translation import MappedPolicy, Translation
from rltransfer_agents.export.onnx_graph import Graph, require_onnx
from rltransfer_agents.export.onnx_policy import SUFFIX, policy_nodes
from rltransfer_agents.export.onnx_translation import recoded_nodes, translation_nodes
from rltransfer_agents.export.policy_recipe import recipe_of
from rltransfer_agents.policies import FrozenPolicy

_OBSERVATIONS = 256
# Two actions whose effects are alike may change places with the last digit.
EQUAL_SHARE = 0.98
"""Of random observations, on which the file must act as the original does."""


def export_mapped_onnx(
    policy: MappedPolicy, action_space: spaces.Space[Any], path: Path | str
) -> Path:
    """Writes a graph from a batch of target observations to target actions.

    Args:
        policy: whose source policy was read by this package.
        action_space: of the target.
        path: of the file, ending in `.onnx`.

    Raises:
        InputError: if ONNX is not installed, a part has no form in it, or the file
            would not act as the policy does.
    """
    require_onnx()
    target = Path(path)
    if target.suffix != SUFFIX:
        raise InputError(f"the file's name must end in {SUFFIX}, got {path}; rename it")
    source = policy.policy
    if not isinstance(source, FrozenPolicy):
        raise InputError(
            "the source's policy must be one that was read from a file, got "
            f"{type(source).__name__}; read it with load_agent"
        )
    translation = policy.translation
    size = translation.state.inputs
    graph = Graph()
    observation = graph.input("observation", (size,))
    white = network_nodes(graph, translation.state, observation)
    seen = network_nodes(graph, translation.unwhiten, white)
    action = policy_nodes(graph, recipe_of(source), seen)
    if translation.gain is not None and translation.action is not None:
        action = _translated(
            graph, translation, white, action, source.action_space, action_space
        )
    else:
        action = recoded_nodes(graph, action, source.action_space, action_space)
    discrete = isinstance(action_space, spaces.Discrete)
    kind = graph.INTEGER if discrete else graph.FLOAT
    data = graph.serialised(action, kind, action_space.shape or ())
    _require_equal(policy, data, size, str(target))
    write_atomically(target, data)
    return target


def network_nodes(graph: Graph, network: Network, values: str) -> str:
    """Adds a plain network to a graph; returns the name of what it gives."""
    match network:
        case Affine():
            weight, bias = network.weight.detach(), network.bias.detach()
            values = graph.affine(values, weight.numpy(), bias.numpy())
            return graph.activation(values, network.activation)
        case Mlp():
            for layer in network.layers:
                assert isinstance(layer, Affine)
                values = network_nodes(graph, layer, values)
            return values
        case Chain():
            for place in range(len(network.links)):
                values = network_nodes(graph, network[place], values)
            return values
        case ResidualAffine():
            straight = network_nodes(graph, network.affine, values)
            bent = network_nodes(graph, network.residual, values)
            values = graph.add("Add", straight, bent)
            return graph.activation(values, network.output_activation)
        case _:
            raise InputError(f"ONNX has no form of {type(network).__name__} here yet")


def _translated(
    graph: Graph,
    translation: Translation,
    white: str,
    action: str,
    source: spaces.Space[Any],
    target: spaces.Space[Any],
) -> str:
    """Adds the translation of actions by effect; returns the name of the actions."""
    assert translation.gain is not None and translation.action is not None
    gain = network_nodes(graph, translation.gain, white)
    return translation_nodes(graph, gain, action, translation.action, source, target)


def _require_equal(policy: MappedPolicy, data: bytes, size: int, what: str) -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(_OBSERVATIONS, size)).astype(np.float32)
    expected: NDArray[Any] = np.asarray(policy.predict(rows, deterministic=True)[0])
    actions = Graph.runner(data)(rows)
    share = 0.0
    if actions.shape == expected.shape:
        close = np.isclose(actions, expected, rtol=1e-3, atol=1e-3)
        share = float(close.reshape(len(rows), -1).all(axis=1).mean())
    if share < EQUAL_SHARE:
        raise InputError(
            f"{what} must act as the original does on {_OBSERVATIONS} random "
            f"observations, it does on {share:.0%}; nothing was written"
        )
