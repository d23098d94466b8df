"""Agents for other machines: as a safe bundle, as plain NumPy, as ONNX.

Each file is read back and compared with the original on random observations before it
gets its name. A file that is there already is never overwritten.
"""

from rltransfer_agents.export.export_agent import (
    export_agent,
    export_bundle,
    export_policy_data,
    require_format,
)
from rltransfer_agents.export.onnx_export import (
    EQUAL_SHARE,
    export_mapped_onnx,
    export_onnx,
)
from rltransfer_agents.export.plain_policy import export_numpy

__all__ = [
    "EQUAL_SHARE",
    "export_agent",
    "export_bundle",
    "export_mapped_onnx",
    "export_numpy",
    "export_onnx",
    "export_policy_data",
    "require_format",
]
