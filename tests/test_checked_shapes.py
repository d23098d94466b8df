"""Wrong shapes are told while tests run."""

import pytest
import torch
from jaxtyping import TypeCheckError

from rltransfer.alignment.families.structured_families import marginal_distances
from tests.conftest import modules_with_shapes


def test_a_wrong_shape_is_told() -> None:
    with pytest.raises(TypeCheckError):
        marginal_distances(torch.zeros(3), torch.zeros(3))


def test_pages_of_all_three_packages_are_checked() -> None:
    packages = {name.split(".")[0] for name in modules_with_shapes()}
    assert packages == {"rltransfer", "rltransfer_envs", "rltransfer_agents"}
