"""Learning and testing in epochs, as listings count; the loop is `fit`'s."""

import torch
from torch import Generator

from rltransfer.mapping import CrossEntropy, Examples, FitConfig, Network, Progress, fit

BATCH, TEST_BATCH, LEARNING_RATE = 64, 1000, 1e-3


def train(
    network: Network,
    lessons: Examples,
    epochs: int,
    *,
    generator: Generator,
    final_rate_share: float = 1.0,
    least_updates: int = 0,
    silent: bool = False,
) -> None:
    """Trains `network` in place by Adam, and prints a line per epoch.

    Args:
        network: what is trained; its parts that want no gradient stay.
        lessons: the examples, each seen once an epoch.
        epochs: how many, unless they make fewer updates than `least_updates`.
        generator: draws the batches.
        final_rate_share: of the learning rate, at the end of its straight way down.
        least_updates: for few examples, whose epochs are short.
        silent: prints nothing.
    """
    each = -(-len(lessons) // BATCH)

    def tell(progress: Progress) -> None:
        epoch, rest = divmod(progress.update, each)
        if not rest:
            print(f"Epoch [{epoch}/{epochs}], Loss: {float(progress.losses):.4f}")

    fit(
        network,
        CrossEntropy(),
        lessons,
        FitConfig(
            updates=max(epochs * each, least_updates),
            batch_size=BATCH,
            learning_rate=LEARNING_RATE,
            final_rate_share=final_rate_share,
            report_every=each,
        ),
        generator=generator,
        watch=None if silent else tell,
    )


@torch.no_grad()
def accuracy(network: Network, test: Examples) -> float:
    """Returns the share, in per cent, of the test's rows that `network` gets right."""
    right = 0
    for start in range(0, len(test), TEST_BATCH):
        some = test[start : start + TEST_BATCH]
        right += int((network(some.inputs).argmax(dim=1) == some.labels).sum())
    return 100 * right / len(test)
