"""Policies filmed in their environments, for clips and replays.

It happens in a forked process: graphics drivers crash and hang, and neither may cost
the run anything. What happens there changes no number here.
"""

import faulthandler
import multiprocessing
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from multiprocessing.connection import Connection
from typing import Any, final

import gymnasium as gym
import numpy as np
from PIL import Image

from rltransfer.domain import Policy
from rltransfer.wrappers import CheckedEnv

_CLIP_SECONDS = 8.0
_PICTURES_A_SECOND = 12.5
_RENDER_SECONDS = 2.0
"""For each environment; a slow one is shown in fewer pictures, and less of it."""
_FEWER = 3
"""Times fewer pictures at most: then it is shorter instead."""
_PATIENCE_SECONDS = 20.0
"""Until the process is given up: starting a graphics driver may take a while."""
_BACKENDS = ("egl", "osmesa")
"""Of MuJoCo, where there is no screen."""


@final
@dataclass(frozen=True)
class Actor:
    """A policy, and the environment it acts in."""

    make: Callable[[], gym.Env[Any, Any]]
    """Makes an environment of its own that renders arrays."""
    policy: Policy


@final
@dataclass(frozen=True)
class Clip:
    """An animation and one picture of it, for those who want nothing to move."""

    animation: bytes
    """A GIF or an MP4, as it was encoded."""
    still: bytes
    """A PNG."""


@final
@dataclass(frozen=True)
class Film:
    """Pictures of one episode."""

    pictures: Sequence[Image.Image]
    seconds: float
    """That each of them is shown."""


@final
class NoClip(Exception):
    """There is none; says why in a few words."""


@final
class Filming:
    """Makes a clip of the first episode of each actor, one beside the other.

    It goes on in its own process until the clip is asked for.

    Args:
        actors: from left to right.
        seed: of the episodes.
        encode: makes a clip of their films.
        panel: most pixels of each film, width and height.
    """

    def __init__(
        self,
        actors: Sequence[Actor],
        seed: int,
        encode: Callable[[Sequence[Film]], Clip],
        panel: tuple[int, int],
    ) -> None:
        asked = os.environ.get("MUJOCO_GL")
        self._untried = [asked] if asked else list(_BACKENDS)
        self._tried: list[str] = []
        self._make_clip = lambda: encode(
            [filmed(actor, seed, panel) for actor in actors]
        )
        self._start()

    def _start(self) -> None:
        backend = self._untried.pop(0)
        self._tried.append(backend)
        self._answers, theirs = multiprocessing.Pipe(duplex=False)
        # Forked, since environments and policies may live in this process only.
        self._process = multiprocessing.get_context("fork").Process(
            target=_film_and_send,
            args=(self._make_clip, backend, theirs),
            daemon=True,
        )
        with warnings.catch_warnings():
            # The other process starts no thread and waits for none.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._unstarted = ""
            try:
                self._process.start()
            except (AssertionError, OSError) as fault:
                # A daemon may have no child, a full machine has no room for one.
                self._unstarted = f"rendering could not start: {fault}"
        theirs.close()

    def clip(self) -> Clip:
        """Returns the clip; waits for it.

        Raises:
            NoClip: an environment does not render, or not here.
        """
        try:
            return self._received()
        except NoClip as fault:
            # Only MuJoCo asks for a backend.
            if "mujoco" not in sys.modules:
                raise
            if not self._untried:
                tried = " and ".join(self._tried)
                raise NoClip(f"{fault}; MUJOCO_GL was {tried}") from None
        self._start()
        return self.clip()

    def _received(self) -> Clip:
        late = f"rendering took more than {_PATIENCE_SECONDS:g} seconds"
        try:
            if self._unstarted:
                raise NoClip(self._unstarted)
            if not self._answers.poll(_PATIENCE_SECONDS):
                raise NoClip(late)
            # Bytes, since nothing here is ever unpickled.
            reason, *clip = (self._answers.recv_bytes() for _ in range(3))
        except (EOFError, OSError):
            self._process.join(1.0)
            code = self._process.exitcode
            ended = f"rendering ended with exit code {code}"
            raise NoClip(late if code == -signal.SIGALRM else ended) from None
        finally:
            self.close()
        if reason:
            raise NoClip(reason.decode())
        return Clip(*clip)

    def close(self) -> None:
        """Ends the process, whether there is a clip or not."""
        self._answers.close()
        if not self._unstarted:
            self._process.kill()
            self._process.join()


def _film_and_send(
    make_clip: Callable[[], Clip], backend: str, answers: Connection
) -> None:
    # Orphaned, it would hold the lock of the run for as long as a driver hangs.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(ceil(_PATIENCE_SECONDS))
    # Ctrl-C is the other process's business, which then ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # What drivers and engines print, or leave as they crash, is no output of ours.
    faulthandler.disable()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    os.environ |= {"MUJOCO_GL": backend, "SDL_AUDIODRIVER": "dummy"}
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    try:
        clip = make_clip()
        parts = (b"", clip.animation, clip.still)
    except Exception as fault:
        text = " ".join(str(fault).split())
        reason = text if isinstance(fault, NoClip) else f"cannot render: {text}"
        parts = (reason.encode(), b"", b"")
    try:
        for part in parts:
            answers.send_bytes(part)
    finally:
        # Graphics drivers are known to hang where they clean up.
        os._exit(0)


def filmed(actor: Actor, seed: int, panel: tuple[int, int]) -> Film:
    """Returns pictures of one episode, or of its beginning.

    Args:
        actor: whose episode it is.
        seed: of the episode.
        panel: most pixels of a picture, width and height.

    Raises:
        NoClip: the environment does not render arrays.
    """
    env = actor.make()
    if env.render_mode != "rgb_array":
        raise NoClip("the environment renders no pictures")
    checked = CheckedEnv(env, "clip", np.float32)
    rate = float(env.metadata.get("render_fps") or 30)
    most, every = _CLIP_SECONDS * rate, max(1, round(rate / _PICTURES_A_SECOND))
    observation, state, over = checked.reset(seed=seed)[0], None, False
    env.render()  # the first picture takes longer than others
    begun = time.monotonic()
    pictures = [_picture(env.render(), panel)]
    affordable = _RENDER_SECONDS / (time.monotonic() - begun)
    every = min(max(every, ceil(most / affordable)), _FEWER * every)
    steps = 0
    while not over and steps < most and time.monotonic() < begun + _RENDER_SECONDS:
        action, state = actor.policy.predict(observation, state, None, True)
        observation, _, terminated, truncated, _ = checked.step(action)
        steps, over = steps + 1, terminated or truncated
        if over or steps % every == 0:
            pictures.append(_picture(env.render(), panel))
    return Film(pictures, every / rate)


def _picture(rendered: Any, panel: tuple[int, int]) -> Image.Image:
    """Returns what was rendered, small enough for its part of the clip."""
    pixels = np.asarray(rendered)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise NoClip("the environment renders no pictures")
    picture = Image.fromarray(pixels.astype(np.uint8))
    scale = min(panel[0] / picture.width, panel[1] / picture.height, 1.0)
    size = round(picture.width * scale), round(picture.height * scale)
    return picture.resize(
        (max(size[0], 1), max(size[1], 1)), Image.Resampling.BILINEAR, reducing_gap=2.0
    )
