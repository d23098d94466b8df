"""Run folders of ours that a stranger has changed, each in one place."""

import json
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final
from unittest import mock

import torch
from watch import Strike

from rltransfer.errors import Stopped
from rltransfer.io.nested_values import pack_nested
from rltransfer.io.tensor_files import kind_of, pack, unpack
from rltransfer.workflows import transfer_run as transfers
from rltransfer_agents.training import TrainConfig, train_source

MODULE = "antigravity:X-v0"
_QUICK = (
    "--weak-source",
    "--hyperparams",
    *("restarts=2", "updates=5", "rounds=1", "source_steps=600"),
    *("learning.width=16", "learning.updates=5"),
    # Clips are made in a process of their own, which is none of a file's doing.
    "--no-report",
)
Change = Callable[[Path], object]


@final
@dataclass(frozen=True)
class Runs:
    """Sound folders to start from."""

    training: Path
    """Interrupted."""
    transfer: Path
    """Finished."""
    interrupted: Path
    """A transfer, all but finished."""


def sound_runs(call: Callable[..., int], folder: Path) -> Runs:
    """Returns freshly made runs; the command line is at its quickest from here on."""
    agent = train_source(_training(folder / "agents", "a2c", steps=64)).folder
    interrupted = folder / "interrupted" / "transfer" / "CartPole-v1_1"
    write = transfers.write_transfer

    def keep(*given: Any) -> Any:
        shutil.copytree(given[-1].folder, interrupted)
        return write(*given)

    with mock.patch.object(transfers, "write_transfer", keep):
        words = ("--target", "CartPole-v1", "-n", 600, "-f", folder / "transfers")
        assert call("transfer", "--source", agent, *words, *_QUICK) == 0
    (transfer,) = folder.glob("transfers/transfer/*")
    return Runs(_stopped(folder / "trainings"), transfer, interrupted)


def _training(folder: Path, algorithm: str, **changes: Any) -> TrainConfig:
    values: dict[str, Any] = {"n_envs": 1, "n_steps": 16}
    if algorithm == "dqn":
        values = {"buffer_size": 100, "learning_starts": 10, "batch_size": 8}
    return TrainConfig(
        "CartPole-v1",
        algorithm,
        folder,
        hyperparameters=values,
        evaluations=1,
        evaluation_episodes=1,
        snapshot_seconds=0.0,
        **changes,
    )


def _stopped(folder: Path) -> Path:
    def stop(progress: Any) -> None:
        os.kill(os.getpid(), 15)

    try:
        train_source(_training(folder, "dqn", steps=300), stop)
    except Stopped:
        pass
    (run,) = folder.glob("dqn/*")
    return run


def of_trainings(victim: Path) -> Iterator[tuple[str, Change]]:
    """Yields changes to the folder of an interrupted training."""
    arguments, settings = "CartPole-v1/args.yml", "CartPole-v1/config.yml"
    strike = pickle.dumps(Strike(victim))
    tag = f"!!python/object/apply:os.system ['touch {victim}/struck']"
    laughter = "&a [x,x]\n" + "".join(
        f"y{n}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n"
        for n in range(12)
    )
    for key, value in (
        ("env", MODULE),
        ("env", "CartPole-v9"),
        ("env_kwargs", f"{{base: '{MODULE}'}}"),
        ("env_kwargs", "{render_mode: human}"),
        ("env_kwargs", tag),
        ("tensorboard_log", str(victim)),
        ("eval_episodes", "1000000000"),
        ("device", "abacus"),
        ("device", "meta"),
        ("algo", tag),
        ("vec_env", "os.system"),
        ("seed", laughter),
    ):
        yield f"{key}: {value:.30} in args.yml", _line(arguments, key, value)
    for key, value in (
        ("n_envs", "1000000000"),
        ("buffer_size", "10000000000000"),
        ("policy_kwargs", f"{{net_arch: [{', '.join(['10000'] * 16)}]}}"),
        ("policy_kwargs", tag),
        ("policy", tag),
        ("policy", laughter),
        ("normalize", "\"__import__('os').system('true')\""),
    ):
        yield f"{key}: {value:.30} in config.yml", _line(settings, key, value)
    for file in (arguments, settings, ".resume/state", ".resume/state.previous"):
        yield f"a pickle as {file}", _file(file, strike)
        yield f"a pipe as {file}", _pipe(file)
    weights = victim.parent / "weights"
    torch.save({"a": Strike(victim)}, weights)
    yield "a file of torch as state", _file(".resume/state", weights.read_bytes())
    for value in ({}, {"marks": 3}, {"marks": [], "learner": {"spy": "os.system"}}):
        yield f"a state {value}", _file(".resume/state", pack_nested(value))
    for name in (".lock", "0.monitor.csv", "tensorboard", ".resume", ".resume/rows"):
        yield f"a link as {name}", _link(name, victim)


