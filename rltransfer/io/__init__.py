"""Files and run folders: written whole or not at all, read strictly, one owner each."""

from rltransfer.io.atomic_files import cut_back as cut_back
from rltransfer.io.atomic_files import make_folder as make_folder
from rltransfer.io.atomic_files import remove_drafts as remove_drafts
from rltransfer.io.atomic_files import storage_faults as storage_faults
from rltransfer.io.atomic_files import write_after as write_after
from rltransfer.io.atomic_files import write_atomically as write_atomically
from rltransfer.io.atomic_files import write_json as write_json
from rltransfer.io.manifests import MANIFEST_NAME as MANIFEST_NAME
from rltransfer.io.manifests import Manifest as Manifest
from rltransfer.io.manifests import changed_files as changed_files
from rltransfer.io.manifests import installed_versions as installed_versions
from rltransfer.io.manifests import read_manifest as read_manifest
from rltransfer.io.manifests import read_manifest_of as read_manifest_of
from rltransfer.io.manifests import write_manifest as write_manifest
from rltransfer.io.run_folders import copy_run as copy_run
from rltransfer.io.run_folders import folder_name as folder_name
from rltransfer.io.run_folders import locked as locked
from rltransfer.io.run_folders import next_run_folder as next_run_folder
from rltransfer.io.run_folders import require_writable as require_writable
from rltransfer.io.strict_json import FirstError as FirstError
from rltransfer.io.strict_json import read_json as read_json
from rltransfer.io.strict_json import sha256_of as sha256_of
