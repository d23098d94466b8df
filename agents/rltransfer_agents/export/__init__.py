"""Agents handed on: as a safe bundle, as plain NumPy, as ONNX.

Each file is read back and compared with the original on random observations before it
gets its name.
"""

from rltransfer_agents.export.export_agent import export_agent, export_bundle, rebundle
from rltransfer_agents.export.numpy_export import export_numpy
from rltransfer_agents.export.onnx_mapped import export_mapped_onnx
from rltransfer_agents.export.onnx_policy import export_onnx

__all__ = [
    "export_agent",
    "export_bundle",
    "export_mapped_onnx",
    "export_numpy",
    "export_onnx",
    "rebundle",
]
