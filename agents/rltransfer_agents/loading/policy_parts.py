"""Parts of a policy from its tensors: each is checked when it is taken by name."""

import math
from typing import Any, final

import numpy as np
from gymnasium import spaces
from jaxtyping import Float32
from numpy.typing import NDArray

from rltransfer_agents.loading import limits
from rltransfer_agents.loading.policy_data import PolicyData
from rltransfer_agents.loading.refusal import Refusal, quoted, refusals_about
from rltransfer_agents.policies.activations import (
    ACTIVATIONS,
    Activation,
    Dense,
    dense_from_torch,
    identity,
    relu,
)
from rltransfer_agents.policies.observation_encoders import (
    Combined,
    Convolution,
    Encoder,
    Image,
    OneHot,
    Vector,
)


@final
class Weights:
    """A policy's tensors by name; notes which are taken, so that none is missed."""

    def __init__(self, tensors: dict[str, NDArray[Any]]) -> None:
        for name, tensor in tensors.items():
            if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
                raise Refusal(
                    "non-finite", f"weights must be finite, {quoted(name)} is not"
                )
        self._tensors = tensors
        self._left = set(tensors)

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def take(self, name: str, rank: int) -> NDArray[np.float32]:
        """Returns a tensor in single precision, as the policy computes."""
        if name not in self._tensors:
            raise Refusal("network", f"the weights {quoted(name)} are missing")
        tensor = self._tensors[name]
        if tensor.dtype.kind != "f" or tensor.ndim != rank:
            raise Refusal(
                "network",
                f"{quoted(name)} must be real numbers in {rank} dimensions, got "
                f"{tensor.dtype} in {tensor.ndim}",
            )
        self._left.discard(name)
        with np.errstate(over="ignore"):
            numbers = tensor.astype(np.float32)
        if not np.isfinite(numbers).all():
            raise Refusal("non-finite", f"{quoted(name)} is beyond single precision")
        return numbers

    def deviation(
        self, name: str, *shapes: tuple[int, ...], use_expln: bool = False
    ) -> Float32[NDArray[np.float32], "*shape"]:
        """Returns deviations from their logarithms.

        Args:
            name: of the logarithms, as learned.
            shapes: that they may have.
            use_expln: grow like a logarithm above 1, not like an exponential (Raffin et
                al., 2021).
        """
        learned = self.take(name, rank=len(shapes[0]))
        if learned.shape not in shapes:
            raise Refusal(
                "network",
                f"{quoted(name)} must have the shape {shapes[0]}, got {learned.shape}",
            )
        with np.errstate(over="ignore"):
            deviation: NDArray[np.float32] = np.exp(learned)
        if use_expln:
            above = np.log1p(np.maximum(learned, 0) + np.float32(1e-6)) + 1
            deviation = np.where(learned > 0, above, deviation)
        if not np.isfinite(deviation).all():
            raise Refusal("non-finite", "the deviation of the actions must be finite")
        return deviation

    def dense(self, prefix: str, activation: Activation = identity) -> Dense:
        """Returns the layer stored as `prefix.weight` and, unless absent, its bias."""
        weight = self.take(f"{prefix}.weight", rank=2)
        has_bias = f"{prefix}.bias" in self
        bias = self.take(f"{prefix}.bias", rank=1) if has_bias else None
        if bias is not None and len(bias) != len(weight):
            raise Refusal("network", f"{quoted(prefix)} has unequal weights and biases")
        return dense_from_torch(weight, bias, activation)

    def chain(self, prefix: str, activation: Activation) -> list[Dense]:
        """Returns the layers of a sequence in which every second module is one."""
        layers = []
        for place in range(0, 2 * limits.LAYERS, 2):
            if f"{prefix}.{place}.weight" not in self:
                break
            layers.append(self.dense(f"{prefix}.{place}", activation))
        return layers

    def check_rest(self, idle: tuple[str, ...]) -> None:
        """Raises if tensors were left that do not belong to a part that never acts."""
        strange = sorted(name for name in self._left if not name.startswith(idle))
        if strange:
            raise Refusal(
                "network",
                f"a stock policy has no weights {quoted(strange[0])}, this one has; "
                "its class was changed by its author",
            )


def check_chain(layers: list[Dense], inputs: int, outputs: int) -> None:
    """Raises unless the layers fit each other, the features and the actions."""
    width = inputs
    for layer in layers:
        if layer.weight.shape[0] != width:
            raise Refusal(
                "network",
                f"a layer must take the {width} values in front of it, one takes "
                f"{layer.weight.shape[0]}",
            )
        width = layer.weight.shape[1]
    if width != outputs:
        raise Refusal(
            "network", f"the network must give {outputs} values, it gives {width}"
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
    space, keywords = data.observation_space, data.keywords
    if not isinstance(space, spaces.Dict):
        return _part(data, "", space, weights, prefix, extractor == "NatureCNN")
    if extractor != "CombinedExtractor":
        raise Refusal(
            "network", f"parts of observations need CombinedExtractor, not {extractor}"
        )
    plain = bool(keywords.features_extractor_kwargs.get("normalized_image"))
    plain = plain or not keywords.normalize_images
    encoders: dict[str, Encoder] = {}
    features = 0
    for name, part in space.spaces.items():
        with refusals_about(f"part {quoted(name)}"):
            own = f"{prefix}extractors.{name}."
            pictures = is_image(part, any_numbers=plain)
            encoders[name], width = _part(data, name, part, weights, own, pictures)
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
    data: PolicyData,
    name: str,
    space: spaces.Space[Any],
    weights: Weights,
    prefix: str,
    pictures: bool,
) -> tuple[Encoder, int]:
    shape = tuple(int(size) for size in space.shape or ())
    scaled = data.keywords.normalize_images and is_image(space)
    divisor, normalisation = 255.0 if scaled else 1.0, data.normalisations.get(name)
    vector = Vector(shape, normalisation, divisor)
    if pictures:
        return _image(space, weights, prefix, vector)
    match space:
        case spaces.Box() | spaces.MultiBinary():
            return vector, math.prod(shape)
        case spaces.Discrete():
            return OneHot((int(space.n),), single=True), int(space.n)
        case spaces.MultiDiscrete():
            sizes = tuple(int(size) for size in space.nvec)
            return OneHot(sizes, single=False), sum(sizes)
        case _:
            raise Refusal("space", "observations of this kind are not supported")


def _image(
    space: spaces.Space[Any], weights: Weights, prefix: str, pixels: Vector
) -> tuple[Encoder, int]:
    if not isinstance(space, spaces.Box) or len(pixels.shape) != 3:
        raise Refusal("network", "convolutions need pictures as observations")
    channels, height, width = pixels.shape
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
    encoder = Image(pixels, tuple(convolutions), projection)
    return encoder, int(projection.weight.shape[1])
