"""Bars and curves."""

from pathlib import Path

import pytest
import torch

from rltransfer.mapping import (
    Affine,
    Examples,
    FitConfig,
    ProgressBar,
    Regression,
    TensorBoardCurves,
    Watcher,
    fit,
    watchers,
)


def fit_watched(watch: Watcher | None) -> None:
    draw = torch.Generator().manual_seed(0)
    rows = Examples(torch.randn(32, 2, generator=draw), torch.zeros(32, 1))
    network = Affine(2, 1, copies=3, generator=draw)
    config = FitConfig(updates=20, evaluate_every=10, report_every=10)
    fit(network, Regression(), rows, config, generator=draw, watch=watch)


def test_a_fit_prints_nothing_unless_asked(capfd: pytest.CaptureFixture[str]) -> None:
    fit_watched(None)
    assert capfd.readouterr() == ("", "")


def test_the_bar_is_drawn_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("aligning") as bar:
        fit_watched(bar)
    out, err = capfd.readouterr()
    assert out == ""
    assert "aligning" in err and "20/20" in err


def test_curves_lie_under_transfer(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with TensorBoardCurves(tmp_path, first_update=100) as curves:
        fit_watched(curves)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {
        "transfer/candidates",
        "transfer/judged_loss",
        "transfer/learning_rate",
        "transfer/loss",
        "transfer/squared_error",
    }
    losses = events.Scalars("transfer/loss")
    assert [loss.step for loss in losses] == [110, 120]
    assert losses[1].value < losses[0].value


def test_several_watchers_hear_the_same() -> None:
    first: list[int] = []
    second: list[int] = []
    fit_watched(
        watchers(lambda p: first.append(p.update), lambda p: second.append(p.update))
    )
    assert first == second == [10, 20]


def test_tensorboard_is_imported_only_when_curves_are_drawn() -> None:
    import subprocess
    import sys

    code = (
        "import sys, rltransfer.mapping; "
        "loaded = {name.split('.')[0] for name in sys.modules}; "
        "print(loaded & {'tensorboard', 'gymnasium', 'stable_baselines3'})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
