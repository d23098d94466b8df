"""Views of the source where what resets drew may be taken for its opposite.

Copies of an episode take the same actions and differ in what their resets drew. How the
target shows what actions move is soon told. But what a reset moves on its own is known
by its spread alone, and a spread has no sign: in which direction each episode of the
target began can be told wrongly in all of them at once. Such a view is a local optimum
of the likelihood, and the right one is found from its reflection.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np
import torch
from jaxtyping import Float64

from rltransfer.alignment.response_config import HistoryConfig
from rltransfer.alignment.responses import Array
from rltransfer.alignment.sensor_views import View, climbed_view
from rltransfer.alignment.simulation import Simulated
from rltransfer.alignment.view_likelihood import Likelihood, ensemble


def likeliest_of_opposites(
    simulated: Simulated, found: View, directions: int, config: HistoryConfig
) -> View:
    """Returns `found`, or what a search from one of its opposites finds, if better.

    Args:
        simulated: the target's episodes and their copies.
        found: a view.
        directions: of what resets draw that may be reversed, in all combinations.
        config: of the search.
    """
    others = [
        climbed_view(simulated, weight, config)
        for weight in opposite_weights(simulated, found, directions, config)
    ]
    return min([found, *others], key=lambda view: view.unexplained)


def opposite_weights(
    simulated: Simulated, found: View, directions: int, config: HistoryConfig
) -> Iterator[Float64[Array, "source_and_one target"]]:
    """Yields weights of views where episodes began on the other side of the copies.

    By `found`, the likeliest states of an episode are the mean of its copies and an
    offset. The principal directions of these offsets, whole trajectories, are what
    resets drew; with each combination of them reversed, what the target showed is
    regressed on the states anew.

    Args:
        simulated: the target's episodes and their copies.
        found: a view.
        directions: how many of them, the largest first.
        config: how many copies count.
    """
    states = np.vstack([episode.states for episode in simulated.episodes])
    deviation = states.std(axis=0)
    size = np.maximum(deviation, 1e-6 * deviation.max() + 1e-12)
    weight = found.weight / size
    shown = [episode.states / size for episode in simulated.episodes]
    ensembles = [
        ensemble(rows, copies, weight, config)
        for rows, copies in zip(shown, simulated.copies, strict=True)
    ]
    likelihood = Likelihood(shown, ensembles, config.least_noise)
    level = torch.tensor(max(found.unexplained, config.least_noise)).double()
    means, offsets = (
        part.numpy() for part in likelihood.states(torch.from_numpy(weight), level)
    )
    own, sizes, along = np.linalg.svd(
        offsets.reshape(len(offsets), -1), full_matrices=False
    )
    seen = np.vstack([x[: len(m)] for x, (m, _) in zip(shown, ensembles, strict=True)])
    for signs in product((1.0, -1.0), repeat=min(directions, len(sizes))):
        if min(signs, default=1.0) > 0:
            continue
        reversed_sizes = sizes.copy()
        reversed_sizes[: len(signs)] *= signs
        turned = means + (own * reversed_sizes @ along).reshape(offsets.shape)
        rows = np.vstack(
            [z[: len(m)] for z, (m, _) in zip(turned, ensembles, strict=True)]
        )
        normal = rows.T @ rows
        least = 1e-9 * np.trace(normal) * np.eye(len(normal))
        yield np.linalg.solve(normal + least, rows.T @ seen) * size
