"""Agents for other machines: as a safe bundle, as plain NumPy, as ONNX.

Each file is read back and compared with the original on random observations before it
gets its name. A file that is there already is never overwritten.
"""

from rltransfer_agents.export.export_agent import export_agent as export_agent
from rltransfer_agents.export.export_agent import export_bundle as export_bundle
from rltransfer_agents.export.export_agent import (
    export_policy_data as export_policy_data,
)
from rltransfer_agents.export.export_agent import require_format as require_format
from rltransfer_agents.export.onnx_export import EQUAL_SHARE as EQUAL_SHARE
from rltransfer_agents.export.onnx_export import (
    export_mapped_onnx as export_mapped_onnx,
)
from rltransfer_agents.export.onnx_export import export_onnx as export_onnx
from rltransfer_agents.export.plain_policy import export_numpy as export_numpy
from rltransfer_agents.export.policy_modules import WantedModule as WantedModule
