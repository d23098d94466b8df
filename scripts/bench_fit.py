"""What fitting costs: restarts in one stack against one, and an epoch of MNIST.

48 restarts and a single one fit affine maps of states and actions, of CartPole's sizes,
to a model of one step, as in the first round of alignment. An epoch of MNIST by `fit`
is timed against a plain loop over a `DataLoader`: same pictures, sizes, batches and
optimizer. The data are found as by the MNIST scripts; offline, copies of scikit-learn's
digits are used. Both sides take turns, so that they see the same load of the machine.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import final

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from digits.digit_tasks import source_task
from digits.digit_training import BATCH, LEARNING_RATE
from rltransfer.domain import Transitions
from rltransfer.mapping import (
    Affine,
    CrossEntropy,
    DomainMapping,
    DynamicsAgreement,
    Examples,
    FitConfig,
    Mlp,
    MomentMatching,
    Progress,
    WeightedSum,
    fit,
)
from rltransfer.source_models import ControlAffineModel, LearnConfig

STACK_TURNS, STACK_UPDATES, COPIES, STACK_ROWS = 7, 100, 48, 2000
STATES, ACTIONS = 4, 2
ROWS, TURN, TURNS = 60_000, 100, 18


def steps(generator: Generator) -> Transitions:
    """Returns steps of a made-up linear world."""
    start = torch.randn(STACK_ROWS, STATES, generator=generator)
    pushes = torch.eye(ACTIONS)[
        torch.randint(ACTIONS, (STACK_ROWS,), generator=generator)
    ]
    drift = 0.1 * torch.randn(STATES, STATES, generator=generator)
    gain = 0.1 * torch.randn(ACTIONS, STATES, generator=generator)
    return Transitions(
        episode=torch.arange(STACK_ROWS),
        observation=start,
        action=pushes,
        reward=start[:, 0],
        next_observation=start + start @ drift + pushes @ gain,
        terminated=start[:, 1] > 2,
        truncated=torch.zeros(STACK_ROWS, dtype=torch.bool),
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


def stack() -> None:
    """Prints what the stack costs, whole and with halvings as in alignment."""
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
        config = FitConfig(updates=STACK_UPDATES, halvings=halvings)
        began = time.perf_counter()
        fit(mapping(copies, generator), objective, rows, config, generator=generator)
        return time.perf_counter() - began

    halvings = ((0.1, 0.5), (0.25, 0.25), (0.5, 0.125))
    turns = np.array(
        [
            (seconds(1), seconds(COPIES), seconds(COPIES, halvings))
            for _ in range(STACK_TURNS + 1)
        ][1:]  # the first turn warms up
    )
    milliseconds = 1e3 * np.median(turns[:, 0]) / STACK_UPDATES
    ratios = np.median(turns[:, 1:] / turns[:, :1], axis=0)
    print(f"{COPIES} stacked restarts, against one ({milliseconds:.2f} ms an update)")
    print(f"  all to the end, at most 10   {ratios[0]:.2f}")
    print(f"  with halvings                {ratios[1]:.2f}")


@final
class PlainLoop:
    """The training loop of PyTorch's tutorials."""

    def __init__(self, examples: Examples) -> None:
        self._data = TensorDataset(examples.inputs, examples.labels)
        self._batches = self._endless(Generator().manual_seed(0))
        self._model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))
        self._adam = torch.optim.Adam(self._model.parameters(), lr=LEARNING_RATE)
        self._loss = nn.CrossEntropyLoss()

    def _endless(self, generator: Generator) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from DataLoader(
                self._data, batch_size=BATCH, shuffle=True, generator=generator
            )

    def update(self) -> None:
        """Takes one step."""
        inputs, labels = next(self._batches)
        self._adam.zero_grad()
        loss = self._loss(self._model(inputs), labels)
        loss.backward()
        self._adam.step()


def epoch() -> None:
    """Prints what an epoch of MNIST costs, against the plain loop."""
    folder = os.environ.get("RLTRANSFER_DATA")
    task, line = source_task(Path(folder) if folder else None)
    places = torch.arange(ROWS) % len(task.train)
    examples = task.train[places]
    generator = Generator().manual_seed(0)
    plain = PlainLoop(examples)
    stamps: list[tuple[float, float]] = []

    def take_turns(progress: Progress) -> None:
        del progress  # only the time matters
        began = time.perf_counter()
        for _ in range(TURN):
            plain.update()
        stamps.append((began, time.perf_counter()))

    fit(
        Mlp(784, (256,), 10, activation="relu", generator=generator),
        CrossEntropy(),
        examples,
        FitConfig(
            updates=TURN * TURNS,
            batch_size=BATCH,
            learning_rate=LEARNING_RATE,
            final_rate_share=1.0,
            report_every=TURN,
        ),
        generator=generator,
        watch=take_turns,
    )
    began, ended = np.array(stamps).T
    # The first turn warms up both.
    ours, theirs = began[1:] - ended[:-1], (ended - began)[1:]
    epochs = ROWS / BATCH / TURN * np.array([np.median(ours), np.median(theirs)])
    print("an epoch of 784-256-10 in batches of 64, against a plain DataLoader loop")
    print(f"  {line}")
    print(
        f"  fit, at most 0.5 {np.median(ours / theirs):14.3f}  "
        f"({epochs[0]:.2f} s against {epochs[1]:.2f} s)"
    )


def main() -> None:
    """Prints both."""
    torch.set_num_threads(1)
    stack()
    epoch()


if __name__ == "__main__":
    main()
