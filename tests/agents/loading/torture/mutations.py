"""S2 to S4: files cut off, with flipped bits, and changed with right checksums."""

import base64
import hashlib
import json
import pickletools
import resource
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from specimens import (
    Specimens,
    digest,
    frozen_bundle,
    frozen_zip,
    members,
    zipped,
)

from rltransfer_agents.loading import Refusal
from rltransfer_agents.loading.refusal import refuse_unforeseen
from rltransfer_agents.loading.running_statistics import read_vecnormalize
from rltransfer_agents.policies import FrozenPolicy

Read = Callable[[bytes], Any]
_SECONDS = 2.0
_MEBIBYTES = 512
GROWN, MILLISECONDS = "grown MiB", "most milliseconds"
"""What is measured, beside what is counted."""


def outcome(read: Read, data: bytes) -> tuple[str, Any]:
    """Returns how a read ended, and what it gave."""
    try:
        with refuse_unforeseen():
            return "loaded", read(data)
    except Refusal as refusal:
        message = str(refusal)
        assert "\n" not in message and len(message) < 1000, message[:2000]
        return f"refused: {refusal.code}", None


def truncations(sound: Specimens) -> Counter[str]:
    """S2: every prefix of every format is refused."""
    counts: Counter[str] = Counter()
    for data, read in _formats(sound):
        for length in range(len(data)):
            ending, _ = outcome(read, data[:length])
            assert ending != "loaded", f"a prefix of {length} bytes was loaded"
            counts[ending] += 1
    return counts


def bit_flips(sound: Specimens, each: int, seed: int) -> Counter[str]:
    """S3: flipped bits are told, or change nothing that acts."""
    rng = np.random.default_rng(seed)
    counts: Counter[str] = Counter()
    for name, data, read in (
        ("bundle", sound.bundle, frozen_bundle),
        ("zip", sound.zip, frozen_zip),
    ):
        original = digest(read(data))
        for _ in range(each):
            place, bit = int(rng.integers(len(data))), int(rng.integers(8))
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            ending, policy = outcome(read, bytes(flipped))
            if ending == "loaded":
                assert name != "bundle", f"bit {bit} of byte {place} went unseen"
                assert digest(policy) == original, f"bit {bit} of byte {place}"
            counts[f"{name} {ending}"] += 1
    # Nothing in a pickle tells a flipped bit in a number; the rest must be in order.
    for _ in range(each):
        flipped = bytearray(sound.statistics)
        flipped[int(rng.integers(len(flipped)))] ^= 1 << int(rng.integers(8))
        ending, statistics = outcome(read_vecnormalize, bytes(flipped))
        if ending == "loaded":
            assert_finite_statistics(statistics)
        counts[f"statistics {ending}"] += 1
    return counts


def mutations(sound: Specimens, count: int, seed: int) -> Counter[str]:
    """S4: contents changed at will, under right checksums and hashes."""
    counts: Counter[str] = Counter()
    # Torch and Stable-Baselines3, which only wrote the specimens, were there before.
    before, longest = _peak_mebibytes(), 0.0
    for place in range(count):
        rng = np.random.default_rng([seed, place])
        maker = _MAKERS[place % len(_MAKERS)]
        data, read = maker(sound, rng)
        start = time.monotonic()
        ending, given = outcome(read, data)
        seconds = time.monotonic() - start
        longest = max(longest, seconds)
        assert seconds <= _SECONDS, f"mutation {place} of seed {seed}: {seconds:.1f} s"
        if ending == "loaded" and isinstance(given, FrozenPolicy):
            assert_acts(given, f"mutation {place} of seed {seed}")
        elif ending == "loaded":
            assert_finite_statistics(given)
        counts[ending] += 1
    growth = _peak_mebibytes() - before
    assert growth <= _MEBIBYTES, f"memory grew by {growth} MiB"
    counts[GROWN] = growth
    counts[MILLISECONDS] = round(1000 * longest)
    return counts


def assert_acts(policy: FrozenPolicy, what: str) -> None:
    """Raises unless a policy gives actions that its space contains."""
    space = policy.observation_space
    with np.errstate(all="ignore"):
        rows = np.zeros((3, *(space.shape or ())), np.float32)
        if isinstance(rows, np.ndarray) and space.shape is not None:
            actions, _ = policy.predict(rows, deterministic=True)
            assert np.isfinite(actions).all(), what


def assert_finite_statistics(statistics: Any) -> None:
    """Raises unless all numbers are finite."""
    for normalisation in statistics.values():
        assert np.isfinite(normalisation.mean).all()
        assert np.isfinite(normalisation.deviation).all()


