"""S1: hostile files through the command line, called in this process and watched.

A process of its own. Prints one JSON object.
"""

import hashlib
import io
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from hostile_runs import Change, of_interrupted, of_trainings, of_transfers, sound_runs
from malicious import made_links, vectors, written
from specimens import specimens
from watch import MARK, Watch

import rltransfer_envs.scrambled_env  # noqa: F401  imported when it is first made
from rltransfer.cli import main as run_command
from rltransfer.errors import UserError
from rltransfer.mapping import Network, load_network
from rltransfer.translation import load_translation

STATUSES = {0, 2, 73, 74, 75, 76, 77}
Entry = tuple[str, Callable[[], str], Path | None]


def call(*words: object) -> int:
    """Returns the exit status of a call; raises where it says it in no single line."""
    output, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(output), redirect_stderr(errors):
        try:
            run_command([str(word) for word in words])
            return 0
        except SystemExit as ended:
            status = ended.code
    told = [line for line in errors.getvalue().splitlines() if line]
    assert status in STATUSES, (status, told)
    assert [line for line in told if line.startswith("error: ")] == told[-1:], told
    assert told[-1].isprintable(), repr(told[-1])
    assert isinstance(status, int)
    return status


def ended(*words: object) -> str:
    """Returns how a call ended, in words."""
    return f"exit {call(*words)}"


def opened(open_it: Callable[[], Any]) -> str:
    """Returns how a call of the library ended, in words."""
    try:
        open_it()
    except UserError as fault:
        return f"{type(fault).__name__} {fault.exit_status}"
    return "opened"


def exporting(run: Path, outside: Path, ending: str) -> Callable[[], str]:
    """Returns the call that exports a run to a new file, as none is overwritten."""
    folder = Path(tempfile.mkdtemp(dir=outside))
    return lambda: ended("export", run, folder / f"written.{ending}")


def for_agents(run: Path, outside: Path) -> Iterator[Entry]:
    """Yields every verb that takes an agent."""
    (agent, *_) = [p for p in sorted(run.iterdir()) if p.suffix != "" and "1" in p.name]
    yield "inspect", lambda: ended("inspect", run), None
    yield "inspect --json", lambda: ended("inspect", agent, "--json"), None
    few = ("--episodes", 1)
    yield "evaluate", lambda: ended("evaluate", run, *few), None
    named = ("--env", "CartPole-v1")
    yield "evaluate --env", lambda: ended("evaluate", agent, *named, *few), None
    for ending in ("safetensors", "npz"):
        yield f"export {ending}", exporting(run, outside, ending), outside
    # A budget too small, so that it ends where the work would begin.
    words = ("--target", "CartPole-v1", "-n", 20, "-f", outside)
    yield "transfer", lambda: ended("transfer", "--source", run, *words), outside
    resume = ("transfer", "--resume", run)
    yield "transfer --resume", lambda: ended(*resume), None
    train = ("train-source", "--resume", run)
    yield "train-source --resume", lambda: ended(*train), None


def for_transfers(run: Path, outside: Path) -> Iterator[Entry]:
    """Yields every verb that takes a transfer, and what the library has for it."""
    few = ("--episodes", 1)
    yield "evaluate", lambda: ended("evaluate", run, *few), None
    yield "inspect", lambda: ended("inspect", run), None
    yield "export", exporting(run, outside, "onnx"), outside
    words = ("--target", "CartPole-v1", "-n", 20, "-f", outside)
    yield "transfer", lambda: ended("transfer", "--source", run, *words), outside
    # A finished one is shown as it is.
    yield "transfer --resume", lambda: ended("transfer", "--resume", run), run
    mapping = run / "mapping"
    yield "load_translation", lambda: opened(lambda: load_translation(mapping)), None
    yield "load_network", lambda: opened(lambda: _network_in(mapping / "state")), None


def _network_in(folder: Path) -> Any:
    kind: Any = Network  # abstract, and so no type to a type checker
    return load_network(folder, kind)


def for_resumed(*words: object) -> Callable[[Path, Path], Iterator[Entry]]:
    """Returns what yields the one call that goes on with a run."""

    def entries(run: Path, outside: Path) -> Iterator[Entry]:
        del outside
        yield " ".join(map(str, words)), lambda: ended(*words, run), run

    return entries


def main() -> None:
    """Takes every vector to every entry point."""
    watch = Watch()
    report: dict[str, Any] = {"vectors": 0, "opens": 0, "events": [], "faults": []}
    endings: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        victim, outside = root / "victim", root / "outside"
        for folder in (victim, outside):
            folder.mkdir()
        (victim / "letter").write_text("dear reader")
        struck = victim / MARK

        def torture(vector: str, run: Path, entries: Iterator[Entry]) -> None:
            report["vectors"] += 1
            for entry, work, allowed in entries:
                before = contents(victim)
                try:
                    ending = watch.over(work, allowed)
                except Exception as fault:
                    ending = f"untyped: {type(fault).__name__}"
                    told = str(fault) or repr(fault)
                    report["faults"].append([vector, entry, ending, told[-300:]])
                endings[f"{entry}: {ending}"] += 1
                report["opens"] += 1
                events = watch.taken()
                if events or struck.exists() or contents(victim) != before:
                    report["events"].append([vector, entry, events[:3]])
                    struck.unlink(missing_ok=True)

        def copies(sound: Path, changes: Iterator[tuple[str, Change]]) -> Any:
            for place, (vector, change) in enumerate(changes):
                run = root / "runs" / str(place) / sound.parent.name / sound.name
                shutil.rmtree(run, ignore_errors=True)
                shutil.copytree(sound, run)
                change(run)
                yield vector, run

        sound = specimens(inputs=4)
        runs = sound_runs(call, root)
        # What is imported when first used is no deed of the files.
        warm = written(root / "CartPole-v1_1", {"CartPole-v1.zip": sound.zip})
        for _, work, _ in for_agents(warm, outside):
            work()
        for folder, verb in (
            (runs.training, "train-source"),
            (runs.interrupted, "transfer"),
        ):
            (_, copy), *_ = copies(folder, iter([("as it is", lambda run: None)]))
            assert call(verb, "--resume", copy) == 0
        for _, work, _ in for_transfers(runs.transfer, outside):
            work()
        report["warm"] = call("evaluate", runs.transfer, "--episodes", 1)
        agents = [
            (vector, written(root / str(place) / "CartPole-v1_1", files))
            for place, (vector, files) in enumerate(vectors(sound, victim))
        ]
        for vector, run in (*agents, *made_links(root / "links")):
            torture(vector, run, for_agents(run, outside))
        report["of agents"] = report["vectors"]
        for changes, folder, entries in (
            (of_transfers, runs.transfer, for_transfers),
            (of_interrupted, runs.interrupted, for_resumed("transfer", "--resume")),
            (of_trainings, runs.training, for_resumed("train-source", "--resume")),
        ):
            for vector, run in copies(folder, changes(victim)):
                torture(vector, run, entries(run, outside))
    report["endings"] = dict(sorted(endings.items()))
    print(json.dumps(report), file=sys.__stdout__)


def contents(folder: Path) -> dict[str, str]:
    """Returns the hashes of a folder's files, by name."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != MARK
    }


main()
