"""Small networks are fastest on one thread."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]


@contextmanager
def one_thread() -> Iterator[None]:
    """Gives PyTorch and NumPy one thread, and afterwards as many as there were.

    Threads that wait for each other over small products cost more than they save, ten
    times as much where cores are shared. With one, sums are taken in one order on all
    machines.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1, "blas"):
            yield
    finally:
        torch.set_num_threads(threads)
