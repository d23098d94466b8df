"""What stands between features and the output layer."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray

from rltransfer_agents.frozen.activations import Activation as ActivationFunction
from rltransfer_agents.frozen.activations import Activations, identity


@final
@dataclass(frozen=True, eq=False)
class Dense:
    """An affine map followed by an activation; takes one row or a batch of rows."""

    weight: Float32[NDArray[np.float32], "inputs units"]
    """Transposed against PyTorch, so that rows multiply from the left."""
    bias: Float32[NDArray[np.float32], " units"]
    activation: ActivationFunction = identity

    def __call__(
        self, features: Float32[NDArray[np.float32], "*batch inputs"]
    ) -> Activations:
        """Returns the activations for one row of features or a batch of rows."""
        units = features @ self.weight
        units += self.bias
        return self.activation(units)


def dense_from_torch(
    weight: Float32[NDArray[np.float32], "units inputs"],
    bias: Float32[NDArray[np.float32], " units"] | None,
    activation: ActivationFunction = identity,
) -> Dense:
    """Returns the layer that PyTorch stores as `weight` and `bias`."""
    # Contiguous: a transposed view makes every product several times slower.
    return Dense(
        weight=np.ascontiguousarray(weight.T),
        bias=np.zeros(len(weight), np.float32) if bias is None else bias,
        activation=activation,
    )
