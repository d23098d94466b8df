"""Every command and snippet that a document shows runs, and prints what is shown."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, final

import gymnasium as gym
import pytest

from rltransfer.workflows.benchmark_jobs import STRATEGIES, Job
from rltransfer.workflows.finished_jobs import FinishedJobs
from rltransfer_envs.pairs import PAIRS, SUITES, Pair
from tests.cli.conftest import call
from tests.shown_commands import (
    DOCUMENTS,
    LANGUAGES,
    ROOT,
    Block,
    blocks_of,
    cheaper,
    run_cheaply,
)
from tests.worlds.fake_jobs import told
from tests.worlds.logs import record
from tests.worlds.stand_in_hub import stand_in_hub, variables_of
from tests.worlds.stand_ins import stand_in_cache, stand_in_zoo

FIRST = "docs/first-transfer.md"
"""The page that all others but the README are read after."""
PUBLISHED = "docs/published-agents.md"
"""The page of agents that nobody has here; others stand in for them."""


@final
@dataclass
class Reader:
    """Does in `folder` what a document says, one block after the other."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: Any
    printed: str = ""
    exit_status: int = 0

    def read(self, block: Block) -> None:
        """Runs a block, or compares what it shows with what was printed last."""
        assert block.language in LANGUAGES
        if block.language == "text":
            self._has_the_words_of(block.text)
        elif block.language == "output":
            self._has_the_line(block.text)
        elif block.title:
            (self.folder / block.title).write_text(block.text)
        elif block.language == "python":
            self._run_python(block.text)
        for words in block.commands:
            assert self.exit_status == 0, self.printed
            self._run(words)

    def _run(self, words: list[str]) -> None:
        program, *rest = words
        match program:
            case "make":
                # What it installs and runs is installed and run by whoever tests.
                said = _run(["make", "--dry-run", *rest], ROOT)
                self.exit_status, self.printed = said.returncode, said.stderr
            case "python":
                # Of our scripts, which have tests of their own.
                script, *options = rest
                self.printed = _sources(script)
                for option in options:
                    assert not option.startswith("--") or f'"{option}"' in self.printed
            case "export":
                assert rest == ["PYTHONPATH=."]
                self.monkeypatch.syspath_prepend(str(self.folder))
            case ".":
                assert rest == [".venv/bin/activate"]
            case _ if rest[0] == "push":
                with stand_in_hub() as hub:
                    home = {"HF_HOME": str(self.folder / "hub")}
                    self._run_apart(rest, {**variables_of(hub), **home})
            case _ if rest[0] == "benchmark" or "hf://" in str(rest):
                # The hub's client reads once, when it is imported, where agents are;
                # and bootstraps take minutes while every shape is checked.
                if rest[0] == "benchmark":
                    finish_jobs(cheaper(rest))
                self._run_apart(rest)
            case _:
                if "minari:cartpole/random-v0" in rest:
                    self._record_cartpole()
                done = call(*cheaper(rest))
                self.exit_status = done.exit_status
                self.printed = done.output + done.errors

    def _run_apart(
        self, words: list[str], variables: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Runs a command of ours in a process of its own."""
        typed = [sys.executable, "-m", "rltransfer", *cheaper(words)]
        said = _run(typed, self.folder, {**os.environ, **variables})
        self.exit_status = said.returncode
        self.printed = said.stdout + said.stderr

    def _record_cartpole(self) -> None:
        root = self.folder / "minari"
        self.monkeypatch.setenv("MINARI_DATASETS_PATH", str(root))
        scrambled = {"base": "CartPole-v1", "seed": 103}
        if not root.exists():
            env = gym.make("rltransfer/Scrambled-v0", **scrambled)
            record(env, "cartpole/random-v0", episodes=20)

    def _run_python(self, code: str) -> None:
        assert self.exit_status == 0, self.printed
        self.monkeypatch.syspath_prepend(str(self.folder))
        self.capsys.readouterr()
        run_cheaply(code)
        self.printed = self.capsys.readouterr().out

    def _has_the_line(self, shown: str) -> None:
        assert (self.exit_status != 0) == shown.startswith("error: "), self.printed
        start, _, _ = shown.strip().partition("…")
        assert any(line.startswith(start) for line in self.printed.splitlines())
        self.exit_status = 0

    def _has_the_words_of(self, shown: str) -> None:
        """Figures are others with a small budget; the words before each are not."""
        assert self.exit_status == 0, self.printed
        for line in shown.splitlines():
            label = re.match(r" *(\S.*?)  ", line)
            assert label is None or label[1] in self.printed, self.printed


def _run(
    words: list[str], folder: Path, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, cwd=folder, capture_output=True, text=True, check=False, env=variables
    )


def _sources(script: str) -> str:
    rooms = [ROOT / "scripts" / name for name in ("digits", "vision")]
    pages = [ROOT / script, *(page for room in rooms for page in room.glob("*.py"))]
    if script == "scripts/peer_benchmark.py":
        # It takes the options of ours.
        pages.append(ROOT / "rltransfer" / "cli" / "benchmark_command.py")
    return "".join(page.read_text() for page in pages) + '"--help"'


def learning_curve(pair: Pair) -> list[dict[str, Any]]:
    """Returns a curve from what random actions earn to well above the threshold."""
    assert pair.learning is not None
    start, solved = pair.learning.random, pair.learning.threshold
    return [
        {"target_steps": steps, "mean_return": earned, "arm": "scratch"}
        for steps, earned in ((0, start), (400, solved + (solved - start) / 10))
    ]


def finish_jobs(words: list[str]) -> None:
    """Finishes the jobs of a benchmark, which would take hours, in its log folder."""

    def values(option: str, default: str) -> list[str]:
        if option not in words:
            return default.split()
        rest = words[words.index(option) + 1 :]
        return rest[: next((n for n, one in enumerate(rest) if one[0] == "-"), None)]

    folder = Path(*values("-f", "runs/benchmark"))
    named = [pair for suite in values("--suite", "") for pair in SUITES[suite]]
    finished = FinishedJobs(folder)
    drawn = finished.seeds(int(*values("--seeds", "5")))
    for name in (*named, *values("--pairs", "")):
        for strategy in values("--strategies", "zero-shot"):
            learned = STRATEGIES[strategy].learner is not None
            more = {"curve": learning_curve(PAIRS[name])} if learned else {}
            for seed in map(int, values("--only-seeds", " ".join(map(str, drawn)))):
                job = Job(PAIRS[name], strategy, seed, folder, "--quick" in words)
                finished.add(job, told(float(seed), **more))


@pytest.fixture
def reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Reader]:
    """Somebody in an empty folder; what is imported from there is forgotten after."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")  # as where the pages' output was taken
    known = set(gym.registry)
    yield Reader(tmp_path, monkeypatch, capsys)
    for name in set(gym.registry) - known:
        del gym.registry[name]
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture(scope="session")
def after_the_first_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of somebody who has done what the first page says."""
    folder = tmp_path_factory.mktemp("reader")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        reader = Reader(folder, monkeypatch, None)
        for block in blocks_of(DOCUMENTS[FIRST]):
            if block.language == "bash":
                reader.read(block)
    assert (folder / "runs/transfer/rltransfer-Scrambled-v0_1").is_dir()
    return folder


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_document_shows_runs_and_prints_that(
    document: str,
    reader: Reader,
    after_the_first_page: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if document not in (FIRST, "README.md"):
        shutil.copytree(after_the_first_page, reader.folder, dirs_exist_ok=True)
    if document == PUBLISHED:
        zoo = reader.folder / "rl-trained-agents"
        stand_in_zoo(zoo)
        stand_in_cache(reader.folder, "sb3/dqn-Acrobot-v1", zoo / "dqn/Acrobot-v1_1")
        monkeypatch.setenv("HF_HOME", str(reader.folder))
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for block in blocks_of(DOCUMENTS[document]):
        reader.read(block)
    assert reader.exit_status == 0, reader.printed


def test_a_command_that_no_test_would_run_is_noticed() -> None:
    (block,) = blocks_of("```bash\npip install magic\n```")
    with pytest.raises(ValueError, match="which no test runs"):
        assert block.commands


def test_only_budgets_are_smaller() -> None:
    (block,) = blocks_of("```bash\n.venv/bin/rltransfer evaluate \\\n  a -n 3 # b\n```")
    ((program, *words),) = block.commands
    assert program == "rltransfer"
    assert cheaper(words) == ["evaluate", "a", "-n", "3", "--episodes", "2"]
    assert cheaper(["evaluate", "a", "--episodes", "100"])[-2:] == ["--episodes", "2"]
    assert cheaper(["train-source", "-n", "3e4"]) == ["train-source", "-n", "256"]
    assert cheaper(["inspect", "a"]) == ["inspect", "a"]
    assert cheaper(["benchmark", "--ray", "a:1", "-f", "/b/c"]) == [
        "benchmark",
        "-f",
        "b/c",
    ]
    names = run_cheaply("found = dict(steps=2_000, episodes=20, seed=3)")
    assert names["found"] == {"steps": 600, "episodes": 2, "seed": 3}
