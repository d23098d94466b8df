"""Networks on disk: exact both ways, and refused when anything is off."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from rltransfer.errors import ArtifactRefused
from rltransfer.io.tensor_files import pack, unpack
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
from rltransfer.mapping.mapping_store import FILE, KIND

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


def test_what_is_stored_about_a_network_comes_back(folder: Path) -> None:
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


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / FILE).unlink()
    with pytest.raises(ArtifactRefused, match=f"{FILE} is missing"):
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


def forged(folder: Path, numbers: Any = None, network: Any = None) -> None:
    """Writes other numbers or another description under a hash that fits."""
    found = unpack((folder / FILE).read_bytes())
    arrays = found.arrays if numbers is None else numbers
    content = found.content if network is None else network
    (folder / FILE).write_bytes(pack(KIND, content, arrays))


def test_a_network_of_version_0_1_0_is_refused_with_what_to_do(tmp_path: Path) -> None:
    save_file({"weight": np.zeros(1)}, tmp_path / "numbers.safetensors")
    (tmp_path / "network.json").write_text("{}")
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(ArtifactRefused, match=r"version 0\.1\.0 .*; make the transfer"):
        load_network(tmp_path, Affine)


def described(architecture: Any) -> dict[str, Any]:
    return {"architecture": architecture, "about": {}, "versions": {}}


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


def zeros(**shapes: Any) -> dict[str, Any]:
    return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}


FOREIGN: dict[str, tuple[str, Any, str]] = {
    "no numbers": ("numbers", {}, "it is None"),
    "wrong shape": ("numbers", zeros(weight=(2, 2), bias=2), "weight must be"),
    "wrong dtype": (
        "numbers",
        zeros(weight=(3, 2)) | {"bias": np.zeros(2, np.float16)},
        "bias must be",
    ),
    "missing tensor": ("numbers", zeros(weight=(3, 2)), "it is None"),
    "extra tensor": ("numbers", zeros(weight=(3, 2), bias=2, z=1), "z must be None"),
    "not finite": (
        "numbers",
        zeros(bias=2) | {"weight": np.full((3, 2), np.inf, np.float32)},
        "not finite",
    ),
    "no description": ("network", {}, "nothing else"),
    "no architecture": ("network", {"about": {}, "versions": {}}, "nothing else"),
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
}


@pytest.mark.parametrize("case", FOREIGN)
def test_foreign_files_are_refused_with_the_reason(folder: Path, case: str) -> None:
    key, data, reason = FOREIGN[case]
    forged(folder, **{key: data})
    with pytest.raises(ArtifactRefused, match=reason) as caught:
        load_network(folder, Affine)
    message = str(caught.value)
    assert str(folder) in message


def test_a_forged_hash_alone_changes_nothing(folder: Path) -> None:
    forged(folder)
    load_network(folder, Affine)


def test_a_file_of_another_kind_or_version_is_refused_by_its_format(
    folder: Path,
) -> None:
    found = unpack((folder / FILE).read_bytes())
    for kind in ("rltransfer-network-3", "rltransfer-agent-2"):
        (folder / FILE).write_bytes(pack(kind, found.content, found.arrays))
        with pytest.raises(ArtifactRefused, match=f"has format '{kind}', this version"):
            load_network(folder, Affine)
