"""Feature sharing: one trunk for two tasks, a head for each, against single models.

    python scripts/mnist_feature_sharing.py --data-dir DATA

MNIST and Fashion-MNIST share their frame of 28 by 28 and nothing else: no digit is a
piece of clothing. A trunk 784-128-64 with one head 64-10 learns each of them alone; the
same trunk with two heads learns both at once. The shared one has half the trunk for
each task and sees the pictures of both.

Both are compared at equal updates, and a task gives 64 pictures to an update wherever
it takes part: batches of the shared model hold 128, drawn from both tasks together. So
it is trained as long on each picture as the single models are, and costs about what the
two of them cost together.

A head is ten outputs of the last layer, side by side with the other head's. The labels
of task k are 10 k to 10 k + 9, and `OwnHead` is the cross-entropy of each row among the
outputs of its own task; for one task that is plain cross-entropy.

Adam at 1e-3, decaying linearly to zero; 10 epochs, but 500 updates at least. With few
labels each task has equally many, evenly drawn from its classes, the same ones for the
single and the shared model. What is tested is the last state: nothing is selected. By
default three seeds; nothing is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Generator, Tensor
from typing_extensions import override

from digits.digit_tasks import (
    CLASSES,
    PIXELS,
    Task,
    balanced_subset,
    fashion_mnist,
    mnist,
)
from digits.digit_training import (
    BATCH,
    LEARNING_RATE,
    accuracy,
    data_options,
    require_different,
    run_script,
)
from rltransfer.errors import InputError
from rltransfer.mapping import (
    Affine,
    Chain,
    CrossEntropy,
    Examples,
    FitConfig,
    Mlp,
    Network,
    Objective,
    fit,
)

SIZES = ["100", "1000", "all"]
HIDDEN, FEATURES = 128, 64
LEAST_UPDATES = 500


@final
@dataclass(frozen=True, eq=False)
class OwnHead(Objective[Network, Examples]):
    """Mean cross-entropy, in nats, of labels among the outputs of their own task."""

    @override
    def terms(self, network: Network, rows: Examples) -> dict[str, Float[Tensor, ""]]:
        heads = network(rows.inputs).unflatten(-1, (-1, CLASSES))
        task = rows.labels // CLASSES
        own = heads[torch.arange(len(rows)), task]
        within = Examples(own, rows.labels % CLASSES)
        return CrossEntropy().terms(torch.nn.Identity(), within)


def joined(tasks: Sequence[Examples]) -> Examples:
    """Returns the rows of all tasks; labels of task k are 10 k to 10 k + 9."""
    labels = [CLASSES * k + rows.labels for k, rows in enumerate(tasks)]
    return Examples(torch.cat([rows.inputs for rows in tasks]), torch.cat(labels))


def trained(tasks: Sequence[Examples], epochs: int, seed: int) -> list[Chain]:
    """Returns a classifier for each of the tasks; they have one trunk in common.

    Args:
        tasks: equally many rows of each; of one task, a single model is trained.
        epochs: of each task, unless they make fewer than `LEAST_UPDATES`.
        seed: of the weights and the batches.
    """
    sizes = [len(rows) for rows in tasks]
    if len(set(sizes)) > 1:
        raise InputError(
            f"tasks that share a trunk need equally many rows, got {sizes}"
        )
    generator = Generator().manual_seed(seed)
    trunk = Mlp(
        PIXELS,
        (HIDDEN,),
        FEATURES,
        activation="relu",
        output_activation="relu",
        generator=generator,
    )
    heads = Affine(FEATURES, CLASSES * len(tasks), generator=generator)
    config = FitConfig(
        updates=max(epochs * -(-sizes[0] // BATCH), LEAST_UPDATES),
        batch_size=BATCH * len(tasks),
        learning_rate=LEARNING_RATE,
        final_rate_share=0.0,
    )
    fit(Chain(trunk, heads), OwnHead(), joined(tasks), config, generator=generator)
    weights = heads.weight.detach().split(CLASSES, dim=1)
    biases = heads.bias.detach().split(CLASSES)
    return [
        Chain(trunk, Affine.of(weight, bias))
        for weight, bias in zip(weights, biases, strict=True)
    ]


def row(tasks: Sequence[Task], size: str, seed: int, epochs: int) -> list[float]:
    """Returns per cent right of each task, alone and sharing, in this order.

    Args:
        tasks: that share a trunk.
        size: how many labels of each are known.
        seed: draws them, and the networks.
        epochs: of each training.
    """
    known = [
        balanced_subset(task.train, size, Generator().manual_seed(seed))
        for task in tasks
    ]
    alone = [trained([rows], epochs, seed)[0] for rows in known]
    sharing = trained(known, epochs, seed)
    return [
        accuracy(network, task.test)
        for task, *networks in zip(tasks, alone, sharing, strict=True)
        for network in networks
    ]


def cells(reached: Float[Tensor, "seed column"]) -> list[str]:
    """Returns mean ± deviation over seeds of each column."""
    means, deviations = reached.mean(dim=0), reached.std(dim=0, correction=0)
    pairs = zip(means.tolist(), deviations.tolist(), strict=True)
    return [f"{mean:.2f} ± {deviation:.2f}" for mean, deviation in pairs]


def verdict(size: str, task: str, gains: Float[Tensor, " seed"]) -> str:
    """Returns in words what sharing did, seed by seed.

    Args:
        size: how many labels are known.
        task: its name.
        gains: points that the shared model is above the single one.
    """
    more, less = int((gains > 0).sum()), int((gains < 0).sum())
    mean, seeds = float(gains.mean()), len(gains)
    if seeds not in (more, less):
        return (
            f"{task}, {size} labels: sharing may do either, {mean:+.2f} points on "
            f"average; above in {more} of {seeds} seeds."
        )
    did = "gains" if more else "loses"
    return (
        f"{task}, {size} labels: sharing {did} {abs(mean):.2f} points, in {seeds} of "
        f"{seeds} seeds."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures all sizes, and prints one table and what it says."""
    parser = data_options(__doc__, [0, 1, 2])
    parser.add_argument("--labels", nargs="+", choices=SIZES, default=SIZES)
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args(arguments)
    if options.epochs < 1:
        raise InputError(f"--epochs must be at least 1, got {options.epochs}; raise it")
    require_different(options.seeds)
    torch.set_num_threads(1)
    tasks = [mnist(options.data_dir), fashion_mnist(options.data_dir)]
    print(f"Per cent right, mean ± deviation of seeds {options.seeds}")
    columns = [f"{task.name} {how}" for task in tasks for how in ("alone", "shared")]
    print(f"{'labels':>6}", *(f"{column:>20}" for column in columns), flush=True)
    said = []
    for size in options.labels:
        rows = [row(tasks, size, seed, options.epochs) for seed in options.seeds]
        reached = torch.tensor(rows)
        print(f"{size:>6}", *(f"{cell:>20}" for cell in cells(reached)), flush=True)
        gains = reached[:, 1::2] - reached[:, ::2]
        said += [verdict(size, task.name, gains[:, k]) for k, task in enumerate(tasks)]
    print(*said, sep="\n")


if __name__ == "__main__":
    run_script(main, "nothing is stored, rows already printed are whole")
