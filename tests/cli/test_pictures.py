"""Pictures are drawn from plain numbers, of any size, the same for the same numbers."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from rltransfer.evaluation import ReturnSummary
from rltransfer.report.learning_curve import CurveShown, draw_curve
from rltransfer.report.return_chart import draw_returns
from rltransfer.report.transfer_picture import (
    Attempt,
    LinearMap,
    draw_attempts,
    draw_map,
    draw_transfer,
)
from rltransfer.report.variable_names import action_names, observation_names


def named(values: np.ndarray) -> LinearMap:
    rows, columns = values.shape
    sources = observation_names("CartPole-v1", rows)
    return LinearMap(values, sources, observation_names("X-v0", columns), "unit")


CURVE = CurveShown(
    points=(
        (0, 20.0, "random"),
        (500, 200.0, "mapped"),
        (900, 300.0, "student"),
        (1_300, 500.0, "student"),
        (1_700, 500.0, "another"),
    ),
    threshold=475.0,
    alignment_steps=400,
    marks={"random": 20.0, "zero-shot": 200.0, "source at home": 500.0},
)


def drawn(
    path: Path, values: np.ndarray, attempts: int, curve: CurveShown | None = None
) -> bytes:
    draw_transfer(
        path,
        title="A-v0 → B-v0 $ $x^$",
        verdict="accepted: better than random",
        accepted=attempts > 0,
        state_map=named(values),
        action_map=named(np.eye(2)),
        attempts=tuple(
            Attempt(1 + n // 2, 100 * n, float(n), 1 / (n + 1), n == 0, n % 2 == 1)
            for n in range(attempts)
        ),
        figures={
            "random": ReturnSummary(-20.0, -20.0, (-30.0, -10.0), 20),
            "zero-shot": ReturnSummary(500.0, 500.0, (500.0, 500.0), 20),
            "one episode": ReturnSummary(20.0, 20.0, None, 1),
        },
        curve=curve,
    )
    return path.read_bytes()


@pytest.mark.parametrize("shape", [(4, 4), (1, 1), (17, 105), (2, 40)])
@pytest.mark.parametrize("attempts", [0, 1, 7])
def test_maps_of_any_size_are_drawn(
    tmp_path: Path, shape: tuple[int, int], attempts: int
) -> None:
    values = np.random.default_rng(0).normal(size=shape)
    picture = drawn(tmp_path / "transfer.png", values, attempts)
    assert picture.startswith(b"\x89PNG")


def test_equal_numbers_give_equal_files(tmp_path: Path) -> None:
    once, again = (drawn(tmp_path / name, np.eye(3), 3) for name in ("1.png", "2.png"))
    assert once == again


def test_a_learning_curve_is_drawn_below_all_else(tmp_path: Path) -> None:
    with_curve, without = (
        drawn(tmp_path / f"{number}.png", np.eye(3), 3, curve)
        for number, curve in enumerate((CURVE, None))
    )
    # Width and height stand at the beginning of a PNG file.
    sizes = [
        [int.from_bytes(data[place : place + 4], "big") for place in (16, 20)]
        for data in (with_curve, without)
    ]
    assert sizes[0][0] == sizes[1][0] and sizes[0][1] > sizes[1][1]


def test_colours_diverge_from_zero_and_small_maps_have_their_numbers() -> None:
    axes = Figure().add_subplot()
    draw_map(axes, named(np.array([[0.5, -2.0], [-0.001, 0.0]])), "title")
    (image,) = axes.get_images()
    assert image.get_clim() == (-2.0, 2.0)
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["0.50", "-2.00", "0.00", "0.00"]


def test_a_map_of_next_to_nothing_is_pale() -> None:
    axes = Figure().add_subplot()
    draw_map(axes, named(np.array([[1e-5, -1e-5], [0.0, 0.0]])), "title")
    (image,) = axes.get_images()
    assert image.get_clim() == (-0.1, 0.1)


def test_a_curve_shows_its_arms_and_what_they_are_compared_with() -> None:
    axes = Figure().add_subplot()
    draw_curve(axes, CURVE)
    _, labels = axes.get_legend_handles_labels()
    arms = ["mapped", "student", "another"]
    assert labels == [*arms, "random", "zero-shot", "source at home", "threshold"]
    # Nothing better than random actions was at hand while aligning.
    before = np.asarray(axes.lines[0].get_xydata()).tolist()
    assert before == [[0, 20], [400, 20], [500, 200]]


def test_large_maps_go_without_numbers() -> None:
    axes = Figure().add_subplot()
    draw_map(axes, named(np.ones((3, 13))), "title")
    assert not axes.texts


def test_what_was_refused_is_drawn_hollow() -> None:
    figures = {
        name: ReturnSummary(1.0, 1.0, None, 20) for name in ("random", "zero-shot")
    }
    for accepted in (True, False):
        axes = Figure().add_subplot()
        draw_returns(axes, figures, accepted)
        filled = {
            line.get_fillstyle() for line in axes.lines if line.get_marker() == "o"
        }
        assert filled == ({"full"} if accepted else {"full", "none"})
        names = [label.get_text() for label in axes.get_yticklabels()]
        assert names == ["random", "zero-shot" if accepted else "zero-shot\n(refused)"]


def test_trials_that_were_cut_short_are_marked() -> None:
    figure = Figure()
    returns, errors = figure.subplots(2, 1)
    attempts = [Attempt(1, 100 * n, 9.0, 0.1, cut_short=n == 1) for n in range(3)]
    draw_attempts(returns, errors, attempts, ReturnSummary(2.0, 2.0, None, 20))
    _, labels = returns.get_legend_handles_labels()
    assert labels == ["finished episodes", "cut short: earned so far", "random"]
    # Not zoomed in on differences that are none.
    assert errors.get_ylim()[0] == 0
    assert returns.get_ylim()[0] <= 2.0


def test_maps_say_by_themselves_whether_there_is_something_to_see() -> None:
    assert named(np.ones((2, 3))).worth_showing
    assert not named(np.ones((1, 1))).worth_showing
    assert not named(np.eye(3)).worth_showing


def test_names_come_from_the_table_or_are_counted() -> None:
    assert observation_names("CartPole-v1", 4)[2] == "pole angle"
    assert observation_names("rltransfer/CartPole-v0", 4)[2] == "pole angle"
    assert observation_names("CartPole-v1", 5)[2] == "observation 2"
    assert action_names("LunarLander-v3", 4)[2] == "main engine"
    assert action_names("LunarLander-v3", 2)[0] == "main engine"
    assert action_names("rltransfer/Scrambled-v0", 2) == ("action 0", "action 1")


def test_names_that_do_not_fit_the_map_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1, 2\) names for values of shape"):
        LinearMap(np.eye(2), ("a",), ("b", "c"), "unit")
