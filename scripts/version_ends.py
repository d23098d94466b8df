"""Fast tests under the oldest and the newest versions that are supported.

    make test-matrix

Makes one environment for each end, in `.ends/`, installs the package there as it
stands, runs the tests that meet Stable-Baselines3, Gymnasium and MuJoCo, and prints how
many passed at each end. torch is at both ends what `constraints.txt` says.
"""

import argparse
import subprocess
import sys
import venv
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

ROOT = Path(__file__).parents[1]
ENDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        # 2.6 of Stable-Baselines3 needs a Gymnasium below 1.2.
        "oldest": (
            *("stable-baselines3==2.7.*", "sb3-contrib==2.7.*"),
            *("gymnasium==1.2.*", "mujoco==3.*"),
        ),
        "newest": (),
    }
)
"""What is held fast at each end; all else is the newest there is."""
_ENVS = ("making", "registered", "parametrised")
_LOADING = ("opening", "environments", "old_formats", "statistics")
_TRAINING = ("vector_env", "snapshots", "student_files")
TESTS = (
    # Gymnasium and MuJoCo: every environment, every wrapper, a video.
    "tests/wrappers",
    *(f"tests/envs/test_{name}.py" for name in _ENVS),
    "tests/report/test_replay_video.py",
    # Stable-Baselines3: what it saves is read, what it is given is run and written.
    *(f"tests/agents/loading/test_{name}.py" for name in _LOADING),
    *(f"tests/agents/training/test_{name}.py" for name in _TRAINING),
    *("tests/agents/policies", "tests/agents/export/test_exports.py"),
    "tests/agents/learning_on/test_sb3_models.py",
    # Both: a training, a transfer and all else that is typed.
    "tests/cli/test_verbs.py",
)
"""What meets these packages; the other tests meet what is ours, or take long."""
_SHOWN = ("stable_baselines3", "gymnasium", "mujoco", "numpy", "torch")
_OUTCOMES = ("tests", "failures", "errors", "skipped")


def constraints_of(end: str, pinned: str) -> str:
    """Returns the constraints of an end, as pip reads them.

    Args:
        end: a name in `ENDS`.
        pinned: the content of `constraints.txt`.
    """
    torch = [line for line in pinned.splitlines() if line.startswith("torch==")]
    if len(torch) != 1:
        raise ValueError(f"constraints.txt holds torch once, got {torch}")
    return "\n".join([*torch, *ENDS[end], ""])


def installed(end: str, folder: Path) -> Path:
    """Returns the Python of an environment of its own for an end.

    Args:
        end: a name in `ENDS`.
        folder: of the environment; what is there is brought up to date.
    """
    if not (folder / "bin" / "python").exists():
        venv.create(folder, with_pip=True)
    constraints = folder / "constraints.txt"
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    constraints.write_text(constraints_of(end, pinned), encoding="utf-8")
    python = folder / "bin" / "python"
    wanted = ("--constraint", str(constraints), "--editable", f"{ROOT}[dev]")
    newest = ("--upgrade", "--upgrade-strategy", "eager")
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", *newest, *wanted], check=True
    )
    return python


def versions(python: Path) -> str:
    """Returns what is installed, as far as it matters here."""
    told = "import importlib.metadata as m; print(*(f'{n} {m.version(n)}' for n in "
    code = f"{told}{_SHOWN!r}), sep=', ')"
    found = subprocess.run([python, "-c", code], check=True, capture_output=True)
    return found.stdout.decode().strip()


def counted(python: Path, tests: list[str], workers: int, folder: Path) -> list[int]:
    """Runs tests; returns how many there were, failed, could not run, were skipped.

    Args:
        python: of the environment.
        tests: files and folders.
        workers: processes at once.
        folder: for the list of outcomes.
    """
    report = folder / "tests.xml"
    report.unlink(missing_ok=True)
    options = ["-q", "-p", "no:cacheprovider", "-m", "not torture"]
    options += ["-n", str(workers), f"--junitxml={report}"]
    subprocess.run([str(python), "-m", "pytest", *options, *tests], cwd=ROOT)
    if not report.exists():
        return [0, 0, 1, 0]
    (suite,) = ElementTree.parse(report).getroot().iter("testsuite")
    return [int(suite.attrib[name]) for name in _OUTCOMES]


def main(arguments: list[str] | None = None) -> int:
    """Prints both counts; returns 1 where a test failed at either end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tests", nargs="*", help="in the place of the usual ones")
    parser.add_argument("--ends", nargs="+", choices=ENDS, default=list(ENDS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--into", type=Path, default=ROOT / ".ends")
    asked = parser.parse_args(arguments)
    lines, failed = [], False
    for end in asked.ends:
        folder = asked.into / end
        python = installed(end, folder)
        tests = list(asked.tests or TESTS)
        count, *others = counted(python, tests, asked.workers, folder)
        failures, errors, skipped = others
        passed = count - sum(others)
        lines.append(
            f"{end}: {passed} passed, {failures} failed, {errors} errors, "
            f"{skipped} skipped ({versions(python)})"
        )
        failed = failed or failures > 0 or errors > 0 or passed == 0
    print("\n".join(lines))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
