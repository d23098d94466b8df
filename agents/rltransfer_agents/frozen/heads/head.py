"""The contract of all heads."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from jaxtyping import Float, Float32
from numpy.typing import NDArray

Latent = Float32[NDArray[np.float32], "*batch latent"]
Outputs = Float32[NDArray[np.float32], "*batch output"]


class Head(ABC):
    """Chooses an action from the last hidden layer; one row or a batch of rows."""

    @abstractmethod
    def outputs(self, latent: Latent) -> Outputs:
        """Returns what the choice is made from: logits, action values or means."""

    @abstractmethod
    def mode(self, latent: Latent) -> NDArray[Any]:
        """Returns the likeliest action."""

    @abstractmethod
    def sample(self, latent: Latent, generator: np.random.Generator) -> NDArray[Any]:
        """Returns an action drawn with `generator`."""

    def probabilities(
        self, latent: Latent
    ) -> Float[NDArray[np.floating], "*batch action"]:
        """Returns how likely `sample` gives each action of a Discrete space."""
        del latent
        raise TypeError(
            "only Discrete actions have probabilities, "
            f"this policy ends in {type(self).__name__}; ask for outputs instead"
        )

    def with_new_noise(self, generator: np.random.Generator) -> "Head":
        """Returns the head with noise drawn afresh, where it keeps noise over steps."""
        del generator
        return self
