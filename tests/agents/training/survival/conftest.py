"""Small trainings, run where they can be killed."""

import itertools
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, final

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rltransfer.io import changed_files, read_manifest

_OFF_POLICY = {
    "buffer_size": 90,
    "learning_starts": 30,
    "batch_size": 16,
    "train_freq": 4,
    "gradient_steps": 1,
    "policy_kwargs": {"net_arch": [16]},
}
CONFIGS: dict[str, dict[str, Any]] = {
    "ppo": {
        "env_id": "CartPole-v1",
        "steps": 640,
        "hyperparameters": {"n_envs": 4, "n_steps": 8, "batch_size": 32},
    },
    "ppo with gSDE and normalisation": {
        "env_id": "Pendulum-v1",
        "steps": 480,
        "hyperparameters": {
            "n_envs": 2,
            "n_steps": 16,
            "normalize": True,
            "use_sde": True,
            "learning_rate": "lin_0.001",
        },
    },
    "a2c": {
        "env_id": "LunarLander-v3",
        "steps": 450,
        "hyperparameters": {"n_envs": 3, "normalize": True},
    },
    "a2c with chance from Python": {
        "env_id": "survival/Chancy-v0",
        "steps": 300,
        "hyperparameters": {"n_envs": 2},
    },
    "dqn": {
        "env_id": "CartPole-v1",
        "steps": 180,
        "hyperparameters": {**_OFF_POLICY, "target_update_interval": 20},
    },
    "sac": {
        "env_id": "Pendulum-v1",
        "steps": 180,
        "hyperparameters": _OFF_POLICY,
    },
    "sac with gSDE": {
        "env_id": "MountainCarContinuous-v0",
        "steps": 180,
        "hyperparameters": {**_OFF_POLICY, "use_sde": True},
    },
    "td3": {
        "env_id": "InvertedPendulum-v5",
        "steps": 180,
        "hyperparameters": {
            **_OFF_POLICY,
            "n_envs": 2,
            "noise_type": "ornstein-uhlenbeck",
            "noise_std": 0.8,
        },
    },
}
"""By what is particular; the first word is the algorithm."""

_USUAL = {
    "seed": 5,
    "evaluations": 2,
    "evaluation_episodes": 1,
    "snapshot_seconds": 0.0,
}


@final
@dataclass(frozen=True)
class Ended:
    """How a job ended."""

    status: int
    text: str


@final
class TrainingServer:
    """Runs one job after the other, each in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.agents.training.survival.training_server"],
            cwd=Path(__file__).parents[4],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def train(self, name: str, folder: Path, **faults: Any) -> Ended:
        """Trains the config `name` in a new folder in `folder`."""
        return self.train_several([name], folder, **faults)

    def train_several(self, names: list[str], folder: Path, **faults: Any) -> Ended:
        """Trains several configs side by side."""
        configs = [{"algorithm": name.split()[0], **CONFIGS[name]} for name in names]
        return self.train_configs(configs, folder, **faults)

    def train_configs(
        self, configs: list[dict[str, Any]], folder: Path, **faults: Any
    ) -> Ended:
        """Trains what `configs` say, besides the usual."""
        configs = [{**_USUAL, **config} for config in configs]
        return self._ask("train", folder, faults, configs=configs)

    def resume(self, folder: Path, **faults: Any) -> Ended:
        """Goes on with the run in `folder`."""
        return self._ask("resume", folder, faults)

    def _ask(
        self, verb: str, folder: Path, faults: dict[str, Any], **more: Any
    ) -> Ended:
        assert self._process.stdin is not None and self._process.stdout is not None
        out = self._folder / f"job-{next(self._numbers)}.txt"
        job = {
            "verb": verb,
            "folder": str(folder),
            "faults": faults,
            "out": str(out),
            **more,
        }
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return Ended(**json.loads(self._process.stdout.readline()))

    def run_folder(self, folder: Path) -> Path:
        """Returns the one run in a log folder."""
        return run_folder(folder)

    def traces(self, folder: Path, name: str = "*") -> dict[str, str]:
        """Returns digests of all that the run of a config in a log folder left."""
        return traces(run_folder(folder, name))

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@pytest.fixture(scope="session")
def fork_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainingServer]:
    process = TrainingServer(tmp_path_factory.mktemp("jobs"))
    yield process
    process.close()


@final
class Uninterrupted:
    """What each config leaves when nothing strikes; trained once."""

    def __init__(self, fork_server: TrainingServer, folder: Path) -> None:
        self._server = fork_server
        self._folder = folder
        self._found: dict[str, dict[str, str]] = {}

    def __getitem__(self, name: str) -> dict[str, str]:
        if name not in self._found:
            folder = self._folder / name.replace(" ", "-")
            ended = self._server.train(name, folder)
            assert ended.status == 0, ended.text
            self._found[name] = traces(run_folder(folder))
        return self._found[name]

    def seconds(self, name: str) -> float:
        """Returns how long the training took."""
        folder = run_folder(self._folder / name.replace(" ", "-"))
        return float(read_manifest(folder).results["seconds"])


@pytest.fixture(scope="session")
def uninterrupted(
    fork_server: TrainingServer, tmp_path_factory: pytest.TempPathFactory
) -> Uninterrupted:
    return Uninterrupted(fork_server, tmp_path_factory.mktemp("uninterrupted"))


@pytest.fixture(params=CONFIGS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def run_folder(folder: Path, name: str = "*") -> Path:
    """Returns the one run of a config in a log folder."""
    (found,) = folder.glob(f"{name.split()[0]}/*_1")
    return found


def traces(folder: Path) -> dict[str, str]:
    """Returns digests of all that a run leaves, but for what tells the time."""
    manifest = read_manifest(folder)
    assert changed_files(folder, manifest) == []
    found = {
        "state": str(manifest.results["state_sha256"]),
        "mean return": repr(manifest.results["mean_return"]),
        "episodes": _digest(
            line.rpartition(",")[0]
            for line in (folder / "0.monitor.csv").read_text().splitlines()[1:]
        ),
        "curves": _digest(sorted(_curves(folder / "tensorboard"))),
    }
    with np.load(folder / "evaluations.npz") as stored:
        found["evaluations"] = _digest(repr(stored[key]) for key in stored)
    for path in folder.glob("*.zip"):
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                # How pickle writes an optimizer down depends on which of its parts
                # are one object; what is in it stands in the state.
                if member == "policy.pth":
                    found[f"{path.name}/{member}"] = sha256(
                        archive.read(member)
                    ).hexdigest()
    for path in folder.rglob("*vecnormalize.json"):
        found[path.name] = sha256(path.read_bytes()).hexdigest()
    return found


def _curves(folder: Path) -> Iterator[str]:
    events = EventAccumulator(str(folder), {"scalars": 0}).Reload()
    for key in events.Tags()["scalars"]:
        if not key.startswith("time/"):
            for event in events.Scalars(key):
                yield f"{key} {event.step} {event.value!r}"


def _digest(lines: Any) -> str:
    return sha256("\n".join(lines).encode()).hexdigest()
