"""What is shown and recorded while work is under way."""

from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rltransfer.mapping import Progress as FitProgress
from rltransfer.workflows.progress_bars import alignment_progress, training_bars
from rltransfer_agents.training import Progress


def test_tags_of_tensorboard_have_no_blanks_and_one_axis_each(tmp_path: Path) -> None:
    folder = tmp_path / "tensorboard"
    terms = {"dynamics": torch.tensor([0.5])}
    fit = FitProgress(1, 2, 0.1, (0,), terms, None)
    with alignment_progress(100, False, folder, tmp_path) as progress:
        for source in ("first", "second"):
            progress.source(source)
            for _ in range(2):
                progress.fitted("same sensors", fit)
    events = EventAccumulator(str(folder)).Reload()
    tags = events.Tags()["scalars"]
    assert "transfer/loss/same_sensors" in tags
    for tag in tags:
        assert " " not in tag
        assert [event.step for event in events.Scalars(tag)] == [1, 2, 3, 4]


@pytest.mark.parametrize("shown", [True, False])
def test_more_steps_than_asked_are_announced(
    capsys: pytest.CaptureFixture[str], shown: bool
) -> None:
    progress = Progress("CartPole-v1", "ppo", 0, 2048, 1000, None)
    with training_bars(shown) as watch:
        watch(progress)
        watch(progress)
    err = capsys.readouterr().err
    assert err.count("takes 2,048 steps, 1,000 asked") == 1
