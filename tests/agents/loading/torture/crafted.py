"""S5: files made by hand to break one rule each."""

import base64
import copyreg
import hashlib
import io
import json
import pickle
import struct
import time
import zipfile
import zlib
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from mutations import outcome
from specimens import (
    Specimens,
    frozen_bundle,
    frozen_zip,
    members,
    with_field,
    zipped,
)

from rltransfer_agents.loading.bundle import KIND
from rltransfer_agents.loading.running_statistics import read_vecnormalize
from rltransfer_agents.loading.yaml_reader import parse_yaml

MOST_SECONDS = 2.0
Case = tuple[str, Callable[[bytes], Any], bytes]


def crafted(sound: Specimens) -> Counter[str]:
    """Every case is refused, each in two seconds of a processor."""
    counts: Counter[str] = Counter()
    makers = (_archives, _documents, _spaces, _pickles, _tensors, _bundles, _others)
    for maker in makers:
        for name, read, data in maker(sound):
            start = time.process_time()
            ending, _ = outcome(read, data)
            seconds = time.process_time() - start
            assert seconds <= MOST_SECONDS, f"{name} took {seconds:.1f} s"
            assert ending != "loaded", f"{name} was loaded"
            assert ending != "refused: malformed", f"{name} was not foreseen"
            counts[ending] += 1
    return counts


def _archives(sound: Specimens) -> Iterator[Case]:
    data, contents = sound.zip, members(sound.zip)

    def case(name: str, made: bytes) -> Case:
        return f"archive: {name}", frozen_zip, made

    yield case("nothing", b"")
    yield case("only an end", b"PK\x05\x06" + bytes(18))
    yield case("bytes in front", b"MZ" + data)
    yield case("bytes behind", data + b"\0")
    yield case("a comment", data[:-2] + b"\x01\x00x")
    for name in ("../data", "/etc/passwd", "a\\b", "data\0.pth", "__main__.py", "a/b"):
        yield case(f"member {name!r}", zipped([*contents.items(), (name, b"")]))
    for name in ("data", "policy.pth", "_stable_baselines3_version"):
        twice = [*contents.items(), (name, contents[name])]
        yield case(f"{name} twice", zipped(twice))
        if name != "_stable_baselines3_version":
            rest = {key: value for key, value in contents.items() if key != name}
            yield case(f"no {name}", zipped(rest))
    many = [(f"{'x' * place}.pth", b"") for place in range(1, 80)]
    yield case("many members", zipped([*contents.items(), *many]))
    yield case("a bomb", _deflated(contents | {"data": b" " * (64 << 20)}))
    yield case(
        "a bomb of weights", _deflated(contents | {"policy.pth": b"\0" * (99 << 20)})
    )
    yield case("a nested zip", zipped(contents | {"data": data}))
    yield case("an unknown method", _patched(data, method=12))
    yield case("encrypted", _patched(data, flags=1))
    yield case("a wrong size", _patched(data, size=7))
    yield case("a huge size", _patched(data, size=0xFFFFFFF0))
    yield case("a wrong checksum", _patched(data, checksum=1))
    yield case("a wrong place", _patched(data, offset=3))
    yield case("a place outside", _patched(data, offset=0x7FFFFFFF))
    yield case("overlapping members", _overlapping())
    yield case("split in parts", data[:-18] + b"\x01" + data[-17:])


