"""Targets that hide part of the state: when they do, and how they show the rest.

No map of one observation can tell a hidden velocity. But the other way it is easy: the
target shows a state of the source as x = z F + c + noise, whatever F leaves out. Under
the target's own actions, copies of its episodes in the source say what z may have been:
their spread is what is not known of it before (an ensemble smoother: Evensen & van
Leeuwen, 2000), and F is what makes the observations likeliest.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float64
from numpy.typing import NDArray

from rltransfer.alignment.response_config import HistoryConfig
from rltransfer.alignment.responses import Array, Responses
from rltransfer.alignment.simulation import Simulated
from rltransfer.alignment.view_likelihood import Likelihood, ensemble
from rltransfer.domain import History, Transitions


def hides_state(rows: Transitions, history: History, config: HistoryConfig) -> bool:
    """Returns whether a stack of observations tells what comes next, and one does not.

    Changes are regressed on an observation, the action and their products, and on what
    is remembered as well; what is left open counts on rows that were held out.

    Args:
        rows: steps in a domain, in their order.
        history: that makes the stacks.
        config: how much must be left open.
    """
    size, count = history.observation, len(rows)
    if count < 2 * config.folds:
        return False
    stack = history.stacked(rows).observation.double().numpy()
    deviation = stack.std(axis=0)
    stack = (stack - stack.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    now = np.hstack(
        [stack[:, :size], rows.action.double().numpy(), np.ones((count, 1))]
    )
    if now.shape[1] <= config.most_products:
        first, second = np.triu_indices(now.shape[1])
        now = now[:, first] * now[:, second]
    change = (rows.next_observation - rows.observation).double().numpy()
    moving = change.std(axis=0) > 0
    if not moving.any():
        return False
    change = change[:, moving] / change[:, moving].std(axis=0)
    held_out = np.arange(count) * config.folds // count
    alone = _left_open(now, change, held_out)
    remembered = _left_open(np.hstack([now, stack[:, size:]]), change, held_out)
    return alone >= config.open_alone and remembered <= config.open_still * alone


def _left_open(inputs: Array, outputs: Array, held_out: NDArray[np.int64]) -> float:
    """Returns the mean squared error of a linear regression on rows held out."""
    error = 0.0
    for fold in np.unique(held_out):
        away, inside = held_out == fold, held_out != fold
        normal = inputs[inside].T @ inputs[inside]
        least = 1e-6 * np.trace(normal) / len(normal) * np.eye(len(normal))
        right = inputs[inside].T @ outputs[inside]
        predicted = inputs[away] @ np.linalg.solve(normal + least, right)
        error += float(((outputs[away] - predicted) ** 2).sum())
    return error / outputs.size


@final
@dataclass(frozen=True, eq=False)
class View:
    """How the target shows states of the source: x = z F + c + noise.

    Args:
        weight: F, and c as its last row.
        noise: covariance of what is left open and does not last for a step.
        unexplained: share of the target's variance that the likeliest states leave
            open.
    """

    weight: Float64[Array, "source_and_one target"]
    noise: Float64[Array, "target target"]
    unexplained: float = float("inf")


def first_view(
    source: Responses,
    target: Responses,
    wiring: Float64[Array, "source_action target_action"],
) -> Float64[Array, "source_and_one target"]:
    """Returns the weight under which responses agree best, by least squares.

    Args:
        source: its responses.
        target: its responses.
        wiring: of the motors.
    """
    wired = source.wired(wiring)
    pull = wired.T @ target.information
    normal = pull @ wired
    least = 1e-4 * np.trace(normal) / len(normal) * np.eye(len(normal))
    white = np.linalg.solve(normal + least, pull @ target.joined)
    origin, matrix, mean, inverse = (
        part.double().numpy()
        for part in (
            source.whitening.mean,
            source.whitening.matrix,
            target.whitening.mean,
            target.whitening.inverse,
        )
    )
    weight = matrix @ white @ inverse
    return np.vstack([weight, mean - origin @ weight])


def explained_view(
    simulated: Simulated,
    start: Float64[Array, "source_and_one target"],
    config: HistoryConfig,
) -> View:
    """Returns the view under which the target's states are likeliest, given the copies.

    Actions hardly move some direction of the state, and what is seen of it may be taken
    for its opposite: the view is looked for from that side as well.

    Args:
        simulated: the target's episodes and their copies.
        start: the weight of a first view.
        config: how many copies count, and how often they are chosen anew.
    """
    found = climbed_view(simulated, start, config)
    if found.unexplained <= config.exact:
        return found
    weakest = np.append(_weakest_direction(simulated), 0.0)
    opposite = found.weight - 2 * np.outer(weakest, weakest @ found.weight)
    other = climbed_view(simulated, opposite, config)
    return min(found, other, key=lambda view: view.unexplained)


def climbed_view(
    simulated: Simulated,
    start: Float64[Array, "source_and_one target"],
    config: HistoryConfig,
    near: float | None = None,
) -> View:
    """Returns the likeliest view near `start`.

    Args:
        simulated: the target's episodes and their copies.
        start: the weight of a view.
        config: how many copies count, and how often they are chosen anew.
        near: share of the variance that `start` leaves open, where it is known to be
            right: episodes of which no copy began alike count for nothing at once, and
            cannot lead away from it.
    """
    states = np.vstack([episode.states for episode in simulated.episodes])
    deviation = states.std(axis=0)
    # Sensors count alike; of one that does not move nothing is left open.
    size = np.maximum(deviation, 1e-6 * deviation.max() + 1e-12)
    weight = torch.from_numpy(start / size)
    level = torch.tensor(config.first_noise if near is None else near).double()
    pairs = list(zip(simulated.episodes, simulated.copies, strict=True))
    shown = [(episode.states / size, copies) for episode, copies in pairs]
    left: list[Array] = []
    for choice in range(config.choices):
        likelihood = Likelihood(
            [rows for rows, _ in shown],
            [ensemble(*both, weight.numpy(), config) for both in shown],
            config.least_noise,
        )
        if choice or near is None:
            weight, level = likelihood.highest(weight, level, config.iterations)
        left = likelihood.left(weight, level)
        # Of some episodes no copy began alike (least trimmed squares: Rousseeuw, 1984).
        order = np.argsort([float((rows**2).mean()) for rows in left], kind="stable")
        kept = order[: int(np.ceil(config.trusted * len(pairs)))]
        shown, left = [shown[place] for place in kept], [left[place] for place in kept]
    # What differs from a parabola changes with each step: in third differences each
    # draw of noise counts 1 + 9 + 9 + 1 times.
    jumps = np.vstack([np.diff(rows, n=3, axis=0) for rows in left]) * size
    noise = jumps.T @ jumps / max(20 * len(jumps), 1)
    unexplained = float((np.vstack(left) ** 2).mean())
    return View(weight.numpy() * size, noise, unexplained)


def _weakest_direction(simulated: Simulated) -> Float64[Array, " source"]:
    """Returns the direction in which the copies' mean moves least."""
    means = [
        np.mean([states[: min(map(len, copies))] for states in copies], axis=0)
        for copies in simulated.copies
    ]
    covariance = np.cov(np.vstack(means).T).reshape(means[0].shape[1], -1)
    direction: Array = np.linalg.eigh(covariance)[1][:, 0]
    return direction