def _peak_mebibytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _formats(sound: Specimens) -> list[tuple[bytes, Read]]:
    return [
        (sound.zip, frozen_zip),
        (sound.noise_zip, frozen_zip),
        (sound.bundle, frozen_bundle),
        (sound.statistics, read_vecnormalize),
    ]


def _changed_zip(sound: Specimens, rng: np.random.Generator) -> tuple[bytes, Read]:
    contents = members(sound.zip)
    contents["data"] = _changed(contents["data"], rng)
    return zipped(contents), frozen_zip


def _changed_weights(sound: Specimens, rng: np.random.Generator) -> tuple[bytes, Read]:
    contents = members(sound.noise_zip if rng.random() < 0.5 else sound.zip)
    inner = members(contents["policy.pth"])
    names = [name for name in inner if rng.random() < 0.2 or name.endswith("data.pkl")]
    for name in names:
        inner[name] = _changed(inner[name], rng)
    contents["policy.pth"] = zipped(inner)
    return zipped(contents), frozen_zip


def _changed_field(sound: Specimens, rng: np.random.Generator) -> tuple[bytes, Read]:
    contents = members(sound.zip)
    fields = json.loads(contents["data"])
    name = str(rng.choice(["policy_class", "observation_space", "action_space"]))
    pickle = base64.b64decode(fields[name][":serialized:"])
    changed = base64.b64encode(_changed(pickle, rng)).decode()
    fields[name][":serialized:"] = changed
    contents["data"] = json.dumps(fields).encode()
    return zipped(contents), frozen_zip


def _changed_value(sound: Specimens, rng: np.random.Generator) -> tuple[bytes, Read]:
    contents = members(sound.zip if rng.random() < 0.5 else sound.noise_zip)
    fields = json.loads(contents["data"])
    odd = [None, -1, 1e308, 2**70, "x", [], {}, [[[]]], {"net_arch": "x"}, True]
    odd += [{"net_arch": [2**40]}, {":serialized:": "gAQu"}, {"activation_fn": 1}]
    names = ["policy_class", "observation_space", "action_space", "policy_kwargs"]
    names += ["num_timesteps", "exploration_rate", "seed", "n_epochs"]
    fields[str(rng.choice(names))] = odd[int(rng.integers(len(odd)))]
    contents["data"] = json.dumps(fields).encode()
    return zipped(contents), frozen_zip


def _changed_opcode(sound: Specimens, rng: np.random.Generator) -> tuple[bytes, Read]:
    codes = [operation.code.encode("latin-1") for operation in pickletools.opcodes]
    data = sound.statistics
    starts = [place for _, _, place in pickletools.genops(data) if place is not None]
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 3))):
        place = starts[int(rng.integers(len(starts)))]
        changed[place : place + 1] = codes[int(rng.integers(len(codes)))]
    return bytes(changed), read_vecnormalize


def _changed_bundle(sound: Specimens, rng: np.random.Generator) -> tuple[bytes, Read]:
    data = sound.bundle
    start = data.index(b'"sha256":"') + len(b'"sha256":"')
    changed = data[: start + 64] + _changed(data[start + 64 :], rng)
    blank = changed[:start] + b"0" * 64 + changed[start + 64 :]
    digest_now = hashlib.sha256(blank).hexdigest().encode()
    return changed[:start] + digest_now + changed[start + 64 :], frozen_bundle


def _changed_statistics(
    sound: Specimens, rng: np.random.Generator
) -> tuple[bytes, Read]:
    return _changed(sound.statistics, rng), read_vecnormalize


_MAKERS = (
    _changed_zip,
    _changed_weights,
    _changed_field,
    _changed_value,
    _changed_bundle,
    _changed_statistics,
    _changed_opcode,
)


def _changed(data: bytes, rng: np.random.Generator) -> bytes:
    """Returns data with a few bytes set, cut, repeated or put in."""
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        place = int(rng.integers(len(changed))) if changed else 0
        length = int(rng.integers(1, 9))
        match int(rng.integers(5)):
            case 0:
                changed[place : place + 1] = rng.bytes(1)
            case 1:
                changed[place : place + length] = rng.bytes(length)
            case 2:
                del changed[place : place + length]
            case 3:
                changed[place:place] = changed[place : place + length]
            case _:
                other = int(rng.integers(len(changed))) if changed else 0
                changed[place:place] = changed[other : other + length]
    return bytes(changed)
