"""A short clip of policies side by side, as an animated GIF for a page."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from rltransfer.report.filming import Clip, Film, NoClip

LARGEST_BYTES = 1_000_000
PANEL = (280, 210)
"""Most pixels of one environment's picture."""
_GAP, _BETWEEN = 6, "gray"
_COLOURS = 64


def encoded(films: Sequence[Film], largest: int = LARGEST_BYTES) -> Clip:
    """Returns films as one clip; of few pictures where all of them were too large.

    Args:
        films: from left to right.
        largest: size in bytes.

    Raises:
        NoClip: even one picture is larger.
    """
    shown = max(film.seconds for film in films)
    length = max(len(film.pictures) * film.seconds for film in films)
    frames = [
        _side_by_side([_at(film, moment) for film in films])
        for moment in np.arange(0.0, length, shown)
    ]
    still = io.BytesIO()
    frames[len(frames) // 2].save(still, "PNG", optimize=True)
    # One palette for all, so that what does not move costs nothing.
    sample = frames[:: max(1, len(frames) // 4)]
    palette = _stacked(sample).quantize(_COLOURS, Image.Quantize.MEDIANCUT)
    few = [
        frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames
    ]
    while True:
        gif = io.BytesIO()
        few[0].save(
            gif,
            "GIF",
            save_all=True,
            append_images=few[1:],
            duration=round(1000 * shown),
            loop=0,
        )
        if gif.tell() <= largest:
            return Clip(gif.getvalue(), still.getvalue())
        if len(few) == 1:
            raise NoClip(f"one picture of it is larger than {largest:,} bytes")
        few, shown = few[::2], 2 * shown


def _at(film: Film, moment: float) -> Image.Image:
    place = round(moment / film.seconds)
    return film.pictures[min(place, len(film.pictures) - 1)]


def _side_by_side(pictures: Sequence[Image.Image]) -> Image.Image:
    """Returns pictures in halves of equal size, each in the middle of its own."""
    width = max(picture.width for picture in pictures)
    height = max(picture.height for picture in pictures)
    size = (len(pictures) * (width + _GAP) - _GAP, height)
    whole = Image.new("RGB", size, _BETWEEN)
    for place, picture in enumerate(pictures):
        left = place * (width + _GAP) + (width - picture.width) // 2
        whole.paste(picture, (left, (height - picture.height) // 2))
    return whole


def _stacked(pictures: Sequence[Image.Image]) -> Image.Image:
    height = sum(picture.height for picture in pictures)
    whole = Image.new("RGB", (pictures[0].width, height))
    top = 0
    for picture in pictures:
        whole.paste(picture, (0, top))
        top += picture.height
    return whole
