import subprocess
import sys
from pathlib import Path

import pytest
import torch

import mnist_mapping
from digits.digit_tasks import balanced_subset
from digits.digit_training import accuracy, run_script, table, train, verdict
from mnist_mapping import mapping_and_head, train_scratch
from rltransfer.mapping import Affine, Chain, Examples

SCRIPTS = Path(__file__).parents[2] / "scripts"

# Runs a script as `python script` does and then looks at what it has imported.
RUN = """
import runpy, sys
from pathlib import Path
script = sys.argv[1]
sys.argv = sys.argv[1:]
sys.path.insert(0, str(Path(script).parent))
runpy.run_path(script, run_name="__main__")
print("IMPORTED", {"gymnasium", "stable_baselines3"} & sys.modules.keys())
"""


def run(
    script: str, *options: str, cwd: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, str(SCRIPTS / script), *options],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={"PATH": "", "HOME": str(cwd), "OMP_NUM_THREADS": "1"} | variables,
        check=False,
    )


def test_listing_one_runs_on_its_own(tiny: Path, tmp_path: Path) -> None:
    done = run(
        "mnist_listing.py", "--epochs", "1", cwd=tmp_path, RLTRANSFER_DATA=str(tiny)
    )
    assert not done.stderr
    first, *lines = done.stdout.splitlines()
    assert first == "Data: MNIST, 120 to train and 40 to test"
    assert sum(line.startswith("Epoch [1/1], Loss: ") for line in lines) == 2
    assert sum(line.startswith("Accuracy: ") for line in lines) == 2
    assert lines[-1] == "IMPORTED set()"
    stored = tmp_path / "runs" / "mnist_listing"
    assert {path.name for path in stored.iterdir()} == {
        "task_model_0",
        "mapping_model_0",
    }


def test_listing_two_runs_on_its_own(tiny: Path, tmp_path: Path) -> None:
    done = run(
        "mnist_mapping.py",
        *("--data-dir", str(tiny), "--epochs", "1", "--labels", "all"),
        *("--targets", "fashion-mnist"),
        cwd=tmp_path,
    )
    assert not done.stderr
    lines = done.stdout.splitlines()
    assert lines.count("MNIST → MNIST, per cent right, mean of seeds [0]") == 1
    assert "MNIST → Fashion-MNIST, per cent right, mean of seeds [0]" in lines
    assert sum(line.startswith("Accuracy: ") for line in lines) == 3
    assert any(line.startswith("Negative transfer") for line in lines)
    assert lines[-1] == "IMPORTED set()"


def test_damaged_data_end_in_one_line(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny / "mnist" / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(SystemExit) as ended:
        run_script(lambda: mnist_mapping.main(["--data-dir", str(tiny)]))
    printed = capsys.readouterr()
    assert ended.value.code == 76
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert "SHA-256 must be" in printed.err


def source() -> Chain:
    draw = torch.Generator().manual_seed(0)
    return Chain(
        Affine(784, 128, activation="relu", generator=draw),
        Affine(128, 10, generator=draw),
    )


def test_the_mapping_starts_out_with_what_the_source_knows() -> None:
    draw = torch.Generator().manual_seed(1)
    known = source()
    rest = mapping_and_head(known, True, draw)
    inputs = torch.rand(5, 784, generator=draw)
    mapped = rest(known[0](inputs))
    torch.testing.assert_close(mapped, known(inputs))
    other = mapping_and_head(known, False, draw)(known[0](inputs))
    assert (other - known(inputs)).abs().max() > 0.01


def test_labels_are_drawn_evenly() -> None:
    rows = Examples(torch.rand(200, 3), torch.arange(200) % 10)
    draw = torch.Generator().manual_seed(0)
    assert balanced_subset(rows, "50", draw).labels.bincount().tolist() == [5] * 10
    assert (
        len(balanced_subset(rows, "all", draw))
        == len(balanced_subset(rows, "500", draw))
        == 200
    )


def test_scratch_learns_and_repeats_itself() -> None:
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(100) % 10
    inputs = torch.rand(100, 784, generator=draw)
    inputs[torch.arange(100), labels] = 5
    rows = Examples(inputs, labels)
    once, again = (train_scratch(rows, 30, 0, quiet=False) for _ in range(2))
    assert accuracy(once, rows) == 100
    torch.testing.assert_close(once(inputs), again(inputs), rtol=0, atol=0)


def test_training_prints_a_line_per_epoch(
    capsys: pytest.CaptureFixture[str],
) -> None:
    draw = torch.Generator().manual_seed(0)
    rows = Examples(torch.rand(130, 784, generator=draw), torch.arange(130) % 10)
    train(source(), rows, 3, generator=draw)
    lines = capsys.readouterr().out.splitlines()
    assert [line[:18] for line in lines] == [f"Epoch [{k}/3], Loss:" for k in (1, 2, 3)]


def test_the_table_holds_means_and_its_verdict_counts_them() -> None:
    rows = {"10": [(90.0, 10.0, 40.0, 50.0), (92.0, 10.0, 42.0, 54.0)]}
    assert table("A → B", rows).splitlines()[-1].split() == [
        *("10", "91.00", "10.00", "41.00", "52.00")
    ]
    assert verdict(rows).startswith("Negative transfer, as expected: at 1 of 1")
    rows = {"10": [(90.0, 10.0, 51.0, 50.0)]}
    assert verdict(rows).startswith("Negative transfer was expected, but only at 0")
