"""The Python of the README runs as it stands."""

import re
from pathlib import Path

import pytest

import rltransfer

_README = Path(__file__).parents[1] / "README.md"


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run that the README takes as its source, in the folder it is named by."""
    monkeypatch.chdir(tmp_path)
    found = rltransfer.train_source(
        "CartPole-v1", "ppo", 8000, log_folder="runs", device="cpu"
    )
    assert found.folder == Path("runs/ppo/CartPole-v1_1")


@pytest.mark.usefixtures("trained")
def test_the_lines_from_python_run_and_print_the_table(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", _README.read_text(), re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)
    assert names["result"].folder.is_dir()  # type: ignore[attr-defined]
    printed = capsys.readouterr().out
    for word in ("random", "zero-shot", "source at home", "target steps"):
        assert word in printed