def _documents(sound: Specimens) -> Iterator[Case]:
    contents = members(sound.zip)
    text = contents["data"].decode()

    def case(name: str, made: str | bytes) -> Case:
        encoded = made.encode() if isinstance(made, str) else made
        whole = zipped(contents | {"data": encoded})
        return f"document: {name}", frozen_zip, whole

    yield case("empty", "")
    yield case("a list", "[1]")
    yield case("a number", "7")
    yield case("deep", '{"a":' + "[" * 100_000 + "]" * 100_000 + "}")
    yield case("deep and open", '{"a":' + "[" * 100_000)
    for part in ("[]", "{}", "1", '"":""', '""'):
        yield case(f"endless {part}", '{"a":[' + f"{part}," * (6 << 20))
    yield case("many lists", '{"a":[' + "[]," * 130_000 + "1")
    keys = ",".join(f'"{number:x}":1' for number in range(400_000))
    yield case("a key twice after many", f'{{"a":{{{keys},"0":1}}}}')
    yield case("a long text", '{"a":"' + "x" * (33 << 20) + '"}')
    yield case("no UTF-8", b"\xff\xfe" + text.encode())
    yield case("UTF-16", text.encode("utf-16"))
    yield case("a key twice", text.replace("{", '{"policy_class": 1,', 1))
    yield case("an inner key twice", text.replace('":type:"', '":serialized:"', 1))
    yield case("a huge number", text.replace("{", '{"x": ' + "9" * 9999 + ",", 1))
    yield case("an open text", text[:-1] + ', "' + "x" * 10_000)
    for field in ("policy_class", "observation_space", "action_space"):
        for value in (None, 3, "x", {}, {":serialized:": 3}, {":serialized:": "%%"}):
            made = with_field(sound.zip, field, value)
            yield f"document: {field} is {value!r}", frozen_zip, made
    for odd in (-0.1, 1.5, "x", None, True, float("nan"), float("inf")):
        made = with_field(sound.zip, "exploration_rate", odd)
        yield f"document: exploration is {odd!r}", frozen_zip, made
    keywords: list[Any] = [
        [],
        {"net_arch": "wide"},
        {"net_arch": [-1]},
        {"net_arch": [0]},
        {"net_arch": [1 << 40]},
        {"net_arch": [4, 4]},
        {"net_arch": [1.5]},
        {"net_arch": [4] * 1000},
        {"net_arch": {"pi": 7}},
        {"net_arch": {f"p{n}": [4] for n in range(9)}},
        {"activation_fn": "Snake"},
        {"activation_fn": 1},
        {"features_extractor_class": "NatureCNN"},
        {"features_extractor_class": "Own"},
        {"features_extractor_kwargs": {"net": 1}},
        {"use_expln": 1},
        {"normalize_images": "yes"},
        {"clip_mean": float("nan")},
        {"n_quantiles": -3},
    ]
    for branches in (8, 9):
        made = with_field(sound.zip, "policy_kwargs", _serialized(_branching(branches)))
        yield f"document: 64 times {branches} branches", frozen_zip, made
    for told in keywords:
        made = with_field(sound.zip, "policy_kwargs", told)
        yield f"document: policy_kwargs are {told!r:.60}", frozen_zip, made


def _serialized(value: Any) -> dict[str, str]:
    data = value if isinstance(value, bytes) else pickle.dumps(value)
    return {":serialized:": base64.b64encode(data).decode()}


def _box(**changes: Any) -> spaces.Box:
    box = spaces.Box(-1.0, 1.0, (3,), np.float32)
    vars(box).update(changes)
    return box


def _parts(parts: dict[str, Any]) -> spaces.Dict:
    made = spaces.Dict()
    made.spaces = parts
    return made


def _spaces(sound: Specimens) -> Iterator[Case]:
    nan = np.full(3, np.nan, np.float32)
    # Its bytes lie in the pickle once, whatever the number of parts.
    large = spaces.Box(0, 1, (1 << 19,), np.uint8)
    huge = spaces.Discrete(3)
    huge.n = np.int64(1 << 50)
    none = spaces.Discrete(3)
    none.n = np.int64(0)
    no_start = spaces.Discrete(3)
    del vars(no_start)["n"]
    inner = spaces.Dict({"a": spaces.Dict({"b": spaces.Discrete(2)})})
    spaces_made: dict[str, Any] = {
        "NaN bounds": _box(low=nan),
        "crossed bounds": _box(low=np.full(3, 2, np.float32)),
        "bounds of another shape": _box(low=np.zeros(2, np.float32)),
        "a shape of another length": _box(_shape=(4,)),
        "a negative shape": _box(_shape=(-3,)),
        "a huge shape": _box(_shape=(1 << 30, 1 << 30)),
        "a shape of texts": _box(_shape=("3",)),
        "many dimensions": _box(_shape=(1,) * 40),
        "bounds of objects": _box(low=np.array([object] * 3)),
        "bounds of texts": _box(low=np.array(["a", "b", "c"])),
        "complex bounds": _box(low=np.zeros(3, np.complex64)),
        "structured bounds": _box(low=np.zeros(3, [("a", "f4")])),
        "bounds of dates": _box(low=np.zeros(3, "M8[s]")),
        "a type of objects": _box(dtype=np.dtype(object)),
        "wrong space": spaces.Box(-1.0, 1.0, (7,), np.float32),
        "wrong kind": spaces.Text(5),
        "a tuple": spaces.Tuple([spaces.Discrete(2)]),
        "parts of parts": inner,
        "one part often": _parts({f"p{n}": large for n in range(64)}),
        "no space": 3,
        "a list of spaces": [spaces.Discrete(2)],
    }
    for name, space in spaces_made.items():
        made = with_field(sound.zip, "observation_space", _serialized(space))
        yield f"space: {name}", frozen_zip, made
    actions: dict[str, Any] = {
        "huge": huge,
        "none": none,
        "no count": no_start,
        "others": spaces.Discrete(5),
        "many": spaces.MultiDiscrete([2, 2]),
        "a Box": spaces.Box(-1.0, 1.0, (2,), np.float32),
        "parts": spaces.Dict({"a": spaces.Discrete(2)}),
    }
    for name, space in actions.items():
        made = with_field(sound.zip, "action_space", _serialized(space))
        yield f"action space: {name}", frozen_zip, made


