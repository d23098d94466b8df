import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from rltransfer.one_thread import one_thread


def threads() -> set[int]:
    np.eye(2) @ np.eye(2)  # it is loaded now
    blas = {
        one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"
    }
    return blas | {torch.get_num_threads()}


def test_there_is_one_thread_inside_and_as_many_as_before_after_it() -> None:
    with threadpool_limits(2, "blas"):
        torch.set_num_threads(2)
        try:
            before = threads()
            with pytest.raises(ZeroDivisionError), one_thread():
                assert threads() == {1}
                raise ZeroDivisionError
            assert threads() == before != {1}
        finally:
            torch.set_num_threads(1)
