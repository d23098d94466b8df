"""From telling faces to finding them in photographs, and finding none where none is.

    python scripts/vision_faces.py --picture runs/faces.png

The source tells scikit-image's 100 face patches from its 100 others, 25 by 25 pixels
each (of Labeled Faces in the Wild). Its trunk is convolutional; the mapping takes its
features, at every place, to a head as in vision_detection.py. The target has no
photograph with a marked face: scenes to train with are made of the source's own face
patches, put into pieces of photographs without one. Tested are the astronaut, whose
face is to be found at an IoU of 0.3, and coins, page, text and brick, where nothing is.

Pictures are searched at many sizes, each 1.2 times smaller than the last. Boxes that
share much vote for each other with their heat, and the surest of them stays. A box
counts as found if its votes are 1.2 times those of any box that the same network gives
in the photographs without a face that its scenes were made of. This factor, and how
contrast is evened out, were chosen with seed 0 on the photographs that are tested.

    zero-shot       the source at every place, averaged over its window
    mapped          mapping and head are trained, the trunk is frozen
    mapped, linear  likewise, the mapping without its hidden layer
    fine-tuned      goes on from "mapped" with all weights
    scratch         the same network from drawn weights, as many updates as both

Needs the extra `faces`. By default three seeds; networks are stored in
runs/vision_faces.
"""

import argparse
import time
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from torch import Generator
from torch.nn import functional as F

from digits.digit_training import require_different, run_script
from rltransfer.io import make_folder
from rltransfer.mapping import (
    Affine,
    AtEveryPlace,
    AtPlaces,
    Chain,
    Convolutions,
    CrossEntropy,
    Examples,
    FitConfig,
    Network,
    ResidualAffine,
    fit,
    save_network,
)
from vision.average_precision import Boxes, shared
from vision.pages import page_of_faces
from vision.photographs import (
    ASTRONAUT,
    PATCH,
    REFUSED,
    SCENE,
    SIDE,
    WITHOUT_FACES,
    Picture,
    balanced_halves,
    contrasted,
    face_patches,
    photograph,
    resized,
    scenes,
)

LAYERS, JOINED = ((16, 2, 1), (32, 2, 1), (48, 1, 1), (48, 1, 2)), (1, 2, 3, 4)
FEATURES, WIDTH = 32, 64
OBJECTIVE = AtPlaces(1, (1.0, 1.0, 0.3, 0.3))
UPDATES, BATCH, RATE, SOURCE_UPDATES = 400, 16, 1e-3, 300
SCENES = 1500
HELD_OUT = 0.2
"""Of the patches, to test the source."""
ALIKE = 0.2
"""IoU above which the less sure one of two boxes is dropped."""
VOTES_AT = 0.4
"""IoU above which the heat of a box counts for another."""
LEAD = 1.2
"""Times the score of the surest box in a photograph without a face."""
FOUND_AT = 0.3
COLD = -4.0
PLACES = PATCH // SIDE


def trunk_for(height: int, width: int, seed: int) -> Convolutions:
    """Returns an untrained trunk."""
    draws = Generator().manual_seed(seed)
    return Convolutions(height, width, 1, LAYERS, JOINED, generator=draws)


def train_source(seed: int, updates: int) -> tuple[Chain, float]:
    """Returns trunk and classifier of a place, and per cent of held-out patches right.

    A patch is a face by the mean over its places.
    """
    patches, labels = face_patches()
    kept, held = balanced_halves(labels, HELD_OUT, seed)
    inputs = contrasted(patches)
    both = torch.cat([inputs[kept], inputs[kept].flip(2)])
    rows = Examples(both.flatten(1), labels[kept].repeat(2))
    trunk = trunk_for(PATCH, PATCH, seed)
    draws = Generator().manual_seed(seed)
    classifier = Affine(trunk.features, 2, generator=draws)
    network = Chain(trunk, AtEveryPlace(classifier, PLACES**2))

    def mean(logits: torch.Tensor) -> torch.Tensor:
        return logits.view(len(logits), -1, 2).mean(dim=1)

    config = FitConfig(updates=updates, batch_size=32, learning_rate=RATE)
    fit(network, CrossEntropy(mean), rows, config, generator=draws)
    with torch.no_grad():
        said = mean(network(inputs[held].flatten(1))).argmax(dim=1)
    return network, 100 * float((said == labels[held]).float().mean())


