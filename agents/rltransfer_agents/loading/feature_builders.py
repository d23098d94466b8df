"""Encoders of observations from spaces and tensors."""

import math
from typing import Any

import numpy as np
from gymnasium import spaces

from rltransfer_agents.loading.policy_data import PolicyData, Weights
from rltransfer_agents.loading.refusal import Refusal, quoted, refusals_about
from rltransfer_agents.policies.activations import ACTIVATIONS, Dense, relu
from rltransfer_agents.policies.observation_encoders import (
    Combined,
    Convolution,
    Encoder,
    Image,
    Normalisation,
    OneHot,
    Vector,
)

# Names of weights in our bundles that no stock policy has.
FRONT = "front."
# Kernels and strides of Mnih et al. (2015), by the place in the sequence.
_STRIDES = {0: 4, 2: 2, 4: 1}


def build_encoder(
    data: PolicyData, weights: Weights, prefix: str, extractor: str
) -> tuple[Encoder, int]:
    """Returns the encoder of a policy's observations and the number of features.

    Args:
        data: the policy.
        weights: where convolutions are taken from.
        prefix: of the extractor's tensors.
        extractor: the stock class that extracts features.
    """
    space = data.observation_space
    scaled = data.keywords.normalize_images
    if not isinstance(space, spaces.Dict):
        pictures = extractor == "NatureCNN"
        normalisation = data.normalisations.get("")
        return _part(space, weights, prefix, normalisation, scaled, pictures)
    if extractor != "CombinedExtractor":
        raise Refusal(
            "network", f"parts of observations need CombinedExtractor, not {extractor}"
        )
    plain = not scaled or bool(
        data.keywords.features_extractor_kwargs.get("normalized_image")
    )
    encoders: dict[str, Encoder] = {}
    features = 0
    for name, part in space.spaces.items():
        with refusals_about(f"part {quoted(name)}"):
            pictures = is_image(part, any_numbers=plain)
            encoders[name], width = _part(
                part,
                weights,
                f"{prefix}extractors.{name}.",
                data.normalisations.get(name),
                scaled,
                pictures,
            )
            features += width
    return Combined(encoders), features


def front_layers(data: PolicyData, weights: Weights) -> list[Dense]:
    """Returns the dense layers of an author's own extractor, if there was one."""
    names = data.keywords.extractor_activations or []
    return [
        weights.dense(f"{FRONT}{place}", ACTIVATIONS[name])
        for place, name in enumerate(names)
    ]


def is_image(space: spaces.Space[Any], *, any_numbers: bool = False) -> bool:
    """Tells whether Stable-Baselines3 takes a space for pictures.

    Args:
        space: of the observation, or of a part of it.
        any_numbers: whether pictures may hold other numbers than bytes.
    """
    if not isinstance(space, spaces.Box) or len(space.shape) != 3:
        return False
    if any_numbers:
        return True
    in_range = bool((space.low == 0).all() and (space.high == 255).all())
    return space.dtype == np.uint8 and in_range


def _part(
    space: spaces.Space[Any],
    weights: Weights,
    prefix: str,
    normalisation: Normalisation | None,
    scaled: bool,
    pictures: bool,
) -> tuple[Encoder, int]:
    divisor = 255.0 if scaled and is_image(space) else 1.0
    if pictures:
        return _image(space, weights, prefix, normalisation, divisor)
    match space:
        case spaces.Box() | spaces.MultiBinary():
            shape = tuple(int(size) for size in space.shape)
            return Vector(shape, normalisation, divisor), math.prod(shape)
        case spaces.Discrete():
            return OneHot((int(space.n),), single=True), int(space.n)
        case spaces.MultiDiscrete():
            sizes = tuple(int(size) for size in space.nvec)
            return OneHot(sizes, single=False), sum(sizes)
        case _:
            raise Refusal("space", "observations of this kind are not supported")


def _image(
    space: spaces.Space[Any],
    weights: Weights,
    prefix: str,
    normalisation: Normalisation | None,
    divisor: float,
) -> tuple[Encoder, int]:
    if not isinstance(space, spaces.Box) or len(space.shape) != 3:
        raise Refusal("network", "convolutions need pictures as observations")
    channels, height, width = (int(size) for size in space.shape)
    shape = (channels, height, width)
    convolutions = []
    for place, stride in _STRIDES.items():
        weight = weights.take(f"{prefix}cnn.{place}.weight", rank=4)
        bias = weights.take(f"{prefix}cnn.{place}.bias", rank=1)
        units, inputs, rows, columns = weight.shape
        height, width = (height - rows) // stride + 1, (width - columns) // stride + 1
        if inputs != channels or len(bias) != units or min(height, width) < 1:
            raise Refusal("network", "a convolution does not fit the picture")
        channels = units
        convolutions.append(Convolution(weight, bias, stride))
    projection = weights.dense(f"{prefix}linear.0", relu)
    if projection.weight.shape[0] != channels * height * width:
        raise Refusal("network", "the convolutions do not fit what follows them")
    encoder = Image(shape, divisor, tuple(convolutions), projection, normalisation)
    return encoder, int(projection.weight.shape[1])
