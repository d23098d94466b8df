"""A replay is a video that plays, or a reason why there is none."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import pytest

from rltransfer.report.filming import Actor, NoClip
from rltransfer.report.replay_video import replay_of

imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="the extra hub")


class Lamp(gym.Env[Any, Any]):
    """Is dark, and bright in its second half."""

    metadata: ClassVar[dict[str, Any]] = {"render_fps": 10}
    observation_space = gym.spaces.Box(-1, 1, (1,))
    action_space = gym.spaces.Discrete(2)
    render_mode = "rgb_array"

    def reset(self, **_: Any) -> Any:
        self._steps = 0
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> Any:
        self._steps += 1
        return np.zeros(1, np.float32), 1.0, self._steps == 20, False, {}

    def render(self) -> Any:
        return np.full((91, 121, 3), 255 * (self._steps > 10), np.uint8)


class Blind(Lamp):
    render_mode = None


class First:
    def predict(self, *_: Any) -> Any:
        return 0, None


def frames(video: bytes, path: Path) -> tuple[dict[str, Any], list[float]]:
    """Returns what a video says of itself, and how bright each picture is."""
    path.write_bytes(video)
    reader = imageio_ffmpeg.read_frames(str(path))
    told = next(reader)
    return told, [float(np.frombuffer(frame, np.uint8).mean()) for frame in reader]


def test_a_replay_shows_the_episode_as_it_was(tmp_path: Path) -> None:
    told, bright = frames(replay_of(Actor(Lamp, First()), 0), tmp_path / "lamp.mp4")
    assert told["codec"] == "h264" and "yuv420p" in told["pix_fmt"]
    # Odd sizes were made even.
    assert all(side % 2 == 0 for side in told["size"])
    assert told["duration"] == pytest.approx(2.1, abs=0.11)
    assert len(bright) == 21
    assert max(bright[:10]) < 10 and min(bright[12:]) > 245


def test_without_the_extra_there_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(NoClip, match="imageio-ffmpeg is not installed"):
        replay_of(Actor(Lamp, First()), 0)


@pytest.mark.parametrize(
    ("make", "reason"), [(Blind, "renders no pictures"), (str, "cannot render: ")]
)
def test_without_pictures_there_is_a_reason(
    make: Callable[[], Any], reason: str
) -> None:
    with pytest.raises(NoClip, match=reason):
        replay_of(Actor(make, First()), 0)
