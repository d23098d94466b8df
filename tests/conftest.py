import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    # The networks are small, and test processes run side by side.
    torch.set_num_threads(1)
