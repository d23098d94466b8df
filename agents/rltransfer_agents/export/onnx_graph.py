"""Writing an ONNX graph node by node; the only page that knows the `onnx` package."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from rltransfer.errors import InputError
from rltransfer_agents.policies.activations import Dense

# Old enough for the runtimes of small boards, new enough for all that is used here.
_OPSET = 18
_IR_VERSION = 9
_ACTIVATIONS = {
    "tanh": "Tanh",
    "relu": "Relu",
    "elu": "Elu",
    "sigmoid": "Sigmoid",
    "softplus": "Softplus",
    "softsign": "Softsign",
    "selu": "Selu",
    "mish": "Mish",
}


def require_onnx() -> None:
    """Raises unless the extra is installed."""
    if find_spec("onnx") is None:
        raise InputError(
            "writing ONNX needs the package onnx, which is not installed; "
            "install it: pip install 'rltransfer[onnx]'"
        )


@final
class Graph:
    """Nodes, constants and the names between them."""

    FLOAT: ClassVar[int] = 1
    DOUBLE: ClassVar[int] = 11
    INTEGER: ClassVar[int] = 7

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._names = 0

    def input(self, name: str, shape: tuple[int, ...]) -> str:
        """Declares the graph's input, a batch of float32 arrays."""
        from onnx import helper

        information = helper.make_tensor_value_info(name, self.FLOAT, _sizes(shape))
        self._inputs.append(information)
        return name

    def add(self, operation: str, *inputs: str, **settings: Any) -> str:
        """Adds a node with one output; returns the output's name."""
        return self.add_many(operation, 1, *inputs, **settings)[0]

    def add_many(
        self, operation: str, outputs: int, *inputs: str, **settings: Any
    ) -> list[str]:
        """Adds a node; returns its outputs' names."""
        from onnx import helper

        names = [self._name() for _ in range(outputs)]
        self._nodes.append(helper.make_node(operation, inputs, names, **settings))
        return names

    def constant(self, array: NDArray[Any]) -> str:
        """Adds an array; returns its name."""
        from onnx import numpy_helper

        name = self._name()
        contiguous = np.ascontiguousarray(array).reshape(array.shape)
        self._constants.append(numpy_helper.from_array(contiguous, name))
        return name

    def one(self) -> str:
        """Adds the number one in single precision."""
        return self.constant(np.ones(1, np.float32))

    def clipped(self, values: str, low: float, high: float, dtype: Any) -> str:
        """Adds limits."""
        limits = [self.constant(np.array(bound, dtype)) for bound in (low, high)]
        return self.add("Clip", values, *limits)

    def split(self, values: str, sizes: tuple[int, ...]) -> list[str]:
        """Adds a split of the last dimension."""
        parts = self.constant(np.array(sizes, np.int64))
        return self.add_many("Split", len(sizes), values, parts, axis=1)

    def dense(self, values: str, layer: Dense) -> str:
        """Adds a layer with its activation."""
        values = self.affine(values, layer.weight, layer.bias)
        return self.activation(values, layer.activation.__name__)

    def affine(self, values: str, weight: NDArray[Any], bias: NDArray[Any]) -> str:
        """Adds a product and a sum."""
        return self.add("Gemm", values, self.constant(weight), self.constant(bias))

    def activation(self, values: str, name: str) -> str:
        """Adds an activation by the name of its function."""
        if name in _ACTIVATIONS:
            return self.add(_ACTIVATIONS[name], values)
        match name:
            case "identity":
                return values
            case "sum_to_one":
                return self._sum_to_one(values)
            case "leaky_relu":
                return self.add("LeakyRelu", values, alpha=0.01)
            case "silu":
                return self.add("Mul", values, self.add("Sigmoid", values))
            case "hardtanh":
                return self.clipped(values, -1, 1, np.float32)
            case "relu6":
                return self.clipped(values, 0, 6, np.float32)
            case "gelu":
                root = self.constant(np.full(1, 2**-0.5, np.float32))
                share = self.add("Erf", self.add("Mul", values, root))
                half = self.constant(np.full(1, 0.5, np.float32))
                scaled = self.add("Mul", self.add("Add", share, self.one()), half)
                return self.add("Mul", values, scaled)
            case _:
                raise InputError(f"ONNX has no {name}; write a bundle instead")

    def _sum_to_one(self, values: str) -> str:
        axis = self.constant(np.array([1]))
        missing = self.add("Sub", self.one(), self.add("ReduceSum", values, axis))
        zeros = self.add("Sub", values, values)
        count = self.add("ReduceSum", self.add("Add", zeros, self.one()), axis)
        return self.add("Add", values, self.add("Div", missing, count))

    def serialised(self, action: str, kind: int, shape: tuple[int, ...]) -> bytes:
        """Returns the bytes of the model that ends in `action`.

        Args:
            action: what the graph gives.
            kind: the type of its numbers.
            shape: of one action.
        """
        from onnx import checker, helper

        self._nodes.append(helper.make_node("Identity", [action], ["action"]))
        output = helper.make_tensor_value_info("action", kind, _sizes(shape))
        graph = helper.make_graph(
            self._nodes, "policy", self._inputs, [output], self._constants
        )
        model = helper.make_model(
            graph,
            producer_name="rltransfer",
            ir_version=_IR_VERSION,
            opset_imports=[helper.make_opsetid("", _OPSET)],
        )
        checker.check_model(model, full_check=True)
        data: bytes = model.SerializeToString()
        return data

    @staticmethod
    def runner(data: bytes) -> Callable[[NDArray[np.float32]], NDArray[Any]]:
        """Returns a function that computes what the model in `data` does."""
        from onnx.reference import ReferenceEvaluator

        model = ReferenceEvaluator(data)

        def run(observations: NDArray[np.float32]) -> NDArray[Any]:
            (action,) = model.run(None, {"observation": observations})
            return np.asarray(action)

        return run

    def _name(self) -> str:
        self._names += 1
        return f"v{self._names}"


def _sizes(shape: tuple[int, ...]) -> list[str | int | None]:
    return ["batch", *shape]
