"""Domain adaptation: labels of one domain, pictures alone of the other.

    python scripts/mnist_adaptation.py --data-dir DATA

From MNIST, with labels, to scikit-learn's 1,797 digits of 8 by 8, without; and to
MNIST's own test pictures at 16 by 16, which makes them smaller and less sharp. One
network, trunk 256-128 and a head, learns the source's labels while an objective of the
mapping core draws the features of both domains together: kernel means (MMD), deep
CORAL, an adversary behind a reversed gradient, optimal transport, and joint transport,
which carries labels along with features.

Each is measured twice: on the source's pictures as they are, at the target's
resolution, and in the target's frame, where first the source's pictures are moved,
scaled, slanted and made as bold as the target's are on average, distorted a little at
random, and every pixel is put in units of its own domain. That needs no label either.

Beside them stand "zero-shot", the source model of mnist_mapping.py on the target in
MNIST's frame of 28 by 28; "source only", the network here without the target; and
"oracle", the network here with the labels of a random half of the target, tested on
the other half, and the other way round.

No label of a target is used in training, or has chosen anything. Weights, distortion,
learning rate and updates were chosen with seed 0 in the target's frame of two other
pairs, made of halves of MNIST and of Fashion-MNIST: --choose prints the table of
weights. There is no early stopping; what is tested is the last state. The pictures that
are tested are those that were trained on without labels.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from digits.adaptation_pairs import HALVES, PAIRS, VIEWS, Pair
from digits.digit_tasks import in_frame, mnist
from digits.digit_training import (
    accuracy,
    data_options,
    require_different,
    run_script,
    train,
)
from rltransfer.errors import InputError
from rltransfer.mapping import (
    Adaptation,
    Adversary,
    Affine,
    Chain,
    Coral,
    CrossEntropy,
    Examples,
    FitConfig,
    KernelMeans,
    Mlp,
    Objective,
    Transport,
    Unpaired,
    fit,
    rising,
)

UPDATES, BATCH, LEARNING_RATE = 2000, 128, 3e-3
WIDTH, FEATURES, CLASSES = 256, 128, 10
ZERO_SHOT_EPOCHS = 10

Method = Callable[[float, Generator], Objective[Any, Any]]
"""Returns an objective of this weight; the generator draws networks of its own.

Of joint transport the weight is that of the labels in it.
"""


def source_only(weight: float, generator: Generator) -> Adaptation:
    """Returns the cross-entropy of the source's labels alone."""
    del weight, generator  # nothing is matched
    return Adaptation(Coral(), 0.0)


def adversarial(weight: float, generator: Generator) -> Adaptation:
    """Returns domain-adversarial training with a discriminator 128-64-1."""
    discriminator = Mlp(FEATURES, (64,), 1, activation="relu", generator=generator)
    return Adaptation(Adversary(discriminator, rising(weight)))


METHODS: dict[str, tuple[Method, tuple[float, ...], float]] = {
    "source only": (source_only, (0.0,), 0.0),
    "kernel means (MMD)": (
        lambda weight, _: Adaptation(KernelMeans(), weight),
        (1.0, 3.0, 10.0),
        10.0,
    ),
    "deep CORAL": (
        lambda weight, _: Adaptation(Coral(), weight),
        (10.0, 100.0, 1000.0),
        10.0,
    ),
    "adversarial": (adversarial, (0.1, 0.3, 1.0), 0.3),
    "optimal transport": (
        lambda weight, _: Adaptation(Transport(rounds=10), weight),
        (0.01, 0.03, 0.1),
        0.1,
    ),
    "joint transport": (
        lambda weight, _: Adaptation(Transport(rounds=10), 0.01, weight),
        (3.0, 10.0, 30.0),
        30.0,
    ),
}
"""Objective, the weights tried on the halves, and the best of them there."""


def trained(
    objective: Objective[Any, Any], rows: Unpaired | Examples, seed: int, updates: int
) -> Chain:
    """Returns a network fitted to `objective`; its seed draws all there is to draw."""
    generator = Generator().manual_seed(seed)
    # Nothing is selected: matching all rows once more in the end would be for nothing.
    cheap = Adaptation(Coral(), 0.0) if isinstance(rows, Unpaired) else None
    known = rows.source if isinstance(rows, Unpaired) else rows
    network = Chain(
        Mlp(
            known.inputs.shape[1],
            (WIDTH,),
            FEATURES,
            activation="relu",
            output_activation="relu",
            generator=generator,
        ),
        Affine(FEATURES, CLASSES, generator=generator),
    )
    config = FitConfig(updates=updates, batch_size=BATCH, learning_rate=LEARNING_RATE)
    fit(network, objective, rows, config, generator=generator, ranked_by=cheap)
    return network