def _pickles(sound: Specimens) -> Iterator[Case]:
    texts: dict[str, bytes] = {
        "empty": b"",
        "no value": b"\x80\x04.",
        "two values": b"\x80\x04K\x01K\x02.",
        "no end": b"\x80\x04K\x01",
        "goes on": b"\x80\x04K\x01.K",
        "an unknown code": b"\x80\x04\xff.",
        "a memo that is not there": b"\x80\x04h\x07.",
        "an open mark": b"\x80\x04(K\x01t0.",
        "a close without mark": b"\x80\x04t.",
        "odd items": b"\x80\x04}(K\x01u.",
        "items of a number": b"\x80\x04K\x01K\x01K\x02s.",
        "append to a number": b"\x80\x04K\x01K\x02a.",
        "a list as key": b"\x80\x04}]K\x02s.",
        "a huge key": b"\x80\x04}\x8a\x09" + b"\x01" * 9 + b"K\x02s.",
        "a tuple as key": b"\x80\x04})K\x02s.",
        "state of a number": b"\x80\x04K\x01}b.",
        "a name of numbers": b"\x80\x04K\x01K\x02\x93.",
        "an extension": b"\x80\x04\x82\x01.",
        "a class of Python 2": b"(S'x'\nios\nsystem\n.",
        "an object of Python 2": b"(cos\nsystem\nS'x'\no.",
        "a value outside": b"\x80\x04K\x01Q.",
        "an old value outside": b"Px\n.",
        "a buffer": b"\x80\x05\x97.",
        "a cut text": b"\x80\x04X\xff\xff\xff\x7fabc.",
        "a cut long": b"\x80\x04\x8b\xff\xff\xff\x7fabc.",
        "a negative long": b"\x80\x04\x8b\xff\xff\xff\xffabc.",
        "many instructions": b"\x80\x04" + b"N0" * 300_000 + b"N.",
        "a tower": b"\x80\x04" + b"]" * 100_000 + b"." + b"",
        "itself": b"\x80\x04]\x94h\x00a.",
        "laughter": b"\x80\x04N" + b"\x94\x85h\x00\x86" * 40 + b".",
        "a long key": b"\x80\x04}X\xff\xff\0\0" + b"x" * 0xFFFF + b"K\x01s.",
    }
    for name, data in texts.items():
        for field in ("policy_class", "observation_space"):
            made = with_field(sound.zip, field, _serialized(data))
            yield f"pickle: {name} in {field}", frozen_zip, made
        yield f"pickle: {name} as statistics", read_vecnormalize, data
    yield "pickle: laughing classes", read_vecnormalize, laughing_classes(40)
    yield "pickle: classes of classes", read_vecnormalize, wide_classes(2000)
    path = b"stable_baselines3.common.policies\nActorCriticPolicy\n"
    for name, data in {
        "another class": b"cos\nsystem\n.",
        "a class of contrib": b"csb3_contrib.ppo_recurrent.policies\nX\n.",
        "a policy that was made": b"c" + path + b")R.",
    }.items():
        made = with_field(sound.zip, "policy_class", _serialized(data))
        yield f"pickle: {name}", frozen_zip, made


