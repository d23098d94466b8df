"""From reading digits to their pixels and turns: a mapping at every place of a grid.

    python scripts/vision_segmentation.py --data-dir DATA --picture runs/masks.png

The source, the canvases and the rows of the table are those of vision_detection.py,
except that digits are turned by up to 45 degrees either way. The source reads turned
digits; it is not told by how far they are turned, nor which pixels are theirs.

What is asked at each of 16 by 16 places is what detection asks, how far a digit that
is centred there is turned (cosine and sine), and of each of its 4 by 4 pixels whether
it is a digit's rather than clutter's, and where its digit's centre is. A digit's pixel
is of the kind whose centres are hottest around where it points, as in Panoptic-DeepLab
(Cheng et al., 2020). A pixel at a rim is far from where the source reads its digit, so
the mapping has one layer more, which sees the places around each ("mapped, linear" has
none).

The scores are the mean over the ten digits of intersection over union (IoU), and the
mean error of turns in degrees at the true centres. A turn counts from how the digit
was written: MNIST's are slanted by themselves, so no one can be exact.

In "zero-shot" all bright pixels are of digits, point to the middle of their place, and
all digits are upright. By default three seeds; networks are stored in
runs/vision_segmentation.
"""

import math
from collections.abc import Sequence

import torch

import vision_detection as detection
from digits.digit_tasks import CLASSES
from digits.digit_training import run_script
from rltransfer.io import make_folder
from rltransfer.mapping import Affine, Network
from vision.canvases import INK, Canvases
from vision.dense_transfer import DenseTask
from vision.digit_reader import SIDE, DigitReader
from vision.masks_and_turns import (
    AWAY,
    CHANNELS,
    INKED,
    PIXELS,
    MasksAndTurns,
    degrees_off,
    mean_iou,
    middles,
    read,
    with_masks,
)
from vision.pages import page_of_masks
from vision.vision_tables import measured, options_of, print_goals, print_table

TURN = math.radians(45)
CONTRAST = 10.0
"""What a bright pixel adds to the logit of being a digit's."""


def knows(head: Affine, reader: DigitReader) -> None:
    """Makes a digit as hot as the source reads it, and a bright pixel a digit's."""
    detection.knows(head, reader)
    pixels = torch.arange(PIXELS)
    head.weight[CLASSES + pixels, INKED + pixels] = CONTRAST


def expects(head: Affine, reader: DigitReader) -> None:
    """Sets the biases: no digit is here, or an upright one of the usual size.

    Pixels are dark, and all of a place point to its middle.
    """
    detection.expects(head, reader)
    head.bias[INKED - 2 : INKED] = torch.tensor([1.0, 0.0])
    head.bias[INKED:AWAY] = -CONTRAST * INK
    head.bias[AWAY:] = (0.5 - middles()[:SIDE, :SIDE]).flatten()


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