_REQUEST, _FIRST = ".resume/request.safetensors", ".resume/0000.safetensors"


def of_interrupted(victim: Path) -> Iterator[tuple[str, Change]]:
    """Yields changes to the folder of an interrupted transfer."""
    strike = pickle.dumps(Strike(victim))
    for changes in (
        {"target": MODULE},
        {"target": "CartPole-v9"},
        {"source_env": [MODULE]},
        {"target_kwargs": {"base": repr(MODULE)}},
        {"target_kwargs": {"a": f"[{{'b': '{MODULE}'}}]"}},
        {"target_kwargs": {"a": "__import__('os').system('true')"}},
        {"target_kwargs": {"render_mode": "'human'"}},
        {"target_kwargs": {"a": "(" * 9000}},
        {"tensorboard_log": str(victim)},
        {"sources": [{"path": "hf:/evil/agent", "sha256": "0"}]},
        {"sources": [{"path": "/etc/passwd", "sha256": "0"}]},
        {"sources": [{"path": "/dev/zero", "sha256": "0"}]},
        {"sources": []},
        {"sources": 3},
        {"seed": -1},
        {"episodes": 10**12},
        {"align": {"spy": 1}},
        {"spy": 1},
    ):
        yield f"asked {changes!s:.60}", _asked(changes)
    yield "nothing asked", _rewritten(_REQUEST, lambda content: {})
    for file in (_REQUEST, _FIRST):
        yield f"a pickle as {file}", _file(file, strike)
    yield "a request of version 0.1.0", _file(".resume/request.json", b"{}")
    for changes in ({"entry": {}}, {"asked": {}}, {"entry": 3}, {"spy": 1}):
        yield f"an entry with {changes}", _changed(_FIRST, changes)
    for told in ({"steps": "x"}, {"policy_state": strike.hex()}, {"spy": 1}):
        yield f"an entry that says {told!s:.40}", _entry(told)
    yield "an empty entry", _rewritten(_FIRST, lambda content: {})
    yield "an entry without numbers", _rewritten(_FIRST, lambda content: content, {})
    yield "a pipe as an entry", _pipe(_FIRST)
    for name in (".lock", "tensorboard", ".resume", "mapping"):
        yield f"a link as {name}", _link(name, victim)


