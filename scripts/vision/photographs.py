"""Faces and photographs that scikit-image ships, and scenes made of both."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.nn import functional as F

from rltransfer.errors import InputError
from rltransfer.mapping import Examples

PATCH, SIDE = 24, 4
"""Pixels that the source reads, of the 25 by 25 there are; pixels to a place."""
SCENE = 64
WITHOUT_FACES = (
    *("coffee", "rocket", "grass", "gravel", "moon", "clock", "cell", "chelsea"),
    *("immunohistochemistry", "hubble_deep_field", "retina"),
)
"""Photographs that scenes to train with are made of."""
REFUSED = ("coins", "page", "text", "brick")
"""Photographs without a face that nothing is trained with."""
ASTRONAUT = (173.0, 62.0, 275.0, 190.0)
"""Box of the astronaut's face, drawn by hand: left, top, right, bottom in pixels."""
NEAR, FLOOR = 21, 0.1
"""Pixels that a pixel is compared with, and the least contrast that counts in full."""

Picture = Float[Tensor, "height width"]
"""Grey, from 0 to 1."""


def photograph(name: str) -> Picture:
    """Returns one of scikit-image's photographs in grey."""
    data = _skimage_data()
    found = np.asarray(getattr(data, name)()) / 255.0
    if found.ndim == 3:
        # The weights of ITU-R BT.709, as scikit-image has them.
        found = found[..., :3] @ np.array([0.2125, 0.7154, 0.0721])
    return torch.from_numpy(found).float()


def _skimage_data() -> Any:
    try:
        from skimage import data
    except ImportError as fault:
        raise InputError(
            "faces and photographs are those of scikit-image, which is missing; "
            "install it: pip install 'rltransfer[faces]'"
        ) from fault
    return data


def face_patches() -> tuple[Float[Tensor, "patch 24 24"], Tensor]:
    """Returns 100 faces and 100 patches without one, and whether each is a face."""
    patches = torch.from_numpy(_skimage_data().lfw_subset()).float()
    return patches[:, :PATCH, :PATCH], (torch.arange(200) < 100).long()


def contrasted(
    pictures: Float[Tensor, "picture height width"],
) -> Float[Tensor, "picture height width"]:
    """Returns each pixel's difference from its surroundings, in their deviations.

    Local contrast normalisation (Jarrett et al., 2009): light and shade go, features
    of a face stay.
    """

    def around(x: Tensor) -> Tensor:
        mean = F.avg_pool2d(x.unsqueeze(1), NEAR, 1, NEAR // 2, count_include_pad=False)
        return mean.squeeze(1)

    apart = pictures - around(pictures)
    return apart / (around(apart.square()).sqrt() + FLOOR)


def resized(picture: Picture, height: int, width: int) -> Picture:
    """Returns a picture of that size, smoothed where it becomes smaller."""
    scaled = F.interpolate(
        picture[None, None], (height, width), mode="bilinear", antialias=True
    )
    return scaled[0, 0]


@final
@dataclass(frozen=True, eq=False)
class Scenes:
    """Pieces of photographs, with a face in some of them."""

    pictures: Float[Tensor, "scene 64 64"]
    scene: list[int]
    """On which scene a face is."""
    boxes: Float[Tensor, "face 4"]

    def labelled(self) -> Examples:
        """Returns scenes and what `AtPlaces` wants: heat, place, width and height."""
        grid = SCENE // SIDE
        labels = torch.zeros(len(self.pictures), grid, grid, 6)
        axis = torch.arange(grid)
        centres = (self.boxes[:, :2] + self.boxes[:, 2:]) / (2 * SIDE)
        sizes = (self.boxes[:, 2:] - self.boxes[:, :2]) / SIDE
        for scene, centre, size in zip(self.scene, centres, sizes, strict=True):
            place = centre.long().clamp(0, grid - 1)
            x, y = place.tolist()
            far = (axis - x).square() + (axis[:, None] - y).square()
            heat = (-far / (2 * (size.prod().sqrt() / 6).square())).exp()
            labels[scene, :, :, 0] = torch.maximum(labels[scene, :, :, 0], heat)
            numbers = torch.cat([centre - place, size, torch.ones(1)])
            labels[scene, y, x, 1:] = numbers
        return Examples(contrasted(self.pictures).flatten(1), labels.flatten(1))


def scenes(
    faces: Float[Tensor, "face 24 24"],
    photographs: Sequence[Picture],
    amount: int,
    seed: int,
) -> Scenes:
    """Returns scenes, two of three with a face whose rim fades into the photograph.

    Args:
        faces: of which some are put in, mirrored or not, 20 to 30 pixels wide.
        photographs: of which square pieces of any size are scaled to a scene.
        amount: of scenes.
        seed: of everything that is drawn.
    """
    rng = np.random.default_rng(seed)
    pictures, on, boxes = [], [], []
    for number in range(amount):
        photo = photographs[int(rng.integers(len(photographs)))]
        side = int(rng.integers(SCENE, min(photo.shape), endpoint=True))
        top, left = (int(rng.integers(size - side + 1)) for size in photo.shape)
        piece = photo[top : top + side, left : left + side]
        scene = resized(piece, SCENE, SCENE).clone()
        if rng.random() < 2 / 3:
            size = int(rng.integers(20, 30, endpoint=True))
            face = resized(faces[rng.integers(len(faces))], size, size)
            if rng.random() < 0.5:
                face = face.flip(1)
            x, y = rng.integers(0, SCENE - size, 2, endpoint=True).tolist()
            there = scene[y : y + size, x : x + size]
            there += _oval(size) * (face - there)
            on.append(number)
            boxes.append([x, y, x + size, y + size])
        pictures.append(scene)
    return Scenes(torch.stack(pictures), on, torch.tensor(boxes).float().view(-1, 4))


def _oval(size: int) -> Picture:
    """Returns 1 in the middle of a square, falling to 0 at its rim."""
    axis = (2 * torch.arange(size) + 1) / size - 1
    far = (axis.square() + axis[:, None].square()).sqrt()
    return (4 * (1.15 - far)).clamp(0, 1)


def balanced_halves(
    labels: Tensor, share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns places to train with and places held out, equally many of each class."""
    generator = Generator().manual_seed(seed)
    kept, held = [], []
    for kind in labels.unique():
        places = (labels == kind).nonzero().squeeze(1)
        places = places[torch.randperm(len(places), generator=generator)]
        cut = round(share * len(places))
        held.append(places[:cut])
        kept.append(places[cut:])
    return torch.cat(kept).numpy(), torch.cat(held).numpy()
