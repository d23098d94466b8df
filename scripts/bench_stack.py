"""What 48 restarts in one stack cost, against one, as in the first round of alignment.

Both fit affine maps of states and actions, of CartPole's sizes, to a model of one step,
and take turns; the ratio is the median over the turns.
"""

import time

import numpy as np
import torch
from torch import Generator

from rltransfer.domain import Transitions
from rltransfer.mapping import (
    Affine,
    DomainMapping,
    DynamicsAgreement,
    FitConfig,
    MomentMatching,
    WeightedSum,
    fit,
)
from rltransfer.source_models import ControlAffineModel, LearnConfig

TURNS, UPDATES, COPIES, ROWS = 7, 100, 48, 2000
STATES, ACTIONS = 4, 2


def steps(generator: Generator) -> Transitions:
    """Returns steps of a made-up linear world."""
    start = torch.randn(ROWS, STATES, generator=generator)
    pushes = torch.eye(ACTIONS)[torch.randint(ACTIONS, (ROWS,), generator=generator)]
    drift = 0.1 * torch.randn(STATES, STATES, generator=generator)
    gain = 0.1 * torch.randn(ACTIONS, STATES, generator=generator)
    return Transitions(
        episode=torch.arange(ROWS),
        observation=start,
        action=pushes,
        reward=start[:, 0],
        next_observation=start + start @ drift + pushes @ gain,
        terminated=start[:, 1] > 2,
        truncated=torch.zeros(ROWS, dtype=torch.bool),
    )


def mapping(copies: int, generator: Generator) -> DomainMapping:
    """Returns so many affine maps, and what becomes of the actions."""
    return DomainMapping(
        Affine(STATES, STATES, copies=copies, generator=generator),
        Affine(
            ACTIONS,
            ACTIONS,
            activation="sum_to_one",
            copies=copies,
            generator=generator,
        ),
    )


def main() -> None:
    """Prints what the stack costs, whole and with halvings as in alignment."""
    torch.set_num_threads(1)
    generator = Generator().manual_seed(0)
    rows = steps(generator)
    model = ControlAffineModel.untrained(rows, LearnConfig(), generator)
    model.requires_grad_(False)
    rows = model.standardised(rows)
    objective = WeightedSum(
        (
            (1.0, DynamicsAgreement(model)),
            (0.5, MomentMatching.of(rows.observation)),
        )
    )

    def seconds(copies: int, halvings: tuple[tuple[float, float], ...] = ()) -> float:
        config = FitConfig(updates=UPDATES, halvings=halvings)
        began = time.perf_counter()
        fit(mapping(copies, generator), objective, rows, config, generator=generator)
        return time.perf_counter() - began

    halvings = ((0.1, 0.5), (0.25, 0.25), (0.5, 0.125))
    turns = np.array(
        [
            (seconds(1), seconds(COPIES), seconds(COPIES, halvings))
            for _ in range(TURNS + 1)
        ][1:]  # the first turn warms up
    )
    milliseconds = 1e3 * np.median(turns[:, 0]) / UPDATES
    ratios = np.median(turns[:, 1:] / turns[:, :1], axis=0)
    print(f"{COPIES} stacked restarts, against one ({milliseconds:.2f} ms an update)")
    print(f"  all to the end, at most 10   {ratios[0]:.2f}")
    print(f"  with halvings                {ratios[1]:.2f}")


if __name__ == "__main__":
    main()