def laughing_classes(depth: int) -> bytes:
    """Returns a pickled class of two classes, which are one of two classes, and on."""
    made = b"ccloudpickle.cloudpickle\n_make_class\n"
    calls = [made + b")R\x94"]
    calls += [
        made + b"h" + bytes([n]) + b"h" + bytes([n]) + b"\x86R\x94"
        for n in range(depth)
    ]
    return b"\x80\x04" + b"0".join(calls) + b"."


def wide_classes(width: int) -> bytes:
    """Returns a pickled class of many classes, each of as many, none with a name."""
    made = b"ccloudpickle\n\n"
    calls = (
        made
        + b")R\x94"
        + (made + b"(" + b"h\x00" * width + b"tR\x94").join([b"0", b"0"])
    )
    return b"\x80\x04" + calls + made + b"(" + b"h\x01" * width + b"tR."


def _branching(branches: int) -> bytes:
    """Returns policy_kwargs whose net_arch repeats one dict of branches."""
    widths = [4] * 64
    return pickle.dumps({"net_arch": [{f"p{n}": widths for n in range(branches)}] * 64})


def _pth(tensors: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(tensors, buffer)
    return buffer.getvalue()


def _tensors(sound: Specimens) -> Iterator[Case]:
    contents = members(sound.zip)
    weights = torch.load(io.BytesIO(contents["policy.pth"]), weights_only=True)
    inner = members(contents["policy.pth"])
    root = next(iter(inner)).partition("/")[0]

    def case(name: str, data: bytes) -> Case:
        whole = zipped(contents | {"policy.pth": data})
        return f"tensors: {name}", frozen_zip, whole

    def changed(name: str, tensor: Any, key: str = "action_net.weight") -> Case:
        return case(name, _pth(OrderedDict(weights) | {key: tensor}))

    weight = weights["action_net.weight"]
    yield changed("NaN", torch.full_like(weight, float("nan")))
    yield changed("infinite", torch.full_like(weight, float("inf")))
    yield changed("beyond single", torch.full(weight.shape, 1e300, dtype=torch.float64))
    yield changed("NaN in the critic", torch.full((1,), float("nan")), "value_net.bias")
    yield changed("whole numbers", weight.long())
    yield changed("truth values", weight.bool())
    yield changed("complex", weight.to(torch.complex64))
    yield changed("brain floats", weight.to(torch.bfloat16))
    yield changed("transposed", weight.T.contiguous())
    yield changed("one dimension", weight[0])
    yield changed("three dimensions", weight[None])
    yield changed("empty", weight[:0])
    yield changed("repeated by strides", weight[:1, :1].expand(weight.shape))
    yield changed("sparse", weight.to_sparse())
    yield changed("a text", "weights")
    yield changed("a strange name", weight, "spy.weight")
    yield changed(
        "another layer", torch.zeros(4, 4), "mlp_extractor.policy_net.2.weight"
    )
    missing = {n: t for n, t in weights.items() if n != "action_net.weight"}
    yield case("one missing", _pth(missing))
    yield case("none", _pth({}))
    yield case("a list", _pth([weight]))
    yield case("nested", _pth({"policy": weights}))
    yield case("a number", _pth(7))
    yield case("many", _pth({f"critic.{n}": torch.zeros(1) for n in range(2100)}))
    shown = torch.zeros(4000)
    views = {f"value_net.{n}": shown for n in range(1000)}
    yield case("one storage often", _pth(OrderedDict(weights) | views))
    yield case(
        "no data.pkl", zipped({n: d for n, d in inner.items() if "pkl" not in n})
    )
    yield case("big-endian", zipped(inner | {f"{root}/byteorder": b"big"}))
    yield case("two roots", zipped(inner | {"other/data/0": b""}))
    yield case("code", zipped(inner | {f"{root}/code/x.py": b"import os"}))
    yield case("constants", zipped(inner | {f"{root}/constants.pkl": b"."}))
    yield case("a way out", zipped(inner | {f"{root}/data/../../x": b""}))
    storage = next(n for n in inner if n.startswith(f"{root}/data/"))
    yield case("a short storage", zipped(inner | {storage: inner[storage][:-4]}))
    yield case(
        "a storage missing", zipped({n: d for n, d in inner.items() if n != storage})
    )
    yield case("no torch file", b"weights")
    old = io.BytesIO()
    torch.save(weights, old, _use_new_zipfile_serialization=False)
    yield case("the old format, cut", old.getvalue()[:-1])
    yield case("the old format, longer", old.getvalue() + b"\0")
    yield case("the old format, broken", old.getvalue()[:60])


def _bundle(text: str, arrays: dict[str, Any], numbers: bytes = b"") -> bytes:
    metadata = {"format": KIND, "sha256": "0" * 64, "content": text}
    header = json.dumps({"__metadata__": metadata} | arrays, separators=(",", ":"))
    blank = struct.pack("<Q", len(header)) + header.encode() + numbers
    digest = hashlib.sha256(blank).hexdigest().encode()
    return blank.replace(b"0" * 64, digest, 1)


def _bundles(sound: Specimens) -> Iterator[Case]:
    length = struct.unpack("<Q", sound.bundle[:8])[0]
    header = json.loads(sound.bundle[8 : 8 + length])
    numbers = sound.bundle[8 + length :]
    text = header.pop("__metadata__")["content"]
    described = json.loads(text)

    def case(name: str, made: bytes) -> Case:
        return f"bundle: {name}", frozen_bundle, made

    def told(**changes: Any) -> bytes:
        return _bundle(json.dumps(described | changes), header, numbers)

    assert outcome(frozen_bundle, told())[0] == "loaded"
    yield case("no description", _bundle("", header, numbers))
    yield case("more numbers", _bundle(text, header, numbers + b"\0"))
    yield case("fewer numbers", _bundle(text, header, numbers[:-1]))
    yield case("a strange field", told(spy=1))
    yield case("another class", told(policy_class="os.system"))
    yield case("another algorithm", told(algorithm="[/x]\x1b[2J"))
    yield case("a space of code", told(observation_space={"kind": "__import__"}))
    yield case("a space without bounds", told(action_space={"kind": "Box"}))
    yield case("exploration", told(exploration=7.0))
    yield case("an activation", told(keywords={"activation_fn": "os.system"}))
    yield case("layers of its own", told(keywords={"extractor_activations": ["ReLU"]}))
    yield case("statistics missing", told(clips={"": 10.0}))
    first = next(iter(header))
    for name, change in {
        "offsets outside": {"data_offsets": [0, 1 << 60]},
        "offsets reversed": {"data_offsets": [8, 0]},
        "another shape": {"shape": [1 << 40, 1 << 40]},
        "a negative shape": {"shape": [-1]},
        "another type": {"dtype": "F4096"},
        "a type of lists": {"dtype": []},
    }.items():
        arrays = header | {first: header[first] | change}
        yield case(name, _bundle(text, arrays, numbers))


def _moments(**changes: Any) -> bytes:
    """Returns statistics made by hand, with some state changed."""
    return pickle.dumps(_Made("VecNormalize", _state(**changes)))


def _state(**changes: Any) -> dict[str, Any]:
    zeros = np.zeros(3)
    seen = _Made("RunningMeanStd", {"mean": zeros, "var": zeros + 1, "count": 1.0})
    return {"norm_obs": True, "obs_rms": seen, "clip_obs": 10.0} | changes


class _Made:
    """Pickles as an object of Stable-Baselines3 with any state."""

    def __init__(self, name: str, state: Any) -> None:
        self.name, self.state = name, state

    def __reduce__(self) -> Any:
        from stable_baselines3.common.running_mean_std import RunningMeanStd
        from stable_baselines3.common.vec_env import VecNormalize

        kinds = {"VecNormalize": VecNormalize, "RunningMeanStd": RunningMeanStd}
        made = kinds[self.name]
        # The spelling of old protocols, which allows any state.
        maker: Any = vars(copyreg)["_reconstructor"]
        return maker, (made, object, None), self.state


def _others(sound: Specimens) -> Iterator[Case]:
    zeros = np.zeros(3)

    def seen(**changes: Any) -> _Made:
        state = {"mean": zeros, "var": zeros + 1, "count": 1.0}
        return _Made("RunningMeanStd", state | changes)

    large = seen(mean=np.zeros(1 << 19), var=np.zeros(1 << 19))
    assert outcome(read_vecnormalize, _moments())[0] == "loaded"
    odd: dict[str, dict[str, Any]] = {
        "NaN": {"obs_rms": seen(mean=zeros + np.nan)},
        "negative": {"obs_rms": seen(var=zeros - 1)},
        "infinite": {"obs_rms": seen(var=zeros + np.inf)},
        "shapes apart": {"obs_rms": seen(var=np.ones(4))},
        "whole numbers": {"obs_rms": seen(mean=np.zeros(3, int))},
        "no moments": {"obs_rms": 3},
        "no mean": {"obs_rms": _Made("RunningMeanStd", {"var": zeros})},
        "a clip of zero": {"clip_obs": 0.0},
        "a clip of nothing": {"clip_obs": float("nan")},
        "an epsilon below zero": {"epsilon": -1.0},
        "norm_obs as text": {"norm_obs": "yes"},
        "keys without statistics": {"obs_rms": {}, "norm_obs_keys": ["a"]},
        "keys as a number": {"obs_rms": {}, "norm_obs_keys": 3},
        "one part often": {"obs_rms": {f"p{n}": large for n in range(64)}},
    }
    for name, changes in odd.items():
        yield f"statistics: {name}", read_vecnormalize, _moments(**changes)
    yield "statistics: another object", read_vecnormalize, pickle.dumps({"a": 1})
    anchors = "a: &a [x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n"
        for n in range(9)
    )
    for name, text in {
        "laughter": anchors,
        "a list in itself": "a: &a [*a]",
        "an alias of nothing": "a: *b",
        "a deep chain": "- &a0 [x]\n"
        + "".join(f"- &a{n + 1} [*a{n}]\n" for n in range(100)),
        "two documents": "a: b\n---\na: b\n",
        "a huge number": "a: " + "1" * 5000,
        "a huge number in hexadecimal": "a: 0x" + "f" * 60_000,
        "deep": "[" * 5000,
        "deep and closed": "[" * 30_000 + "]" * 30_000,
        "deep in lines": "\n".join(" " * n + "a:" for n in range(350)),
        "flat": f"a: [{'x, ' * 20_000}x]",
        "many lists": f"a: [{'[],' * 20_000}x]",
        "many lines": "a: x\n" * 13_000,
        "many commands": "%YAML 1.1\n" * 6000,
        "many anchors": "".join(f"- &a{n} x\n" for n in range(6000)),
        "a long line": "a: " + "x " * (1 << 19),
        "a long key": "? " + "x" * 60_000 + "\n: [",
        "a list as key": "? [a]\n: b\n",
        "no pairs": "!!python/object/apply:collections.OrderedDict [[a, b]]",
        "a tab": "a:\n\t- b: {",
    }.items():
        yield f"yaml: {name}", parse_yaml, text.encode()


