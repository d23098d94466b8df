"""Run folders of ours that a stranger has changed, each in one place."""

import hashlib
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
from rltransfer.io.tensor_files import pack
from rltransfer.mapping.mapping_store import manifest_of
from rltransfer.source_models import LearnConfig
from rltransfer.workflows import transfer as carry
from rltransfer_agents.training import TrainConfig, train_source

MODULE = "antigravity:X-v0"
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
    quick = carry.AlignConfig(
        restarts=2,
        updates=5,
        rounds=1,
        source_steps=600,
        learning=LearnConfig(width=16, updates=5),
    )
    mock.patch.object(carry, "AlignConfig", lambda **changes: quick).start()
    interrupted = folder / "interrupted" / "transfer" / "CartPole-v1_1"
    store = carry.store

    def keep(run: Path, *rest: Any) -> None:
        shutil.copytree(run, interrupted)
        store(run, *rest)

    with mock.patch.object(carry, "store", keep):
        words = ("--target", "CartPole-v1", "-n", 600, "-f", folder / "transfers")
        assert call("transfer", "--source", agent, *words) == 0
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
        yield f"a state {value}", _file(".resume/state", pack(value))
    for name in (".lock", "0.monitor.csv", "tensorboard", ".resume", ".resume/rows"):
        yield f"a link as {name}", _link(name, victim)


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
    yield "nothing asked", _resealed(".resume/request.json", {})
    for file in ("request.json", "0000.json", "0000.safetensors"):
        yield f"a pickle as {file}", _file(f".resume/{file}", strike)
    for changes in ({"rollout": {}}, {"asked": {}}, {"steps": "x"}, {"spy": 1}):
        yield f"a page with {changes}", _page(changes)
    yield "an empty page", _resealed(".resume/0000.json", {})
    yield "a pickle as numbers of a page, vouched for", _numbers(strike)
    yield "a pipe as a page", _pipe(".resume/0000.json")
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
        for file in ("numbers.safetensors", "network.json", "manifest.json"):
            name = f"mapping/{part}/{file}"
            yield f"a pickle as {name}", _file(name, strike)
        vouched = _vouched(part, "numbers.safetensors", lambda data: strike)
        yield f"a pickle as numbers of {part}, vouched for", vouched
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
            _vouched("state", "network.json", _describing(architecture)),
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


def _resealed(file: str, content: Any) -> Change:
    text = json.dumps(content, sort_keys=True)
    page = {"content": content, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    return _file(file, json.dumps(page).encode())


def _asked(changes: dict[str, Any]) -> Change:
    def change(run: Path) -> None:
        file = ".resume/request.json"
        content = json.loads((run / file).read_text())["content"]
        request = content["request"] | changes
        _resealed(file, content | {"request": request})(run)

    return change


def _page(changes: dict[str, Any]) -> Change:
    def change(run: Path) -> None:
        file = ".resume/0000.json"
        content = json.loads((run / file).read_text())["content"]
        _resealed(file, content | changes)(run)

    return change


def _numbers(data: bytes) -> Change:
    def change(run: Path) -> None:
        page = json.loads((run / ".resume/0000.json").read_text())["content"]
        digest = hashlib.sha256(data).hexdigest()
        _page({"rollout": page["rollout"] | {"sha256": digest}})(run)
        (run / ".resume/0000.safetensors").write_bytes(data)

    return change


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
    _settings({"source": str(run)})(run)


def _vouched(part: str, file: str, change: Callable[[bytes], bytes]) -> Change:
    """Changes a file of a network, with a manifest that vouches for the change."""

    def apply(run: Path) -> None:
        folder = run / "mapping" / part
        names = ("numbers.safetensors", "network.json")
        files = {name: (folder / name).read_bytes() for name in names}
        files[file] = change(files[file])
        for name, data in files.items():
            (folder / name).write_bytes(data)
        (folder / "manifest.json").write_bytes(manifest_of(files))

    return apply


def _describing(architecture: dict[str, Any]) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        return json.dumps(json.loads(data) | {"architecture": architecture}).encode()

    return change