def of_transfers(victim: Path) -> Iterator[tuple[str, Change]]:
    """Yields changes to the folder of a finished transfer."""
    strike = pickle.dumps(Strike(victim))
    deep: Any = MODULE
    for _ in range(30):
        deep = [deep]
    pipe = victim.parent / "pipe"
    if not pipe.exists():
        os.mkfifo(pipe)
    for changes in (
        {"target": MODULE},
        {"target": "antigravity:CartPole-v1"},
        {"source_env": MODULE},
        {"target_kwargs": {"base": MODULE}},
        {"target": "rltransfer/Scrambled-v0", "target_kwargs": {"base": MODULE}},
        {
            "target": "rltransfer/Scrambled-v0",
            "target_kwargs": {"base": "rltransfer/Scrambled-v0"},
        },
        {"target_kwargs": {"env_id": MODULE}},
        {"target_kwargs": {"id": "CartPole-v1"}},
        {"target_kwargs": {"a": deep}},
        {"target_kwargs": {"render_mode": "human"}},
        {"target_kwargs": {"max_episode_steps": 10**15}},
        {"target_kwargs": {"max_episode_steps": "x"}},
        {"target_kwargs": {"[/x]": 1}},
        {"target_kwargs": {"sutton_barto_reward": "[/x]"}},
        {"source_kwargs": {"base": MODULE}},
        {"source": "hf://evil/agent"},
        {"source": "."},
        {"source": "/etc/passwd"},
        {"source": "/dev/zero"},
        {"source": str(pipe)},
        {"source": "/nowhere"},
        {"source": 3},
        {"source_sha256": "0"},
        {"spy": 1},
    ):
        yield f"settings {changes!s:.60}", _settings(changes)
    yield "its own source", _circle
    yield "no settings", _manifest({"settings": {}})
    yield "another format", _manifest({"format": "os.system"})
    yield "a pickle as manifest", _file("manifest.json", strike)
    for part in ("state", "unwhiten"):
        name = f"mapping/{part}/network.safetensors"
        yield f"a pickle as {name}", _file(name, strike)
        yield f"{name} without numbers", _rewritten(name, lambda content: content, {})
    for architecture in (
        {"network": "os.system"},
        {"network": "__import__"},
        {"network": "affine", "inputs": 1 << 40, "outputs": 1 << 40},
        {"network": "mlp", "inputs": 4, "widths": [1 << 30] * 99, "outputs": 4},
        {"network": "affine", "inputs": 3, "outputs": 4},
        {"network": "chain", "networks": []},
    ):
        yield (
            f"architecture {architecture!s:.50}",
            _changed(
                "mapping/state/network.safetensors", {"architecture": architecture}
            ),
        )


def _file(name: str, data: bytes) -> Change:
    def change(run: Path) -> None:
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_bytes(data)

    return change


def _pipe(name: str) -> Change:
    def change(run: Path) -> None:
        (run / name).unlink(missing_ok=True)
        os.mkfifo(run / name)

    return change


def _link(name: str, victim: Path) -> Change:
    def change(run: Path) -> None:
        place = run / name
        aim = victim if place.is_dir() or "." not in place.name else victim / "letter"
        if place.is_dir():
            shutil.rmtree(place)
        place.unlink(missing_ok=True)
        place.symlink_to(aim)

    return change


def _line(file: str, key: str, value: str) -> Change:
    def change(run: Path) -> None:
        lines = (run / file).read_text().splitlines()
        kept = [line for line in lines if not line.startswith((f"{key}:", " ", "-"))]
        (run / file).write_text("\n".join([*kept, f"{key}: {value}", ""]))

    return change


def _rewritten(
    file: str,
    change: Callable[[dict[str, Any]], dict[str, Any]],
    arrays: dict[str, Any] | None = None,
) -> Change:
    """Changes what a hashed file says, and its numbers, so that its hash fits again."""

    def apply(run: Path) -> None:
        data = (run / file).read_bytes()
        found, kind = unpack(data), kind_of(data)
        assert kind is not None
        numbers = found.arrays if arrays is None else arrays
        (run / file).write_bytes(pack(kind, change(found.content), numbers))

    return apply


def _changed(file: str, changes: dict[str, Any]) -> Change:
    return _rewritten(file, lambda content: content | changes)


def _asked(changes: dict[str, Any]) -> Change:
    return _rewritten(
        _REQUEST, lambda content: content | {"request": content["request"] | changes}
    )


def _entry(changes: dict[str, Any]) -> Change:
    return _rewritten(
        _FIRST, lambda content: content | {"entry": content["entry"] | changes}
    )


def _manifest(changes: dict[str, Any]) -> Change:
    def change(run: Path) -> None:
        path = run / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def _settings(changes: dict[str, Any]) -> Change:
    def change(run: Path) -> None:
        settings = json.loads((run / "manifest.json").read_text())["settings"]
        _manifest({"settings": settings | changes})(run)

    return change


def _circle(run: Path) -> None:
    shutil.rmtree(run / "source")
    (run / "source").symlink_to(run)