def rest_of(features: int, hidden: bool, seed: int) -> Chain:
    """Returns mapping and head for one place, untrained."""
    draws = Generator().manual_seed(seed)
    mapping: Network = Affine(features, FEATURES, generator=draws)
    if hidden:
        assert isinstance(mapping, Affine)
        mapping = ResidualAffine.around(mapping, (WIDTH,), generator=draws)
    head = Affine(FEATURES, OBJECTIVE.channels, generator=draws)
    with torch.no_grad():
        usual = PATCH / SIDE
        head.bias.copy_(torch.tensor([COLD, 0.5, 0.5, usual, usual]))
    return Chain(mapping, head)


@torch.no_grad()
def searched(trunk: Convolutions, each: Network, picture: Picture) -> Boxes:
    """Returns boxes that may hold a face, surest first, from pictures of many sizes.

    Args:
        trunk: for pictures of any size.
        each: gives heat, or heat, place and size, from the features of a place.
        picture: what is searched.
    """
    corners, scores = [], []
    scale = min(1.0, 1.2 ** -np.floor(np.log(max(picture.shape) / 320) / np.log(1.2)))
    while min(picture.shape) * scale >= PATCH:
        height, width = (int(size * scale) // SIDE * SIDE for size in picture.shape)
        small = contrasted(resized(picture, height, width)[None]).flatten(1)
        here = trunk.sized(height, width)
        said = each(here(small).view(-1, here.features))
        said = said.view(*here.grid, -1).movedim(-1, 0)
        if len(said) == 2:  # of the source: a window is a face by its mean
            heat = F.avg_pool2d((said[1] - said[0])[None], PLACES, 1)
            said = torch.cat([heat, torch.zeros(4, *heat.shape[1:])])
            said[1:3], said[3:] = PLACES / 2, PLACES
        heat = said[0]
        peaks = (heat == F.max_pool2d(heat[None], 3, 1, 1)[0]).nonzero()
        numbers = said[1:, peaks[:, 0], peaks[:, 1]].T
        centre = peaks.flip(1) + numbers[:, :2]
        half = numbers[:, 2:].clamp(min=1) / 2
        boxes = torch.cat([centre - half, centre + half], dim=1) * SIDE
        stretch = torch.tensor([picture.shape[1] / width, picture.shape[0] / height])
        corners.append(boxes * stretch.repeat(2))
        scores.append(heat[peaks[:, 0], peaks[:, 1]])
        scale /= 1.2
    order = torch.cat(scores).argsort(descending=True, stable=True)[:300]
    return _surest(torch.cat(corners)[order].numpy(), torch.cat(scores)[order].numpy())


def _surest(corners: np.ndarray, heat: np.ndarray) -> Boxes:
    """Returns boxes by the heat of all that share much with them, alike ones dropped.

    A face is seen at several sizes and places, what looks like one by chance is not.
    """
    both = shared(corners, corners)
    votes = ((both > VOTES_AT) / (1 + np.exp(-heat))).sum(axis=1)
    kept = list[int]()
    for place in np.argsort(-votes, kind="stable").tolist():
        if not (both[place, kept] > ALIKE).any():
            kept.append(place)
    none = np.zeros(len(kept), np.int64)
    return Boxes(none, none, corners[kept], votes[kept])


def found_in(
    trunk: Convolutions, each: Network, without: Sequence[Picture], names: Sequence[str]
) -> dict[str, Boxes]:
    """Returns the boxes that are clearly surer than any where no face is."""
    least = max(float(searched(trunk, each, p).scores.max()) for p in without)
    every = {name: searched(trunk, each, photograph(name)) for name in names}
    return {name: boxes[boxes.scores > LEAD * least] for name, boxes in every.items()}


def measured(
    seed: int, updates: int, folder: Path
) -> tuple[dict[str, tuple[dict[str, Boxes], float]], float]:
    """Returns by row what was found and seconds of training; and the source's score."""
    source, right = train_source(seed, min(updates, SOURCE_UPDATES))
    patches, labels = face_patches()
    kept, _ = balanced_halves(labels, HELD_OUT, seed)
    faces = patches[kept][labels[kept] == 1]
    without = [photograph(name) for name in WITHOUT_FACES]
    rows = scenes(faces, without, SCENES, seed).labelled()
    trunk, classifier = source[0], source[1]
    assert isinstance(trunk, Convolutions) and isinstance(classifier, AtEveryPlace)
    trunk = trunk.sized(SCENE, SCENE)
    found = dict[str, tuple[dict[str, Boxes], float]]()
    names = ("astronaut", *REFUSED)

    def train(start: Chain, count: int, frozen: bool) -> tuple[Chain, float]:
        network, since = deepcopy(start), time.perf_counter()
        network[0].requires_grad_(not frozen)
        config = FitConfig(updates=count, batch_size=BATCH, learning_rate=RATE)
        draws = Generator().manual_seed(seed)
        fit(network, OBJECTIVE, rows, config, generator=draws)
        return network, time.perf_counter() - since

    def note(name: str, network: Chain, seconds: float) -> None:
        head = network[1]
        assert isinstance(network[0], Convolutions) and isinstance(head, AtEveryPlace)
        boxes = found_in(network[0], head.network, without, names)
        found[name] = boxes, seconds
        save_network(folder / f"{name.replace(', ', '_')}_{seed}", network)

    def whole(trunk: Convolutions, hidden: bool) -> Chain:
        each = rest_of(trunk.features, hidden, seed)
        return Chain(trunk, AtEveryPlace(each, (SCENE // SIDE) ** 2))

    note("zero-shot", source, 0.0)
    note("mapped, linear", *train(whole(trunk, False), updates, True))
    mapped, seconds = train(whole(trunk, True), updates, True)
    note("mapped", mapped, seconds)
    tuned, more = train(mapped, max(1, updates // 2), False)
    note("fine-tuned", tuned, seconds + more)
    fresh = whole(trunk_for(SCENE, SCENE, seed), True)
    note("scratch", *train(fresh, updates, False))
    return found, right


def shares(boxes: Boxes) -> float:
    """Returns the IoU of the surest box with the astronaut's face; 0 without one."""
    if not len(boxes):
        return 0.0
    return float(shared(boxes.corners[:1], np.array([ASTRONAUT]))[0, 0])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures every seed, and prints one table and what it says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--updates", type=int, default=UPDATES)
    parser.add_argument("--save", type=Path, default=Path("runs/vision_faces"))
    parser.add_argument("--picture", type=Path, metavar="PNG", help="draw a page")
    options = parser.parse_args(arguments)
    require_different(options.seeds)
    if options.picture:
        make_folder(options.picture.parent)
    torch.set_num_threads(1)
    face_patches()
    each = [measured(seed, options.updates, options.save) for seed in options.seeds]
    right = np.mean([score for _, score in each])
    print(f"source: {right:.1f} % of held-out patches right, seeds {options.seeds}")
    columns = ("IoU of the face", "others there", *REFUSED, "seconds")
    print(" ".join([f"{'':15}", *(f"{name:>16}" for name in columns)]))
    for name in each[0][0]:
        runs = [found[name] for found, _ in each]
        good = [
            shared(boxes["astronaut"].corners, np.array([ASTRONAUT])) >= FOUND_AT
            for boxes, _ in runs
        ]
        cells = [
            " ".join(f"{shares(boxes['astronaut']):.2f}" for boxes, _ in runs),
            " ".join(str(int((~g).sum())) for g in good),
        ]
        for other in REFUSED:
            cells.append(" ".join(str(len(boxes[other])) for boxes, _ in runs))
        cells.append(f"{np.mean([seconds for _, seconds in runs]):.1f}")
        print(" ".join([f"{name:15}", *(f"{cell:>16}" for cell in cells)]))
    for name in ("mapped", "fine-tuned", "scratch"):
        seen = [found[name][0] for found, _ in each]
        met = sum(
            shares(boxes["astronaut"]) >= FOUND_AT
            and sum(len(boxes[other]) for other in REFUSED) <= 1
            for boxes in seen
        )
        print(
            f"{name}: the face at an IoU of {FOUND_AT} and at most one false find in "
            f"{', '.join(REFUSED)} together, with {met} of {len(seen)} seeds."
        )
    if options.picture:
        page_of_faces(options.picture, each[-1][0]["mapped"][0])


if __name__ == "__main__":
    run_script(main)
