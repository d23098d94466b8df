"""Small transfers of several kinds, run where they can be struck."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, final
from zipfile import ZipFile

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rltransfer.io import changed_files, read_json, read_manifest
from tests.worlds.fault_injection import Call, Fault
from tests.worlds.forked_runs import begun, called, ended

AGENTS: dict[str, dict[str, Any]] = {
    "cart": {"env_id": "CartPole-v1", "algorithm": "ppo", "steps": 128},
    "good cart": {
        "env_id": "CartPole-v1",
        "algorithm": "ppo",
        "steps": 3_072,
        "hyperparameters": {
            "n_envs": 4,
            "n_steps": 64,
            "n_epochs": 10,
            "learning_rate": 3e-3,
        },
    },
    "other cart": {"env_id": "CartPole-v1", "algorithm": "a2c", "steps": 200},
    "pendulum": {
        "env_id": "Pendulum-v1",
        "algorithm": "sac",
        "steps": 200,
        "hyperparameters": {
            "learning_starts": 100,
            "batch_size": 16,
            "train_freq": 4,
            "gradient_steps": 1,
            "policy_kwargs": {"net_arch": [16]},
        },
    },
    "lander": {
        "env_id": "LunarLander-v3",
        "algorithm": "a2c",
        "steps": 300,
        "hyperparameters": {"normalize": True, "n_envs": 2},
    },
}


@final
@dataclass(frozen=True)
class Case:
    """One transfer."""

    sources: tuple[str, ...]
    target: tuple[str, ...]
    budget: int


_SCRAMBLED = ("--target", "rltransfer/Scrambled-v0", "--target-kwargs", "seed=100")
CASES = {
    "discrete": Case(("cart",), (*_SCRAMBLED, "base=CartPole-v1"), 700),
    "continuous": Case(("pendulum",), (*_SCRAMBLED, "base=Pendulum-v1"), 900),
    "refused": Case(("cart",), ("--target", "Pendulum-v1"), 900),
    "two sources": Case(
        ("cart", "other cart"), (*_SCRAMBLED, "base=CartPole-v1"), 1000
    ),
    "normalised": Case(
        ("lander",),
        ("--target", "LunarLander-v3", "--target-kwargs", "gravity=-7"),
        900,
    ),
    "learned on": Case(
        ("good cart",),
        (
            *("--target", "CartPole-v1", "--target-kwargs", "max_episode_steps=50"),
            *("--improve", "--alignment-steps", "500", "--threshold", "45"),
        ),
        1_100,
    ),
    "jump-started": Case(
        ("good cart",),
        (
            *("--target", "CartPole-v1", "--target-kwargs", "max_episode_steps=50"),
            *("--improve", "--alignment-steps", "500", "--threshold", "45"),
            *("--strategy", "jumpstart"),
        ),
        1_100,
    ),
    "continuous, learned on": Case(
        ("pendulum",),
        (
            *("--target", "Pendulum-v1", "--target-kwargs", "max_episode_steps=40"),
            *("--improve", "--alignment-steps", "500", "--threshold", "-100"),
            *("--strategy", "ibrl", "--student", "sac", "--weak-source"),
        ),
        1_000,
    ),
}
OWN = ("seconds", "run", "picture", "student", "resumed", "steps_taken_again")
"""What two runs of one transfer may differ in."""


@final
@dataclass(frozen=True)
class Ended:
    """How a call ended."""

    status: int
    text: str
    events: dict[str, int] = field(default_factory=dict)

    @property
    def error(self) -> str:
        """The one line about what went wrong; fails if there is anything else."""
        (line,) = self.text.splitlines()
        assert line.startswith("error: "), self.text
        return line.removeprefix("error: ")


@final
class Transfers:
    """Begins, strikes and resumes transfers, each call in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        self._whole: dict[str, tuple[dict[str, Any], Ended]] = {}

    def words(self, name: str, folder: Path) -> list[object]:
        """Returns the call that begins a case in a log folder.

        What it does depends on no call before: the source model is not kept.
        """
        case = CASES[name]
        sources = [self._agent(agent) for agent in case.sources]
        options = ("-n", case.budget, "--seed", 4, "--episodes", 1, "-f", folder)
        return [
            *("transfer", "--source", *sources, *case.target, *options),
            "--no-cache",
        ]

    def begin(self, name: str, folder: Path, fault: Fault | None = None) -> Ended:
        """Begins a case in a log folder of its own."""
        return self.call(self.words(name, folder), fault)

    def resume(
        self, run: Path, fault: Fault | None = None, before: Call | None = None
    ) -> Ended:
        """Goes on with a run."""
        return self.call(["transfer", "--resume", run], fault, before)

    def start(self, words: list[object], fault: Fault) -> tuple[Any, Path]:
        """Starts a call; returns its process and the file of its output."""
        output = self._folder / f"{next(self._numbers)}.txt"
        return called(words, output, fault), output

    def whole(self, name: str) -> dict[str, Any]:
        """Returns what a case leaves that nothing interrupts; run once."""
        return self._uninterrupted(name)[0]

    def events(self, name: str) -> dict[str, int]:
        """Returns how often each kind of event happens in a case."""
        return self._uninterrupted(name)[1].events

    def call(
        self,
        words: list[object],
        fault: Fault | None = None,
        before: Call | None = None,
    ) -> Ended:
        """Calls the command line.

        Args:
            words: of the call.
            fault: what happens on the way.
            before: is called there first.
        """
        output = self._folder / f"{next(self._numbers)}.txt"
        status = ended(called(words, output, fault, before))
        counted = output.with_suffix(".events")
        events = json.loads(counted.read_text()) if counted.exists() else {}
        return Ended(status, output.read_text(), events)

    def _uninterrupted(self, name: str) -> tuple[dict[str, Any], Ended]:
        if name not in self._whole:
            folder = self._folder / f"whole {name}"
            call = self.begin(name, folder)
            assert call.status == 0, call.text
            self._whole[name] = left(run_in(folder)), call
        return self._whole[name]

    def _agent(self, name: str) -> Path:
        folder = self._folder / "agents" / name.replace(" ", "-")
        if not folder.exists():
            assert ended(begun(partial(_train, AGENTS[name], folder))) == 0
        (run,) = folder.glob("*/*_1")
        return run