def _deflated(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def _patched(data: bytes, **changes: int) -> bytes:
    """Returns a zip whose first directory entry says something else."""
    places = {"flags": (8, "<H"), "method": (10, "<H"), "checksum": (16, "<L")}
    places |= {"size": (24, "<L"), "offset": (42, "<L")}
    # Searching would find the directory of the zip inside the zip.
    (start,) = struct.unpack_from("<L", data, len(data) - 6)
    patched = bytearray(data)
    for name, value in changes.items():
        offset, code = places[name]
        struct.pack_into(code, patched, start + offset, value)
    return bytes(patched)


def _overlapping() -> bytes:
    """Returns a zip of two members that are the same bytes."""
    body = b"{}"
    local = struct.pack(
        "<4s5H3L2H", b"PK\x03\x04", 20, 0, 0, 0, 0, zlib.crc32(body), 2, 2, 4, 0
    )
    entry = struct.pack(
        "<4s6H3L5H2L",
        *(b"PK\x01\x02", 20, 20, 0, 0, 0, 0, zlib.crc32(body), 2, 2, 4, 0, 0, 0, 0, 0),
        0,
    )
    # The second entry gives another name to a place inside the first member.
    first = local + b"data" + body
    second = struct.pack(
        "<4s6H3L5H2L",
        *(b"PK\x01\x02", 20, 20, 0, 0, 0, 0, zlib.crc32(body), 2, 2, 10, 0),
        *(0, 0, 0, 0, 0),
    )
    directory = entry + b"data" + second + b"policy.pth"
    end = struct.pack(
        "<4s4H2LH", b"PK\x05\x06", 0, 0, 2, 2, len(directory), len(first), 0
    )
    return first + directory + end
