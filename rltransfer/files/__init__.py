"""Files on disk: written whole or not at all, and read strictly."""

from rltransfer.files.faults import storage_faults
from rltransfer.files.reading import read_json, sha256_of
from rltransfer.files.writing import (
    cut_back,
    make_folder,
    remove_drafts,
    write_after,
    write_atomically,
    write_json,
)

__all__ = [
    "cut_back",
    "make_folder",
    "read_json",
    "remove_drafts",
    "sha256_of",
    "storage_faults",
    "write_after",
    "write_atomically",
    "write_json",
]
