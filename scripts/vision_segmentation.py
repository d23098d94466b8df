"""From reading digits to their pixels and turns: a mapping at every place of a grid.

    python scripts/vision_segmentation.py --data-dir DATA --picture runs/masks.png

The source, the canvases and the rows of the table are those of vision_detection.py,
except that digits on canvases are turned by up to 45 degrees either way; the source
has seen them upright only. What is asked at each of 16 by 16 places is which of its
4 by 4 pixels belong to which digit, and how far a digit that is centred there is
turned (cosine and sine). A pixel at a digit's rim is far from where the source reads
it, so the mapping has one layer more, which sees the places around each ("mapped,
linear" has none).

The scores are the mean over the ten digits of intersection over union (IoU), and the
mean error of turns in degrees at the true centres. A turn counts from how the digit
was written: MNIST's are slanted by themselves, so no one can be exact.

In "zero-shot" a bright pixel belongs to the digit that the source reads at its place,
and all digits are upright. By default three seeds; networks are stored in
runs/vision_segmentation.
"""

import math
from collections.abc import Sequence

import torch

from digits.digit_tasks import CLASSES
from digits.digit_training import run_script
from rltransfer.io import make_folder
from rltransfer.mapping import Affine, Network
from vision.canvases import INK, NOTHING, Canvases
from vision.dense_transfer import SHOWN, DenseTask
from vision.digit_reader import DigitReader
from vision.masks_and_turns import (
    CHANNELS,
    KINDS,
    LOGITS,
    PIXELS,
    MasksAndTurns,
    degrees_off,
    mean_iou,
    read,
    with_masks,
)
from vision.pages import page_of_masks
from vision.vision_tables import measured, options_of, print_goals, print_table

TURN = math.radians(45)
SHARE, CONTRAST = 0.3, 10.0
"""What a logit of the source adds to its digit, and a bright pixel to all digits."""


def knows(head: Affine, reader: DigitReader) -> None:
    """Makes a bright pixel part of what the source reads at its place."""
    del reader  # its classes and the pixels are features already
    logits = head.weight[:, :LOGITS].unflatten(1, (PIXELS, KINDS))
    logits[:CLASSES, :, :CLASSES] = SHARE * torch.eye(CLASSES).unsqueeze(1)
    pixels = torch.arange(PIXELS)
    logits[CLASSES:SHOWN][pixels, pixels, :CLASSES] = CONTRAST


def expects(head: Affine, reader: DigitReader) -> None:
    """Sets the biases: no digit is here, or an upright one."""
    del reader  # sizes are not asked for
    logits = head.bias[:LOGITS].unflatten(0, (PIXELS, KINDS))
    logits[:] = 0
    logits[:, NOTHING] = CONTRAST * INK
    head.bias[LOGITS:] = torch.tensor([1.0, 0.0])


def scores(network: Network, canvases: Canvases) -> tuple[float, ...]:
    """Returns mean IoU of the digits, and the mean error of turns in degrees."""
    masks, turns = read(network, canvases)
    return mean_iou(masks, canvases.masks), degrees_off(turns, canvases.turns)


TASK = DenseTask(
    MasksAndTurns(),
    with_masks,
    knows,
    expects,
    scores,
    CHANNELS,
    rate=3e-3,
    context=True,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures all amounts, and prints one table and what it says."""
    parser = options_of(__doc__, "runs/vision_segmentation")
    options = parser.parse_args(arguments)
    if options.picture:
        make_folder(options.picture.parent)
    table, readers, networks, test = measured(TASK, options, turn=TURN)
    right = sum(reader.right for reader in readers) / len(readers)
    print(f"source: {right:.2f} % of single test digits right, seeds {options.seeds}")
    print_table(table, ["mean IoU", "degrees off"])
    print_goals(table, "mean IoU")
    if options.picture:
        shown = {name: networks[name] for name in ("mapped", "scratch")}
        page_of_masks(options.picture, shown, test)


if __name__ == "__main__":
    run_script(main)
