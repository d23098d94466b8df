"""Deviations of exploration noise from the logarithms that agents learn."""

import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray

from rltransfer_agents.reading.refusal import Refusal


def noise_deviation(
    log_deviation: Float32[NDArray[np.float32], "*shape"], *, use_expln: bool
) -> Float32[NDArray[np.float32], "*shape"]:
    """Returns deviations from their logarithms.

    Args:
        log_deviation: as learned.
        use_expln: grow like a logarithm above 1, not like an exponential (Raffin et
            al., 2021).
    """
    with np.errstate(over="ignore"):
        deviation: NDArray[np.float32] = np.exp(log_deviation)
    if use_expln:
        above = np.log1p(np.maximum(log_deviation, 0) + np.float32(1e-6)) + 1
        deviation = np.where(log_deviation > 0, above, deviation)
    if not np.isfinite(deviation).all():
        raise Refusal("non-finite", "the deviation of the actions must be finite")
    return deviation


def check_noise(
    deviation: Float32[NDArray[np.float32], "rows columns"], latent: int, actions: int
) -> None:
    """Raises unless a noise matrix, or its one column for all actions, fits."""
    if deviation.shape not in ((latent, actions), (latent, 1)):
        raise Refusal(
            "network",
            f"the noise must have the shape {(latent, actions)}, got {deviation.shape}",
        )
