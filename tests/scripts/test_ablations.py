import json
from pathlib import Path

import pytest

from ablations import CHANGES, KEY, NAMES, cell, main
from rltransfer.workflows.environments import EnvironmentChoice
from rltransfer.workflows.transfer_request import TransferRequest
from rltransfer_envs.pairs import PAIRS


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_left_out_is_a_setting_of_a_transfer(change: str) -> None:
    sides = (Path("source"),), EnvironmentChoice("CartPole-v1")
    plain = TransferRequest(*sides)
    changed = TransferRequest(*sides, hyperparams=dict(CHANGES[change]))
    assert (changed.align_config() == plain.align_config()) is (change == "nothing")


def test_a_cell_says_each_seed_and_what_was_refused() -> None:
    lines = [
        {"share": 1.0, "accepted": True, "seconds": 3.0},
        {"share": 0.5, "accepted": False, "seconds": 5.0},
    ]
    assert cell(lines) == "0.75 (1.00 0.50 refused), 4 s" and cell([]) == ""


def test_what_was_measured_is_not_measured_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = tmp_path / "lines.jsonl"
    line = dict(zip(KEY, ("nothing", NAMES[0], 1), strict=True))
    line |= {"share": 0.9, "accepted": True, "seconds": 2.0}
    known.write_text(json.dumps(line) + "\n")
    told = ["--lines", str(known), "--seeds", "1", "--left-out", "nothing"]
    main([*told, "--pairs", NAMES[0]])
    assert "| nothing | 0.90 (0.90), 2 s |" in capsys.readouterr().out
    assert set(NAMES) <= set(PAIRS)
