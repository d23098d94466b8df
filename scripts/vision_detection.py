"""From reading digits to finding them: a mapping at every place of a grid.

    python scripts/vision_detection.py --data-dir DATA --picture runs/detection.png

The source is a classifier of single digits in a window of 32 by 32, at scales from 0.7
to 1.4. Its trunk is convolutional, so on a canvas of 64 by 64 it gives features at
each of 16 by 16 places. They pass the mapping at every place into a head that says,
as CenterNet does (Zhou, Wang & Krähenbühl, 2019), how hot each digit is there, where
in the place its centre lies, and how wide and high it is.

On a canvas are 1 to 5 digits, 0.7 to 1.4 times as large as MNIST's, whose boxes share a
fifth of the smaller one at most, and up to six strokes of clutter. Canvases to train
with are made of digits that the source was not trained with; those to test of the test
digits. The score is average precision (AP) at an IoU of 0.5, and its mean over 0.5 to
0.95, as COCO counts it.

    zero-shot       the mapping starts with what the source reads at each place, and a
                    box has the mean size of the source's digits
    mapped          mapping and head are trained, the trunk is frozen
    mapped, linear  likewise, the mapping without its hidden layer
    fine-tuned      goes on from "mapped" with all weights, half as many updates
    scratch         the same network from drawn weights, as many updates as mapping,
                    at the best of three rates, which validation canvases choose

By default three seeds; networks are stored in runs/vision_detection.
"""

from collections.abc import Sequence

import torch

from digits.digit_tasks import CLASSES
from digits.digit_training import run_script
from rltransfer.io import make_folder
from rltransfer.mapping import Affine, Network
from vision.average_precision import average_precision
from vision.canvases import Canvases
from vision.dense_transfer import DenseTask
from vision.digit_reader import SIDE, DigitReader
from vision.found_digits import OBJECTIVE, found, labelled, true_boxes
from vision.pages import page_of_boxes
from vision.vision_tables import measured, options_of, print_goals, print_table

COLD, SHARE = -4.0, 0.5
"""Heat where nothing is known, as a logit, and what a logit of the source adds."""


def knows(head: Affine, reader: DigitReader) -> None:
    """Makes a digit as hot as the source reads it."""
    del reader  # its classes are features already
    head.weight[:CLASSES, :CLASSES] = SHARE * torch.eye(CLASSES)


def expects(head: Affine, reader: DigitReader) -> None:
    """Sets the biases: no digit is here, or one of the usual size in the middle."""
    width, height = reader.size
    head.bias[:CLASSES] = COLD
    head.bias[CLASSES : OBJECTIVE.channels] = torch.tensor(
        [0.5, 0.5, width / SIDE, height / SIDE]
    )


def scores(network: Network, canvases: Canvases) -> tuple[float, ...]:
    """Returns AP at an IoU of 0.5, and its mean over 0.5 to 0.95."""
    precision = average_precision(found(network, canvases), true_boxes(canvases))
    return float(precision[0]), float(precision.mean())


TASK = DenseTask(
    OBJECTIVE, labelled, knows, expects, scores, OBJECTIVE.channels, rate=1e-3
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures all amounts, and prints one table and what it says."""
    parser = options_of(__doc__, "runs/vision_detection")
    options = parser.parse_args(arguments)
    if options.picture:
        make_folder(options.picture.parent)
    table, readers, networks, test = measured(TASK, options, turn=0.0)
    right = sum(reader.right for reader in readers) / len(readers)
    print(f"source: {right:.2f} % of single test digits right, seeds {options.seeds}")
    print_table(table, ["AP 0.5", "AP 0.5:0.95"])
    print_goals(table, "AP 0.5")
    if options.picture:
        shown = {name: networks[name] for name in ("mapped", "scratch")}
        page_of_boxes(options.picture, shown, test)


if __name__ == "__main__":
    run_script(main)
