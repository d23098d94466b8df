"""Run folders: where the results of a run lie, who owns them, what is in them."""

from rltransfer.runs.folders import (
    folder_name,
    latest_run_folder,
    next_run_folder,
    unfinished_run_folder,
)
from rltransfer.runs.locks import locked
from rltransfer.runs.manifests import (
    MANIFEST_NAME,
    Manifest,
    changed_files,
    read_manifest,
    read_manifest_of,
    write_manifest,
)
from rltransfer.runs.spaces import describe_space
from rltransfer.runs.versions import installed_versions

__all__ = [
    "MANIFEST_NAME",
    "Manifest",
    "changed_files",
    "describe_space",
    "folder_name",
    "installed_versions",
    "latest_run_folder",
    "locked",
    "next_run_folder",
    "read_manifest",
    "read_manifest_of",
    "unfinished_run_folder",
    "write_manifest",
]
