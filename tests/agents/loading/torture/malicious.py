"""S1: files that run code when they are opened the usual way.

Run as a process of its own, since an audit hook cannot be taken off again. Prints one
JSON object: what each vector did at each entry point, and every forbidden event.
"""

import base64
import json
import os
import pickle
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
from specimens import Specimens, members, specimens, with_field, zipped
from watch import MARK, Strike, Watch

from rltransfer.errors import ArtifactRefused, InputError
from rltransfer.io import read_manifest
from rltransfer.io.tensor_files import pack, unpack
from rltransfer_agents.export.numpy_loader import load_policy
from rltransfer_agents.loading import describe_artifact, load_agent
from rltransfer_agents.loading.agent_files import locate
from rltransfer_agents.loading.agent_loading import read_policy_data
from rltransfer_agents.loading.bundle import KIND, SUFFIX
from rltransfer_agents.loading.running_statistics import read_statistics


def vectors(sound: Specimens, folder: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Yields names and the files of a run folder called `CartPole-v1_1`."""
    strike = pickle.dumps(Strike(folder))
    by_value = cloudpickle.dumps(eval("lambda x: __import__('os').system('true')"))
    serialized = {":type:": "x", ":serialized:": base64.b64encode(strike).decode()}

    def agent(data: bytes) -> dict[str, bytes]:
        return {"CartPole-v1.zip": data}

    for field in (
        "policy_class",
        "observation_space",
        "action_space",
        "policy_kwargs",
        "lr_schedule",
        "clip_range",
        "_last_obs",
        "ep_info_buffer",
        "replay_buffer_class",
        "exploration_rate",
        "num_timesteps",
        "seed",
    ):
        made = with_field(sound.zip, field, serialized)
        yield f"a pickle in {field}", agent(made)
    for name, code in {
        "by global": b"cos\nsystem\n(S'touch "
        + str(folder).encode()
        + b"/struck'\ntR.",
        "by stack global": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",
        "by dotted global": b"\x80\x04\x8c\x08builtins\x8c\x0deval.__call__\x93.",
        "by inst": b"(S'true'\nios\nsystem\n.",
        "by obj": b"(cos\nsystem\nS'true'\no.",
        "by extension": b"\x80\x02\x82\x01.",
        "by new object": b"\x80\x04\x8c\x02os\x8c\x05Popen\x93)}\x92.",
        "by state": b"\x80\x04\x8c\x02os\x8c\x04stat\x93)\x81}\x8c\x01a\x8c\x01bsb.",
    }.items():
        entry = {":serialized:": base64.b64encode(code).decode()}
        yield f"a class {name}", agent(with_field(sound.zip, "policy_class", entry))
        statistics = {"CartPole-v1/vecnormalize.pkl": code}
        yield f"statistics {name}", agent(sound.zip) | statistics
    own = {":serialized:": base64.b64encode(by_value).decode()}
    for field in ("policy_class", "policy_kwargs", "lr_schedule"):
        yield f"code in {field}", agent(with_field(sound.zip, field, own))
    activation = cloudpickle.dumps({"activation_fn": pickle.loads(by_value)})
    entry = {":serialized:": base64.b64encode(activation).decode()}
    yield "code as activation", agent(with_field(sound.zip, "policy_kwargs", entry))
    yield "a module to import", agent(with_field(sound.zip, "env", "antigravity:X-v0"))
    yield (
        "a path to write",
        agent(with_field(sound.zip, "tensorboard_log", str(folder))),
    )
    yield "much to allocate", agent(with_field(sound.zip, "n_steps", 10**13))
    contents = members(sound.zip)
    twice = with_field(sound.zip, "policy_class", serialized)
    second = members(twice)["data"]
    yield "a member twice", agent(zipped([*contents.items(), ("data", second)]))
    text = contents["data"].replace(
        b"{", b'{"policy_class":' + json.dumps(serialized).encode() + b",", 1
    )
    yield "a key twice", agent(zipped(contents | {"data": text}))
    for member in ("policy.pth", "policy.optimizer.pth", "pytorch_variables.pth"):
        yield f"a pickle as {member}", agent(zipped(contents | {member: strike}))
    inner = members(contents["policy.pth"])
    name = next(n for n in inner if n.endswith("data.pkl"))
    weights = zipped(inner | {name: strike})
    yield "a pickle in the weights", agent(zipped(contents | {"policy.pth": weights}))
    yield "a way out", agent(zipped([*contents.items(), ("../../struck", b"x")]))
    yield "statistics", agent(sound.zip) | {"CartPole-v1/vecnormalize.pkl": strike}
    yield "statistics of a hub", agent(sound.zip) | {"vec_normalize.pkl": strike}
    moments = sound.statistics.replace(b"RunningMeanStd", b"RunningMeanExe")
    yield "moments", agent(sound.zip) | {"CartPole-v1/vecnormalize.pkl": moments}
    objects = pickle.dumps(np.array([Strike(folder)], object))
    yield "an array of objects", agent(sound.zip) | {"vecnormalize.pkl": objects}
    command = f"touch {folder / MARK}".encode()
    for file in ("args.yml", "config.yml"):
        for tag in (b"object/apply:os.system", b"object/new:os.system"):
            yaml = b"!!python/" + tag + b" ['" + command + b"']"
            made = agent(sound.zip) | {f"CartPole-v1/{file}": yaml}
            yield f"{tag.decode()} in {file}", made
            made = agent(sound.zip) | {f"CartPole-v1/{file}": b"env_kwargs: " + yaml}
            yield f"{tag.decode()} inside {file}", made
    evaluated = b"normalize: \"__import__('os').system('" + command + b"')\""
    yield "an expression", agent(sound.zip) | {"CartPole-v1/config.yml": evaluated}
    for told in (
        b"{base: 'antigravity:X-v0'}",
        b"{a: [{b: 'antigravity:X-v0'}]}",
        b"{'antigravity:X-v0': 1}",
        b"{env_id: 'antigravity:X-v0'}",
        b"{id: CartPole-v1}",
        b"{render_mode: human}",
        b"{max_episode_steps: 1000000000000}",
        b"{base: CartPole-v9}",
        b'{a: "\\e[2J"}',
    ):
        for file in ("args.yml", "config.yml"):
            kwargs = b"env_kwargs: " + told
            made = agent(sound.zip) | {f"CartPole-v1/{file}": kwargs}
            yield f"arguments {told.decode()} in {file}", made
    bundled = {"env_id": "antigravity:X-v0"}
    yield (
        "a module in a bundle",
        {"CartPole-v1.safetensors": rewritten(sound.bundle, **bundled)},
    )
    for told in ({"base": "antigravity:X-v0"}, {"env_id": "X-v0"}):
        made = rewritten(sound.bundle, env_id="CartPole-v1", env_kwargs=told)
        yield f"arguments {told} in a bundle", {"CartPole-v1.safetensors": made}
    yield (
        "markup in a bundle",
        {"CartPole-v1.safetensors": rewritten(sound.bundle, algorithm="[/x]\x1b[2J")},
    )
    module = b"env: 'antigravity:X-v0'"
    yield "a module as environment", agent(sound.zip) | {"CartPole-v1/args.yml": module}
    yield "a replay buffer", agent(sound.zip) | {"replay_buffer.pkl": strike}
    files = {"files": {"../../../../etc/passwd": "0" * 64, "CartPole-v1.zip": "0" * 64}}
    manifest = {"manifest.json": json.dumps(files).encode()}
    yield "a manifest of others' files", agent(sound.zip) | manifest
    yield "a page of Python", agent(sound.zip) | {"sitecustomize.py": b"import os"}


def rewritten(bundle: bytes, **changes: Any) -> bytes:
    """Returns a bundle that describes its agent otherwise, under a right hash."""
    found = unpack(bundle)
    return pack(KIND, found.content | changes, found.arrays)


def made_links(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yields folders and files that are not what they seem, made below `folder`."""
    for name, place in {
        "a link to a file": "/etc/passwd",
        "a link to a device": "/dev/zero",
        "a link to nothing": "/nowhere",
        "a link to itself": "CartPole-v1.zip",
    }.items():
        run = folder / name.replace(" ", "-") / "CartPole-v1_1"
        run.mkdir(parents=True)
        (run / "CartPole-v1.zip").symlink_to(place)
        yield name, run
    run = folder / "pipe" / "CartPole-v1_1"
    (run / "CartPole-v1").mkdir(parents=True)
    os.mkfifo(run / "CartPole-v1.zip")
    yield "a pipe as agent", run
    run = folder / "folder" / "CartPole-v1_1"
    (run / "CartPole-v1.zip").mkdir(parents=True)
    yield "a folder as agent", run
    run = folder / "odd" / "Cart\n\x1b[2JPole-v1_1"
    run.mkdir(parents=True)
    (run / "a\n\x1b[31m[red].zip").write_bytes(b"PK")
    (run / "b\x07.zip").write_bytes(b"PK")
    yield "names that a terminal acts upon", run


def _ending(open_it: Callable[[], Any]) -> str:
    try:
        open_it()
    except (ArtifactRefused, InputError) as fault:
        text = str(fault)
        assert text.isprintable(), repr(text)
        return f"{type(fault).__name__} {fault.exit_status}"
    return "opened"


def _loaded(path: Path) -> None:
    try:
        load_policy(path)
    except Exception as fault:
        # The loader knows NumPy alone, and so no errors of ours.
        raise InputError(type(fault).__name__) from fault


def written(run: Path, files: dict[str, bytes]) -> Path:
    """Returns a folder after writing files into it."""
    for file, data in files.items():
        (run / file).parent.mkdir(parents=True, exist_ok=True)
        (run / file).write_bytes(data)
    return run


def main() -> None:
    """Opens every vector at every entry point."""
    sound = specimens()
    watch = Watch()
    report: dict[str, Any] = {"vectors": 0, "opens": 0, "events": [], "endings": {}}
    with tempfile.TemporaryDirectory() as root:
        places = []
        for place, (name, files) in enumerate(vectors(sound, Path(root))):
            run = Path(root) / str(place) / "CartPole-v1_1"
            places.append((name, written(run, files)))
        places += made_links(Path(root) / "links")
        struck = Path(root) / MARK
        # What the reader itself imports when first used is no deed of the files.
        warm = places[0][1].parent / "CartPole-v1.zip"
        warm.write_bytes(sound.zip)
        for path in (warm, places[0][1], places[-1][1]):
            _ending(lambda path=path: load_agent(path))
            _ending(lambda path=path: describe_artifact(path))
        for name, run in places:
            report["vectors"] += 1
            for entry, open_it in _entries(run):
                ending = watch.over(lambda open_it=open_it: _ending(open_it))
                report["opens"] += 1
                counted = report["endings"]
                counted[ending] = counted.get(ending, 0) + 1
                events = watch.taken()
                if events or struck.exists():
                    report["events"].append([name, entry, events[:3]])
                    struck.unlink(missing_ok=True)
        watch.over(lambda: pickle.loads(pickle.dumps(Strike(Path(root)))))
        # The stock way: were it not seen, silence above would mean nothing.
        report["stock"] = [event.split()[0] for event in watch.taken()]
        report["stock struck"] = struck.exists()
    print(json.dumps(report))


def _entries(run: Path) -> Iterator[tuple[str, Callable[[], Any]]]:
    (agent, *_) = [
        path for path in sorted(run.iterdir()) if path.suffix in (".zip", SUFFIX)
    ]
    yield "load_agent, folder", lambda: load_agent(run)
    yield "load_agent, best", lambda: load_agent(run, best=True)
    yield "load_agent, file", lambda: load_agent(agent)
    yield "load_agent, id given", lambda: load_agent(agent, env_id="Acrobot-v1")
    yield "describe, folder", lambda: describe_artifact(run)
    yield "describe, file", lambda: describe_artifact(agent)
    for statistics in sorted(run.rglob("*.pkl")):
        yield "describe, pickle", lambda path=statistics: describe_artifact(path)
        yield "load_agent, pickle", lambda path=statistics: load_agent(path)
        yield "read_statistics", lambda path=statistics: read_statistics(path)
        yield "load_policy", lambda path=statistics: _loaded(path)
    yield "read_policy_data", lambda: read_policy_data(locate(run))
    if str(run).isprintable():
        yield "read_manifest", lambda: read_manifest(run)


if __name__ == "__main__":
    main()
