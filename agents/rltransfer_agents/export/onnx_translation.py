"""The translation of actions by effect as nodes of a graph.

The same steps as in `rltransfer.translation`, on batches.
"""

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from rltransfer.domain import codec_of
from rltransfer.errors import InputError
from rltransfer.mapping import Affine, Network
from rltransfer.translation.numpy_networks import array_map
from rltransfer_agents.export.onnx_graph import Graph

_RIDGE = 1e-4


def translation_nodes(
    graph: Graph,
    gain: str,
    action: str,
    action_map: Network,
    source: spaces.Space[Any],
    target: spaces.Space[Any],
) -> str:
    """Adds the choice of the target action whose effect is nearest.

    Args:
        graph: to add to.
        gain: flattened, one for each row.
        action: of the source.
        action_map: encoded target action to encoded source action.
        source: the source's actions.
        target: the target's actions.
    """
    wanted = _encoded(graph, action, source)
    metric = _metric(graph, gain, codec_of(source, "the source").size)
    if isinstance(target, spaces.Discrete):
        return _nearest_listed(graph, wanted, metric, action_map, target)
    if isinstance(target, spaces.Box) and isinstance(action_map, Affine):
        solved = _least_squares(graph, wanted, metric, action_map)
        return _decoded(graph, solved, target)
    raise InputError(
        "ONNX can hold discrete target actions and affine action maps, this mapping "
        f"has {type(action_map).__name__} onto {target}; run it with rltransfer"
    )


def recoded_nodes(
    graph: Graph, action: str, source: spaces.Space[Any], target: spaces.Space[Any]
) -> str:
    """Adds the step to the same action of a space that counts or bounds it otherwise.

    Args:
        graph: to add to.
        action: of the source.
        source: the source's actions.
        target: the target's actions, as many.
    """
    if source == target:
        return action
    if isinstance(target, spaces.Discrete):
        return graph.add("Add", action, graph.constant(np.array([int(target.start)])))
    assert isinstance(target, spaces.Box)
    return _decoded(graph, _encoded(graph, action, source), target)


def _encoded(graph: Graph, action: str, space: spaces.Space[Any]) -> str:
    if isinstance(space, spaces.Discrete):
        rows = graph.constant(np.eye(int(space.n), dtype=np.float32))
        return graph.add("Gather", rows, action, axis=0)
    assert isinstance(space, spaces.Box)
    centre, reach = _box(space)
    shifted = graph.add("Sub", action, graph.constant(centre.astype(np.float32)))
    return graph.add("Div", shifted, graph.constant(reach.astype(np.float32)))


def _decoded(graph: Graph, vector: str, space: spaces.Box) -> str:
    centre, reach = (graph.constant(part.astype(np.float32)) for part in _box(space))
    low, high = (
        graph.constant(bound.astype(np.float32)) for bound in (space.low, space.high)
    )
    action = graph.add("Add", graph.add("Mul", vector, reach), centre)
    return graph.add("Min", graph.add("Max", action, low), high)


def _box(space: spaces.Box) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    return (high + low) / 2, np.maximum((high - low) / 2, 1e-12)


def _metric(graph: Graph, gain: str, actions: int) -> str:
    """Adds gain(z)ᵀ gain(z), how far the effects of two source actions are apart."""
    shape = graph.constant(np.array([0, -1, actions]))
    gain = graph.add("Reshape", gain, shape)
    turned = graph.add("Transpose", gain, perm=[0, 2, 1])
    return graph.add("MatMul", turned, gain)


def _nearest_listed(
    graph: Graph,
    wanted: str,
    metric: str,
    action_map: Network,
    target: spaces.Discrete,
) -> str:
    listed = np.eye(int(target.n), dtype=np.float32)
    carried = graph.constant(np.asarray(array_map(action_map)(listed), np.float32))
    row = graph.add("Unsqueeze", wanted, graph.constant(np.array([1])))
    apart = graph.add("Sub", carried, row)
    weighed = graph.add("Mul", graph.add("MatMul", apart, metric), apart)
    axis = graph.constant(np.array([2]))
    distance = graph.add("ReduceSum", weighed, axis, keepdims=0)
    nearest = graph.add("ArgMin", distance, axis=1, keepdims=0)
    return graph.add("Add", nearest, graph.constant(np.array([int(target.start)])))


def _least_squares(graph: Graph, wanted: str, metric: str, action_map: Affine) -> str:
    carry, size = array_map(action_map), action_map.inputs
    bias = carry(np.zeros(size, np.float32))
    weight = np.asarray(carry(np.eye(size, dtype=np.float32)) - bias, np.float64)
    metric = graph.add("Cast", metric, to=graph.DOUBLE)
    wanted = graph.add("Cast", wanted, to=graph.DOUBLE)
    pull = graph.add("MatMul", graph.constant(weight), metric)
    normal = graph.add("MatMul", pull, graph.constant(np.ascontiguousarray(weight.T)))
    shifted = graph.add("Sub", wanted, graph.constant(bias.astype(np.float64)))
    column = graph.add("Unsqueeze", shifted, graph.constant(np.array([2])))
    right = graph.add("MatMul", pull, column)
    solved = _solved(graph, _ridged(graph, normal, size), right, size)
    return graph.add("Cast", solved, to=graph.FLOAT)


def _ridged(graph: Graph, normal: str, size: int) -> str:
    """Adds a little of the trace to the diagonal, so that the equations have a root."""
    eye = np.eye(size)
    axes = graph.constant(np.array([1, 2]))
    diagonal = graph.add("Mul", normal, graph.constant(eye))
    trace = graph.add("ReduceSum", diagonal, axes, keepdims=1)
    least = graph.constant(np.full(1, 1e-8))
    ridge = graph.constant(_RIDGE * eye)
    return graph.add(
        "Add", normal, graph.add("Mul", ridge, graph.add("Max", trace, least))
    )


def _solved(graph: Graph, normal: str, right: str, size: int) -> str:
    """Adds Gauss and Jordan's elimination; the matrix needs no pivoting."""
    table = graph.add("Concat", normal, right, axis=2)
    for place in range(size):
        index = graph.constant(np.array([place]))
        row = graph.add("Gather", table, index, axis=1)
        column = graph.add("Gather", table, index, axis=2)
        pivot = graph.add("Gather", row, index, axis=2)
        row = graph.add("Div", row, pivot)
        unit = graph.constant(np.eye(size)[:, [place]])
        change = graph.add("MatMul", graph.add("Sub", column, unit), row)
        table = graph.add("Sub", table, change)
    last = graph.constant(np.array([size]))
    solved = graph.add("Gather", table, last, axis=2)
    return graph.add("Squeeze", solved, graph.constant(np.array([2])))
