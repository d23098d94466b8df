"""`rltransfer export --distil`, of a transfer of little effort."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium import spaces

from rltransfer.errors import InputError
from rltransfer.mapping import FitConfig
from rltransfer.workflows.distil import DistilConfig, Distilled, distil, require_kept
from rltransfer_agents.export import export_numpy
from rltransfer_agents.export.distillation import Distillation, StudentShape
from tests.worlds.points import Chooser

from .conftest import Command


def test_a_student_acts_with_numpy_alone_and_its_steps_are_told(
    refused: Path, tmp_path: Path
) -> None:
    quick = FitConfig(updates=20)
    found = distil(refused, DistilConfig(4, 10, 1, force=True, fit=quick))
    told = found.as_json()
    assert told["kept_rows"] > 400 and told["target_steps"] == 10
    # One episode of each of the three.
    assert told["checked_steps"] == 3 * 50
    assert told["multiplications"]["student"] == 3 * 4 + 4 * 4 + 4 * 1
    assert told["cost"] == 32 / told["multiplications"]["mapped"] < 0.1
    again = distil(refused, DistilConfig(4, 10, 1, force=True, fit=quick))
    assert again.as_json() == told
    export_numpy(found.student, tmp_path / "student.npz")
    code = (
        "import numpy, numpy_loader\n"
        "act = numpy_loader.load_policy('student.npz')\n"
        "print(act(numpy.zeros(3)).shape, act(numpy.zeros((5, 3))).shape)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert said.stdout.split() == ["(1,)", "(5,", "1)"], said.stderr


def test_a_student_must_keep_the_return() -> None:
    box = spaces.Box(-1.0, 1.0, (2,), np.float32)
    shape = StudentShape(box, spaces.Discrete(2), 4)
    policy = Chooser(lambda x: np.zeros(len(x), int))
    learning = Distillation(policy, shape, torch.Generator(), FitConfig(updates=1))
    learning.learn(np.ones((2, 2), np.float32))
    student, costs = learning.student, {"mapped": 1_000, "student": 80}
    returns = {"random": 20.0, "mapped": 100.0, "student": 60.0}
    poor = Distilled(student, 4, 900, 0, 450, 3, returns, costs)
    # Half of the way from 20 to 100.
    assert poor.share == 0.5 and poor.cost == 0.08
    with pytest.raises(InputError, match=r"of width 4 keeps 0\.500 of what.*--force"):
        require_kept(poor)
    require_kept(replace(poor, returns=returns | {"student": 99.3}))
    worthless = replace(poor, returns=returns | {"mapped": 20.0})
    assert worthless.share is None
    with pytest.raises(InputError, match="keeps none of what"):
        require_kept(worthless)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("student.safetensors", "--distil", 4), "written as .npz or .onnx"),
        (("student.npz", "--distil", 0), "--distil is at least 1"),
        (("student.npz", "--distil", 4, "-n", -1), "-n is at least 0"),
        (("student.npz", "--distil", 4, "--episodes", 0), "--episodes is at least 1"),
        (("student.npz", "--distil", 4, "--seed", -1), "--seed must be from 0"),
        (("there.npz", "--distil", 4), "there.npz exists already"),
    ],
)
def test_wrong_words_for_a_student_are_refused_before_any_step(
    words: tuple[object, ...],
    told: str,
    command: Command,
    refused: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "there.npz").touch()
    name, *rest = words
    found = command("export", refused, tmp_path / str(name), *rest)
    assert found.exit_status == 2
    assert told in found.error


def test_an_agent_is_not_distilled(
    command: Command, agent: Path, tmp_path: Path
) -> None:
    found = command("export", agent, tmp_path / "student.npz", "--distil", 4)
    assert found.exit_status == 2
    assert "--distil takes the run folder of a finished transfer" in found.error


def test_options_of_a_student_need_it(
    command: Command, agent: Path, tmp_path: Path
) -> None:
    found = command("export", agent, tmp_path / "agent.npz", "--force")
    assert found.exit_status == 2 and "--force is for --distil" in found.error
    assert not list(tmp_path.iterdir())
