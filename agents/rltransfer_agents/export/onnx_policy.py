"""Policies as ONNX files, for every runtime that reads them."""

from pathlib import Path
from typing import Any

import numpy as np

from rltransfer.errors import InputError
from rltransfer.io import write_atomically
from rltransfer_agents.export.onnx_graph import Graph, require_onnx
from rltransfer_agents.export.policy_recipe import (
    Recipe,
    recipe_of,
    require_equal,
    scaling,
)
from rltransfer_agents.policies import FrozenPolicy

SUFFIX = ".onnx"


def export_onnx(policy: FrozenPolicy, path: Path | str) -> Path:
    """Writes a policy as a graph from a batch of observations to likeliest actions.

    Args:
        policy: of vectors.
        path: of the file, ending in `.onnx`.

    Raises:
        InputError: if ONNX is not installed, or the file would not act as the policy.
    """
    require_onnx()
    target = Path(path)
    if target.suffix != SUFFIX:
        raise InputError(f"the file's name must end in {SUFFIX}, got {path}; rename it")
    recipe = recipe_of(policy)
    graph = Graph()
    observation = graph.input("observation", recipe.shape)
    action = policy_nodes(graph, recipe, observation)
    kind = graph.INTEGER if recipe.choice == "largest" else graph.FLOAT
    data = graph.serialised(action, kind, policy.action_space.shape or ())
    run = Graph.runner(data)

    def act(observations: Any) -> Any:
        return run(np.asarray(observations, np.float32))

    require_equal(act, policy, str(target))
    write_atomically(target, data)
    return target


def policy_nodes(graph: Graph, recipe: Recipe, observation: str) -> str:
    """Adds the steps of a policy to a graph; returns the name of its actions."""
    mean, deviation, clip = scaling(recipe)
    size = int(np.prod(recipe.shape))
    values = graph.add("Reshape", observation, graph.constant(np.array([-1, size])))
    values = graph.add("Cast", values, to=graph.DOUBLE)
    values = graph.add("Sub", values, graph.constant(mean))
    values = graph.add("Div", values, graph.constant(deviation))
    if np.isfinite(clip):
        values = graph.clipped(values, -clip, clip, np.float64)
    values = graph.add("Cast", values, to=graph.FLOAT)
    for layer in recipe.layers:
        values = graph.dense(values, layer)
    if recipe.choice == "largest":
        return _largest(graph, recipe, values)
    if recipe.choice == "switches":
        above = graph.add("Greater", values, graph.constant(np.zeros(1, np.float32)))
        return graph.add("Cast", above, to=graph.FLOAT)
    return _bounded(graph, recipe, values)


def _largest(graph: Graph, recipe: Recipe, values: str) -> str:
    if len(recipe.sizes) == 1:
        return graph.add("ArgMax", values, axis=1, keepdims=0)
    parts = graph.split(values, recipe.sizes)
    chosen = [graph.add("ArgMax", part, axis=1, keepdims=1) for part in parts]
    return graph.add("Concat", *chosen, axis=1)


def _bounded(graph: Graph, recipe: Recipe, values: str) -> str:
    bounds = recipe.bounds
    assert bounds is not None
    if recipe.limit is not None:
        values = graph.clipped(values, -recipe.limit, recipe.limit, np.float32)
    low = graph.constant(bounds.low.astype(np.float32))
    high = graph.constant(bounds.high.astype(np.float32))
    if recipe.choice == "squashed":
        half = graph.constant((0.5 * (bounds.high - bounds.low)).astype(np.float32))
        share = graph.add("Add", graph.add("Tanh", values), graph.one())
        values = graph.add("Add", low, graph.add("Mul", share, half))
    else:
        values = graph.add("Min", graph.add("Max", values, low), high)
    return graph.add("Reshape", values, graph.constant(np.array([-1, *bounds.shape])))
