"""The format since torch 1.6: a zip of one pickle and the numbers of each storage."""

from typing import Any

from numpy.typing import NDArray

from rltransfer_agents.reading import limits
from rltransfer_agents.reading.archive import read_members
from rltransfer_agents.reading.inert_pickle import parse_pickle
from rltransfer_agents.reading.refusal import Refusal
from rltransfer_agents.reading.torch_file.tensors import Tensors

_SIDE_MEMBERS = {"byteorder", "version", ".format_version", ".storage_alignment"}
_SIDE_MEMBERS |= {".data/serialization_id"}


def read_zipped(data: bytes) -> dict[str, NDArray[Any]]:
    """Returns the arrays by name."""
    members = read_members(
        data,
        allowed=_is_allowed,
        wanted=lambda name: not name.endswith("serialization_id"),
        most=limits.TENSOR_FILE_MEMBERS,
    )
    roots = {name.partition("/")[0] for name in members}
    if len(roots) != 1:
        raise Refusal("tensor", "a torch file must have one folder")
    root = roots.pop()
    if members.get(f"{root}/byteorder", b"little") != b"little":
        raise Refusal("tensor", "a torch file must be little-endian")
    if f"{root}/data.pkl" not in members:
        raise Refusal("tensor", "a torch file must have a data.pkl")
    tree = parse_pickle(members[f"{root}/data.pkl"], persistent=True)
    prefix = f"{root}/data/"
    storages = {
        name.removeprefix(prefix): contents
        for name, contents in members.items()
        if name.startswith(prefix)
    }
    return Tensors(storages).of(tree)


def _is_allowed(name: str) -> bool:
    root, _, rest = name.partition("/")
    if not root or len(root) > 64 or "\\" in name or root in (".", ".."):
        return False
    folder, _, key = rest.partition("/")
    is_storage = folder == "data" and key.isdigit() and len(key) <= 20
    return rest == "data.pkl" or rest in _SIDE_MEMBERS or is_storage
