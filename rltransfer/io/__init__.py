"""Files and run folders: written whole or not at all, read strictly, one owner each."""

from rltransfer.io.atomic_files import (
    cut_back,
    make_folder,
    remove_drafts,
    storage_faults,
    write_after,
    write_atomically,
    write_json,
)
from rltransfer.io.manifests import (
    MANIFEST_NAME,
    Manifest,
    changed_files,
    installed_versions,
    read_manifest,
    read_manifest_of,
    write_manifest,
)
from rltransfer.io.run_folders import (
    folder_name,
    latest_run_folder,
    locked,
    next_run_folder,
    require_writable,
    unfinished_run_folder,
)
from rltransfer.io.strict_json import FirstError, read_json, sha256_of

__all__ = [
    "MANIFEST_NAME",
    "FirstError",
    "Manifest",
    "changed_files",
    "cut_back",
    "folder_name",
    "installed_versions",
    "latest_run_folder",
    "locked",
    "make_folder",
    "next_run_folder",
    "read_json",
    "read_manifest",
    "read_manifest_of",
    "remove_drafts",
    "require_writable",
    "sha256_of",
    "storage_faults",
    "unfinished_run_folder",
    "write_after",
    "write_atomically",
    "write_json",
    "write_manifest",
]
