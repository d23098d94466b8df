"""A replay of one policy as an MP4 video, as RL Zoo and the hub show it."""

import io
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from rltransfer.report.filming import Actor, Clip, Film, Filming, NoClip

REPLAY = "replay.mp4"
"""By this name hubs play it beside the model card."""
_PANEL = (640, 480)
"""Most pixels of a picture."""


def replay_of(actor: Actor, seed: int) -> bytes:
    """Returns an MP4 of one episode, or of its beginning.

    Encoded by the binary that imageio-ffmpeg brings along.

    Args:
        actor: whose episode it is.
        seed: of the episode.

    Raises:
        NoClip: the environment does not render, or not here.
    """
    if find_spec("imageio_ffmpeg") is None:
        raise NoClip("the package imageio-ffmpeg is not installed")
    # The folder is this process's: the other one may end at any time.
    with TemporaryDirectory(prefix="rltransfer-replay-") as folder:
        encode = partial(_mp4, Path(folder) / REPLAY)
        with closing(Filming([actor], seed, encode, _PANEL)) as filming:
            return filming.clip().animation


def _mp4(path: Path, films: Sequence[Film]) -> Clip:
    """Returns the only film; as a file first, for MP4 is not written in one go."""
    import imageio_ffmpeg  # type: ignore[import-untyped]

    (film,) = films
    first = film.pictures[0]
    writer = imageio_ffmpeg.write_frames(
        str(path),
        first.size,
        fps=1.0 / film.seconds,
        codec="libx264",
        # H.264 has colours for every second pixel: sizes are even.
        macro_block_size=2,
        ffmpeg_log_level="error",
        # So that a browser can begin before it has the whole file.
        output_params=["-movflags", "+faststart"],
    )
    with closing(writer):
        writer.send(None)
        for picture in film.pictures:
            writer.send(np.ascontiguousarray(picture))
    still = io.BytesIO()
    first.save(still, "PNG")
    return Clip(path.read_bytes(), still.getvalue())
