"""Pages hold what a reader needs, escape all names, and ask the network for nothing."""

import io
import multiprocessing
import os
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from rltransfer.evaluation import ReturnSummary
from rltransfer.report import clips, filming, html_page, linear_maps
from rltransfer.report.benchmark_page import BenchmarkPage
from rltransfer.report.clips import PANEL, encoded
from rltransfer.report.explanation import Explanation, NamedMirror, Weight
from rltransfer.report.filming import Actor, Clip, Filming, NoClip, filmed
from rltransfer.report.learning_curve import CurveShown, draw_curve
from rltransfer.report.linear_maps import Meaning
from rltransfer.report.transfer_page import TransferPage
from rltransfer.report.transfer_picture import Attempt, LinearMap
from rltransfer.report.variable_names import observation_names

HOSTILE = "<script>alert(1)</script>-v0 \" ' & $x^$ http://evil.example/a.png"
SHOWN = "&lt;script&gt;alert(1)&lt;/script&gt;-v0"
# What makes a browser fetch something; links that are only read are none.
FETCHING = {"src", "srcset", "href", "data", "poster", "action", "background"}


class Page(HTMLParser):
    """The elements of a page, and everything in it that a browser would fetch."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.text = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), name
            assert "url(" not in (value or "").replace("url(#", "")
            if name.rpartition(":")[2] in FETCHING:
                self.fetched.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def is_alone(self) -> bool:
        """Whether it is one file that runs nothing and fetches nothing."""
        loads = {"script", "link", "iframe", "object", "embed", "base", "form"}
        inside = all(uri.startswith(("data:image/", "#")) for uri in self.fetched)
        return inside and not loads & set(self.tags) and "@import" not in self.text


def summary(mean: float) -> ReturnSummary:
    return ReturnSummary(mean, mean, (mean - 1, mean + 1), 20)


def linear(rows: int, columns: int) -> LinearMap:
    values = np.random.default_rng(0).normal(size=(rows, columns))
    names = observation_names("X", rows), observation_names("Y", columns)
    return LinearMap(values, *names, "what\na number says")


def page_of(accepted: bool | None = True, **changes: Any) -> TransferPage:
    word = "accepted" if accepted else "refused"
    record = {
        "source": f"ppo {HOSTILE}",
        "target": HOSTILE,
        "accepted": accepted,
        "verdict": f"{word}: 404.0 against 11.8 (p = 0.02)",
        "target_steps": 1_669,
        "budget": 2_000,
        "seconds": 3.2,
        "steps": {"exploration": 500, "selection": 666, "acceptance": 503},
        "reported_steps": 10_360,
        "steps_taken_again": 7,
        "target_data": None,
        "source_data": None,
        "notes": [f"weak {HOSTILE}"],
        "reproducibility_warnings": [],
        "seeds_ignored": [],
        "sources": [],
        "winner": None,
        "learning_verdict": None,
        "threshold": None,
        "steps_to_threshold": None,
        "arms": [],
        **changes.pop("record", {}),
    }
    figures = {"random": summary(22.6), "zero-shot": summary(495.4)}
    page = TransferPage(
        record=record,
        figures=figures | {"source at home": summary(445.6)},
        home=HOSTILE,
        state_map=linear(4, 4),
        action_map=linear(1, 1),
        meanings=[
            Meaning(f"target {n}", HOSTILE, n == 0, 0.62, 2, 3) for n in range(14)
        ],
        explanation=Explanation(Path("run"), "X", "Y", None if accepted else HOSTILE),
        attempts=[Attempt(1, 100 * n, 9.0, 0.1, cut_short=n == 1) for n in range(3)],
        learned=None,
        curve=None,
        clip="no GL is at hand",
        command=f"rltransfer transfer --target '{HOSTILE}'",
        facts={"SHA-256 of the source": "ab" * 32, "seed": "5"},
    )
    return replace(page, **changes)


def test_a_page_holds_the_verdict_first_and_then_what_it_rests_on() -> None:
    html = page_of().html()
    page = Page(html)
    assert page.is_alone
    told = ["Accepted", "404.0 against 11.8", "Returns", "random", "17", "495.4"]
    told += ["494.4 to 496.4", "source at home", "No clip: no GL is at hand"]
    told += [
        "selection",
        "666",
        "331",
        "became",
        "62\u00a0%",
        "2 of 3",
        "reversed",
        "2 more",
    ]
    told += ["one number", "cut short", "rltransfer transfer --target", "ab" * 32]
    assert [text for text in told if text not in page.text + html.decode()] == []
    assert page.text.index("404.0 against") < page.text.index("495.4")
    assert "prefers-color-scheme: dark" in page.text
    assert html.count(b'name="viewport"') == 1
    assert b"currentColor" in html and b"#000000" not in html


def test_several_sources_are_shown_with_what_is_known_of_each() -> None:
    kept = {
        "source": f"ppo {HOSTILE}",
        "family": "affine",
        "alignment_error": 0.0142,
        "trials": 4,
        "trial_return": 333.0,
        "target_steps": 1_979,
        "accepted": True,
        "kept": True,
        "verdict": "accepted: better than random",
    }
    dropped = {**kept, "kept": False, "accepted": None, "verdict": f"not {HOSTILE}"}
    idle = {**dropped, "family": None, "alignment_error": None, "trial_return": None}
    html = page_of(record={"sources": [kept, dropped, idle]}).html()
    page = Page(html)
    assert page.is_alone
    for told in ("best trial", "0.014", "333.0", "1,979", "dropped"):
        assert told in page.text
    assert html.count(b'class="refused"') == 2 and b"<script" not in html
    # One source is what the whole page is about.
    assert "best trial" not in Page(page_of(record={"sources": [kept]}).html()).text


def test_returns_are_not_compared_across_tasks() -> None:
    # Nobody has said that their rewards compare.
    page = Page(page_of().html())
    assert "445.6" in page.text and "share of home" not in page.text


def test_names_are_escaped_wherever_they_stand() -> None:
    html = page_of().html().decode()
    assert "<script" not in html
    # Title, heading, homes, notes, table and command.
    assert html.count(SHOWN) >= 8
    assert Page(html.encode()).is_alone


def test_a_refused_transfer_looks_refused() -> None:
    accepted, refused = (page_of(value).html().decode() for value in (True, False))
    assert 'class="verdict bad"' in refused and 'class="verdict good"' in accepted
    assert 'class="refused"' in refused and 'class="refused"' not in accepted
    assert "zero-shot (refused)" in refused and "(refused)" not in accepted


def test_a_mapping_that_was_never_tried_is_unproved() -> None:
    figures = {"source at home": summary(445.6), "random at home": summary(22.0)}
    steps = {"verdict": "unproved: never tried", "budget": 0, "target_steps": 0}
    log = {"origin": HOSTILE, "steps": 900, "episodes": 30, "used_steps": 600}
    never = page_of(
        None, figures=figures, record={**steps, "steps": {}, "target_data": log}
    ).html()
    told = Page(never).text
    assert Page(never).is_alone and SHOWN in never.decode()
    for words in ("Unproved", "never tried in the target", "600 of 900 in 30 episodes"):
        assert words in told
    assert "No step was taken in the target" in told and "22.0" in told
    unproved = page_of(None, record={"verdict": "unproved: no step was taken"}).html()
    assert b'class="verdict unproved"' in unproved


def test_maps_are_drawn_only_where_there_is_something_to_see() -> None:
    def drawn(**maps: LinearMap) -> list[str]:
        return re.findall(
            r'aria-label="(State|Action) map', page_of(**maps).html().decode()
        )

    same = LinearMap(np.eye(2), ("a", "b"), ("a", "b"), "unit")
    assert drawn() == ["State"]
    assert drawn(state_map=same) == []
    assert drawn(state_map=linear(1, 1), action_map=linear(2, 3)) == ["Action"]
    assert "in the same place" in page_of(state_map=same).html().decode()


def test_a_variable_that_moves_nothing_becomes_nothing() -> None:
    chosen = np.array([[0.0, 1.0], [0.0, -3.0]])
    other = np.array([[1.0, 0.0], [0.0, -1.0]])
    found = linear_maps.meanings_of(chosen, [chosen, other], ("a", "b"), ("c", "d"))
    assert found == (
        Meaning("c", "nothing", False, None, 1, 2),
        Meaning("d", "b", True, 0.75, 2, 2),
    )
    html = page_of(meanings=found).html().decode()
    assert "<td>c</td><td>nothing</td><td>-</td><td>1 of 2</td>" in html


def test_what_matters_is_drawn_and_mirror_images_are_named() -> None:
    weights = Weight("<b>", 0.75), Weight("d", 0.25)
    mirrors = (NamedMirror(("a",), ("left ↔ right",)),)
    told = Explanation(
        Path("run"), "X", "Y", None, weights=weights, states=9, mirrors=mirrors
    )
    html = page_of(explanation=told).html()
    page = Page(html)
    assert page.is_alone and "75 %" in page.text and b"<b>" not in html
    assert "the source moves alike with -a, left ↔ right." in page.text
    assert "over 9 visited states" in page.text
    unknown = page_of(explanation=replace(told, mirrors=None)).html().decode()
    assert "not told" in unknown
    refused = page_of(False).html().decode()
    assert f"Not explained: {SHOWN}" in refused


def test_a_learning_curve_is_drawn_where_there_is_one() -> None:
    points = ((0, 10.0, "random"), (900, 90.0, "scratch"), (1_800, 400.0, "student"))
    arm = {"name": "scratch", "steps": 800, "dropped": HOSTILE, "final_return": None}
    learned = {
        "winner": "student",
        "threshold": 300.0,
        "learning_verdict": "the student won by 400.0",
        "arms": [arm, {**arm, "final_return": 12.5, "final_episodes": 20}],
    }
    shown = CurveShown(points, 300.0, 500, {"random": 10.0})
    axes = Figure().subplots()
    draw_curve(axes, shown)
    names = axes.get_legend_handles_labels()[1]
    assert sorted(names) == ["random", "scratch", "student", "threshold"]
    said = "learned on: 400.0 over 20; the mapping was of no help"
    html = page_of(record=learned, learned=said, curve=shown).html().decode()
    for told in ("Learning on", f"<p>{said}.</p>", "not reached", "12.5 over 20"):
        assert told in html
    assert Page(html.encode()).is_alone
    assert "Learning on" not in page_of().html().decode()


def test_equal_contents_give_equal_pages() -> None:
    assert page_of().html() == page_of().html()


class Wheel(gym.Env[Any, Any]):
    """Turns by what it is told; renders where it was asked to."""

    metadata: ClassVar[dict[str, Any]] = {
        "render_modes": ["rgb_array"],
        "render_fps": 25,
    }
    observation_space = gym.spaces.Box(-1, 1, (1,))
    action_space = gym.spaces.Discrete(2)

    def __init__(self, draw: Callable[[int], Any] | None, length: int = 40) -> None:
        self.render_mode = None if draw is None else "rgb_array"
        self._draw, self._length, self._steps = draw, length, 0

    def reset(self, **_: Any) -> Any:
        self._steps = 0
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> Any:
        self._steps += 1
        over = self._steps >= self._length
        return np.zeros(1, np.float32), 1.0, over, False, {}

    def render(self) -> Any:
        assert self._draw is not None
        return self._draw(self._steps)


class First:
    def predict(self, *_: Any) -> Any:
        return 0, None


def plain(step: int) -> Any:
    picture = np.full((90, 120, 3), 255, np.uint8)
    picture[step : step + 9, :9] = 0
    return picture


def noise(step: int) -> Any:
    return np.random.default_rng(step).integers(0, 255, (300, 400, 3), np.uint8)


def actor(draw: Callable[[int], Any] | None, length: int = 40) -> Actor:
    return Actor(lambda: Wheel(draw, length), First())


def side_by_side(*actors: Actor) -> Filming:
    return Filming(actors, 0, encoded, PANEL)


def test_a_clip_shows_both_side_by_side_and_waits_for_the_longer_one() -> None:
    film = side_by_side(actor(plain, 40), actor(plain, 10))
    clip = film.clip()
    with Image.open(io.BytesIO(clip.animation)) as gif:
        assert gif.size == (246, 90)
        assert gif.n_frames == 21
        assert gif.info["duration"] == 80
    assert clip.still.startswith(b"\x89PNG")


def test_a_clip_is_small_whatever_it_shows() -> None:
    film = filmed(actor(noise), 0, PANEL)
    assert len(encoded([film, film]).animation) <= clips.LARGEST_BYTES
    assert 0 < len(encoded([film, film], largest=200_000).animation) <= 200_000
    with pytest.raises(NoClip, match="larger than 100 bytes"):
        encoded([film], largest=100)


def crash(step: int) -> Any:
    os.abort()


def fail(step: int) -> Any:
    raise RuntimeError("no display found")


@pytest.mark.parametrize(
    ("draw", "reason"),
    [
        (None, "renders no pictures"),
        (lambda step: np.zeros(3), "renders no pictures"),
        (fail, "cannot render: no display found"),
        (crash, "ended with exit code -6"),
    ],
)
def test_there_is_a_reason_where_there_is_no_clip(
    draw: Callable[[int], Any] | None, reason: str
) -> None:
    with pytest.raises(NoClip, match=reason):
        side_by_side(actor(draw)).clip()


def test_what_films_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filming, "_PATIENCE_SECONDS", 1.0)
    film = side_by_side(actor(lambda _: signal.pause()))
    try:
        # Nobody asks for the clip, as where the run was killed.
        film._process.join(20.0)
        assert film._process.exitcode == -signal.SIGALRM
        with pytest.raises(NoClip, match="took more than 1 seconds"):
            film.clip()
    finally:
        film.close()


def no_room() -> int:
    raise BlockingIOError(11, "Resource temporarily unavailable")


@pytest.mark.parametrize("reason", ["daemonic processes", "temporarily unavailable"])
def test_where_no_process_can_start_there_is_a_reason(
    reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason == "daemonic processes":
        config = multiprocessing.current_process()._config  # type: ignore[attr-defined]
        monkeypatch.setitem(config, "daemon", True)
    else:
        monkeypatch.setattr(os, "fork", no_room)
    film = side_by_side(actor(plain))
    with pytest.raises(NoClip, match=f"could not start: .*{reason}"):
        film.clip()
    film.close()


def test_a_lost_connection_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    # Where MuJoCo is there, the other backend would be tried.
    monkeypatch.delitem(sys.modules, "mujoco", raising=False)
    film = side_by_side(actor(plain))
    film._answers.close()
    with pytest.raises(NoClip, match="rendering ended"):
        film.clip()


def test_a_page_holds_its_clip() -> None:
    html = page_of(clip=Clip(b"GIF89a", b"\x89PNG")).html()
    assert Page(html).is_alone
    assert b"data:image/gif;base64," in html and b"prefers-reduced-motion" in html


def test_a_page_that_cannot_be_drawn_says_so_in_one_line(tmp_path: Path) -> None:
    def draw() -> bytes:
        raise RuntimeError("two\nlines")

    fault = html_page.drawn_fault(tmp_path / "report.html", draw)
    assert fault == "the report could not be drawn (RuntimeError: two lines)"
    assert list(tmp_path.iterdir()) == []


def benchmark_page(**changes: Any) -> BenchmarkPage:
    row = {"pair": HOSTILE, "reached": "no", "median": "3.0"}
    page = BenchmarkPage(
        pairs=[HOSTILE, "other", "tiny"],
        zero_shot=[row, {**row, "pair": "other", "reached": "yes"}],
        zero_shot_runs={
            HOSTILE: [
                {
                    "zero_shot": {"mean_return": 3.0},
                    "random": {"mean_return": 0.0},
                    "source_at_home": {"mean_return": 0.0},
                    "accepted": False,
                }
            ]
        },
        learning=(),
        tables={"Zero-shot": [row]},
        seeds=(7, 9),
        failed={"tiny, seed 3": HOSTILE},
        notes=(),
        command="rltransfer benchmark",
        facts={},
    )
    return replace(page, **changes)


def test_the_page_of_a_benchmark_says_what_failed_and_what_was_missed() -> None:
    html = benchmark_page().html().decode()
    assert "Benchmark of 3 pairs" in html
    assert "1 job failed; nothing below counts it." in html
    assert "Shares outside [-0.5,\n2.0] are drawn at the edge" in html
    assert "1 of 2 pairs reached their goals" in html
    assert 'class="verdict bad"' in html and "tiny, seed 3 failed" in html
    assert "<script" not in html and '<tr class="refused"><td>' in html
    assert Page(html.encode()).is_alone


def test_a_benchmark_is_good_only_where_nothing_failed() -> None:
    reached = [{"pair": "other", "reached": "yes", "median": "3.0"}]
    whole, partly = (
        benchmark_page(zero_shot=reached, failed=failed).html().decode()
        for failed in ({}, {"tiny, seed 3": "why", "tiny, seed 4": "why"})
    )
    assert 'class="verdict good"' in whole and "Every pair" in whole
    assert 'class="verdict unproved"' in partly and "Every pair" not in partly
    reasons = re.findall(r"<p>(.*)</p>", partly)
    assert reasons[0] == "2 jobs failed; nothing below counts them."
