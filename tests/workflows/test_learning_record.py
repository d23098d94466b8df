"""What is said of learning on, and where it did not help."""

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from rltransfer.workflows.learning_record import ArmRow, LearningRecord

RECORD = LearningRecord(
    strategy="hold",
    algorithm="td3",
    winner="student",
    verdict="student 90.0, mapped 50.0",
    student=Path("run/student/td3/Pendulum-v1_1/Pendulum-v1.zip"),
    threshold=80.0,
    alignment_budget=500,
    alignment_steps=400,
    learning_steps=3_600,
    curve=(
        (0, 10.0, "random"),
        (400, 50.0, "mapped"),
        (1_400, 85.0, "student"),
        (2_400, 70.0, "student"),
        (3_400, 80.0, "student"),
        (4_000, 90.0, "student"),
    ),
    arms=(
        ArmRow("mapped", 3, 600, 50.0, 4, 48.0, None),
        ArmRow("student", 12, 2_400, 90.0, 4, 88.0, None),
        ArmRow("scratch", 2, 400, None, 0, None, "20.0 against 60.0"),
    ),
)


def printed(part: RenderableType) -> str:
    console = Console(width=160, highlight=False)
    with console.capture() as captured:
        console.print(part)
    return captured.get()


def test_the_threshold_is_reached_by_two_points_running() -> None:
    # The first time is alone above it.
    assert RECORD.steps_to_threshold == 3_400
    assert replace(RECORD, threshold=86.0).steps_to_threshold is None
    assert replace(RECORD, curve=RECORD.curve[:1]).steps_to_threshold is None
    said = dict(RECORD.facts())
    assert said["threshold"] == (
        "80: reached after 3,400 target steps, two points running"
    )
    assert "never" in str(dict(replace(RECORD, threshold=99.0).facts())["threshold"])
    assert "alignment 400 of at most 500 steps" in str(said["shares"])
    past = dict(replace(RECORD, alignment_steps=620).facts())["shares"]
    assert "500 steps and 120 more to end a test that was ahead" in str(past)


def test_each_arm_has_a_row_that_says_why_it_was_dropped() -> None:
    table = printed(RECORD.arms_table())
    mapped, student, scratch = (
        next(line for line in table.splitlines() if name in line)
        for name in ("mapped", "student", "scratch")
    )
    assert "(came out)" in student and "90.0 over 4" in student
    assert "(came out)" not in mapped and "no" in mapped
    assert "20.0 against 60.0" in scratch


@pytest.mark.parametrize(
    ("winner", "accepted", "improved", "more"),
    [
        ("student", True, 60.0, ""),
        ("student", True, 50.0, "no more than zero-shot"),
        ("scratch", True, 60.0, "the mapping was of no help"),
        ("scratch", False, 60.0, ""),
        ("mapped", True, 50.0, ""),
    ],
)
def test_where_it_did_not_help_it_says_so(
    winner: str, accepted: bool, improved: float, more: str
) -> None:
    record = replace(RECORD, winner=winner)
    said = record.said(zero_shot=50.0, improved=improved, accepted=accepted)
    assert said.startswith("learned on: student 90.0, mapped 50.0")
    assert more in said
    assert ("; " in said) is bool(more)


def test_json_has_plain_data_only() -> None:
    said = RECORD.as_json()
    assert said["student"] == "run/student/td3/Pendulum-v1_1/Pendulum-v1.zip"
    assert said["curve"][1] == {
        "target_steps": 400,
        "mean_return": 50.0,
        "arm": "mapped",
    }
    assert said["arms"][2]["dropped"] == "20.0 against 60.0"
    assert replace(RECORD, student=None).as_json()["student"] is None
