"""Grey pictures of environments, drawn from what their own sensors show."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float64, UInt8
from numpy.typing import NDArray

HEIGHT, WIDTH = 24, 48
"""Of a picture, in pixels."""

Canvas = Float64[np.ndarray, "height width"]
Draw = Callable[[NDArray[Any]], Canvas]
"""From an observation of the base to a brightness in [0, 1] for each pixel."""

_ROWS, _COLUMNS = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5


def _ink(distance: Canvas) -> Canvas:
    """Returns how much of each pixel is covered: half of one that an edge runs through.

    So a movement by a part of a pixel is seen.

    Args:
        distance: of each pixel's middle to the edge of a shape, negative inside.
    """
    covered: Canvas = np.clip(0.5 - distance, 0.0, 1.0)
    return covered


def _box(x: float, y: float, half_width: float, half_height: float) -> Canvas:
    """Returns a box around (x, y), in pixels from the upper left corner."""
    across, down = np.abs(_COLUMNS - x), np.abs(_ROWS - y)
    return _ink(np.maximum(across - half_width, down - half_height))


def _line(
    start: tuple[float, float], end: tuple[float, float], half_width: float
) -> Canvas:
    """Returns a line with round ends between two places (x, y), in pixels."""
    (x, y), (along_x, along_y) = start, (end[0] - start[0], end[1] - start[1])
    right, down = _COLUMNS - x, _ROWS - y
    part = (right * along_x + down * along_y) / (along_x**2 + along_y**2)
    part = np.clip(part, 0.0, 1.0)
    away = np.hypot(right - part * along_x, down - part * along_y)
    return _ink(away - half_width)


def cart_pole(observation: NDArray[Any]) -> Canvas:
    """Draws a cart, 9 pixels to the metre, and its pole, 16 pixels long."""
    position, _, angle, _ = (float(number) for number in observation)
    x, hinge, length = WIDTH / 2 + 9.0 * position, 18.0, 16.0
    tip = x + length * np.sin(angle), hinge - length * np.cos(angle)
    cart = 0.6 * _box(x, hinge + 2.0, 3.5, 2.0)
    drawn: Canvas = np.maximum(cart, _line((x, hinge), tip, 1.0))
    return drawn


def pendulum(observation: NDArray[Any]) -> Canvas:
    """Draws a rod that hangs from, or stands on, the middle of the picture."""
    cosine, sine, _ = (float(number) for number in observation)
    middle, length = (WIDTH / 2, HEIGHT / 2), 9.5
    return _line(middle, (middle[0] - length * sine, middle[1] - length * cosine), 1.5)


def lunar_lander(observation: NDArray[Any]) -> Canvas:
    """Draws a lander and its legs above the pad; a leg that touches it is brighter."""
    horizontal, vertical, _, _, angle, _, *touches = (float(n) for n in observation)
    x, y = WIDTH / 2 + 20.0 * horizontal, HEIGHT - 4.0 - 12.0 * vertical
    cosine, sine = np.cos(angle), np.sin(angle)
    sides = [(x + side * cosine, y - side * sine) for side in (-2.5, 2.5)]
    canvas: Canvas = 0.3 * (_ROWS > HEIGHT - 2.0)
    canvas = np.maximum(canvas, _line(sides[0], sides[1], 1.5))
    for (left, top), touch in zip(sides, touches, strict=True):
        foot = left + 3.0 * sine, top + 3.0 * cosine
        leg = (0.5 + 0.5 * touch) * _line((left, top), foot, 0.6)
        canvas = np.maximum(canvas, leg)
    return canvas


PICTURES: Mapping[str, Draw] = MappingProxyType(
    {"CartPole": cart_pole, "LunarLander": lunar_lander, "Pendulum": pendulum}
)
"""By the name of an environment: what draws it."""


def frame(draw: Draw, observation: NDArray[Any]) -> UInt8[np.ndarray, "height width"]:
    """Returns a picture, 0 black and 255 white."""
    shown: NDArray[np.uint8] = np.rint(255 * draw(observation)).astype(np.uint8)
    return shown
