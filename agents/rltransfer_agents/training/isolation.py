"""Training seeds the process's global generators; here they are put back after."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def isolated() -> Iterator[None]:
    """Leaves the global generators and torch's threads as they were found.

    Inside the block torch has one thread: small networks are fastest so, and sums
    are taken in one order.
    """
    python, numpy = random.getstate(), np.random.get_state()
    generator, threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(generator)
        torch.set_num_threads(threads)