def _train(config: dict[str, Any], folder: Path) -> None:
    from rltransfer_agents.training import TrainConfig, train_source

    train_source(
        TrainConfig(
            **config, log_folder=folder, seed=5, evaluations=0, evaluation_episodes=1
        )
    )


@pytest.fixture(scope="session")
def transfers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transfers]:
    yield Transfers(tmp_path_factory.mktemp("transfers"))


@pytest.fixture(params=CASES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def run_in(folder: Path) -> Path:
    """Returns the one run of a log folder."""
    (run,) = (folder / "transfer").iterdir()
    return run


def can_go_on(folder: Path) -> bool:
    """Returns whether a run in a log folder left enough to go on from."""
    return bool(list(folder.glob("transfer/*/.resume/request.safetensors")))


def left(run: Path) -> dict[str, Any]:
    """Returns what a finished run left, but for what tells place and time.

    The figures and counts, the bits of the mapping and of the student, TensorBoard's
    curves, the names of all files; the manifest vouches for them.
    """
    manifest = read_manifest(run)
    assert changed_files(run, manifest) == []
    (events,) = (run / "tensorboard").iterdir()
    record = read_json(run / "transfer.json")
    steps = {k: v for k, v in manifest.steps.items() if k != "taken again after a stop"}
    mapping = {k: v for k, v in manifest.files.items() if k.startswith("mapping/")}
    assert mapping
    students = list(run.glob("student/*/*/*.zip"))
    assert len(students) == (record["student"] is not None)
    names = {p.relative_to(run).as_posix() for p in run.rglob("*") if p != events}
    return {
        **{k: v for k, v in record.items() if k not in OWN},
        **mapping,
        # The zip itself has times in it.
        "weights": [ZipFile(zip).read("policy.pth") for zip in students],
        "evaluations": [_arrays(path) for path in run.rglob("evaluations.npz")],
        "counted": steps,
        "curves": curves(run / "tensorboard"),
        "files": sorted(names),
    }


def _arrays(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as found:
        return {name: found[name].tolist() for name in found.files}


def curves(folder: Path) -> list[str]:
    """Returns every number that TensorBoard shows for a folder."""
    events = EventAccumulator(str(folder), {"scalars": 0}).Reload()
    return [
        f"{tag} {event.step} {event.value!r}"
        for tag in sorted(events.Tags()["scalars"])
        for event in events.Scalars(tag)
    ]
