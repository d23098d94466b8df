"""What an epoch of MNIST costs by `fit`, against a plain loop over a `DataLoader`.

Same pictures, sizes, batches and optimizer; the two take turns of 100 updates, so that
both see the same load of the machine. The data are found as by the MNIST scripts;
offline, copies of scikit-learn's digits are used.
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

from digits import source_task
from digits.digit_training import BATCH, LEARNING_RATE
from rltransfer.mapping import CrossEntropy, Examples, FitConfig, Mlp, Progress, fit

ROWS, TURN, TURNS = 60_000, 100, 18


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


def main() -> None:
    """Prints the ratio of the two."""
    torch.set_num_threads(1)
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


if __name__ == "__main__":
    main()