def oracle(test: Examples, seed: int, updates: int) -> float:
    """Returns the accuracy where half of the target's labels are known."""
    order = torch.randperm(len(test), generator=Generator().manual_seed(seed))
    one, other = (test[half] for half in order.tensor_split(2))
    reached = [
        accuracy(trained(CrossEntropy(), known, seed, updates), asked) * len(asked)
        for known, asked in ((one, other), (other, one))
    ]
    return sum(reached) / len(test)


def zero_shot_network(folder: Path | None, seed: int) -> Chain:
    """Returns the source model of mnist_mapping.py."""
    generator = Generator().manual_seed(seed)
    network = Chain(
        Affine(28 * 28, 128, activation="relu", generator=generator),
        Affine(128, CLASSES, generator=generator),
    )
    source = mnist(folder).train
    train(network, source, ZERO_SHOT_EPOCHS, generator=generator, quiet=True)
    return network


def in_view(view: str, pair: Pair, seed: int) -> tuple[Unpaired, Examples]:
    """Returns rows to fit to, and the target with its labels, for testing alone."""
    source, target = VIEWS[view](pair, Generator().manual_seed(seed))
    return Unpaired(source, target), Examples(target, pair.target_labels)


def column(view: str, pair: Pair, seed: int, updates: int) -> dict[str, float]:
    """Returns per cent right of the target by method, all of one seed."""
    rows, test = in_view(view, pair, seed)
    reached = {}
    for name, (method, _, weight) in METHODS.items():
        objective = method(weight, Generator().manual_seed(seed))
        reached[name] = accuracy(trained(objective, rows, seed, updates), test)
    return reached | {"oracle": oracle(test, seed, updates)}


def choose(folder: Path | None, updates: int) -> None:
    """Prints what each weight reaches on the halves, in the target's frame."""
    pairs = [make(folder) for make in HALVES.values()]
    views = [in_view("target's frame", pair, 0) for pair in pairs]
    tried = [
        (f"{name}, {weight:g}", method, weight)
        for name, (method, weights, _) in METHODS.items()
        for weight in weights
    ]
    print("Per cent right, seed 0, in the target's frame:", *HALVES, "mean")
    for name, method, weight in tried:
        reached = []
        for rows, test in views:
            objective = method(weight, Generator().manual_seed(0))
            reached.append(accuracy(trained(objective, rows, 0, updates), test))
        figures = (*reached, sum(reached) / len(reached))
        print(f"{name:28}", *(f"{figure:8.2f}" for figure in figures), flush=True)


def summary(reached: Sequence[float]) -> str:
    """Returns mean ± deviation over seeds."""
    values: Float[Tensor, " seed"] = torch.tensor(reached)
    return f"{values.mean():.2f} ± {values.std(correction=0):.2f}"


KEPT = "nothing is stored, tables already printed are whole"
"""After Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures all methods on all pairs, and prints a table for each pair."""
    parser = data_options(__doc__, [0, 1, 2, 3, 4])
    parser.add_argument("--targets", nargs="+", choices=PAIRS, default=list(PAIRS))
    parser.add_argument("--updates", type=int, default=UPDATES)
    parser.add_argument(
        "--choose", action="store_true", help="print the table of weights and stop"
    )
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if options.choose:
        for name in ("seeds", "targets"):
            if getattr(options, name) is not parser.get_default(name):
                raise InputError(
                    f"--choose measures the halves with seed 0, got --{name} too; "
                    "drop one of them"
                )
        choose(options.data_dir, options.updates)
        return
    require_different(options.seeds)
    known = [zero_shot_network(options.data_dir, seed) for seed in options.seeds]
    for name in options.targets:
        pair = PAIRS[name](options.data_dir)
        framed = Examples(in_frame(pair.target).flatten(1), pair.target_labels)
        columns = {
            view: [column(view, pair, seed, options.updates) for seed in options.seeds]
            for view in VIEWS
        }
        print(
            f"\n{pair.name}, {len(framed)} pictures: per cent right, mean ± "
            f"deviation of seeds {options.seeds}"
        )
        print(f"{'':20}", *(f"{view:>16}" for view in VIEWS))
        alone = summary([accuracy(network, framed) for network in known])
        print(f"{'zero-shot':20} {alone:>16}")
        for method in columns["as they are"][0]:
            cells = (
                summary([found[method] for found in seeds])
                for seeds in columns.values()
            )
            print(f"{method:20}", *(f"{cell:>16}" for cell in cells), flush=True)


if __name__ == "__main__":
    run_script(main, KEPT)
