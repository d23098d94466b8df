"""Tables show what was measured, whole, at any width."""

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from rltransfer.evaluation import ReturnSummary
from rltransfer.report.tables import (
    RowsTable,
    facts,
    markdown,
    returns_table,
    steps_by_purpose,
)
from rltransfer.workflows.environments import EnvironmentChoice
from rltransfer.workflows.transfer_result import SourceRecord, TransferResult

LONG = Path("/a/very/long/folder/that/does/not/fit") / ("deeper/" * 8)


class Still:
    """Acts always alike."""

    def predict(self, *arguments: object, **options: object) -> tuple[int, None]:
        return 0, None


def printed(renderable: object, width: int = 80) -> str:
    console = Console(width=width, record=True, file=None, quiet=False)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_figures_of_one_episode_have_no_interval() -> None:
    table = printed(returns_table({"one": ReturnSummary(7.0, 7.0, None, 1)}))
    assert "7.0 to" not in table and "n/a" in table
    table = printed(returns_table({"two": ReturnSummary(7.0, 7.0, (7.0, 7.0), 2)}))
    assert "7.0 to 7.0" in table


def test_steps_are_told_by_purpose() -> None:
    told = steps_by_purpose({"exploration": 1500, "acceptance": 20})
    assert told == "exploration 1,500, acceptance 20"


def test_columns_that_do_not_fit_go_on_below_with_the_name_of_the_row() -> None:
    cells = {f"heading{number}": f"{number}.25" for number in range(8)}
    rows = [{"pair": "cartpole-scrambled", "strategy": "hold", **cells}]
    told = printed(RowsTable(rows, "A title", keys=2))
    assert told.count("A title") == 1
    assert told.count("cartpole-scrambled") == told.count("hold") == 2
    assert all(told.count(heading) == told.count(cells[heading]) for heading in cells)
    assert "heading7" in told and max(map(len, told.splitlines())) <= 80
    assert printed(RowsTable(rows, "A title", keys=2), 200).count("hold") == 1
    # Nothing is too narrow for one column a part.
    assert printed(RowsTable(rows, keys=1), 34).count("cartpole-scrambled") == 9


def test_markdown_is_for_files_and_not_for_a_screen() -> None:
    rows = [{"pair": "one", "reached": "no"}, {"pair": "two", "reached": "yes"}]
    assert "*" not in printed(RowsTable(rows)) and "no" in printed(RowsTable(rows))
    assert markdown(rows).splitlines()[2:] == ["| one | **no** |", "| two | yes |"]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_long_path_is_folded_and_never_cut(width: int) -> None:
    text = printed(facts([("run", str(LONG)), ("picture", "x")]), width)
    assert str(LONG) in "".join(text.split())
    assert "…" not in text


def test_a_transfer_is_told_with_all_its_steps() -> None:
    figures = ReturnSummary(1.0, 1.0, (0.5, 1.5), 20)
    source = SourceRecord(
        source="ppo A-v0",
        path="runs/a",
        sha256="ab" * 32,
        family="affine",
        alignment_error=0.5,
        trials=2,
        trial_return=7.5,
        acceptance_return=None,
        acceptance_stopped=False,
        home_return=1.0,
        random_home_return=0.0,
        target_steps=500,
        accepted=False,
        kept=True,
        verdict="refused: …",
    )
    record = TransferResult(
        policy=Still(),
        folder=LONG,
        source="ppo A-v0",
        source_environment=EnvironmentChoice("A-v0", {"gain": 2}),
        target=EnvironmentChoice("B-v0"),
        accepted=False,
        verdict="refused: not better than random",
        budget=1000,
        steps={"exploration": 500, "selection": 300},
        reported_steps=1234,
        seconds=1.5,
        seed=0,
        report_seed=0,
        random=figures,
        source_at_home=figures,
        random_at_home=figures,
        zero_shot=figures,
        improved=figures,
        sources=(
            source,
            replace(source, kept=False, accepted=None, family=None, trial_return=None),
        ),
        picture=LONG / "transfer.png",
    )
    text = printed(record, 100)
    for told in (
        "800 of 1,000",
        "exploration 500",
        "1,234",
        "refused",
        "improved",
        "dropped",
        "7.5",
    ):
        assert told in text
    assert str(LONG / "transfer.png") in "".join(text.split())
    assert record.as_json()["target_steps"] == 800
    assert record.table(100) == text.rstrip() == str(record)
    log = {"origin": "minari:a/b-v0", "steps": 9000, "episodes": 30, "used_steps": 600}
    unproved = replace(
        record,
        accepted=None,
        verdict="unproved: never tried",
        budget=0,
        steps={},
        random=None,
        zero_shot=None,
        improved=None,
        sources=tuple(replace(one, accepted=None) for one in record.sources),
        target_data=log,
    )
    text = printed(unproved, 120)
    assert "600 of 9,000 in 30 episodes of minari:a/b-v0" in text
    assert text.count("unproved") == 2 and "refused" not in text
    assert "zero-shot" not in text and "not counted" not in text
    assert unproved.as_json()["zero_shot"] is None
    parts = (0.75, True), (0.25, False)
    both = (replace(source, members=2, say=say, kept=kept) for say, kept in parts)
    text = printed(replace(record, sources=tuple(both)), 120)
    assert "refused, say 75%" in text and "joins, say 25%" in text
