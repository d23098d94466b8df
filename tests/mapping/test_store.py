"""Networks on disk: exact both ways, and refused when anything is off."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from rltransfer.errors import ArtifactRefused
from rltransfer.mapping import (
    Affine,
    Chain,
    DomainMapping,
    Mlp,
    ResidualAffine,
    Stackable,
    load_about,
    load_network,
    save_network,
)
from rltransfer.mapping.mapping_store import manifest_of

DRAW = torch.Generator().manual_seed(0)
STORED: dict[str, Any] = {
    "affine": Affine(3, 2, activation="sum_to_one", generator=DRAW),
    "stack": Affine(3, 2, copies=4, generator=DRAW),
    "mlp": Mlp(3, (5, 4), 2, output_activation="tanh", generator=DRAW),
    "residual": ResidualAffine(3, (4,), 2, copies=2, generator=DRAW),
    "chain": Chain(
        Mlp(3, (4,), 2, generator=DRAW), Chain(Affine(2, 2, generator=DRAW))
    ),
    "mapping": DomainMapping(
        ResidualAffine(3, (4,), 2, generator=DRAW), Affine(2, 2, generator=DRAW)
    ),
    "states only": DomainMapping(Affine(3, 2, copies=5, generator=DRAW)),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_network(tmp_path / "net", STORED["affine"], {"seed": 3})
    return tmp_path / "net"


@pytest.mark.parametrize("name", STORED)
def test_a_round_trip_is_exact(name: str, tmp_path: Path) -> None:
    network: Stackable = STORED[name]
    save_network(tmp_path / "a" / "b", STORED[name])
    twin = load_network(tmp_path / "a" / "b", type(network))
    assert twin.settings == network.settings
    mine, theirs = network.state_dict(), twin.state_dict()
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[key], theirs[key]) for key in mine)
    assert all(p.requires_grad for p in twin.parameters())


def test_saving_twice_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        save_network(tmp_path / name, STORED["mapping"], {"seed": 3})
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_saving_again_replaces(folder: Path) -> None:
    save_network(folder, STORED["mlp"])
    assert load_network(folder, Mlp).settings == STORED["mlp"].settings


def test_what_was_said_about_a_network_comes_back(folder: Path) -> None:
    about = load_about(folder)
    assert about["about"] == {"seed": 3}
    assert about["versions"]["torch"] == torch.__version__


def test_numbers_that_are_not_finite_are_not_stored(tmp_path: Path) -> None:
    layer = Affine.of(torch.tensor([[torch.nan]]), torch.zeros(1))
    with pytest.raises(ValueError, match="weight"):
        save_network(tmp_path / "net", layer)
    assert not (tmp_path / "net").exists()


def test_a_network_of_another_kind_is_refused(folder: Path) -> None:
    with pytest.raises(ArtifactRefused, match="holds a Affine, not a DomainMapping"):
        load_network(folder, DomainMapping)


@pytest.mark.parametrize(
    "name", ["manifest.json", "network.json", "numbers.safetensors"]
)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ArtifactRefused, match=f"{name} is missing"):
        load_network(folder, Affine)


def test_every_flipped_bit_and_every_cut_is_noticed(folder: Path) -> None:
    tried = 0
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        for place in range(len(data)):
            flipped = bytearray(data)
            flipped[place] ^= 1 << place % 8
            for damaged in (bytes(flipped), data[:place]):
                path.write_bytes(damaged)
                with pytest.raises(ArtifactRefused):
                    load_network(folder, Affine)
                tried += 1
        path.write_bytes(data)
    assert tried > 1000
    load_network(folder, Affine)


def test_files_of_two_networks_do_not_mix(folder: Path, tmp_path: Path) -> None:
    save_network(tmp_path / "other", Affine(3, 2, generator=DRAW))
    shutil.copy(tmp_path / "other" / "numbers.safetensors", folder)
    with pytest.raises(ArtifactRefused, match=r"numbers\.safetensors is not the file"):
        load_network(folder, Affine)


def forged(folder: Path, **changes: bytes) -> None:
    """Changes files and makes the manifest vouch for them."""
    names = {"numbers": "numbers.safetensors", "network": "network.json"}
    for key, data in changes.items():
        (folder / names[key]).write_bytes(data)
    files = {name: (folder / name).read_bytes() for name in names.values()}
    (folder / "manifest.json").write_bytes(manifest_of(files))


def described(architecture: Any) -> bytes:
    whole = {"architecture": architecture, "about": {}, "versions": {}}
    return json.dumps(whole).encode()


AFFINE = {
    "network": "affine",
    "inputs": 3,
    "outputs": 2,
    "activation": "identity",
    "copies": None,
}
DEEP: Any = AFFINE
for _ in range(400):
    DEEP = {"network": "chain", "links": [DEEP]}

FOREIGN: dict[str, tuple[str, bytes, str]] = {
    "garbage": ("numbers", b"\x80\x04" * 40, "not safetensors"),
    "empty numbers": ("numbers", b"", "not safetensors"),
    "wrong shape": (
        "numbers",
        safetensors.torch.save({"weight": torch.zeros(2, 2), "bias": torch.zeros(2)}),
        "weight must be",
    ),
    "wrong dtype": (
        "numbers",
        safetensors.torch.save(
            {"weight": torch.zeros(3, 2), "bias": torch.zeros(2, dtype=torch.float16)}
        ),
        "bias must be",
    ),
    "missing tensor": (
        "numbers",
        safetensors.torch.save({"weight": torch.zeros(3, 2)}),
        "it is None",
    ),
    "extra tensor": (
        "numbers",
        safetensors.torch.save(
            {n: torch.zeros(s) for n, s in (("weight", (3, 2)), ("bias", 2), ("z", 1))}
        ),
        "z must be None",
    ),
    "not finite": (
        "numbers",
        safetensors.torch.save(
            {"weight": torch.full((3, 2), torch.inf), "bias": torch.zeros(2)}
        ),
        "not finite",
    ),
    "not JSON": ("network", b"{", "strict JSON"),
    "a list": ("network", b"[]", "nothing else"),
    "no architecture": ("network", b'{"about": {}, "versions": {}}', "nothing else"),
    "unknown network": ("network", described({"network": "os.system"}), "no network"),
    "nameless": ("network", described({}), "no network we know"),
    "a string": ("network", described("affine"), "no network we know"),
    "missing size": ("network", described({"network": "affine"}), "no network we"),
    "a surplus key": ("network", described(AFFINE | {"z": 1}), "no network we know"),
    "a size that is text": ("network", described(AFFINE | {"inputs": "3"}), "no netw"),
    "a negative size": ("network", described(AFFINE | {"inputs": -3}), "no network we"),
    "a fractional size": ("network", described(AFFINE | {"inputs": 2.5}), "no netw"),
    "a huge size": ("network", described(AFFINE | {"inputs": 10**12}), "must be"),
    "an absurd size": ("network", described(AFFINE | {"inputs": 10**40}), "no netw"),
    "unknown activation": ("network", described(AFFINE | {"activation": "x"}), "'x'"),
    "links that are none": (
        "network",
        described({"network": "chain", "links": 7}),
        "no",
    ),
    "no links": ("network", described({"network": "chain", "links": []}), "no network"),
    "a deep chain": ("network", described(DEEP), "JSON may nest 64 deep"),
    "a long description": ("network", b" " * 70_000, "longer than"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_foreign_files_are_refused_with_the_reason(folder: Path, case: str) -> None:
    key, data, reason = FOREIGN[case]
    forged(folder, **{key: data})
    with pytest.raises(ArtifactRefused, match=reason) as caught:
        load_network(folder, Affine)
    message = str(caught.value)
    assert str(folder) in message


def test_a_forged_manifest_alone_changes_nothing(folder: Path) -> None:
    forged(folder)
    load_network(folder, Affine)


CHANGES: list[Callable[[dict[str, Any]], Any]] = [
    lambda manifest: manifest | {"format": "other"},
    lambda manifest: manifest | {"format_version": 2},
    lambda manifest: manifest | {"surplus": 1},
    lambda manifest: {"sha256": manifest["sha256"]},
    lambda manifest: [manifest],
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_manifest_of_another_form_is_refused(
    folder: Path, change: Callable[[dict[str, Any]], Any]
) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(ArtifactRefused, match=r"damaged or of another format|vouches"):
        load_network(folder, Affine)
